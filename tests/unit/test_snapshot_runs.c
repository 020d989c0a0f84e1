/* SPDX-License-Identifier: BSD-2-Clause */
/* Several runs in one snapshot: what their sum is, that each is kept whole, and what is refused. */
#include "snapshots.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "breakdown.h"
#include "histogram.h"
#include "samples.h"

/* Of spans of `ns` each, all of their time on-CPU. */
static void set_row(struct probekit_probe *probe, const char *name, int64_t ns, uint64_t count)
{
	static struct samples s;
	static struct row_sums sums;
	uint64_t bands[BUCKET_OCTAVES];
	int32_t first;

	samples_init(&s, PROBEKIT_KIND_SPAN, 1);
	samples_add_many(&s, ns, count);
	assert_int_equal(samples_finish(&s), 0);
	*probe = s.probe;
	probe->name = copied(name);
	probe->object = copied("/opt/logger");
	probe->sites = 1;
	if (probekit_probe_bands(probe, &first, bands, BUCKET_OCTAVES) == 0)
		return;
	sums = (struct row_sums){.unexplained_ns = 0};
	sums.bands[first + BUCKET_SECONDS_EXPONENT][PROBEKIT_CLASS_ONCPU] = count * (uint64_t)ns;
	assert_int_equal(breakdown_from_row(&sums, 0, probe), 0);
	assert_int_equal(breakdown_explain(probe), 0);
}

static void set_key(struct probekit_probe *probe, const char *name, int64_t key, uint64_t count)
{
	set_row(probe, name, 1000, count);
	probe->has_key = true;
	probe->key = key;
}

static struct probekit_snapshot *new_run(size_t size)
{
	struct probekit_snapshot *run = snapshot_new(size);

	assert_non_null(run);
	run->info.duration_ns = 1000000000;
	run->info.child_status = 0;
	run->info.environment.kernel = copied("6.18.0");
	return run;
}

static struct probekit_snapshot *join(struct probekit_snapshot *a, struct probekit_snapshot *b)
{
	struct probekit_snapshot *const runs[] = {a, b};
	struct probekit_snapshot *joined;
	struct probekit_error err;

	if (probekit_snapshot_join(runs, 2, &joined, &err))
		fail_msg("%s", err.text);
	return joined;
}

static const struct probekit_probe *row_of(const struct probekit_snapshot *snapshot, size_t i,
					   const char *name)
{
	const struct probekit_probe *probe = probekit_snapshot_probe(snapshot, i);

	assert_non_null(probe);
	assert_string_equal(probe->name, name);
	return probe;
}

/* ---- the whole ---- */

static void rows_add_up(void **state)
{
	struct probekit_snapshot *a = new_run(1);
	struct probekit_snapshot *b = new_run(1);
	struct probekit_snapshot *joined;
	const struct probekit_probe *row;

	(void)state;
	set_row(&a->probes[0], "x:span", 1000, 30);
	set_row(&b->probes[0], "x:span", 3000000, 10);
	a->probes[0].lost.abandoned = 3;
	b->probes[0].lost.abandoned = 4;
	a->probes[0].in_flight_at_start = 1;
	b->probes[0].in_flight_at_start = 2;
	a->probes[0].probe_cost_ns = 500;
	b->probes[0].probe_cost_ns = 900;
	joined = join(a, b);
	assert_int_equal(probekit_snapshot_size(joined), 1);
	row = row_of(joined, 0, "x:span");
	assert_int_equal(row->count, 40);
	assert_int_equal(row->sum, 30 * 1000 + 10 * 3000000);
	assert_int_equal(row->min, 1000);
	assert_int_equal(row->max, 3000000);
	assert_int_equal(histogram_total(&row->histogram), 40);
	assert_int_equal(row->histogram.size, 2);
	assert_true(fabs(probekit_probe_quantile(row, 0.75) / 1000 - 1) < 0.006);
	assert_true(fabs(probekit_probe_quantile(row, 0.76) / 3000000 - 1) < 0.006);
	assert_true(row->has_time);
	assert_int_equal(row->time_ns[PROBEKIT_CLASS_ONCPU], row->sum);
	assert_int_equal(row->band_count, 2);
	assert_int_equal(row->bands[0].time_ns[PROBEKIT_CLASS_ONCPU], 30 * 1000);
	assert_int_equal(row->bands[1].time_ns[PROBEKIT_CLASS_ONCPU], 10 * 3000000);
	assert_int_equal(row->lost.abandoned, 7);
	assert_int_equal(row->in_flight_at_start, 3);
	assert_int_equal(row->probe_cost_ns, 600); /* of 30 spans and of 10 */
	probekit_snapshot_free(joined);
}

