/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_RIGHTS_H
#define PROBEKIT_CLI_RIGHTS_H
/*
 * Giving up what this process may do beyond what still comes. Sets of capabilities have bit CAP_X of
 * <linux/capability.h>. They are the calling thread's: there must be no other yet that has more.
 */
#include <stdint.h>

/* To read files that the user named, whoever they belong to. */
extern const uint64_t rights_to_read;
/* To look into processes: what they map, and those files. */
extern const uint64_t rights_to_look;
/* To end processes of others. */
extern const uint64_t rights_to_end;

/* To look into a command that is started, as the kernel lets nobody look into who may do more: what it gets
 * of ours. */
uint64_t rights_of_commands(void);
/* What writing `path` asks for, or a new file in `folder`; NULL: none is written. */
uint64_t rights_to_write(const char *path);
uint64_t rights_to_write_in(const char *folder);

/* Keeps, of what we have, `needed` alone, and for good: no program that is executed can gain more.
 * Failures are told on stderr. */
void rights_keep(uint64_t needed);
/* The same, but programs executed from now on start as if nothing had been given up. */
void rights_keep_for_now(uint64_t needed);

#endif
