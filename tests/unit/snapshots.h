/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_SNAPSHOTS_H
#define PROBEKIT_TESTS_SNAPSHOTS_H
/* Snapshots made by hand, written as JSON and read back, and what is refused of it. Any failure fails the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "snapshot.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- parts, which the snapshot that they are put into frees ---- */

void *zeroed(size_t count, size_t size);
char *copied(const char *text);
/* Three frames: of a library, inlined with characters to escape, and unknown. */
struct probekit_stack new_stack(double share);
/* With everything set, and `depth` - 1 more that it waits for. */
struct probekit_holder *new_holder(int depth);

/* ---- wholes ---- */

/* Rows of spans with keys, of values, and without any value. */
struct probekit_snapshot *example_of_kinds(void);
/* A row with causes of every class, a wait, and slow and open spans, each with all that it can have. */
struct probekit_snapshot *example_of_causes(void);

/* ---- both ways ---- */

char *to_json(const struct probekit_snapshot *snapshot, bool compact);
struct probekit_snapshot *from_json(const char *text);
/* The JSON of a snapshot, which is freed. */
json_t *to_tree(struct probekit_snapshot *snapshot);
/* What `made` reads back as; written again it is the same text, compact or not. */
struct probekit_snapshot *read_back(const struct probekit_snapshot *made);

/* "probes/0/key": the value there. */
json_t *member_at(json_t *value, const char *path);
void assert_member_text(json_t *root, const char *path, const char *expected);

void assert_same_text(const char *a, const char *b);
void assert_same_stack(const struct probekit_stack *a, const struct probekit_stack *b);
void assert_same_thread(const struct probekit_thread *a, const struct probekit_thread *b);
/* With all that they wait for. */
void assert_same_holder(const struct probekit_holder *a, const struct probekit_holder *b);
void assert_same_histogram(const struct probekit_histogram *a, const struct probekit_histogram *b);

/* ---- what is refused ---- */

/* With an error of this code that names the file and has `reason` in it. */
void refuse_text(const char *text, size_t size, int code, const char *reason);
void refuse_tree(const json_t *root, const char *reason);

/* One member of what is written, replaced. */
struct wrong_member {
	const char *path; /* of the object that it is in */
	const char *key;
	const char *value; /* JSON */
	const char *reason;
};
void refuse_members(struct probekit_snapshot *(*make)(void), const struct wrong_member *members,
		    size_t count);

#endif
