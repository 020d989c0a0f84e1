/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the choice of a CPU. */
#include "cpus.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "opts.h"

#define LOOK_MS 100 /* ten of the ticks in which /proc/stat counts */

static int failed(int code, struct probekit_error *err)
{
	return failure_error(err, code, "cannot choose a CPU for the commands: %s",
			     strerror(-code));
}

/* In ticks, of each CPU since it was started. Those that are not told are 0. */
static void read_busy(uint64_t busy[static CPU_SETSIZE])
{
	FILE *file = fopen("/proc/stat", "re");
	char line[512];
	unsigned int cpu;

	memset(busy, 0, CPU_SETSIZE * sizeof(*busy));
	while (file && fgets(line, sizeof(line), file)) {
		unsigned long long user, nice, system, irq, softirq, steal;

		if (sscanf(line, "cpu%u %llu %llu %llu %*u %*u %llu %llu %llu", &cpu, &user, &nice,
			   &system, &irq, &softirq, &steal) == 7 &&
		    cpu < CPU_SETSIZE)
			busy[cpu] = user + nice + system + irq + softirq + steal;
	}
	if (file)
		fclose(file);
}

/* The first CPU is where kernels put what they have no other place for. */
static int least_busy(const cpu_set_t *allowed)
{
	const struct timespec look = {.tv_nsec = LOOK_MS * 1000000};
	uint64_t before[CPU_SETSIZE];
	uint64_t after[CPU_SETSIZE];
	int best = -1;

	read_busy(before);
	nanosleep(&look, NULL);
	read_busy(after);
	for (int i = CPU_SETSIZE - 1; i >= 0; i--) {
		if (!CPU_ISSET(i, allowed) || (i == 0 && best >= 0))
			continue;
		if (best < 0 || after[i] - before[i] < after[best] - before[best])
			best = i;
	}
	return best;
}

int cpus_part(struct cpus *cpus, struct probekit_error *err)
{
	cpu_set_t rest;

	if (sched_getaffinity(0, sizeof(cpus->allowed), &cpus->allowed))
		return failed(-errno, err);
	cpus->chosen = least_busy(&cpus->allowed);
	rest = cpus->allowed;
	CPU_CLR(cpus->chosen, &rest);
	if (CPU_COUNT(&rest) && sched_setaffinity(0, sizeof(rest), &rest))
		return failed(-errno, err);
	return 0;
}

int cpus_pin(const struct cpus *cpus, pid_t pid, struct probekit_error *err)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpus->chosen, &one);
	return sched_setaffinity(pid, sizeof(one), &one) ? failed(-errno, err) : 0;
}

void cpus_join(const struct cpus *cpus)
{
	sched_setaffinity(0, sizeof(cpus->allowed), &cpus->allowed);
}
