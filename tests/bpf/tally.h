/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef TALLY_H
#define TALLY_H
/* What the test's program adds up of each site. */

#define TALLIES 64
#define LINGER_NS 1000000

struct tally {
	__u64 hits;
	__s64 sums[PROBEKIT_MAX_ARGUMENTS];
	__s64 keys; /* sum */
	__u64 keyed;
	__u64 missing;	  /* arguments that the site has not, up to number 12 */
	__u64 unreadable; /* that it has */
	__u32 probe;
	__u32 role;
};

#endif
