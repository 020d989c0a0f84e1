/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_DOCTOR_H
#define PROBEKIT_TESTS_DOCTOR_H
/* Asking probekit doctor as different users. Every answer is checked for what holds of all. */
#include "support.h"

enum {
	DOCTOR_USER = 65534,
	DOCTOR_CANNOT_MEASURE = 3,
};

/* Copies that an ordinary user can read, wherever the build folder is. The state of a test. */
struct doctor_copies {
	char *folder;
	char *probekit;
	char *victim;
};
int doctor_set_up(void **state);
int doctor_tear_down(void **state);

/* Skips the test for who cannot become others. */
void doctor_require_root(void);
/* In the child: an ordinary user with the capabilities (bits) in the uint64_t `arg`, and no other. */
void doctor_become_user(void *arg);
extern const struct support_how doctor_nobody; /* without any */
extern const struct support_how doctor_tracer; /* with CAP_BPF and CAP_PERFMON */

struct doctor_answer {
	int status; /* 0 or DOCTOR_CANNOT_MEASURE */
	json_t *json;
};
/* `option` and `value` may be NULL. */
struct doctor_answer doctor_ask(const struct doctor_copies *copies, const struct support_how *how,
				const char *option, const char *value);
struct doctor_answer doctor_ask_here(const struct doctor_copies *copies,
				     const struct support_how *how);
void doctor_done(struct doctor_answer *answer);

/* "" where it is no string. */
const char *doctor_text(const json_t *object, const char *key);
json_t *doctor_row(const struct doctor_answer *answer, const char *name);
bool doctor_has_state(const struct doctor_answer *answer, const char *name, const char *state);
/* Fails unless the text contains `wanted`. */
void doctor_check_text(const json_t *row, const char *key, const char *wanted);

#endif
