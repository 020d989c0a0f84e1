/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PUBLIC_PROFILE_H
#define PROBEKIT_PUBLIC_PROFILE_H
/* Profiles: where threads were, by stack. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <probekit/error.h>
#include <probekit/kinds.h>
#include <probekit/session.h>
#include <probekit/thread.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What threads of a process did at one stack. */
struct probekit_profile_entry {
	enum probekit_class time_class; /* ONCPU: they ran */
	const char *syscall;		/* in which they waited; NULL: in none */
	pid_t pid;
	const char *comm;		    /* the process's name */
	struct probekit_stack stack;	    /* innermost first; empty: not known */
	struct probekit_stack kernel_stack; /* the same in the kernel, above `stack` */
	/* The entry's part of what was measured: waits and time on-CPU are measured all, stacks sampled, so this
	 * is an estimate whose sum, class by class, is exact. */
	uint64_t time_ns;
	uint64_t samples; /* 0: of which no stack was had */
};

struct probekit_profile_info {
	const char *target;
	int64_t started_unix_ns;
	uint64_t duration_ns;
	enum probekit_profiling profiling;	/* not NONE */
	bool has_oncpu;				/* time on-CPU was sampled too */
	uint64_t time_ns[PROBEKIT_CLASS_COUNT]; /* of all threads; with what has no stack */
	uint64_t samples_dropped;		/* as in struct probekit_lost */
	uint64_t samples_skipped;
	uint64_t unknown_stacks;		   /* stacks[PROBEKIT_STACK_NONE] */
	uint64_t stacks[PROBEKIT_STACK_END_COUNT]; /* as in struct probekit_snapshot_info */
	uint64_t threads_missed;		   /* for want of room: their time is not there */
	uint64_t switches_missed; /* that the kernel did not tell: what they began or ended is not known */
};

struct probekit_profile;

/* What the session has seen since its start, of which `profiling` in its options must ask. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_profile(struct probekit_session *session,
							      struct probekit_profile **profile,
							      struct probekit_error *err);
PROBEKIT_API void probekit_profile_free(struct probekit_profile *profile);
PROBEKIT_API const struct probekit_profile_info *probekit_profile_info(
	const struct probekit_profile *profile);
/* Most time first. */
PROBEKIT_API size_t probekit_profile_size(const struct probekit_profile *profile);
/* NULL beyond the size. */
PROBEKIT_API const struct probekit_profile_entry *probekit_profile_entry(
	const struct probekit_profile *profile, size_t i);

enum probekit_profile_format {
	PROBEKIT_PROFILE_FOLDED, /* "process;outermost;...;innermost us", a line a stack */
	PROBEKIT_PROFILE_PPROF,	 /* profile.proto, compressed with gzip */
	PROBEKIT_PROFILE_SVG,	 /* a flame graph that needs no other file */
};
/* Writes the file as a whole or not at all, through no symbolic link. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_profile_write(const struct probekit_profile *profile,
							    enum probekit_profile_format format,
							    const char *path,
							    struct probekit_error *err);

#ifdef __cplusplus
}
#endif
#endif
