/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs of the caller's own at the sites that a session plans: what they count and read against
 * what the program knows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tally_program.h"

#define THREADS 4 /* of the measured program */

/* What is added to a session, and what it is then. */
struct custom_run {
	unsigned int roles;
	const char *probes;
	const char *events;
	struct tally_bpf *bpf;
	struct probekit_session *session;
	struct child child;
	struct probekit_snapshot *snapshot;
};

static int add(struct probekit_session *session, void *arg, struct probekit_error *err)
{
	struct custom_run *run = arg;
	struct probekit_program program;

	run->bpf = tally_load(session, 0);
	program = tally_program(run->bpf);
	program.roles = run->roles;
	program.probes = run->probes;
	program.events = run->events;
	return probekit_session_add_program(session, &program, err);
}

static void begin(struct custom_run *run, const char *mode, uint64_t count, bool only)
{
	child_start_program(&run->child, "arguments", mode, count);
	run->session = measure_start(&(struct measure){
		.pid = run->child.pid,
		.options.only_programs = only,
		.prepare = add,
		.prepare_arg = run,
	});
}

static void done(struct custom_run *run)
{
	if (run->snapshot)
		probekit_snapshot_free(run->snapshot);
	tally_bpf__destroy(run->bpf);
	child_done(&run->child);
}

static struct tally read_tally(const struct tally_bpf *bpf, uint32_t number)
{
	struct tally tally;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(bpf->maps.tallies), &number, &tally), 0);
	return tally;
}

/* Of all sites of the probe with that role, which the session must still know. */
static struct tally sum(const struct custom_run *run, const char *name, enum probekit_role role)
{
	struct tally sum = {0};

	assert_true(probekit_session_site_count(run->session) <= TALLIES);
	for (uint32_t i = 0; i < probekit_session_site_count(run->session); i++) {
		const struct probekit_site *site = probekit_session_site(run->session, i);
		struct tally tally = read_tally(run->bpf, i);

		if (strcmp(site->name, name) != 0 || site->role != role)
			continue;
		assert_true(tally.hits == 0 || tally.probe == site->probe);
		assert_true(tally.hits == 0 || tally.role == role);
		sum.hits += tally.hits;
		sum.keys += tally.keys;
		sum.keyed += tally.keyed;
		sum.missing += tally.missing;
		sum.unreadable += tally.unreadable;
		for (int n = 0; n < PROBEKIT_MAX_ARGUMENTS; n++)
			sum.sums[n] = (int64_t)((uint64_t)sum.sums[n] + (uint64_t)tally.sums[n]);
	}
	return sum;
}

static uint64_t all_hits(const struct tally_bpf *bpf)
{
	uint64_t hits = 0;

	for (uint32_t i = 0; i < TALLIES; i++)
		hits += read_tally(bpf, i).hits;
	return hits;
}

/* ---- what they see, on each way to attach ---- */

/* As PROBEKIT_DISABLE_FEATURES takes them. The measured program does not fork, so that kernels which
 * would kill children may optimise its sites. */
static const char optimised[] = "fork_check";
static const char plain[] = "nop5,nop10";
static const char events[] = "uprobe_multi,uprobe_multi_pid,fork_check";
static const char plain_events[] = "uprobe_multi,uprobe_multi_pid,nop5,nop10";

static int deny(void **state)
{
	return setenv("PROBEKIT_DISABLE_FEATURES", *state, 1);
}

static int allow(void **state)
{
	(void)state;
	return unsetenv("PROBEKIT_DISABLE_FEATURES");
}

static void check_arguments(const struct custom_run *run, uint64_t spans)
{
	struct tally sent = sum(run, "arguments:sent", PROBEKIT_AT_EVENT);

	assert_int_equal(sent.hits, spans);
	assert_int_equal(sent.unreadable, 0);
	assert_int_equal(sent.missing, spans); /* there is no argument 12 */
	assert_int_equal(sent.keyed, 0);
	for (int n = 0; n < PROBEKIT_MAX_ARGUMENTS; n++) {
		char name[16];

		snprintf(name, sizeof(name), "sent%d", n);
		assert_int_equal(sent.sums[n], child_truth(&run->child, name));
	}
}

