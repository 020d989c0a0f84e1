/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_ASKED_H
#define PROBEKIT_TESTS_ASKED_H
/* A symbolizer and one process that it is asked about. Any failure fails the test. */
#include "symbolize.h"

struct asked {
	struct symbolizer *symbolizer;
	struct address_space space;
	struct proc_maps own_maps;
};

/* `asked` is zeroed, or asked about another process before; `maps` must outlive it. */
void ask_about(struct asked *asked, pid_t pid, const struct proc_maps *maps);
void ask_about_self(struct asked *asked);
void asked_done(struct asked *asked);

/* The outermost frame at an address that is no return address. */
struct symbol_frame asked_resolve(struct asked *asked, uint64_t address);

#endif
