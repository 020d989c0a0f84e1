/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PPROF_TABLES_H
#define PROBEKIT_PPROF_TABLES_H
/* The tables of a pprof profile, each thing in them once. Failures are of memory alone. */
#include <probekit/probekit.h>

#include "pprof.pb-c.h"

/* Trees of what `out` holds, by what makes it unique. */
struct pprof_tables {
	Pprof__Profile *out;
	void *strings;
	void *mappings;
	void *functions;
	void *locations;
};

/* With room for so many frames and strings beyond theirs. -ENOMEM; to be done with
 * after a failure too. */
int pprof_tables_init(struct pprof_tables *tables, size_t frames, size_t strings)
	__attribute__((warn_unused_result));
void pprof_tables_done(struct pprof_tables *tables);

/* Position of `text`, escaped; of NULL that is 0, as of "". Negative: failed. */
int64_t pprof_tables_string(struct pprof_tables *tables, const char *text);
/* Ids; 0: failed. */
uint64_t pprof_tables_mapping(struct pprof_tables *tables, const char *module);
/* Of one place in the code, innermost inlined function first. */
uint64_t pprof_tables_location(struct pprof_tables *tables, const struct probekit_frame *frames,
			       size_t size);

#endif
