/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FACTS_H
#define FACTS_H
/*
 * What a snapshot must say, as facts about single members of a row, and what a program knows to be
 * true, as "name value" lines that it prints.
 *
 * A path leads to a member: `causes[0].lock.symbol`, by position or by what an element of a list
 * says: `stack[function:flush]`. `$name` in it, or as what is expected, is the program's value.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum fact_kind {
	FACT_IS,       /* its text is `expected` */
	FACT_HAS,      /* its text contains `expected` */
	FACT_AT_LEAST, /* its number */
	FACT_OF_REST, /* its number, of what `runqueue` beside it leaves: however busy the machine is */
	FACT_EXISTS, /* whatever it is, but null */
};

struct fact {
	const char *path; /* NULL ends a list */
	enum fact_kind kind;
	const char *expected;
};

enum { FACT_TEXT_MAX = 512 };

/* The value of the last line "name value"; false when there is none, or when it is too long. */
bool truth_find(const char *truth, const char *name, char value[static FACT_TEXT_MAX]);

/* True when the row says so; else `missed` is "path: expected ..., found ...". */
bool fact_holds(const struct fact *fact, const json_t *row, const char *truth,
		char missed[static FACT_TEXT_MAX]);

#endif
