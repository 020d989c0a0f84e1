/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_LOCK_HOLDERS_H
#define PROBEKIT_LOCK_HOLDERS_H
/* Who held the locks of a snapshot. Each of the kernel's tables is read once, and sorted by lock. */
#include "lock_groups.h"

/* Once session->held is there, which it sorts. -ENOMEM. */
int lock_groups_read_holders(struct lock_groups *groups);
/* All that held it, each with its time as the share. -ENOMEM. */
int lock_group_add_holders(const struct lock_groups *groups, struct lock_group *group);
/* Once all are there: from ns to shares. */
void lock_group_set_shares(struct lock_group *group);

#endif
