/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_WATCHDOG_H
#define PROBEKIT_CLI_WATCHDOG_H
/*
 * A process that outlives ours to end process groups that we may have stopped, whatever it is that ends us.
 * Who has left its group is out of its reach.
 */
#include <sys/types.h>

#include <probekit/probekit.h>

struct watchdog {
	pid_t pid; /* 0: none */
	int fd;	   /* it hears of groups there, and of our end */
};

int watchdog_start(struct watchdog *watchdog, struct probekit_error *err);
/* The group's number must stay its own until watchdog_stop(). */
int watchdog_guard(const struct watchdog *watchdog, pid_t group, struct probekit_error *err);
/* The groups have ended. */
void watchdog_stop(struct watchdog *watchdog);

#endif
