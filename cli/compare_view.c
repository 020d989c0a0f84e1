/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the way from a comparison to the lists that are shown. */
#include "out_compare.h"

#include <errno.h>
#include <stdlib.h>

/* The `count` results of `at`, as a list called `list`. */
#define FILL(list, count, at)                                                    \
	do {                                                                     \
		view->list = calloc((count) ? (count) : 1, sizeof(*view->list)); \
		if (!view->list)                                                 \
			goto no_memory;                                          \
		for (size_t i = 0; i < (count); i++)                             \
			view->list[i] = at(comparison, i);                       \
	} while (0)

int compare_view_init(struct compare_view *view, const struct probekit_comparison *comparison)
{
	view->info = probekit_comparison_info(comparison);
	view->change_count = probekit_comparison_size(comparison);
	view->rule_count = probekit_comparison_rule_count(comparison);
	view->unmatched_count = probekit_comparison_unmatched_count(comparison);
	view->why_count = probekit_comparison_why_count(comparison);
	view->changes = NULL;
	view->rules = NULL;
	view->unmatched = NULL;
	view->whys = NULL;
	FILL(changes, view->change_count, probekit_comparison_change);
	FILL(rules, view->rule_count, probekit_comparison_rule);
	FILL(unmatched, view->unmatched_count, probekit_comparison_unmatched);
	FILL(whys, view->why_count, probekit_comparison_why);
	return 0;
no_memory:
	compare_view_done(view);
	return -ENOMEM;
}

void compare_view_done(struct compare_view *view)
{
	free(view->changes);
	free(view->rules);
	free(view->unmatched);
	free(view->whys);
	view->changes = NULL;
	view->rules = NULL;
	view->unmatched = NULL;
	view->whys = NULL;
}
