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
				  (hushed_pid == bpf_get_current_pid_tgid() >> 32 &&
				   hushed_arrival == cookie >> COOKIE_ARRIVAL_SHIFT)));
}

/* Has the newer link at this site taken the event? */
static __always_inline bool is_taken(struct taken *taken, __u64 cookie, __u64 sp, __u8 what)
{
	__u32 now = *(volatile __u32 *)&renewal;

	if (!now)
		return false;
	if (!(cookie_flags(cookie) & COOKIE_IS_ODD) == !(now & 1)) {
		*taken = (struct taken){
			.sp = sp, .renewal = now, .probe = cookie_probe(cookie), .what = what};
		return false;
	}
	if (taken->renewal != now || taken->sp != sp || taken->probe != cookie_probe(cookie) ||
	    taken->what != what)
		return false;
	taken->renewal = 0;
	return true;
}

#endif
