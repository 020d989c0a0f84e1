/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_ARGUMENTS_H
#define PROBEKIT_ARGUMENTS_H
/* Reading a site's first argument as its note describes it. */
#include "maps.h"

/* Not zero when it cannot be read; `out` is then untouched. */
static __always_inline int read_argument(struct pt_regs *ctx, __u32 site, __s64 *out)
{
	return probekit_read(ctx, bpf_map_lookup_elem(&arguments, &site), out);
}

#endif
