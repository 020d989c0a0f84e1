/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PUBLIC_ERROR_H
#define PROBEKIT_PUBLIC_ERROR_H
/* How functions of the library are declared, and what they say when they fail. */

#if defined(__GNUC__)
#define PROBEKIT_API __attribute__((visibility("default")))
#define PROBEKIT_MUST_CHECK __attribute__((warn_unused_result))
#else
#define PROBEKIT_API
#define PROBEKIT_MUST_CHECK
#endif

/* The values are exit codes, as the probekit command uses them. */
enum probekit_error_kind {
	PROBEKIT_ERROR_FAILED = 1, /* no such file or process, not an ELF file, no probe, I/O */
	PROBEKIT_ERROR_USAGE = 2,  /* the caller's arguments contradict each other */
	PROBEKIT_ERROR_UNAVAILABLE = 3,	 /* a privilege or a kernel feature is missing */
	PROBEKIT_ERROR_CANNOT_RUN = 126, /* the command is there, but cannot be executed */
	PROBEKIT_ERROR_NOT_FOUND = 127,	 /* there is no such command */
};

/* What failed, on which object, why, and what to do. `text` is one line without a newline, in which
 * control characters of file and process names are escaped; `hint` may be empty. */
struct probekit_error {
	int code; /* negative errno */
	enum probekit_error_kind kind;
	char text[1024];
	char hint[512];
};

#endif