static void evidence_stays_with_its_run(void **state)
{
	struct probekit_snapshot *joined = join(example_of_causes(), example_of_causes());
	const struct probekit_probe *row = row_of(joined, 0, "logger:flush");

	(void)state;
	assert_int_equal(row->count, 8);
	assert_int_equal(row->wait_count + row->cause_count + row->slowest_count + row->open_count,
			 0);
	assert_int_equal(row->tail.count, 0);
	row = row_of(probekit_snapshot_run(joined, 1), 0, "logger:flush");
	assert_int_equal(row->cause_count, PROBEKIT_CLASS_COUNT);
	assert_int_equal(row->tail.count, 4);
	probekit_snapshot_free(joined);
}

static void a_threshold_leaves_no_tail_in_the_whole(void **state)
{
	struct probekit_snapshot *a = new_run(1);
	struct probekit_snapshot *b = new_run(1);
	struct probekit_snapshot *joined;

	(void)state;
	set_row(&a->probes[0], "x:span", 1000, 1);
	set_row(&b->probes[0], "x:span", 1000, 1);
	a->probes[0].tail = b->probes[0].tail =
		(struct probekit_tail){.exponent = INT32_MIN, .from_ns = 900, .count = 1};
	joined = join(a, b);
	assert_int_equal(joined->probes[0].tail.count, 0);
	assert_int_equal(joined->probes[0].tail.from_ns, 0);
	assert_int_equal(joined->runs[1]->probes[0].tail.count, 1);
	probekit_snapshot_free(joined);
}

static void rows_are_matched_by_name_kind_and_key(void **state)
{
	struct probekit_snapshot *a = new_run(4);
	struct probekit_snapshot *b = new_run(5);
	struct probekit_snapshot *joined;

	(void)state;
	set_row(&a->probes[0], "x:first", 1000, 3);
	set_key(&a->probes[1], "x:first", 1, 2);
	set_key(&a->probes[2], "x:first", 2, 1);
	set_row(&a->probes[3], "x:second", 1000, 7);
	set_row(&b->probes[0], "x:second", 1000, 70);
	set_row(&b->probes[1], "x:first", 1000, 60);
	set_key(&b->probes[2], "x:first", 3, 50);
	set_key(&b->probes[3], "x:first", 2, 10);
	set_row(&b->probes[4], "x:second", 1000, 5);
	b->probes[4].kind = PROBEKIT_KIND_USDT;
	joined = join(a, b);
	assert_int_equal(probekit_snapshot_size(joined), 6);
	assert_int_equal(row_of(joined, 0, "x:first")->count, 63);
	assert_false(row_of(joined, 0, "x:first")->has_key);
	assert_int_equal(row_of(joined, 1, "x:first")->key, 1);
	assert_int_equal(row_of(joined, 1, "x:first")->count, 2);
	assert_int_equal(row_of(joined, 2, "x:first")->key, 2);
	assert_int_equal(row_of(joined, 2, "x:first")->count, 11);
	assert_int_equal(row_of(joined, 3, "x:first")->key, 3);
	assert_int_equal(row_of(joined, 3, "x:first")->count, 50);
	assert_int_equal(row_of(joined, 4, "x:second")->count, 77);
	assert_int_equal(row_of(joined, 5, "x:second")->kind, PROBEKIT_KIND_USDT);
	probekit_snapshot_free(read_back(joined));
	probekit_snapshot_free(joined);
}

static void a_run_without_spans_changes_no_minimum(void **state)
{
	struct probekit_snapshot *a = new_run(1);
	struct probekit_snapshot *b = new_run(1);
	struct probekit_snapshot *joined;

	(void)state;
	set_row(&a->probes[0], "x:span", 0, 0);
	set_row(&b->probes[0], "x:span", 5000, 2);
	a->probes[0].has_time = true;
	joined = join(a, b);
	assert_int_equal(joined->probes[0].count, 2);
	assert_int_equal(joined->probes[0].min, 5000);
	assert_int_equal(joined->probes[0].max, 5000);
	probekit_snapshot_free(joined);
}