static void check_keys(const struct custom_run *run, uint64_t spans)
{
	int64_t keys = child_truth(&run->child, "keys");
	int64_t ids = child_truth(&run->child, "ids");
	struct tally tally = sum(run, "arguments:request", PROBEKIT_AT_BEGIN);

	assert_int_equal(tally.hits, spans);
	assert_int_equal(tally.keyed, spans);
	assert_int_equal(tally.keys, keys);
	assert_int_equal(tally.sums[0], keys);
	tally = sum(run, "arguments:request", PROBEKIT_AT_END);
	assert_int_equal(tally.hits, spans);
	assert_int_equal(tally.keyed, 0);
	tally = sum(run, "arguments:job", PROBEKIT_AT_BEGIN);
	assert_int_equal(tally.hits, spans);
	assert_int_equal(tally.keys, ids);
	tally = sum(run, "arguments:job", PROBEKIT_AT_END);
	assert_int_equal(tally.hits, spans);
	assert_int_equal(tally.keys, ids);
	assert_int_equal(sum(run, "arguments:step", PROBEKIT_AT_BEGIN).hits, spans);
	assert_int_equal(sum(run, "arguments:step", PROBEKIT_AT_END).hits, spans);
	tally = sum(run, "arguments:depth", PROBEKIT_AT_VALUE);
	assert_int_equal(tally.hits, spans);
	assert_int_equal(tally.keyed, 0);
	assert_int_equal(tally.sums[0], child_truth(&run->child, "values"));
}

static void check_measured(const struct custom_run *run, uint64_t spans)
{
	assert_row(run->snapshot, "arguments:request", .count = spans);
	assert_row(run->snapshot, "arguments:job", .count = spans);
	assert_row(run->snapshot, "arguments:step", .count = spans);
	assert_row(run->snapshot, "arguments:depth", .count = spans);
	assert_int_equal(find_row(run->snapshot, "arguments:depth")->sum,
			 child_truth(&run->child, "values"));
	assert_null(find_row(run->snapshot, "arguments:sent"));
}

static void program_and_measurement_are_both_exact(void **state)
{
	struct custom_run run = {.roles = EVERY_ROLE, .events = "arguments:sen?"};
	uint64_t each = scaled(5000, 50);

	(void)state;
	begin(&run, "all", each, false);
	child_go(&run.child);
	check_arguments(&run, THREADS * each);
	check_keys(&run, THREADS * each);
	run.snapshot = measure_stop(run.session);
	check_measured(&run, THREADS * each);
	done(&run);
}

static void a_program_alone_is_as_exact_and_nothing_is_measured(void **state)
{
	struct custom_run run = {.roles = EVERY_ROLE, .events = "arguments:sent"};
	uint64_t each = scaled(5000, 50);

	(void)state;
	begin(&run, "all", each, true);
	child_go(&run.child);
	check_arguments(&run, THREADS * each);
	check_keys(&run, THREADS * each);
	run.snapshot = measure_stop(run.session);
	assert_row(run.snapshot, "arguments:request", .count = 0);
	assert_row(run.snapshot, "arguments:depth", .count = 0);
	done(&run);
}

static int add_linger(struct probekit_session *session, void *arg, struct probekit_error *err)
{
	struct custom_run *run = arg;
	struct probekit_program program;

	run->bpf = tally_load(session, 0);
	program = tally_program(run->bpf);
	program.fd = bpf_program__fd(run->bpf->progs.linger);
	program.sites_fd = -1;
	program.probes = "arguments:step";
	return probekit_session_add_program(session, &program, err);
}

/* It is over before a begin is timed, and has not started when an end is. */
static void the_time_of_a_program_is_no_part_of_spans(void **state)
{
	struct custom_run run = {.roles = 0};
	const struct probekit_probe *step;

	(void)state;
	child_start_program(&run.child, "arguments", "all", 20);
	run.session = measure_start(&(
		struct measure){.pid = run.child.pid, .prepare = add_linger, .prepare_arg = &run});
	child_go(&run.child);
	assert_int_equal(run.bpf->bss->hits, 2 * THREADS * 20);
	run.snapshot = measure_stop(run.session);
	step = find_row(run.snapshot, "arguments:step");
	assert_int_equal(step->count, THREADS * 20);
	assert_true(step->min < LINGER_NS); /* of one that was not preempted */
	assert_true(find_row(run.snapshot, "arguments:job")->min >= 2 * LINGER_NS);
	done(&run);
}

