/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_QUIET_H
#define PROBEKIT_QUIET_H
/* libbpf prints to stderr by default, which a library must not. Its print function is one for the whole
 * process, so it is the caller's again as soon as possible. */
#include <bpf/libbpf.h>

/* Returns what to give to libbpf_set_print() afterwards. */
libbpf_print_fn_t quiet_begin(void);

#endif
