/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots as JSON: what is written is what docs/snapshot-format.md says, reads back to the same
 * text, and nothing else is accepted. */
#include "snapshots.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <string.h>
#include <stdio.h>

static char *example_text(bool compact)
{
	struct probekit_snapshot *snapshot = example_of_kinds();
	char *text = to_json(snapshot, compact);

	probekit_snapshot_free(snapshot);
	return text;
}

static void read_restores_every_field(void **state)
{
	struct probekit_snapshot *made = example_of_kinds();
	struct probekit_snapshot *read = read_back(made);
	const struct probekit_snapshot_info *info = probekit_snapshot_info(read);

	(void)state;
	assert_true(info->started_unix_ns == made->info.started_unix_ns);
	assert_true(info->duration_ns == made->info.duration_ns);
	assert_string_equal(info->target, made->info.target);
	assert_int_equal(info->pid_count, 2);
	assert_memory_equal(info->pids, made->info.pids, 2 * sizeof(pid_t));
	assert_int_equal(info->child_status, 143);
	assert_int_equal(info->span_cost_ns, 517);
	assert_int_equal(info->usdt_cost_ns, 0);
	assert_int_equal(info->floor_ns, 290);
	assert_string_equal(info->site, "nop5");
	assert_int_equal(info->child_cpu_ns, 4500000000);
	assert_true(info->excludes_stopped);
	assert_int_equal(info->environment.cpus, 4);
	assert_string_equal(info->environment.kernel, "6.18.0");
	assert_string_equal(info->environment.cpu_model, "A CPU @ 2 GHz");
	assert_string_equal(info->environment.governor, "schedutil");
	assert_string_equal(info->environment.revision, made->info.environment.revision);
	assert_int_equal(info->environment.is_virtual, 1);
	assert_int_equal(info->environment.aslr, 2);
	assert_true(info->environment.cpu_quota == 1.5 && info->environment.load == 0.25 &&
		    info->environment.steal == 0.125);
	assert_true(info->has_stacks);
	assert_memory_equal(info->stacks, made->info.stacks, sizeof(info->stacks));
	assert_int_equal(probekit_snapshot_size(read), 5);
	for (size_t i = 0; i < 5; i++) {
		const struct probekit_probe *a = probekit_snapshot_probe(made, i);
		const struct probekit_probe *b = probekit_snapshot_probe(read, i);

		assert_string_equal(a->name, b->name);
		assert_int_equal(a->kind, b->kind);
		assert_int_equal(a->has_key, b->has_key);
		assert_int_equal(a->is_key_overflow, b->is_key_overflow);
		assert_true(a->key == b->key && a->count == b->count && a->sum == b->sum &&
			    a->min == b->min && a->max == b->max);
		assert_memory_equal(&a->lost, &b->lost, sizeof(a->lost));
		assert_same_histogram(&a->histogram, &b->histogram);
		assert_int_equal(a->open_count, b->open_count);
	}
	assert_null(probekit_snapshot_probe(read, 5));
	assert_memory_equal(read->probes[0].open, made->probes[0].open,
			    sizeof(*made->probes[0].open));
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

static void text_has_the_fields_of_the_contract(void **state)
{
	json_t *root = to_tree(example_of_kinds());
	json_t *list;

	(void)state;
	assert_string_equal(json_string_value(member_at(root, "schema")), "probekit.snapshot/1");
	assert_string_equal(json_string_value(member_at(root, "started")),
			    "2026-01-01T00:00:00.123456789Z");
	assert_true(json_is_null(member_at(root, "probe_cost/function_ns")));
	assert_true(json_is_null(member_at(root, "probe_cost/usdt_ns")));
	assert_int_equal(json_integer_value(member_at(root, "child_status")), 143);
	assert_true(json_is_true(member_at(root, "excludes_stopped")));
	assert_true(json_is_null(member_at(root, "probes/0/key")));
	assert_int_equal(json_integer_value(member_at(root, "probes/1/key")), -7);
	assert_string_equal(json_string_value(member_at(root, "probes/2/key")), "other");
	assert_int_equal(json_integer_value(member_at(root, "probes/0/bands/1/time_ns/other")),
			 1014);
	assert_int_equal(json_integer_value(member_at(root, "probes/0/unexplained_ns")), 77);
	assert_string_equal(json_string_value(member_at(root, "probes/0/children/0/name")),
			    "logger:lock");
	assert_int_equal(json_integer_value(member_at(root, "probes/0/children/0/time_ns")), 500);
	assert_int_equal(json_array_size(member_at(root, "probes/0/parents")), 0);
	assert_true(json_is_null(member_at(root, "probes/3/time_ns")));
	/* one in 33 is around 17 ms */
	assert_true(json_integer_value(member_at(root, "probes/0/tail/from_ns")) > 1900);
	assert_true(json_integer_value(member_at(root, "probes/0/tail/from_ns")) < 17000000);
	assert_int_equal(json_integer_value(member_at(root, "probes/0/tail/count")),
			 10000 / 33 + 1);
	assert_true(json_is_null(member_at(root, "probes/3/tail")));
	assert_int_equal(json_array_size(member_at(root, "probes/0/modes")), 2);
	assert_true(json_real_value(member_at(root, "probes/0/probing/share_of_cpu")) == 0.0005);
	assert_string_equal(json_string_value(member_at(root, "probes/0/histogram/unit")), "s");
	assert_string_equal(json_string_value(member_at(root, "probes/3/histogram/unit")), "1");
	assert_int_equal(json_integer_value(member_at(root, "probes/3/histogram/negative_count")),
			 5);
	assert_int_equal(json_integer_value(member_at(root, "probes/3/histogram/zero_count")), 1);
	assert_int_equal(json_integer_value(member_at(root, "probes/3/min")), -5);
	assert_true(json_is_null(member_at(root, "probes/0/open/0/blocked_in")));
	list = member_at(root, "probes/0/bands");
	assert_true(json_array_size(list) > 2);
	assert_int_equal(json_integer_value(member_at(list, "0/to_ns")),
			 lround(2 * (double)json_integer_value(member_at(list, "0/from_ns"))));
	json_decref(root);
}

static void bands_hold_all_that_lies_in_buckets(void **state)
{
	json_t *root = to_tree(example_of_kinds());
	json_int_t sum = 0;
	json_int_t lock_ns = 0;
	json_t *bands = member_at(root, "probes/0/bands");

	(void)state;
	for (size_t i = 0; i < json_array_size(bands); i++) {
		sum += json_integer_value(json_object_get(json_array_get(bands, i), "count"));
		lock_ns += json_integer_value(member_at(json_array_get(bands, i), "time_ns/lock"));
	}
	assert_int_equal(sum, 10000);
	assert_true(lock_ns > 0);
	assert_int_equal(json_integer_value(member_at(root, "probes/0/time_ns/lock")), lock_ns);
	json_decref(root);
}

static void what_is_not_known_is_null(void **state)
{
	json_t *root = to_tree(example_of_kinds());
	struct probekit_snapshot *empty = snapshot_new(0);
	char *text = to_json(empty, false);
	json_t *tree = json_loads(text, 0, NULL);

	(void)state;
	assert_int_equal(json_integer_value(member_at(root, "probes/4/count")), 0);
	assert_true(json_is_null(member_at(root, "probes/4/min_ns")));
	assert_true(json_is_null(member_at(root, "probes/4/max_ns")));
	assert_true(json_is_null(member_at(root, "probes/4/quantiles_ns/0.99")));
	assert_true(json_is_null(member_at(root, "probes/4/probing/cost_ns")));
	assert_true(json_is_null(member_at(root, "probes/4/probing/share_of_cpu")));
	assert_true(json_is_null(member_at(root, "probes/4/build_id")));
	assert_int_equal(json_array_size(member_at(root, "probes/4/modes")), 0);
	assert_true(json_is_null(member_at(root, "probes/1/lost")));
	assert_true(json_is_null(member_at(tree, "stacks")));
	assert_true(json_is_null(member_at(tree, "started")));
	assert_true(json_is_null(member_at(tree, "child_status")));
	assert_true(json_is_null(member_at(tree, "child_cpu_ns")));
	assert_true(json_is_false(member_at(tree, "excludes_stopped")));
	assert_true(json_is_null(member_at(tree, "environment/kernel")));
	assert_true(json_is_null(member_at(tree, "environment/cpus")));
	assert_true(json_is_null(member_at(tree, "environment/cpu_model")));
	assert_true(json_is_null(member_at(tree, "environment/governor")));
	assert_true(json_is_null(member_at(tree, "environment/virtual")));
	assert_true(json_is_null(member_at(tree, "environment/cpu_quota")));
	assert_true(json_is_null(member_at(tree, "environment/load")));
	assert_true(json_is_null(member_at(tree, "environment/steal")));
	assert_true(json_is_null(member_at(tree, "environment/aslr")));
	assert_true(json_is_null(member_at(tree, "environment/revision")));
	assert_true(json_is_null(member_at(tree, "target/name")));
	json_decref(root);
	json_decref(tree);
	free(text);
	probekit_snapshot_free(empty);
}

static void a_missing_quota_is_none_and_not_unknown(void **state)
{
	struct probekit_snapshot *made = snapshot_new(0);
	struct probekit_snapshot *read;
	json_t *root;

	(void)state;
	made->info.environment.cpu_quota = INFINITY;
	made->info.environment.is_virtual = 0;
	made->info.environment.aslr = 0;
	made->info.environment.load = 0;
	made->info.environment.steal = 0;
	read = read_back(made);
	assert_true(isinf(read->info.environment.cpu_quota));
	assert_int_equal(read->info.environment.is_virtual, 0);
	assert_int_equal(read->info.environment.aslr, 0);
	assert_true(read->info.environment.load == 0 && read->info.environment.steal == 0);
	probekit_snapshot_free(read);
	root = to_tree(made);
	assert_member_text(root, "environment/cpu_quota", "none");
	assert_true(json_is_false(member_at(root, "environment/virtual")));
	json_decref(root);
}

static void losses_add_up_at_the_top(void **state)
{
	json_t *root = to_tree(example_of_kinds());

	(void)state;
	assert_int_equal(json_integer_value(member_at(root, "lost/unmatched_end")), 1);
	assert_int_equal(json_integer_value(member_at(root, "lost/abandoned")), 12);
	assert_int_equal(json_integer_value(member_at(root, "lost/out_of_range")), 7);
	assert_int_equal(json_integer_value(member_at(root, "lost/samples_dropped")), 8);
	assert_int_equal(json_integer_value(member_at(root, "lost/sched_repaired")), 9);
	assert_int_equal(json_integer_value(member_at(root, "lost/samples_skipped")), 10);
	assert_int_equal(json_integer_value(member_at(root, "lost/waits_unnamed")), 11);
	assert_int_equal(json_integer_value(member_at(root, "lost/children_unnamed")), 12);
	json_decref(root);
}

static void numbers_do_not_depend_on_the_locale(void **state)
{
	char *plain = example_text(true);
	char *local;

	(void)state;
	/* where the machine has none of these, both texts are of the C locale */
	if (!setlocale(LC_ALL, "de_DE.UTF-8"))
		setlocale(LC_ALL, "fr_FR.UTF-8");
	local = example_text(true);
	setlocale(LC_ALL, "C");
	assert_string_equal(plain, local);
	free(plain);
	free(local);
}

static void names_of_any_bytes_survive(void **state)
{
	static const char *const names[] = {
		"plain",
		"umlaut \xc3\xa4",
		"cut \xc3",
		"\x01\x1b[31m\x7f",
		"tab\tline\n",
		"looks escaped \\x41 \\n \\x80",
		"literal \\xc3\\xa4 pair",
		"\xe2\x80\xae reversed",
		"\"quote\\",
		"",
		"nul \\x00",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct probekit_snapshot *snapshot = snapshot_new(0);
		struct probekit_snapshot *read;
		char *first;
		char *second;

		snapshot->info.target = copied(names[i]);
		first = to_json(snapshot, true);
		read = from_json(first);
		second = to_json(read, true);
		assert_string_equal(first, second);
		/* a literal "\n" and a newline are written alike: the newline is read */
		if (!strstr(names[i], "\\x") && !strstr(names[i], "\\n"))
			assert_string_equal(read->info.target, names[i]);
		free(first);
		free(second);
		probekit_snapshot_free(snapshot);
		probekit_snapshot_free(read);
	}
}

static void unknown_fields_are_ignored(void **state)
{
	json_t *root = to_tree(example_of_kinds());
	struct probekit_snapshot *read;
	char *text;

	(void)state;
	json_object_set_new(root, "novelty", json_pack("[{s:i}]", "a", 1));
	json_object_set_new(member_at(root, "probes/0"), "mood", json_pack("{s:i}", "oncpu", 5));
	json_object_set_new(member_at(root, "probes/0/histogram"), "exemplars", json_array());
	json_object_set_new(member_at(root, "lost"), "other_reason", json_integer(9));
	text = json_dumps(root, 0);
	read = from_json(text);
	assert_int_equal(read->size, 5);
	probekit_snapshot_free(read);
	free(text);
	json_decref(root);
}

static void what_is_no_snapshot_is_refused(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *reason;
	} cases[] = {
		{"", -EBADMSG, "empty"},
		{"\x7f"
		 "ELF",
		 -EBADMSG, "not JSON, line 1 column 1"},
		{"{\n\"a\": nope}", -EBADMSG, "not JSON, line 2 column"},
		{"{}", -EBADMSG, "not of probekit"},
		{"[]", -EBADMSG, "not of probekit"},
		{"{\"schema\": 1}", -EBADMSG, "not of probekit"},
		{"{\"schema\": \"probekit.list/1\"}", -EBADMSG, "'probekit.list/1', not a"},
		{"{\"schema\": \"probekit.snapshot/\"}", -EBADMSG, "not a"},
		{"{\"schema\": \"probekit.snapshot/2\"}", -EPROTONOSUPPORT, "newer probekit"},
		{"{\"schema\": \"probekit.snapshot/1\"}", -EBADMSG, "probes is missing"},
		{"{\"schema\": \"probekit.snapshot/1\", \"probes\": {}}", -EBADMSG, "not a list"},
		{"{\"schema\": \"probekit.snapshot/1\", \"probes\": []}", -EBADMSG,
		 "duration_ns is missing"},
		{"{\"a\": 1, \"a\": 2}", -EBADMSG, "duplicate"},
		{"{\"a\": 99999999999999999999}", -EBADMSG, "not JSON"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		refuse_text(cases[i].text, strlen(cases[i].text), cases[i].code, cases[i].reason);
}

static void wrong_values_are_refused_with_their_place(void **state)
{
	static const struct wrong_member members[] = {
		{"", "probes", "[3]", "probes[0]. is not an object"},
		{"", "duration_ns", "-1", "duration_ns is out of range"},
		{"", "duration_ns", "1.5", "duration_ns is not an integer"},
		{"", "started", "\"yesterday\"", "started is not a time"},
		{"", "started", "\"9999-01-01T00:00:00Z\"", "started is not a time"},
		{"", "environment", "[]", "environment is not an object"},
		{"environment", "cpus", "4294967296", "environment.cpus is out of range"},
		{"environment", "cpu_quota", "\"some\"", "environment.cpu_quota is neither"},
		{"environment", "cpu_quota", "-1", "environment.cpu_quota is not a number of 0"},
		{"environment", "load", "\"0\"", "environment.load is not a number of 0"},
		{"environment", "steal", "1.5", "environment.steal is not within 0 and 1"},
		{"environment", "virtual", "1", "environment.virtual is not a boolean"},
		{"environment", "aslr", "3", "environment.aslr is not within 0 and 2"},
		{"environment", "revision", "7", "environment.revision is not a string"},
		{"", "child_cpu_ns", "-1", "child_cpu_ns is out of range"},
		{"target", "pids", "[1, \"2\"]", "pids is not an integer"},
		{"target", "name", "7", "target.name is not a string"},
		{"probes/0", "kind", "\"lock\"", "probes[0].kind is none of"},
		{"probes/0", "name", "null", "probes[0].name is missing"},
		{"probes/3", "sum", "\"5\"", "probes[3].sum is not an integer"},
		{"probes/0", "time_ns", "7", "probes[0].time_ns is not an object"},
		{"probes/0/time_ns", "lock", "-1", "probes[0].time_ns.lock is out of range"},
		{"probes/0", "bands", "[]", "probes[0].bands does not have every band"},
		{"probes/0/bands/1", "time_ns", "null", "probes[0].bands[1].time_ns is missing"},
		{"probes/0", "children", "[3]", "probes[0].children[0]. is not an object"},
		{"probes/0/children/0", "name", "null", "probes[0].children[0].name is missing"},
		{"probes/0", "count", "9", "probes[0].count is not what the histogram holds"},
		{"probes/0", "min_ns", "99999999999", "has a minimum above its maximum"},
		{"probes/1", "key", "\"another\"", "probes[1].key is neither"},
		{"probes/1", "name", "\"x:y\"", "probes[1].key does not follow"},
		{"probes/0", "histogram", "null", "probes[0].histogram is not an object"},
		{"probes/0/histogram", "unit", "\"1\"", "probes[0].histogram.unit is not"},
		{"probes/0/histogram", "negative_count", "1", "histogram.negative_count is not 0"},
		{"probes/0/histogram", "scale", "7", "histogram.scale is not within"},
		{"probes/0/histogram", "scale", "-1", "histogram.scale is not within"},
		{"probes/0/histogram", "buckets", "[[1, 2], [1, 2]]", "buckets[1] does not ascend"},
		{"probes/0/histogram", "buckets", "[[1, 0]]", "buckets[0] has a count"},
		{"probes/0/histogram", "buckets", "[[1, -5]]", "buckets[0] has a count"},
		{"probes/0/histogram", "buckets", "[[1]]", "buckets[0] is not [index, count]"},
		{"probes/0/histogram", "buckets", "[[1, 2, 3]]",
		 "buckets[0] is not [index, count]"},
		{"probes/0/histogram", "buckets", "[{}]", "buckets[0] is not [index, count]"},
		{"probes/0/histogram", "buckets", "[[4096, 1]]", "index out of range"},
		{"probes/0/histogram", "buckets", "[[-4097, 1]]", "index out of range"},
		{"probes/0/histogram", "buckets", "[[1, 9223372036854775807], [2, 1]]", "add up"},
		{"probes/0/open/0", "tid", "null", "probes[0].open[0].tid is missing"},
		{"probes/0/lost", "abandoned", "-1", "probes[0].lost.abandoned is out of range"},
	};

	(void)state;
	refuse_members(example_of_kinds, members, COUNT(members));
}

static void far_too_many_buckets_are_refused(void **state)
{
	json_t *root = to_tree(example_of_kinds());
	json_t *list = json_array();

	(void)state;
	for (int i = 0; i < 8193; i++)
		json_array_append_new(list, json_pack("[i,i]", i, 1));
	json_object_set_new(member_at(root, "probes/0/histogram"), "buckets", list);
	refuse_tree(root, "buckets is too long");
	json_decref(root);
}

static void text_cut_anywhere_is_called_truncated(void **state)
{
	char *text = example_text(true);
	size_t size = strlen(text);

	(void)state;
	for (size_t cut = 1; cut < size; cut += 1 + cut / 40) {
		struct probekit_snapshot *snapshot = NULL;
		/* a copy of the exact size, so that a read beyond it is seen */
		char *part = malloc(cut);

		assert_non_null(part);
		memcpy(part, text, cut);
		assert_int_equal(snapshot_from_json(part, cut, "dir/x.json", &snapshot, NULL),
				 -EBADMSG);
		assert_null(snapshot);
		refuse_text(part, cut, -EBADMSG, "truncated");
		free(part);
	}
	free(text);
}

static void two_snapshots_in_one_text_are_refused(void **state)
{
	char *text = example_text(true);
	char *twice = malloc(2 * strlen(text) + 2);

	(void)state;
	assert_non_null(twice);
	sprintf(twice, "%s\n%s", text, text);
	refuse_text(twice, strlen(twice), -EBADMSG, "more follows the first snapshot, line 2");
	free(twice);
	free(text);
}

static void free_of_nothing_is_safe(void **state)
{
	(void)state;
	probekit_snapshot_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_restores_every_field),
		cmocka_unit_test(text_has_the_fields_of_the_contract),
		cmocka_unit_test(bands_hold_all_that_lies_in_buckets),
		cmocka_unit_test(what_is_not_known_is_null),
		cmocka_unit_test(a_missing_quota_is_none_and_not_unknown),
		cmocka_unit_test(losses_add_up_at_the_top),
		cmocka_unit_test(numbers_do_not_depend_on_the_locale),
		cmocka_unit_test(names_of_any_bytes_survive),
		cmocka_unit_test(unknown_fields_are_ignored),
		cmocka_unit_test(what_is_no_snapshot_is_refused),
		cmocka_unit_test(wrong_values_are_refused_with_their_place),
		cmocka_unit_test(far_too_many_buckets_are_refused),
		cmocka_unit_test(text_cut_anywhere_is_called_truncated),
		cmocka_unit_test(two_snapshots_in_one_text_are_refused),
		cmocka_unit_test(free_of_nothing_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