/* ---- which sites they see ---- */

static void only_sites_of_the_roles_and_probes_are_seen(void **state)
{
	struct custom_run run = {.roles = PROBEKIT_AT_END, .probes = "arguments:[rs]*"};
	uint64_t each = scaled(500, 10);

	(void)state;
	begin(&run, "all", each, false);
	child_go(&run.child);
	assert_int_equal(sum(&run, "arguments:request", PROBEKIT_AT_END).hits, THREADS * each);
	assert_int_equal(sum(&run, "arguments:step", PROBEKIT_AT_END).hits, THREADS * each);
	assert_int_equal(all_hits(run.bpf), 2 * THREADS * each);
	run.snapshot = measure_stop(run.session);
	assert_row(run.snapshot, "arguments:job", .count = THREADS * each);
	done(&run);
}

/* Its acquisition is the end of one span and the begin of another. */
static void both_spans_of_a_lock_are_seen(void **state)
{
	struct custom_run run = {.roles = EVERY_ROLE};
	static const char *const spans[] = {"arguments:guard.wait", "arguments:guard.hold"};
	uint64_t count = scaled(2000, 10);

	(void)state;
	begin(&run, "locks", count, false);
	child_go(&run.child);
	for (int i = 0; i < 4; i++) {
		struct tally tally =
			sum(&run, spans[i / 2], i % 2 ? PROBEKIT_AT_END : PROBEKIT_AT_BEGIN);

		assert_int_equal(tally.hits, count);
		assert_int_equal(tally.keyed, count);
		assert_int_equal(tally.keys, (int64_t)count * child_truth(&run.child, "mutex"));
	}
	run.snapshot = measure_stop(run.session);
	assert_row(run.snapshot, "arguments:guard.hold", .count = count);
	done(&run);
}

static void floating_point_is_no_argument_that_can_be_read(void **state)
{
	struct custom_run run = {.events = "arguments:ratio"};
	uint64_t count = scaled(500, 10);
	struct tally tally;

	(void)state;
	begin(&run, "floats", count, false);
	child_go(&run.child);
	tally = sum(&run, "arguments:ratio", PROBEKIT_AT_EVENT);
	assert_int_equal(tally.hits, count);
	assert_int_equal(tally.unreadable, count);
	assert_int_equal(tally.missing, (PROBEKIT_MAX_ARGUMENTS - 1) * count);
	assert_int_equal(tally.sums[1], (int64_t)(count * (count - 1) / 2));
	run.snapshot = measure_stop(run.session);
	done(&run);
}

static int add_function(struct probekit_session *session, void *arg, struct probekit_error *err)
{
	return probekit_session_add_function(session, "weigh", err) ||
	       probekit_session_add_span(session, "arguments:request", err) ||
	       add(session, arg, err);
}

static void a_function_tells_what_it_is_given_and_what_it_returns(void **state)
{
	struct custom_run run = {.roles = EVERY_ROLE};
	uint64_t count = scaled(5000, 50);
	struct tally tally;

	(void)state;
	child_start_program(&run.child, "arguments", "calls", count);
	run.session = measure_start(&(struct measure){.pid = run.child.pid,
						      .options.max_overhead = -1,
						      .prepare = add_function,
						      .prepare_arg = &run});
	child_go(&run.child);
	tally = sum(&run, "weigh", PROBEKIT_AT_BEGIN);
	assert_int_equal(tally.hits, count);
	for (int n = 0; n < 6; n++) {
		char name[16];

		snprintf(name, sizeof(name), "given%d", n);
		assert_int_equal(tally.sums[n], child_truth(&run.child, name));
	}
	tally = sum(&run, "weigh", PROBEKIT_AT_END);
	assert_int_equal(tally.hits, count);
	assert_int_equal(tally.sums[0], child_truth(&run.child, "result"));
	run.snapshot = measure_stop(run.session);
	assert_row(run.snapshot, "weigh", .count = count);
	done(&run);
}

