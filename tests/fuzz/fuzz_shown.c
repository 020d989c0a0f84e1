/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot that anybody may have written, in every form in which snapshots, and comparisons with it,
 * are shown. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "out_compare.h"
#include "out_locks.h"
#include "out_record.h"
#include "out_text.h"
#include "shown.h"
#include "snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct text_style style = {.width = 80};

static void check_text(const char *text, size_t size)
{
	if (!shown_is_safe(text, size))
		__builtin_trap();
}

static void check_json(const char *text, size_t size)
{
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);

	check_text(text, size);
	if (!root)
		__builtin_trap();
	json_decref(root);
}

struct shown {
	FILE *out;
	char *text;
	size_t size;
};

static FILE *begin(struct shown *shown)
{
	shown->out = open_memstream(&shown->text, &shown->size);
	if (!shown->out)
		abort();
	return shown->out;
}

static void end(struct shown *shown, void (*check)(const char *text, size_t size))
{
	fclose(shown->out);
	check(shown->text, shown->size);
	free(shown->text);
}

static void show_latency(const struct probekit_snapshot *snapshot)
{
	size_t size = probekit_snapshot_size(snapshot);
	const struct probekit_probe **rows = calloc(size + 1, sizeof(*rows));
	struct text_view view = {
		.info = probekit_snapshot_info(snapshot),
		.runs = probekit_snapshot_run_count(snapshot),
		.rows = rows,
		.size = size,
		.is_verbose = true,
	};
	struct shown shown;

	/* (a key's row follows its probe's, which selects it) */
	for (size_t i = 0; rows && i < size; i++)
		rows[i] = probekit_snapshot_probe(snapshot, i);
	if (rows && (!size || !rows[0]->has_key)) {
		out_text_report(begin(&shown), &style, &view);
		end(&shown, check_text);
		out_text_interval(begin(&shown), &style, &view, "12:00:00");
		end(&shown, check_text);
	}
	free(rows);
}

static void show_rest(const struct probekit_snapshot *snapshot)
{
	struct shown shown;
	char *json;

	out_locks_report(begin(&shown), &style, snapshot);
	out_locks_deadlocks(shown.out, &style, snapshot);
	out_locks_interval(shown.out, &style, snapshot, "12:00:00");
	end(&shown, check_text);
	out_record(begin(&shown), snapshot);
	end(&shown, check_text);
	if (probekit_snapshot_to_json(snapshot, true, &json, NULL) == 0) {
		check_json(json, strlen(json));
		free(json);
	}
}

static void show_comparison(const struct probekit_snapshot *snapshot, const char *name)
{
	static const char *const rules[] = {"p99>+10%", NULL};
	const struct probekit_compare_options options = {
		.size = sizeof(options),
		.rules = rules,
	};
	struct compare_view view = {
		.base = name, .head = name, .mode = "stored", .is_verbose = true};
	struct probekit_comparison *comparison;
	struct shown shown;

	if (probekit_compare(&snapshot, &snapshot, 1, &options, &comparison, NULL))
		return;
	if (compare_view_init(&view, comparison) == 0) {
		out_compare_text(begin(&shown), &style, &view);
		end(&shown, check_text);
		out_compare_markdown(begin(&shown), &view);
		end(&shown, check_text);
		out_compare_junit(begin(&shown), &view);
		end(&shown, check_text);
		out_compare_json(begin(&shown), &view);
		end(&shown, check_json);
		compare_view_done(&view);
	}
	probekit_comparison_free(comparison);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct probekit_snapshot *snapshot;
	char name[64] = "";

	if (snapshot_from_json((const char *)data, size, "fuzz", &snapshot, NULL))
		return 0;
	memcpy(name, data, size < sizeof(name) ? size : sizeof(name) - 1);
	show_latency(snapshot);
	show_rest(snapshot);
	show_comparison(snapshot, name);
	probekit_snapshot_free(snapshot);
	return 0;
}
