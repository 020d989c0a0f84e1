/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_OUT_TEXT_H
#define PROBEKIT_CLI_OUT_TEXT_H
/* Latency snapshots as text for people. */
#include <stdbool.h>
#include <stdio.h>

#include <probekit/probekit.h>

struct text_style {
	unsigned int width; /* columns */
	bool has_colour;
};

/* What is shown: rows in a snapshot's order, a probe's key rows behind its own. */
struct text_view {
	const struct probekit_snapshot_info *info;
	size_t runs; /* that the rows are sums of; 0: it is one measurement */
	const struct probekit_probe *const *rows;
	size_t size;
	bool has_key; /* show this key of each probe instead of the whole */
	int64_t key;
	bool is_verbose; /* the slowest spans too */
};

/* One block for each probe, most total time first, then what holds for all of them. -ENOMEM. */
int out_text_report(FILE *out, const struct text_style *style, const struct text_view *view);
/* One line for each probe under a line that starts with `clock`, in the snapshot's order. */
int out_text_interval(FILE *out, const struct text_style *style, const struct text_view *view,
		      const char *clock);

#endif
