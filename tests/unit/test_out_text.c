/* SPDX-License-Identifier: BSD-2-Clause */
/* What a person reads of a snapshot, from rows made here. */
#include "reports.h"

#include "shown.h"

/* Where the time of make_flush() went. */
static void spend_flush(struct row *row)
{
	static struct probekit_cause causes[] = {
		{.time_class = PROBEKIT_CLASS_LOCK,
		 .syscall = "futex",
		 .pid = 42,
		 .address = 0x5550,
		 .symbol = "log_mutex",
		 .place = "logger+0x4050",
		 .share = 0.85,
		 .count = 2900},
		{.time_class = PROBEKIT_CLASS_LOCK,
		 .syscall = "futex",
		 .pid = 42,
		 .address = 0x7ff0,
		 .share = 0.11,
		 .count = 400},
		{.time_class = PROBEKIT_CLASS_DISK,
		 .syscall = "fsync",
		 .object = "/var/log/a",
		 .share = 0.027,
		 .count = 90},
		{.time_class = PROBEKIT_CLASS_ONCPU, .share = 0.009},
	};
	static struct probekit_relation child = {"logger:\x1b[31mlock", 103000, 48000000000};

	row_spend(row, -20, PROBEKIT_CLASS_ONCPU, 163.5 * MS);
	row_spend(row, -19, PROBEKIT_CLASS_ONCPU, 20 * MS);
	row_spend(row, -6, PROBEKIT_CLASS_LOCK, 46000 * MS);
	row_spend(row, -6, PROBEKIT_CLASS_DISK, 1500 * MS);
	row_spend(row, -6, PROBEKIT_CLASS_RUNQUEUE, 300 * MS);
	row_spend(row, -6, PROBEKIT_CLASS_ONCPU, 500 * MS);
	row_spend(row, -4, PROBEKIT_CLASS_LOCK, 6200 * MS);
	row_spend(row, -4, PROBEKIT_CLASS_SLEEP, 100 * MS);
	row->probe.tail = (struct probekit_tail){
		.exponent = -13,
		.from_ns = 122070,
		.count = 3000,
		.share_of_spans = 0.029,
		.share_of_time = 0.998,
		.time_ns[PROBEKIT_CLASS_LOCK] = 52,
		.time_ns[PROBEKIT_CLASS_DISK] = 2,
		.time_ns[PROBEKIT_CLASS_ONCPU] = 1,
	};
	row->probe.causes = causes;
	row->probe.cause_count = sizeof(causes) / sizeof(causes[0]);
	row->probe.children = &child;
	row->probe.child_count = 1;
}

static void a_report_reads_as_the_golden_file(void **state)
{
	struct probekit_open_span open[] = {
		{.pid = 42, .tid = 44, .comm = "worker", .age_ns = 2300000},
		{.pid = 42, .tid = 43, .comm = "main", .age_ns = 12300000000},
	};
	struct row rows[5];
	struct row *all[5];

	(void)state;
	row_init(&rows[0], "logger:depth", PROBEKIT_KIND_VALUE);
	row_add(&rows[0], 3, 1000);
	row_add(&rows[0], 200, 10);
	row_init(&rows[1], "logger:request", PROBEKIT_KIND_SPAN);
	row_add(&rows[1], 70 * US, 900);
	row_add(&rows[1], 17 * MS, 100);
	rows[2] = rows[1];
	rows[2].probe.has_key = true;
	rows[2].probe.key = 7;
	rows[2].probe.histogram.index = rows[2].index;
	rows[2].probe.histogram.count = rows[2].count;
	make_flush(&rows[3]);
	spend_flush(&rows[3]);
	rows[3].probe.lost.abandoned = 12;
	rows[3].probe.in_flight_at_start = 1;
	rows[3].probe.open = open;
	rows[3].probe.open_count = 2;
	row_init(&rows[4], "logger:reopen", PROBEKIT_KIND_SPAN);
	for (size_t i = 0; i < 5; i++)
		all[i] = &rows[i];
	info.child_status = 3;
	render(all, 5, NULL, &plain, NULL);
	assert_is_file("data/latency-report.txt");
}

