/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PUBLIC_KINDS_H
#define PROBEKIT_PUBLIC_KINDS_H
/* What is measured, what it costs to measure it, and what time is spent on. */
#include <probekit/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum probekit_kind {
	PROBEKIT_KIND_SPAN,  /* scoped or explicit span of probe.h, or one side of a lock span */
	PROBEKIT_KIND_USDT,  /* a pair of USDT probes named by the caller */
	PROBEKIT_KIND_ASYNC, /* a span joined by id, perhaps across threads */
	PROBEKIT_KIND_FUNCTION,
	PROBEKIT_KIND_VALUE, /* a histogram of a quantity without unit */
};
/* As snapshots have it, "span"; NULL: there is no such kind. */
PROBEKIT_API const char *probekit_kind_name(enum probekit_kind kind);

/* What a call of a probed function costs, by the first instruction that can be probed. */
enum probekit_cost {
	PROBEKIT_COST_UNKNOWN,
	PROBEKIT_COST_OPTIMISED, /* the kernel jumps, without a trap */
	PROBEKIT_COST_EMULATED,	 /* one trap: the kernel does what the instruction would */
	PROBEKIT_COST_STEPPED,	 /* two traps: the instruction is single-stepped elsewhere */
};
/* "optimised", "emulated", "stepped"; NULL: there is no such cost, or it is not known. */
PROBEKIT_API const char *probekit_cost_name(enum probekit_cost cost);

/*
 * What a thread was doing while a span was open. Every nanosecond is in one class; where several
 * fit, the order is stopped, throttled, runqueue, pagefault, memory, lock, disk, io, ipc, network,
 * poll, sleep, other.
 */
enum probekit_class {
	PROBEKIT_CLASS_ONCPU,	  /* running, in user space or in the kernel */
	PROBEKIT_CLASS_RUNQUEUE,  /* runnable, without a CPU */
	PROBEKIT_CLASS_THROTTLED, /* the same, for want of cgroup CPU quota */
	PROBEKIT_CLASS_LOCK,	  /* futex, file lock, or behind another task inside the kernel */
	PROBEKIT_CLASS_DISK,	  /* storage */
	PROBEKIT_CLASS_NETWORK,	  /* a socket, other than of the Unix domain */
	PROBEKIT_CLASS_IPC,	  /* another process: pipe, Unix socket, eventfd, wait4 */
	PROBEKIT_CLASS_IO,	  /* io_uring */
	PROBEKIT_CLASS_SLEEP,
	PROBEKIT_CLASS_POLL,	  /* poll, select, epoll */
	PROBEKIT_CLASS_PAGEFAULT, /* with the disk that a major fault reads */
	PROBEKIT_CLASS_MEMORY,	  /* reclaim, memory.high */
	PROBEKIT_CLASS_STOPPED,	  /* by a signal or a debugger */
	PROBEKIT_CLASS_OTHER,
	PROBEKIT_CLASS_COUNT,
};

/* The class's name in snapshots, "oncpu". NULL: there is no such class. */
PROBEKIT_API const char *probekit_class_name(enum probekit_class time_class);

#ifdef __cplusplus
}
#endif
#endif
