/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_OUT_LOCK_WAITERS_H
#define PROBEKIT_CLI_OUT_LOCK_WAITERS_H
#include "out_parts.h"

/* From where a lock was waited for, a line each; nothing where no stack was seen. */
void out_lock_waiters(struct text_line *line, const struct probekit_lock *lock);

#endif
