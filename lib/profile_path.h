/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PROFILE_PATH_H
#define PROBEKIT_PROFILE_PATH_H
/* The names from a process down to what its threads did, as flame graphs stack them up. */
#include <stddef.h>

#include "profile.h"

enum profile_step_kind {
	PROFILE_STEP_PROCESS,
	PROFILE_STEP_FRAME, /* also what stands in for frames that are not known */
	PROFILE_STEP_KERNEL,
	PROFILE_STEP_WAIT, /* what the thread waited for: "[lock futex]" */
};

struct profile_step {
	enum profile_step_kind kind;
	char *name;			    /* escaped as escape_text() does, never empty */
	const struct probekit_frame *frame; /* NULL: none */
};

/* Outermost first: the process, the frames in user space, those in the kernel, what it waited
 * for. */
struct profile_path {
	const struct probekit_profile_entry *entry;
	struct profile_step *steps;
	size_t size;
};

/* -ENOMEM. `path` holds parts of `entry`, and profile_path_done() is safe after a failure too. */
int profile_path_init(const struct probekit_profile_entry *entry, struct profile_path *path)
	__attribute__((warn_unused_result));
void profile_path_done(struct profile_path *path);

/* The frame's function or, where that is not known, its file: "[libc.so.6]", else "[unknown]".
 * Escaped; the caller frees it. NULL: memory ran out. */
char *profile_frame_name(const struct probekit_frame *frame);
/* `text` with nothing in it that could harm a terminal or a format of lines; likewise. */
char *profile_escape(const char *text);
/* NULL: an invalid class; "other" then. */
const char *profile_class_name(enum probekit_class time_class);

#endif
