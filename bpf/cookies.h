/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_COOKIES_H
#define PROBEKIT_COOKIES_H
/* What a program of a site learns from its cookie. */
#include "maps.h"

static __always_inline __u32 cookie_probe(__u64 cookie)
{
	return cookie & MAX_PROBES;
}

static __always_inline __u32 cookie_operand(__u64 cookie)
{
	return cookie >> COOKIE_OPERAND_SHIFT & COOKIE_OPERAND_MASK;
}

static __always_inline __u32 cookie_flags(__u64 cookie)
{
	return cookie >> COOKIE_FLAG_SHIFT & 0xff;
}

/* Before everything is attached, begins would miss their ends, and ends their begins. */
static __always_inline bool is_silent(__u64 cookie)
{
	return !is_recording || (cookie_flags(cookie) & COOKIE_LATE &&
				 (probe_row(cookie_probe(cookie)) == 0 ||
				  hushed_pid == bpf_get_current_pid_tgid() >> 32));
}

#endif
