/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef BYTES_H
#define BYTES_H
/* What bytes.bpf.c counts and bytes.c shows. */

#define MAX_KEYS 1024

struct total {
	__u64 spans;
	__u64 events;
	__s64 bytes;
};

#endif