static void header_names_rate_and_probing_share(void **state)
{
	struct row row;

	(void)state;
	make_flush(&row);
	report(&row); /* 103000 in 10 s, at 500 ns each */
	assert_has("logger:flush   span, 4 sites in ./logger   10 300/s");
	assert_has("probing 0.5 % of one CPU");
	row.probe.probe_cost_ns = 0;
	row.probe.sites = 1;
	report(&row);
	assert_lacks("probing");
	assert_has("span, 1 site in");
}

static void quantiles_that_equal_the_maximum_are_left_out(void **state)
{
	struct row row;

	(void)state;
	row_init(&row, "a:b", PROBEKIT_KIND_SPAN);
	row_add(&row, 5 * US, 998);
	row_add(&row, 6 * US, 1);
	report(&row);
	assert_has("  p99 5 us  max 6 us");
	assert_lacks("p99.9");
	row_add(&row, 6 * US, 1);
	report(&row);
	assert_has("  p99.9 6 us  max 6 us");
	row_init(&row, "a:b", PROBEKIT_KIND_SPAN);
	row_add(&row, 5 * US, 1);
	report(&row);
	assert_has("count 1  max 5 us\n");
}

static void modes_are_named_when_there_are_two(void **state)
{
	struct row row;

	(void)state;
	make_flush(&row);
	report(&row);
	assert_has("two modes: 1.8 us (97 %), 1");
	row_init(&row, "a:b", PROBEKIT_KIND_SPAN);
	row_add(&row, 5 * US, 1000);
	report(&row);
	assert_lacks("mode");
}

static void latencies_near_the_floor_are_marked(void **state)
{
	struct row row;

	(void)state;
	row_init(&row, "a:b", PROBEKIT_KIND_SPAN);
	row_add(&row, 400, 95);
	row_add(&row, 5 * US, 5);
	report(&row);
	assert_has("probe floor 0.3 us");
	assert_has("up to p90 at the probe's own floor of 0.3 us: read as \"less than\"");
	row_init(&row, "a:b", PROBEKIT_KIND_SPAN);
	row_add(&row, 5 * US, 1000);
	report(&row);
	assert_lacks("less than");
	info.floor_ns = 0;
	report(&row);
	assert_lacks("floor");
}

static void values_have_no_time_units(void **state)
{
	struct row row;

	(void)state;
	row_init(&row, "pool:depth", PROBEKIT_KIND_VALUE);
	row.probe.histogram.negative_count = 2;
	row.probe.histogram.zero_count = 3;
	row_add(&row, 3, 1000);
	row.probe.count += 5;
	row.probe.min = -4;
	report(&row);
	assert_has("value, 4 sites");
	assert_has("count 1 005  min -4  p50 3");
	assert_has("below 0      2 |#");
	assert_has("0      3 |#");
	assert_has("3 - 4  1 000 |#");
	assert_lacks(" total ");
	assert_lacks("floor");
}

