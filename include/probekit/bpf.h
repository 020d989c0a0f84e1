/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * probekit/bpf.h: programs of your own at the sites that probekit plans.
 *
 * probekit finds the probes, follows the processes, picks the cheapest instruction of each site and
 * attaches; your program is run there, and reads what the site tells:
 *
 *	#include <linux/bpf.h>			(or vmlinux.h)
 *	#include <probekit/bpf.h>
 *
 *	long long sum;
 *
 *	PROBEKIT_PROGRAM(add)
 *	{
 *		__s64 bytes;
 *
 *		if (probekit_argument(ctx, 1, &bytes) == 0)
 *			__sync_fetch_and_add(&sum, bytes);
 *		return 0;
 *	}
 *
 *	char LICENSE[] SEC("license") = "Dual BSD/GPL";
 *
 * User space loads it as it likes (libbpf, a skeleton) and gives the file descriptors of program and
 * map to probekit_session_add_program(3), which has the rest. The licence must be one that the
 * kernel takes for compatible with the GPL, as the helpers that read memory ask for that.
 */
#ifndef PROBEKIT_BPF_H
#define PROBEKIT_BPF_H

#ifndef __VMLINUX_H__
#include <linux/bpf.h>
#include <linux/types.h>
#endif

/* ---- what the library tells: for both sides, of no use to programs themselves ---- */

#define PROBEKIT_MAX_ARGUMENTS 12

enum probekit_argument_kind {
	PROBEKIT_ARGUMENT_NONE, /* cannot be read: floating point, or a symbol's address */
	PROBEKIT_ARGUMENT_CONSTANT,
	PROBEKIT_ARGUMENT_REGISTER,
	PROBEKIT_ARGUMENT_MEMORY,
};

/* One argument of a site, seen from the instruction that is attached to. Offsets are into struct
 * pt_regs. */
struct probekit_argument {
	__s64 value; /* the constant; displacement; what the register lacks */
	__s16 reg;   /* offset of the register or the base; -1: none */
	__s16 index; /* offset of the index register; -1: none */
	__u8 kind;
	__u8 scale_shift;
	__u8 shift; /* 64 - bits: shifted up and back down to cut and extend */
	__u8 is_signed;
};

struct probekit_site_arguments {
	__u32 count;
	__u32 has_key; /* argument 0 is what tells apart the spans of a probe */
	struct probekit_argument arguments[PROBEKIT_MAX_ARGUMENTS];
};

/* bits 0-31 site, 32-47 probe, 48-51 role (enum probekit_role), 52-56 of a function's exit at a
 * conditional jump: 16 plus the condition, as x86 encodes it. */
#define PROBEKIT_COOKIE_PROBE_SHIFT 32
#define PROBEKIT_COOKIE_ROLE_SHIFT 48
#define PROBEKIT_COOKIE_CONDITION_SHIFT 52

#ifdef __bpf__
#include <bpf/bpf_helpers.h>

struct pt_regs;

/* ---- reading one argument ---- */

/* The verifier allows no variable offset into ctx, so a register is read as memory. */
static __always_inline __u64 probekit_register(void *ctx, __s16 offset)
{
	__u64 value = 0;

	if (offset >= 0)
		bpf_probe_read_kernel(&value, sizeof(value), ctx + offset);
	return value;
}

/* 0, or a negative errno with `*out` untouched. A function of its own, which is checked once however
 * often it is called. */
static __attribute__((noinline, unused)) int probekit_read(struct pt_regs *ctx,
							   struct probekit_argument *a, __s64 *out)
{
	__u64 value = 0;
	__u64 address;

	if (!a || !out)
		return -2; /* ENOENT */
	switch (a->kind) {
	case PROBEKIT_ARGUMENT_CONSTANT:
		value = (__u64)a->value;
		break;
	case PROBEKIT_ARGUMENT_REGISTER:
		value = probekit_register(ctx, a->reg) + (__u64)a->value;
		break;
	case PROBEKIT_ARGUMENT_MEMORY:
		address = probekit_register(ctx, a->reg) + (__u64)a->value +
			  (probekit_register(ctx, a->index) << (a->scale_shift & 3));
		if (bpf_probe_read_user(&value, 8 - (a->shift >> 3 & 7), (void *)address))
			return -14; /* EFAULT */
		break;
	default:
		return -95; /* EOPNOTSUPP */
	}
	value <<= a->shift & 63;
	*out = a->is_signed ? (__s64)value >> (a->shift & 63) : (__s64)(value >> (a->shift & 63));
	return 0;
}

/* ---- jumps ---- */

#define PROBEKIT_FLAG_CARRY 0x1
#define PROBEKIT_FLAG_PARITY 0x4
#define PROBEKIT_FLAG_ZERO 0x40
#define PROBEKIT_FLAG_SIGN 0x80
#define PROBEKIT_FLAG_OVERFLOW 0x800
#define PROBEKIT_FLAGS_OFFSET 144 /* in x86-64's struct pt_regs */

/* Does a condition of x86 hold? They come in pairs, of which the second is the first negated (Intel SDM,
 * volume 1, appendix B). */