static void relations_add_up_by_name(void **state)
{
	struct probekit_snapshot *a = new_run(1);
	struct probekit_snapshot *b = new_run(1);
	struct probekit_snapshot *joined;
	struct probekit_probe *row;

	(void)state;
	set_row(&a->probes[0], "x:outer", 1000, 10);
	set_row(&b->probes[0], "x:outer", 1000, 10);
	row = &a->probes[0];
	assert_int_equal(breakdown_relate(&row->children, &row->child_count, "x:inner", 10, 100),
			 0);
	row = &b->probes[0];
	assert_int_equal(breakdown_relate(&row->children, &row->child_count, "x:other", 1, 7), 0);
	assert_int_equal(breakdown_relate(&row->children, &row->child_count, "x:inner", 5, 50), 0);
	joined = join(a, b);
	row = &joined->probes[0];
	assert_int_equal(row->child_count, 2);
	assert_string_equal(row->children[0].name, "x:inner");
	assert_int_equal(row->children[0].count, 15);
	assert_int_equal(row->children[0].time_ns, 150);
	assert_int_equal(row->children[1].count, 1);
	probekit_snapshot_free(joined);
}

static void the_header_sums_what_adds_up(void **state)
{
	struct probekit_snapshot *a = new_run(0);
	struct probekit_snapshot *b = new_run(0);
	struct probekit_snapshot *joined;
	struct probekit_snapshot *read;
	const struct probekit_snapshot_info *info;

	(void)state;
	a->info.started_unix_ns = 1767225600000000000;
	b->info.started_unix_ns = 1767225700000000000;
	b->info.duration_ns = 3000000000;
	a->info.child_cpu_ns = 5;
	a->info.excludes_stopped = b->info.excludes_stopped = true;
	b->info.child_cpu_ns = 6;
	a->info.floor_ns = 300;
	b->info.floor_ns = 500;
	a->info.span_cost_ns = 700;
	a->info.environment.steal = 0.2;
	b->info.environment.steal = 0;
	a->info.has_stacks = b->info.has_stacks = true;
	a->info.stacks[PROBEKIT_STACK_COMPLETE] = 7;
	b->info.stacks[PROBEKIT_STACK_COMPLETE] = 8;
	a->info.lost.samples_dropped = 1;
	b->info.lost.samples_dropped = 2;
	b->info.lost.tasks_missed = 5;
	joined = join(a, b);
	info = probekit_snapshot_info(joined);
	assert_true(info->started_unix_ns == 1767225600000000000);
	assert_true(info->duration_ns == 4000000000);
	assert_int_equal(info->child_status, 0);
	assert_int_equal(info->child_cpu_ns, 11);
	assert_true(info->excludes_stopped);
	assert_int_equal(info->floor_ns, 400);
	assert_int_equal(info->span_cost_ns, 700);
	assert_string_equal(info->environment.kernel, "6.18.0");
	assert_true(fabs(info->environment.steal - 0.05) < 1e-12);
	assert_int_equal(info->stacks[PROBEKIT_STACK_COMPLETE], 15);
	assert_int_equal(info->lost.samples_dropped, 3);
	assert_int_equal(info->lost.tasks_missed, 5);
	read = read_back(joined);
	assert_int_equal(probekit_snapshot_info(read)->lost.tasks_missed, 5);
	probekit_snapshot_free(read);
	probekit_snapshot_free(joined);
}

static void a_status_that_differs_is_not_known(void **state)
{
	struct probekit_snapshot *a = new_run(0);
	struct probekit_snapshot *b = new_run(0);
	struct probekit_snapshot *joined;

	(void)state;
	b->info.child_status = 1;
	joined = join(a, b);
	assert_int_equal(probekit_snapshot_info(joined)->child_status, -1);
	assert_int_equal(probekit_snapshot_info(joined->runs[1])->child_status, 1);
	probekit_snapshot_free(joined);
}

static void nothing_and_runs_of_runs_are_not_joined(void **state)
{
	struct probekit_snapshot *joined = join(new_run(0), new_run(0));
	struct probekit_snapshot *twice;
	struct probekit_error err;

	(void)state;
	assert_int_equal(probekit_snapshot_join(&joined, 1, &twice, &err), -EINVAL);
	assert_non_null(strstr(err.text, "not several of them"));
	assert_int_equal(probekit_snapshot_join(&joined, 0, &twice, &err), -EINVAL);
	probekit_snapshot_free(joined);
}

