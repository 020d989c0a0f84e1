/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_SUPPORT_USER_H
#define PROBEKIT_TESTS_SUPPORT_USER_H
/* Running probekit as an ordinary user, with some capabilities or none. */
#include "support.h"

enum {
	SUPPORT_ORDINARY_USER = 65534,
};

/* Copies that an ordinary user can read and run, wherever the build folder is. */
struct support_copies {
	char *folder;
	char *probekit;
	char *program;
};

void support_copy(struct support_copies *copies, const char *program);
void support_copy_done(struct support_copies *copies);
/* Of a test or a group: copies for `victim`, a struct support_copies in *state. */
int support_set_up_copies(void **state);
int support_tear_down_copies(void **state);

/* Skips the test where no capability but root's lets anybody measure, or we cannot become
 * others. */
void support_require_capable_kernel(void);

/* In the child: becomes an ordinary user with these capabilities and no other. */
void support_become_user(const unsigned int *capabilities, size_t count);

/* In the child: becomes this user and keeps every capability, as root by another name. */
void support_become_other(unsigned int user);

/* An ordinary user with CAP_BPF and CAP_PERFMON; with nothing. */
extern const struct support_how support_tracer;
extern const struct support_how support_nobody;

#endif