static __always_inline _Bool probekit_holds(__u64 flags, __u32 condition)
{
	_Bool is_less = !(flags & PROBEKIT_FLAG_SIGN) != !(flags & PROBEKIT_FLAG_OVERFLOW);
	_Bool holds;

	switch (condition >> 1 & 7) {
	case 0:
		holds = flags & PROBEKIT_FLAG_OVERFLOW;
		break;
	case 1:
		holds = flags & PROBEKIT_FLAG_CARRY;
		break;
	case 2:
		holds = flags & PROBEKIT_FLAG_ZERO;
		break;
	case 3:
		holds = flags & (PROBEKIT_FLAG_CARRY | PROBEKIT_FLAG_ZERO);
		break;
	case 4:
		holds = flags & PROBEKIT_FLAG_SIGN;
		break;
	case 5:
		holds = flags & PROBEKIT_FLAG_PARITY;
		break;
	case 6:
		holds = is_less;
		break;
	default:
		holds = is_less || flags & PROBEKIT_FLAG_ZERO;
		break;
	}
	return holds != (condition & 1);
}

/* False at a jump that leaves the function only under a condition which does not hold now. */
static __always_inline _Bool probekit_is_left(void *ctx)
{
	__u32 condition = bpf_get_attach_cookie(ctx) >> PROBEKIT_COOKIE_CONDITION_SHIFT & 0x1f;

	return !condition ||
	       probekit_holds(probekit_register(ctx, PROBEKIT_FLAGS_OFFSET), condition);
}

/* ---- where am I? ---- */

/* Number of the site: probekit_session_site() tells all about it. */
static __always_inline __u32 probekit_site(struct pt_regs *ctx)
{
	return (__u32)bpf_get_attach_cookie(ctx);
}

/* Number of the probe: all sites of a span, at its begins and its ends, have the same. */
static __always_inline __u32 probekit_probe(struct pt_regs *ctx)
{
	return bpf_get_attach_cookie(ctx) >> PROBEKIT_COOKIE_PROBE_SHIFT & 0xffff;
}

/* One of enum probekit_role, which a program that serves several asks for. */
static __always_inline __u32 probekit_role(struct pt_regs *ctx)
{
	return bpf_get_attach_cookie(ctx) >> PROBEKIT_COOKIE_ROLE_SHIFT & 0xf;
}

/* ---- programs ---- */

const volatile _Bool probekit_never __attribute__((weak));

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} probekit_no_programs __attribute__((weak)) SEC(".maps");

/*
 * Linux 6.13 (commit a76ab5731e32) gives programs with much stack one for each CPU, and relies on a
 * check for recursion that uprobes lack: a thread that is preempted inside would find the next one's
 * values. A program with a tail call keeps the thread's own stack; that none is ever made the
 * verifier sees later, and takes the call out.
 */
static __always_inline void probekit_keep_own_stack(void *ctx)
{
	if (probekit_never)
		bpf_tail_call(ctx, &probekit_no_programs, 0);
}

/*
 * PROBEKIT_PROGRAM(name) { ... return 0; }
 *
 * A program of that name; `ctx`, its struct pt_regs, has the thread's registers. What it returns goes
 * nowhere: some kernels would take a 1 for the wish to be detached. It may be preempted, and run for
 * several threads at once: what they share is added to atomically.
 */
#define PROBEKIT_PROGRAM(name)                                       \
	static __always_inline int name##_at_site(struct pt_regs *); \
	SEC("uprobe")                                                \
	int name(struct pt_regs *ctx)                                \
	{                                                            \
		probekit_keep_own_stack(ctx);                        \
		if (probekit_is_left(ctx))                           \
			name##_at_site(ctx);                         \
		return 0;                                            \
	}                                                            \
	static __always_inline int name##_at_site(struct pt_regs *ctx __attribute__((unused)))

/* ---- the site's arguments ---- */

/* Define PROBEKIT_NO_ARGUMENTS before the #include where no argument is read: there is no map then. */
#ifndef PROBEKIT_NO_ARGUMENTS

/* Room for so many sites; define it, or call bpf_map__set_max_entries(), for more. */
#ifndef PROBEKIT_MAX_SITES
#define PROBEKIT_MAX_SITES 1024
#endif

/* By number; the library fills it before it attaches. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROBEKIT_MAX_SITES);
	__type(key, __u32);
	__type(value, struct probekit_site_arguments);
} probekit_sites __attribute__((weak)) SEC(".maps");

/*
 * Argument `n` (from 0) of the site's note, with its own width and sign; unsigned 64-bit numbers and
 * pointers keep their bits. 0, or a negative errno with `*value` untouched: -ENOENT, the site has
 * fewer; -EFAULT, its memory is not there (it may be swapped out); -EOPNOTSUPP, floating point.
 */
static __attribute__((noinline, unused)) int probekit_argument(struct pt_regs *ctx, __u32 n,
							       __s64 *value)
{
	__u32 number = probekit_site(ctx);
	struct probekit_site_arguments *site = bpf_map_lookup_elem(&probekit_sites, &number);

	if (!site || n >= PROBEKIT_MAX_ARGUMENTS || n >= site->count)
		return -2;
	return probekit_read(ctx, &site->arguments[n], value);
}

/*
 * What tells apart the spans of one probe, at sites that have it: the key where one begins, the id of
 * an async span, the address of a lock. As probekit_argument(); -ENOENT where there is none.
 */
static __attribute__((noinline, unused)) int probekit_key(struct pt_regs *ctx, __s64 *key)
{
	__u32 number = probekit_site(ctx);
	struct probekit_site_arguments *site = bpf_map_lookup_elem(&probekit_sites, &number);

	if (!site || !site->has_key)
		return -2;
	return probekit_read(ctx, &site->arguments[0], key);
}

#endif /* !PROBEKIT_NO_ARGUMENTS */
#endif /* __bpf__ */
#endif