static void a_snapshot_of_one_measurement_has_no_runs(void **state)
{
	struct probekit_snapshot *made = example_of_kinds();
	struct probekit_snapshot *read = read_back(made);

	(void)state;
	assert_int_equal(probekit_snapshot_run_count(made), 0);
	assert_int_equal(probekit_snapshot_run_count(read), 0);
	assert_null(probekit_snapshot_run(read, 0));
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

/* ---- in a file ---- */

static struct probekit_snapshot *example_of_runs(void)
{
	return join(example_of_kinds(), example_of_causes());
}

static void every_run_reads_back_whole(void **state)
{
	struct probekit_snapshot *(*const examples[])(void) = {example_of_kinds, example_of_causes};
	struct probekit_snapshot *made = example_of_runs();
	struct probekit_snapshot *read = read_back(made);

	(void)state;
	assert_int_equal(probekit_snapshot_run_count(read), 2);
	assert_null(probekit_snapshot_run(read, 2));
	for (size_t i = 0; i < 2; i++) {
		struct probekit_snapshot *run = examples[i]();
		char *expected = to_json(run, false);
		char *found = to_json(probekit_snapshot_run(read, i), false);

		assert_string_equal(expected, found);
		free(expected);
		free(found);
		probekit_snapshot_free(run);
	}
	probekit_snapshot_free(made);
	probekit_snapshot_free(read);
}

static void rows_of_runs_leave_out_what_follows_from_the_rest(void **state)
{
	static const char *const left_out[] = {"build_id", "modes",  "syscalls", "waits",
					       "tail",	   "causes", "slowest",	 "open"};
	struct probekit_snapshot *run = new_run(1);
	json_t *root;
	json_t *row;

	(void)state;
	set_row(&run->probes[0], "x:span", 1000, 4);
	free(run->probes[0].causes);
	run->probes[0].causes = NULL;
	run->probes[0].cause_count = 0;
	run->probes[0].tail.count = 0;
	root = to_tree(join(run, new_run(0)));
	row = member_at(root, "runs/0/probes/0");
	for (size_t i = 0; i < COUNT(left_out); i++)
		if (json_object_get(row, left_out[i]))
			fail_msg("%s is there", left_out[i]);
	assert_true(json_is_null(member_at(row, "key")));
	assert_int_equal(json_integer_value(member_at(row, "count")), 4);
	assert_int_equal(json_integer_value(member_at(row, "quantiles_ns/0.5")), 1000);
	assert_int_equal(json_object_size(member_at(row, "lost")), 0);
	assert_int_equal(json_object_size(member_at(row, "time_ns")), 1);
	assert_int_equal(json_integer_value(member_at(row, "time_ns/oncpu")), 4000);
	assert_int_equal(json_object_size(member_at(row, "bands/0")), 1);
	assert_int_equal(json_integer_value(member_at(row, "bands/0/time_ns/oncpu")), 4000);
	/* the sum has them all */
	assert_int_equal(json_object_size(member_at(root, "probes/0/time_ns")),
			 PROBEKIT_CLASS_COUNT);
	assert_int_equal(json_integer_value(member_at(root, "probes/0/bands/0/count")), 4);
	json_decref(root);
}

static void wrong_values_in_runs_are_refused_with_their_place(void **state)
{
	static const struct wrong_member members[] = {
		{"", "runs", "{}", "runs is not a list"},
		{"", "runs", "[3]", "runs[0]. is not an object"},
		{"runs/1", "probes", "null", "runs[1].probes is missing"},
		{"runs/1", "duration_ns", "null", "runs[1].duration_ns is missing"},
		{"runs/0/environment", "load", "true", "runs[0].environment.load is not a number"},
		{"runs/0/probes/3", "kind", "null", "runs[0].probes[3].kind is none of"},
		{"runs/0/probes/0", "count", "9", "runs[0].probes[0].count is not what"},
		{"runs/0/probes/0/histogram", "buckets", "[[1, 2], [0, 1]]",
		 "runs[0].probes[0].histogram.buckets[1] does not ascend"},
		{"runs/0/probes/0/bands/1", "time_ns", "7", "runs[0].probes[0].bands[1].time_ns"},
		{"runs/1/probes/0/causes/3", "class", "null",
		 "runs[1].probes[0].causes[3].class is none"},
	};

	(void)state;
	refuse_members(example_of_runs, members, COUNT(members));
}

static void runs_within_runs_are_not_looked_at(void **state)
{
	json_t *root = to_tree(example_of_runs());
	struct probekit_snapshot *read;
	char *text;

	(void)state;
	json_object_set_new(member_at(root, "runs/0"), "runs", json_pack("[i]", 3));
	text = json_dumps(root, 0);
	read = from_json(text);
	assert_int_equal(probekit_snapshot_run_count(read), 2);
	assert_int_equal(probekit_snapshot_run_count(probekit_snapshot_run(read, 0)), 0);
	probekit_snapshot_free(read);
	free(text);
	json_decref(root);
}

static void text_cut_in_a_run_is_called_truncated(void **state)
{
	struct probekit_snapshot *made = example_of_runs();
	char *text = to_json(made, false);
	size_t size = strlen(text);
	const char *runs = strstr(text, "\"runs\"");

	(void)state;
	assert_non_null(runs);
	for (size_t cut = (size_t)(runs - text); cut < size; cut += 1 + size / 100)
		refuse_text(text, cut, -EBADMSG, "truncated");
	free(text);
	probekit_snapshot_free(made);
}

/* Several megabytes, which are read by several threads. */
static struct probekit_snapshot *large_example(void)
{
	enum { RUNS = 8, ROWS = 1000 };
	struct probekit_snapshot *runs[RUNS];
	struct probekit_snapshot *joined;

	for (size_t i = 0; i < RUNS; i++) {
		runs[i] = new_run(ROWS);
		runs[i]->info.duration_ns = 1000 + i;
		for (size_t k = 0; k < ROWS; k++) {
			char name[32];

			snprintf(name, sizeof(name), "x:span_%zu", k);
			set_row(&runs[i]->probes[k], name, 1000 * (int64_t)(k + 1), i + 1);
		}
	}
	assert_int_equal(probekit_snapshot_join(runs, RUNS, &joined, NULL), 0);
	return joined;
}

static void large_runs_are_read_in_order(void **state)
{
	struct probekit_snapshot *made = large_example();
	char *text = to_json(made, false);
	struct probekit_snapshot *read;

	(void)state;
	assert_true(strlen(text) > 4 << 20);
	read = from_json(text);
	assert_int_equal(read->run_count, 8);
	for (size_t i = 0; i < 8; i++) {
		const struct probekit_snapshot *run = probekit_snapshot_run(read, i);

		assert_true(run->info.duration_ns == 1000 + i);
		assert_int_equal(run->size, 1000);
		assert_int_equal(row_of(run, 999, "x:span_999")->count, i + 1);
	}
	free(text);
	probekit_snapshot_free(read);
	probekit_snapshot_free(made);
}

static void of_large_runs_the_first_that_is_wrong_is_named(void **state)
{
	struct probekit_snapshot *made = large_example();
	char *text;

	(void)state;
	made->runs[2]->probes[7].count++;
	made->runs[3]->probes[0].count++;
	made->runs[7]->probes[0].count++;
	text = to_json(made, false);
	for (int i = 0; i < 5; i++)
		refuse_text(text, strlen(text), -EBADMSG, "runs[2].probes[7].count is not what");
	free(text);
	probekit_snapshot_free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_add_up),
		cmocka_unit_test(evidence_stays_with_its_run),
		cmocka_unit_test(a_threshold_leaves_no_tail_in_the_whole),
		cmocka_unit_test(rows_are_matched_by_name_kind_and_key),
		cmocka_unit_test(a_run_without_spans_changes_no_minimum),
		cmocka_unit_test(relations_add_up_by_name),
		cmocka_unit_test(the_header_sums_what_adds_up),
		cmocka_unit_test(a_status_that_differs_is_not_known),
		cmocka_unit_test(nothing_and_runs_of_runs_are_not_joined),
		cmocka_unit_test(a_snapshot_of_one_measurement_has_no_runs),
		cmocka_unit_test(every_run_reads_back_whole),
		cmocka_unit_test(rows_of_runs_leave_out_what_follows_from_the_rest),
		cmocka_unit_test(wrong_values_in_runs_are_refused_with_their_place),
		cmocka_unit_test(runs_within_runs_are_not_looked_at),
		cmocka_unit_test(text_cut_in_a_run_is_called_truncated),
		cmocka_unit_test(large_runs_are_read_in_order),
		cmocka_unit_test(of_large_runs_the_first_that_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
