/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_PROGRESS_H
#define PROBEKIT_CLI_PROGRESS_H
/* One live line on standard error while a measurement runs. */
#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool is_wanted;
	bool is_shown;
	uint64_t limit_ns; /* 0: none */
	uint64_t last_ns;
	uint64_t last_count;
};

/* Nothing is ever printed unless standard error is a terminal. */
void progress_init(struct progress *progress, bool is_wanted, uint64_t limit_ns);
/* `count` spans after `elapsed_ns`. */
void progress_show(struct progress *progress, uint64_t elapsed_ns, uint64_t count);
/* To be called before anything else is printed. */
void progress_clear(struct progress *progress);

#endif