static void losses_are_told_in_words_only_when_there_are_any(void **state)
{
	struct row row;

	(void)state;
	make_flush(&row);
	report(&row);
	assert_lacks("not counted");
	assert_lacks("still open");
	row.probe.lost = (struct probekit_lost){1, 2, 3000, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
	row.probe.in_flight_at_start = 8;
	report(&row);
	assert_has("not counted: 1 end whose begin was not seen\n");
	assert_has("not counted: 2 spans left without their end");
	assert_has("not counted: 3 000 spans nested deeper");
	assert_has("not counted: 4 spans for which the kernel had no memory");
	assert_has("not counted: 5 async spans beyond the table");
	assert_has("not understood: 6 keys, ids or values");
	assert_has("in the last bucket: 7 values beyond");
	assert_has("not told: 8 stacks or slow spans");
	assert_has("told by class alone: 11 waits");
	assert_has("told without the span around it: 12 spans");
	assert_has("already running at the start, not counted: 8 spans");
}

static void threads_that_were_missed_are_told_only_when_there_are_any(void **state)
{
	struct row row;

	(void)state;
	make_flush(&row);
	report(&row);
	assert_lacks("not seen");
	info.lost.tasks_missed = 1;
	report(&row);
	assert_has("not seen: 1 begin or end of a thread");
	info.lost.tasks_missed = 2000;
	report(&row);
	assert_has("not seen: 2 000 begins or ends of a thread");
	info.lost.tasks_missed = 0;
}

static void names_from_the_target_are_escaped(void **state)
{
	struct row row;

	(void)state;
	make_flush(&row);
	row.probe.name = "a:\033b";
	row.probe.object = "./x\ny";
	info.target = "./x\ny";
	report(&row);
	assert_has("a:\\x1bb   span");
	assert_has("in ./x\\x0ay");
	assert_has("10 s of ./x\\x0ay;");
	assert_null(strchr(shown, '\033'));
}

static void probes_come_by_total_time_and_values_last(void **state)
{
	struct row rows[3];
	struct row *all[] = {&rows[0], &rows[1], &rows[2]};

	(void)state;
	row_init(&rows[0], "a:value", PROBEKIT_KIND_VALUE);
	row_add(&rows[0], 1e12, 1000);
	row_init(&rows[1], "a:short", PROBEKIT_KIND_SPAN);
	row_add(&rows[1], 5 * US, 1000);
	row_init(&rows[2], "a:long", PROBEKIT_KIND_SPAN);
	row_add(&rows[2], 6 * US, 1000);
	render(all, 3, NULL, &plain, NULL);
	assert_true(strstr(shown, "a:long   span") < strstr(shown, "a:short   span"));
	assert_true(strstr(shown, "a:short   span") < strstr(shown, "a:value   value"));
	assert_has("\nmost time first");
}

static void of_functions_that_were_not_called_some_are_named(void **state)
{
	char names[20][24];
	struct row rows[20];
	struct row *all[20];

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "function_of_a_glob_%d", i);
		row_init(&rows[i], names[i], PROBEKIT_KIND_FUNCTION);
		all[i] = &rows[i];
	}
	for (int i = 0; i < 7; i++)
		row_add(&rows[i], 10 * US, 10);
	render(all, 20, NULL, &plain, NULL);
	assert_has("histograms are of the first 6; -f GLOB chooses others\n");
	assert_has("\nNot called, or not returned from:\n");
	assert_has("function_of_a_glob_7,");
	assert_has("and 1 more\n");
	assert_lacks("site)");
	assert_lacks("\n  ,");
}

static void more_probes_than_fit_stand_in_the_summary(void **state)
{
	char names[9][8];
	struct row rows[9];
	struct row *all[9];

	(void)state;
	for (int i = 0; i < 9; i++) {
		snprintf(names[i], sizeof(names[i]), "p:n%d", i);
		row_init(&rows[i], names[i], PROBEKIT_KIND_SPAN);
		row_add(&rows[i], (10 + i) * US, 10);
		all[i] = &rows[i];
	}
	render(all, 9, NULL, &plain, NULL);
	assert_has("p:n8   span");
	assert_has("p:n3   span");
	assert_lacks("p:n2   span");
	assert_has("\np:n0 ");
	assert_has("histograms are of the first 6; -s GLOB chooses others\n");
}

/* A probe with `keys` keys of ascending total time, and the overflow. */
static void make_keys(struct row *rows, struct row **all, int keys)
{
	row_init(&rows[0], "a:b", PROBEKIT_KIND_SPAN);
	row_add(&rows[0], 5 * US, 100);
	for (int i = 1; i <= keys + 1; i++) {
		row_init(&rows[i], "a:b", PROBEKIT_KIND_SPAN);
		row_add(&rows[i], (10 + i) * US, 10);
		rows[i].probe.has_key = true;
		rows[i].probe.key = i;
	}
	rows[keys + 1].probe.is_key_overflow = true;
	for (int i = 0; i <= keys + 1; i++)
		all[i] = &rows[i];
}

static void keys_stand_in_a_table_with_the_overflow_last(void **state)
{
	struct row rows[16];
	struct row *all[16];

	(void)state;
	make_keys(rows, all, 2);
	render(all, 4, NULL, &plain, NULL);
	assert_true(strstr(shown, "\n  2  ") < strstr(shown, "\n  1  "));
	assert_true(strstr(shown, "\n  1  ") < strstr(shown, "\n  other  "));
	make_keys(rows, all, 13);
	render(all, 15, NULL, &plain, NULL);
	assert_has("\n  other  ");
	assert_has("  and 2 more keys with less time; --key N shows one alone\n");
}