/* The C++ library has probes of its own, and no span. */
static void events_of_other_projects_need_no_span(void **state)
{
	struct custom_run run = {.events = "libstdcxx:*"};
	uint64_t count = scaled(500, 10);

	(void)state;
	child_start_program(&run.child, "exceptions", "throws", count);
	run.session = measure_start(&(struct measure){.pid = run.child.pid,
						      .options.only_programs = true,
						      .prepare = add,
						      .prepare_arg = &run});
	child_go(&run.child);
	assert_int_equal(sum(&run, "libstdcxx:throw", PROBEKIT_AT_EVENT).hits, count);
	assert_int_equal(sum(&run, "libstdcxx:catch", PROBEKIT_AT_EVENT).hits, count);
	run.snapshot = measure_stop(run.session);
	done(&run);
}

static void sites_of_a_library_opened_later_are_seen(void **state)
{
	uint64_t count = scaled(2000, 10);
	const char *const command[] = {program_path("processes"), "open_library",
				       number_text(count), NULL};
	struct custom_run custom = {.roles = PROBEKIT_AT_BEGIN, .probes = "plugin:*"};
	struct run run;

	(void)state;
	require_tracing();
	measure_run(&(struct measure){.command = command,
				      .awaited = "plugin:own",
				      .prepare = add,
				      .prepare_arg = &custom},
		    &run);
	assert_row(run.snapshot, "plugin:own", .count = count);
	assert_int_equal(all_hits(custom.bpf), count);
	tally_bpf__destroy(custom.bpf);
	run_done(&run);
}

static int add_plugin_run(struct probekit_session *session, void *arg, struct probekit_error *err)
{
	return probekit_session_add_function(session, "plugin_spans:plugin_run", err) ||
	       probekit_session_add_span(session, "*", err) || add(session, arg, err);
}

static void functions_of_a_library_opened_later_are_seen(void **state)
{
	const char *const command[] = {program_path("processes"), "open_library", "10", NULL};
	struct custom_run custom = {.roles = PROBEKIT_AT_BEGIN, .probes = "plugin_run"};
	struct run run;

	(void)state;
	require_tracing();
	measure_run(&(struct measure){.command = command,
				      .awaited = "plugin_run",
				      .prepare = add_plugin_run,
				      .prepare_arg = &custom},
		    &run);
	assert_row(run.snapshot, "plugin_run", .count = 1);
	assert_int_equal(all_hits(custom.bpf), 1);
	tally_bpf__destroy(custom.bpf);
	run_done(&run);
}

static void sites_have_names_and_places(void **state)
{
	struct custom_run run = {.roles = EVERY_ROLE, .events = "arguments:sent"};
	const struct probekit_site *request = NULL;
	const struct probekit_site *sent = NULL;
	size_t count;

	(void)state;
	begin(&run, "all", 1, true);
	count = probekit_session_site_count(run.session);
	for (size_t i = 0; i < count; i++) {
		const struct probekit_site *site = probekit_session_site(run.session, i);

		assert_string_equal(site->object, program_path("arguments"));
		if (strcmp(site->name, "arguments:request") == 0 && site->role == PROBEKIT_AT_BEGIN)
			request = site;
		if (strcmp(site->name, "arguments:sent") == 0)
			sent = site;
	}
	assert_null(probekit_session_site(run.session, count));
	assert_non_null(request);
	assert_int_equal(request->kind, PROBEKIT_KIND_SPAN);
	assert_int_equal(strncmp(request->arguments, "-8@", 3), 0);
	assert_non_null(sent);
	assert_int_equal(sent->kind, PROBEKIT_KIND_USDT);
	assert_int_equal(sent->role, PROBEKIT_AT_EVENT);
	assert_true(sent->probe != request->probe && sent->offset != request->offset);
	assert_int_equal(strncmp(sent->arguments, "1@", 2), 0);
#if defined(__x86_64__) && defined(__OPTIMIZE__)
	/* what makes the arguments' test worth its name */
	assert_non_null(strstr(sent->arguments, "(%rsp)"));
	assert_non_null(strstr(sent->arguments, "@$-42"));
#endif
	run.snapshot = measure_stop(run.session);
	done(&run);
}

static void nothing_runs_after_the_stop(void **state)
{
	struct custom_run run = {.roles = EVERY_ROLE, .events = "arguments:sent"};
	uint64_t before;

	(void)state;
	begin(&run, "all", 10, false);
	child_go(&run.child);
	before = all_hits(run.bpf);
	assert_int_equal(before, THREADS * 10 * 8);
	run.snapshot = measure_stop(run.session);
	assert_false(child_is_traced(&run.child));
	child_go(&run.child);
	assert_int_equal(all_hits(run.bpf), before);
	done(&run);
}

