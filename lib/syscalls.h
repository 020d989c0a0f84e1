/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SYSCALLS_H
#define PROBEKIT_SYSCALLS_H
/* System calls of this architecture: what one that blocks waits for. */
#include <stdint.h>

#include "../bpf/shared.h"

/* enum syscall_kind by number; what is not listed is SYSCALL_OTHER. */
void syscalls_fill_kinds(uint8_t kinds[static MAX_SYSCALLS]);

/* "fsync", malloc'ed; "#N" where the number is not known. NULL: no memory. */
char *syscalls_name(unsigned int number);

#endif