static void a_single_key_gets_the_whole_block(void **state)
{
	struct row rows[16];
	struct row *all[16];
	int64_t key = 2;

	(void)state;
	make_keys(rows, all, 2);
	render(all, 4, &key, &plain, NULL);
	assert_has("a:b key 2   span");
	assert_has("count 10  ");
	assert_lacks("other");
	key = 3; /* the overflow's number is no key */
	render(all, 4, &key, &plain, NULL);
	assert_has("Nothing happened");
}

static void a_silent_measurement_says_what_was_attached(void **state)
{
	struct row row;

	(void)state;
	row_init(&row, "logger:flush", PROBEKIT_KIND_SPAN);
	report(&row);
	assert_has("Nothing happened in 10 s.");
	assert_has("logger:flush (4 sites)");
	render(NULL, 0, NULL, &plain, NULL);
	assert_has("Nothing to measure was found");
}

static void the_end_tells_target_cost_and_the_commands_status(void **state)
{
	struct row row;

	(void)state;
	make_flush(&row);
	report(&row);
	assert_has("10 s of ./logger; one span costs 0.5 us; uprobe_multi at nop5\n");
	assert_lacks("The command");
	runs = 5;
	report(&row);
	assert_has("10 s in 5 runs of ./logger; one span");
	row.probe.kind = PROBEKIT_KIND_USDT;
	report(&row);
	assert_has("one USDT pair costs 0.9 us; uprobe_multi\n");
	info.child_status = 0;
	report(&row);
	assert_has("The command exited with status 0.\n");
	info.child_status = 137;
	report(&row);
	assert_has("The command was ended by signal 9 (status 137).\n");
	info.span_cost_ns = 0;
	info.usdt_cost_ns = 0;
	report(&row);
	assert_has("cost of the probe not measured");
}

static void an_interval_is_a_line_each_in_the_snapshots_order(void **state)
{
	struct row rows[2];
	struct row *all[] = {&rows[0], &rows[1]};

	(void)state;
	row_init(&rows[0], "a:idle", PROBEKIT_KIND_SPAN);
	row_init(&rows[1], "a:busy", PROBEKIT_KIND_SPAN);
	row_add(&rows[1], 5 * US, 1000);
	info.duration_ns = 1000000000;
	render(all, 2, NULL, &plain, "14:03:22");
	assert_string_equal(
		shown, "14:03:22       count        rate      p50      p99      max    total\n"
		       "a:idle             0\n"
		       "a:busy         1 000     1 000/s     5 us     5 us     5 us     5 ms\n\n");
}

static void colour_is_used_only_where_it_is_wanted(void **state)
{
	struct text_style style = {.width = 80, .has_colour = true};
	struct row row;
	struct row *rows = &row;

	(void)state;
	make_flush(&row);
	render(&rows, 1, NULL, &style, NULL);
	assert_has("\033[1mlogger:flush\033[0m");
	report(&row);
	assert_lacks("\033");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, report_reset, release)
		TEST(a_report_reads_as_the_golden_file),
		TEST(header_names_rate_and_probing_share),
		TEST(quantiles_that_equal_the_maximum_are_left_out),
		TEST(modes_are_named_when_there_are_two),
		TEST(latencies_near_the_floor_are_marked),
		TEST(values_have_no_time_units),
		TEST(losses_are_told_in_words_only_when_there_are_any),
		TEST(threads_that_were_missed_are_told_only_when_there_are_any),
		TEST(names_from_the_target_are_escaped),
		TEST(probes_come_by_total_time_and_values_last),
		TEST(of_functions_that_were_not_called_some_are_named),
		TEST(more_probes_than_fit_stand_in_the_summary),
		TEST(keys_stand_in_a_table_with_the_overflow_last),
		TEST(a_single_key_gets_the_whole_block),
		TEST(a_silent_measurement_says_what_was_attached),
		TEST(the_end_tells_target_cost_and_the_commands_status),
		TEST(an_interval_is_a_line_each_in_the_snapshots_order),
		TEST(colour_is_used_only_where_it_is_wanted),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