static int add_count(struct probekit_session *session, void *arg, struct probekit_error *err)
{
	struct custom_run *run = arg;
	struct probekit_program program;

	run->bpf = tally_load(session, 0);
	program = tally_program(run->bpf);
	program.fd = bpf_program__fd(run->bpf->progs.count);
	program.sites_fd = -1;
	return probekit_session_add_program(session, &program, err);
}

/* It needs neither arguments nor a map, and what it returns is nobody's business. By path: of every
 * process. */
static void a_program_without_arguments_needs_no_map(void **state)
{
	struct custom_run run = {.roles = 0};
	uint64_t count = scaled(500, 10);
	struct output output;

	(void)state;
	run.session = measure_start(&(struct measure){.path = program_path("arguments"),
						      .options.only_programs = true,
						      .prepare = add_count,
						      .prepare_arg = &run});
	for (int i = 1; i <= 2; i++) {
		run_captured((const char *const[]){program_path("arguments"), "all",
						   number_text(count), NULL},
			     &output);
		assert_int_equal(output.status, 0);
		output_done(&output);
		/* two ends of three spans, and a value */
		assert_int_equal(run.bpf->bss->hits, (uint64_t)i * 7 * THREADS * count);
	}
	probekit_snapshot_free(measure_stop(run.session));
	tally_bpf__destroy(run.bpf);
}

/* ---- the example ---- */

static void the_example_counts_what_the_store_has_sent(void **state)
{
	const char *const arguments[] = {
		build_path("examples/bytes"), "store:request",	       "store:sent", "1",
		build_path("examples/store"), scaled_text(20000, 100), NULL};
	struct output output;
	const char *table;

	(void)state;
	require_tracing();
	run_captured(arguments, &output);
	assert_int_equal(output.status, 0);
	table = strstr(output.out, "bytes/span\n");
	assert_non_null(table);
	for (int tenant = 1; tenant <= 5; tenant++) {
		unsigned long long spans, pieces, requests;
		long long key, bytes, sent;
		char name[32];
		const char *said;

		snprintf(name, sizeof(name), "tenant %d: ", tenant);
		said = strstr(output.out, name);
		table = strchr(table, '\n') + 1;
		assert_non_null(said);
		assert_int_equal(sscanf(said + strlen(name), "%llu requests, %lld bytes", &requests,
					&sent),
				 2);
		assert_int_equal(
			sscanf(table, "%lld %llu %*f %llu %lld", &key, &spans, &pieces, &bytes), 4);
		assert_int_equal(key, tenant);
		assert_int_equal(spans, requests);
		assert_int_equal(bytes, sent);
		assert_true(pieces >= spans);
	}
	assert_null(strstr(table, "lost"));
	output_done(&output);
}

#define ON_WAY(test, way)                                                    \
	{                                                                    \
#test ", " #way, test, deny, allow, (void *)(uintptr_t)(way) \
	}
#define ON_EACH_WAY(test)                                                   \
	ON_WAY(test, optimised), ON_WAY(test, plain), ON_WAY(test, events), \
		ON_WAY(test, plain_events)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_EACH_WAY(program_and_measurement_are_both_exact),
		ON_EACH_WAY(a_program_alone_is_as_exact_and_nothing_is_measured),
		ON_EACH_WAY(the_time_of_a_program_is_no_part_of_spans),
		ON_EACH_WAY(a_function_tells_what_it_is_given_and_what_it_returns),
		cmocka_unit_test(only_sites_of_the_roles_and_probes_are_seen),
		cmocka_unit_test(both_spans_of_a_lock_are_seen),
		cmocka_unit_test(floating_point_is_no_argument_that_can_be_read),
		cmocka_unit_test(events_of_other_projects_need_no_span),
		cmocka_unit_test(sites_of_a_library_opened_later_are_seen),
		cmocka_unit_test(functions_of_a_library_opened_later_are_seen),
		cmocka_unit_test(sites_have_names_and_places),
		cmocka_unit_test(nothing_runs_after_the_stop),
		cmocka_unit_test(a_program_without_arguments_needs_no_map),
		cmocka_unit_test(the_example_counts_what_the_store_has_sent),
	};

	return cmocka_run_group_tests_name("custom", tests, NULL, NULL);
}
