/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ENVIRONMENT_H
#define PROBEKIT_ENVIRONMENT_H
/* The machine that is measured on. Strings of a struct probekit_environment are malloc'ed here. */
#include "error.h"

/* Time of all CPUs together, in ticks. */
struct cpu_ticks {
	uint64_t steal;
	uint64_t all; /* 0: not known */
};

/* Nothing is known. */
void environment_init(struct probekit_environment *environment);
/* All but the steal; the quota is that of process `pid`, not known of 0. -ENOMEM. */
int environment_read(pid_t pid, struct probekit_environment *environment);
/* -ENOMEM leaves `into` with what could be copied. */
int environment_copy(const struct probekit_environment *from, struct probekit_environment *into);
void environment_done(struct probekit_environment *environment);

void environment_ticks(struct cpu_ticks *ticks);
/* From one reading to the next. NAN: no tick has passed, or it is not known. */
double environment_steal(const struct cpu_ticks *from, const struct cpu_ticks *to);

/* ---- from the kernel's texts ---- */

/* /proc/stat */
void environment_parse_ticks(const char *text, struct cpu_ticks *ticks);
/* The value of the first line "name : value" of /proc/cpuinfo; its length. NULL: there is none. */
const char *environment_find_cpu(const char *text, const char *name, size_t *length);
/* By the CPU's flags, else by what the maker's names for the machine are. -1: not known. */
int environment_is_virtual(const char *cpuinfo, const char *vendor, const char *product);

#endif
