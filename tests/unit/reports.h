/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_REPORTS_H
#define PROBEKIT_TESTS_REPORTS_H
/* Reports of rows made by hand, as the shown text. Any failure fails the test. */
#include "rows.h"

#define US 1000.0
#define MS 1e6

/* Of the next rendering. */
extern struct probekit_snapshot_info info;
extern size_t runs;
extern const struct text_style plain; /* 80 columns, no colour */

/* A test's setup: ten seconds of ./logger, one run. */
int report_reset(void **state);
/* `key` NULL: all; `clock` NULL: the report, else an interval. */
void render(struct row *const *rows, size_t size, const int64_t *key,
	    const struct text_style *style, const char *clock);
void report(struct row *row);
/* Spans with two modes, at 1.8 us and 17 ms. */
void make_flush(struct row *row);

#endif
