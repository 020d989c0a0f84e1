/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_OUT_LIST_H
#define PROBEKIT_CLI_OUT_LIST_H
/* A catalog as text and as JSON (docs/list-format.md). */
#include <stdbool.h>
#include <stdio.h>

#include <probekit/probekit.h>

struct list_view {
	const char *target; /* as the user named it */
	const struct probekit_catalog_entry *const *entries;
	size_t size;
	size_t bad_notes;
};

void out_list_text(FILE *out, bool has_colour, const struct list_view *view);
void out_list_json(FILE *out, const struct list_view *view);

#endif
