/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CALL_TARGET_H
#define PROBEKIT_CALL_TARGET_H
/* What a caller meant to call. The C library's functions often jump on to others that have no
 * public name (sem_wait, pthread_join), and leave no frame; the caller's code tells. */
#include "address_space.h"

/* The function of another file that the call before `return_address` names, "sem_wait"; NULL: the
 * call is within the file, through a pointer, or not understood. Lives as long as the modules. */
const char *call_target(struct address_space *space, uint64_t return_address);

#endif
