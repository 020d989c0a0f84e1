/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_REFUSALS_H
#define PROBEKIT_TESTS_REFUSALS_H
/*
 * Command lines that probekit refuses: one line on standard error that names the object, nothing on standard
 * output, the documented exit code, and nothing left behind.
 */
#include "support.h"

/* A test's state: everything runs in `folder`, which a refusal leaves as it was. */
struct refusals_place {
	char *folder;
	size_t files;
};

int refusals_set_up(void **state);
int refusals_tear_down(void **state);
/* A file in the folder. */
void refusals_put(struct refusals_place *place, const char *name, const void *data,
		  size_t size_bytes);

struct refusal {
	const char *arguments[10]; /* after "probekit", up to NULL */
	int status;
	const char *wanted[5]; /* in the line on standard error */
};

/* The line is by probekit, free of control characters, and has every one of `wanted`, up to NULL. */
void refusals_check_line(const struct support_child *child, const char *const wanted[]);
void refusals_check_one(const struct support_how *how, const struct refusal *refusal);
void refusals_check(struct refusals_place *place, const struct refusal *refusals, size_t count);

#define CHECK_REFUSALS(place, refusals) \
	refusals_check(place, refusals, sizeof(refusals) / sizeof((refusals)[0]))
#define TEST(f) cmocka_unit_test_setup_teardown(f, refusals_set_up, refusals_tear_down)

#endif
