/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PROBEKIT_H
#define PROBEKIT_PROBEKIT_H
/*
 * libprobekit: measure the latency of spans in live processes.
 *
 * The library attaches BPF programs to the spans of <probekit/probe.h>, or to any USDT probes, and
 * aggregates their latency in the kernel. Use is always the same:
 *
 *	probekit_session_new()            one measurement
 *	probekit_session_add_path/pid/command()   whom to measure
 *	probekit_session_add_span/pair/function() what to measure (default: every probekit span)
 *	probekit_session_start()          attach; the target runs on
 *	probekit_session_poll()           wait, and follow processes that start and end
 *	probekit_session_snapshot()       a plain value: everything measured until now
 *	probekit_session_stop()           freeze the counts and detach
 *
 * This header includes one for each subject, all that the library has but <probekit/compare.h>.
 *
 * Conventions. Functions return 0, or a negative errno and fill the caller's `struct probekit_error`
 * (which may be NULL); outputs are set on success only. The library never prints, exits, or installs
 * signal handlers. Times are nanoseconds (`_ns`). Objects are opaque and made by `_new`-like calls;
 * `_free(NULL)` is safe. A session, catalog or snapshot may be used from one thread at a time;
 * different objects from different threads. Should the process die, the kernel detaches everything.
 *
 * Privilege: root, or CAP_BPF and CAP_PERFMON with Linux 6.6 or newer (uprobe_multi). A process of
 * another user also needs CAP_SYS_PTRACE.
 */
#include <probekit/catalog.h>
#include <probekit/error.h>
#include <probekit/kinds.h>
#include <probekit/lock.h>
#include <probekit/profile.h>
#include <probekit/program.h>
#include <probekit/row.h>
#include <probekit/session.h>
#include <probekit/snapshot.h>
#include <probekit/support.h>
#include <probekit/thread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the library at run time, "0.1.0". */
PROBEKIT_API const char *probekit_version(void);

#ifdef __cplusplus
}
#endif
#endif
