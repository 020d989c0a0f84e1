/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PUBLIC_SUPPORT_H
#define PROBEKIT_PUBLIC_SUPPORT_H
/* Support: what this kernel, this user and a target allow. */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <probekit/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct probekit_support;

enum probekit_support_state {
	PROBEKIT_SUPPORT_OK,
	PROBEKIT_SUPPORT_LIMITED, /* works, at the cost that the row names */
	PROBEKIT_SUPPORT_MISSING,
	PROBEKIT_SUPPORT_UNKNOWN, /* could not be found out; `found` says why */
};

enum probekit_support_need {
	PROBEKIT_SUPPORT_REQUIRED,    /* nothing can be measured without */
	PROBEKIT_SUPPORT_USEFUL,      /* something costs more, or is not told, without */
	PROBEKIT_SUPPORT_INFORMATION, /* nothing is lost here, whatever its state */
};

/* One thing that was tried or read. Strings belong to the support object, and are one line each, in
 * which control characters of file and process names are escaped. */
struct probekit_support_row {
	const char *name;  /* "uprobe_multi": stable, for programs */
	const char *title; /* for people */
	const char *group; /* "kernel", "user", "system" or "target" */
	enum probekit_support_need need;
	enum probekit_support_state state;
	const char *found;  /* what was seen */
	const char *cost;   /* what its state costs the user; NULL when nothing */
	const char *advice; /* what mends it, in words; NULL when nothing does or need be */
	const char *command; /* what mends it, to be pasted into a shell; NULL when no command does */
};

/* Zero means the default everywhere; set `size` to sizeof(struct probekit_support_options). At most
 * one of `pid` and `path` is given: rows of group "target" are about it. */
struct probekit_support_options {
	size_t size;
	pid_t pid;
	const char *path;
};

/*
 * Finds out by trying: loads small BPF programs, and measures an empty span of this library in this
 * process, as the start of a session does. Takes up to a few seconds; leaves nothing loaded or
 * attached. Needs no privilege: what cannot be tried without is UNKNOWN. `options` may be NULL.
 * Errors are of the target alone (no such process or file, no ELF file), of usage, or -ENOMEM.
 */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_support_new(
	const struct probekit_support_options *options, struct probekit_support **support,
	struct probekit_error *err);
PROBEKIT_API void probekit_support_free(struct probekit_support *support);
PROBEKIT_API size_t probekit_support_size(const struct probekit_support *support);
/* NULL beyond the size. */
PROBEKIT_API const struct probekit_support_row *probekit_support_row(
	const struct probekit_support *support, size_t i);
/* Can spans be measured: here at all, and in the target when there is one? */
PROBEKIT_API bool probekit_support_can_measure(const struct probekit_support *support);
/* The answer in one sentence without a full stop: "Latency can be measured", or why not. */
PROBEKIT_API const char *probekit_support_verdict(const struct probekit_support *support);
/* The row to mend first; NULL when nothing that could be mended is amiss. */
PROBEKIT_API const struct probekit_support_row *probekit_support_first(
	const struct probekit_support *support);
/* JSON text (docs/doctor-format.md), without a newline inside when `compact`. The caller frees
 * `*text` with free(). Errors: -ENOMEM. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_support_to_json(const struct probekit_support *support,
							      bool compact, char **text,
							      struct probekit_error *err);

#ifdef __cplusplus
}
#endif
#endif
