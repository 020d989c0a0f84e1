/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_ARGUMENTS_H
#define PROBEKIT_ARGUMENTS_H
/* Reading a site's first argument as its note describes it. */
#include "maps.h"

static __always_inline __u64 read_register(struct pt_regs *ctx, __s16 offset)
{
	__u64 value = 0;

	/* The verifier allows no variable offset into ctx. */
	if (offset >= 0)
		bpf_probe_read_kernel(&value, sizeof(value), (void *)ctx + offset);
	return value;
}

/* Not zero when it cannot be read; `out` is then untouched. */
static __noinline int read_argument(struct pt_regs *ctx, __u32 site, __s64 *out)
{
	struct argument *a = bpf_map_lookup_elem(&arguments, &site);
	__u64 value = 0;
	__u64 address;

	if (!a)
		return -1;
	switch (a->kind) {
	case ARGUMENT_CONSTANT:
		value = (__u64)a->value;
		break;
	case ARGUMENT_REGISTER:
		value = read_register(ctx, a->reg);
		break;
	case ARGUMENT_MEMORY:
		address = read_register(ctx, a->reg) + (__u64)a->value +
			  (read_register(ctx, a->index) << (a->scale_shift & 3));
		if (bpf_probe_read_user(&value, 8 - (a->shift >> 3 & 7), (void *)address))
			return -1;
		break;
	default:
		return -1;
	}
	value <<= a->shift & 63;
	*out = a->is_signed ? (__s64)value >> (a->shift & 63) : (__s64)(value >> (a->shift & 63));
	return 0;
}

#endif
