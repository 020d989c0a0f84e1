/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_GROUP_H
#define PROBEKIT_CLI_GROUP_H
/* Whether a process group has all that descends from its leader. */
#include <sys/types.h>

/* A descendant of the process, as it is now, that has left its group; 0: there is none. One whose parent has ended
 * is not found. */
pid_t group_find_stray(pid_t leader);

#endif
