/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROFILES_H
#define PROFILES_H
/* Profiles made by tests. Texts are copied. */
#include "profile.h"

struct probekit_profile *profile_new(void);
void profile_free(struct probekit_profile *profile);

/* Frames are given as "outermost;...;innermost", NULL or "" for none; each is in /usr/bin/app (in
 * the kernel: [kernel]), at app.c:10 and an address of its name. The stack is complete. */
struct probekit_profile_entry *profile_add(struct probekit_profile *profile,
					   enum probekit_class time_class, const char *stack,
					   const char *kernel_stack, uint64_t time_ns);
/* Sets the names of a frame, 0 is the innermost; NULL stands for not known. */
void profile_set_frame(struct probekit_profile_entry *entry, size_t frame, const char *function,
		       const char *module);

/* A web service with locks, files and a network, on-CPU and off. */
struct probekit_profile *profile_of_service(void);

#endif
