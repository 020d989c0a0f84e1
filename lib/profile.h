/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PROFILE_H
#define PROBEKIT_PROFILE_H
/* The profile value behind the public functions, and the files it becomes. */
#include "error.h"

/* The name of a system call, of all entries that have it. */
struct profile_syscall {
	unsigned int number;
	char *name;
};

/* Everything is owned by the profile: strings, stacks and arrays are freed with it. The char pointers are
 * const in the public structs; `target` and `comm` are malloc'ed here all the same, `syscall` is one of
 * `syscalls`, or static. */
struct probekit_profile {
	struct probekit_profile_info info;
	struct probekit_profile_entry *entries; /* most time first */
	size_t size;
	struct profile_syscall *syscalls;
	size_t syscall_count;
};

/* -ENOMEM. */
int profile_name_syscall(struct probekit_profile *profile, unsigned int number, const char **name)
	__attribute__((warn_unused_result));

/* What the file of a format holds: free() `*bytes`. Texts of the target are untrusted, and escaped as the
 * format has it. -ENOMEM. */
int profile_to_folded(const struct probekit_profile *profile, char **bytes, size_t *size_bytes)
	__attribute__((warn_unused_result));
int profile_to_pprof(const struct probekit_profile *profile, char **bytes, size_t *size_bytes)
	__attribute__((warn_unused_result));
int profile_to_svg(const struct probekit_profile *profile, char **bytes, size_t *size_bytes)
	__attribute__((warn_unused_result));

#endif
