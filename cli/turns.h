/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_TURNS_H
#define PROBEKIT_CLI_TURNS_H
/*
 * Two processes that run by turns of some milliseconds, with their groups, until one of them ends: the
 * other one is stopped. In each couple of turns both have one, in random order.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <probekit/probekit.h>

struct turns;

/* Stops a child of ours, the leader of its group, with the group. False: it waits in the kernel for what cannot be
 * interrupted, and has not stopped yet. */
bool turns_pause(pid_t leader);

/* Begins with leaders[running], while the other is stopped. `seed`: of the order. Nobody else may reap
 * them before turns_stop(). */
int turns_start(const pid_t leaders[static 2], int running, uint64_t seed, struct turns **turns,
		struct probekit_error *err);
/* From here on none is stopped. How often the other got its turn before each had stopped is added to `overlaps`.
 * NULL is allowed. */
void turns_stop(struct turns *turns, size_t overlaps[static 2]);

#endif
