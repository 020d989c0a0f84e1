/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_CPUS_H
#define PROBEKIT_CLI_CPUS_H
/* Which CPU programs that are compared run on: one, and the calling thread on the others. */
#include <sched.h>

#include <probekit/probekit.h>

struct cpus {
	cpu_set_t allowed; /* before */
	int chosen;
};

/* Chooses the least busy of the allowed CPUs, not the first one unless there is no other, and moves the calling
 * thread to the rest, if there is one. */
int cpus_part(struct cpus *cpus, struct probekit_error *err);
/* Moves a process to the chosen CPU. */
int cpus_pin(const struct cpus *cpus, pid_t pid, struct probekit_error *err);
/* Undoes cpus_part(). */
void cpus_join(const struct cpus *cpus);

#endif
