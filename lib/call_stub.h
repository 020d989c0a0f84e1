/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CALL_STUB_H
#define PROBEKIT_CALL_STUB_H
/*
 * Short code without unwind information that pushes nothing, so that its caller is where the stack
 * pointer points to: the ends of spans of <probekit/probe.h>, and clone3() of glibc behind its
 * system call, where it ends its own on purpose, as that would be wrong in the child.
 */
#include "address_space.h"

/* Is `ip` in such code, `caller` being what the stack pointer points to? */
bool call_stub_is_called_from(struct address_space *space, uint64_t ip, uint64_t caller);

#endif
