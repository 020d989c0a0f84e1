/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots against docs/snapshot.schema.json, by another's validator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshots.h"
#include "viewer.h"

#include <cmocka.h>

static const char checker[] =
	"import json, sys\n"
	"from jsonschema import Draft202012Validator as Validator\n"
	"schema = json.load(open('schema.json'))\n"
	"Validator.check_schema(schema)\n"
	"for name in sys.argv[1:]:\n"
	"    for error in Validator(schema).iter_errors(json.load(open(name))):\n"
	"        print(name, error.json_path, error.message[:200])\n";

/* What the validator has against the files: nothing, or a line each. */
static char *complaints(const char *folder, const char *files)
{
	char command[256];
	char schema[1 << 17];
	FILE *file = fopen("../docs/snapshot.schema.json", "r");
	size_t size;

	viewer_need("python3 -c 'from jsonschema import Draft202012Validator'",
		    "python3-jsonschema");
	assert_non_null(file);
	size = fread(schema, 1, sizeof(schema), file);
	assert_true(size < sizeof(schema));
	fclose(file);
	viewer_write(folder, "schema.json", schema, size);
	viewer_write(folder, "check.py", checker, strlen(checker));
	snprintf(command, sizeof(command), "python3 check.py %s", files);
	return viewer_run(folder, command);
}

static void write_snapshot(const char *folder, const char *name,
			   const struct probekit_snapshot *snapshot)
{
	char *text = to_json(snapshot, false);

	viewer_write(folder, name, text, strlen(text));
	free(text);
}

static struct probekit_snapshot *example_of_runs(void)
{
	struct probekit_snapshot *const runs[] = {example_of_kinds(), example_of_causes()};
	struct probekit_snapshot *joined;

	assert_int_equal(probekit_snapshot_join(runs, COUNT(runs), &joined, NULL), 0);
	return joined;
}

static void snapshots_are_as_the_schema_says(void **state)
{
	struct probekit_snapshot *joined = example_of_runs();
	struct probekit_snapshot *empty = snapshot_new(0);
	char *text;

	write_snapshot(*state, "empty.json", empty);
	write_snapshot(*state, "runs.json", joined);
	/* each run by itself, with all that a row of a run leaves out */
	write_snapshot(*state, "kinds.json", probekit_snapshot_run(joined, 0));
	write_snapshot(*state, "causes.json", probekit_snapshot_run(joined, 1));
	text = complaints(*state, "empty.json runs.json kinds.json causes.json");
	assert_string_equal(text, "");
	free(text);
	probekit_snapshot_free(empty);
	probekit_snapshot_free(joined);
}

static void what_is_wrong_in_a_run_is_no_snapshot(void **state)
{
	static const struct wrong_member members[] = {
		{"runs/0", "probes", "null", "$.runs[0].probes"},
		{"runs/1/environment", "load", "-1", "$.runs[1].environment.load"},
		{"runs/0/environment", "cpu_quota", "\"some\"", "$.runs[0].environment.cpu_quota"},
		{"runs/0/probes/0", "count", "-1", "$.runs[0].probes[0].count"},
		{"runs/0/probes/0", "build_id", "null", "$.runs[0].probes[0].build_id"},
		{"runs/0/probes/0/histogram", "buckets", "[[1, 0]]", "$.runs[0].probes[0]"},
		{"runs/0/probes/0/time_ns", "lock", "null", "$.runs[0].probes[0].time_ns.lock"},
	};

	char files[256] = "";
	char *found;

	for (size_t i = 0; i < COUNT(members); i++) {
		json_t *root = to_tree(example_of_runs());
		char name[16];
		char *text;

		json_object_set_new(member_at(root, members[i].path), members[i].key,
				    json_loads(members[i].value, JSON_DECODE_ANY, NULL));
		text = json_dumps(root, 0);
		snprintf(name, sizeof(name), " %zu.json", i);
		strcat(files, name);
		viewer_write(*state, name + 1, text, strlen(text));
		free(text);
		json_decref(root);
	}
	found = complaints(*state, files);
	for (size_t i = 0; i < COUNT(members); i++) {
		char line[128];

		snprintf(line, sizeof(line), "%zu.json %s", i, members[i].reason);
		if (!strstr(found, line))
			fail_msg("no '%s' in:\n%s", line, found);
	}
	free(found);
}

static void what_is_measured_is_as_the_schema_says(void **state)
{
	static const char *const commands[] = {
		"record --runs 2 -o record.json --",
		"record -f 'work*' -o functions.json --",
		"latency -o latency.json --",
		"locks -o locks.json --",
	};
	const char *build = getenv("PROBEKIT_BUILD");
	char command[512];
	char *text;

	assert_non_null(build);
	for (size_t i = 0; i < COUNT(commands); i++) {
		snprintf(command, sizeof(command),
			 "%s/probekit %s %s/tests/programs/victim end 0; code=$?; [ $code = 3 ] && "
			 "echo refused || exit $code",
			 build, commands[i], build);
		text = viewer_run(*state, command);
		if (strcmp(text, "refused\n") == 0) {
			print_message("skipped: needs tracing\n");
			free(text);
			skip();
		}
		free(text);
	}
	text = complaints(*state, "record.json functions.json latency.json locks.json");
	assert_string_equal(text, "");
	free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, viewer_setup, viewer_teardown)
	const struct CMUnitTest tests[] = {
		TEST(snapshots_are_as_the_schema_says),
		TEST(what_is_wrong_in_a_run_is_no_snapshot),
		TEST(what_is_measured_is_as_the_schema_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
