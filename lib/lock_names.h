/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_LOCK_NAMES_H
#define PROBEKIT_LOCK_NAMES_H
/* Which variable of a process an address lies in: "log_mutex". */
#include "object.h"
#include "proc_maps.h"

/* Finds the data symbol at `address` of a process with these maps, in one of `objects`. "name" or
 * "name+8" in *symbol (malloc'ed), and where the address lies, "logger+0x4050", in *place. Either is
 * NULL when it is not known. -ENOMEM. */
int lock_name(const struct proc_maps *maps, const struct objects *objects, uint64_t address,
	      char **symbol, char **place);

/* Is the C library of a process with these maps, one of `objects`, glibc 2.41 or later, where a condition variable
 * has another layout? */
bool lock_has_new_condvars(const struct proc_maps *maps, const struct objects *objects);

/* Where the lock begins, one of this kind, of which a thread waits for `word` with `value`. */
uint64_t lock_object(uint64_t word, const char *kind, uint32_t value, bool has_new_condvars);

#endif
