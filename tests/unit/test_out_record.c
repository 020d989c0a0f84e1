/* SPDX-License-Identifier: BSD-2-Clause */
/* The summary of a recording: what it says of runs that are known. */
#include "out_record.h"

#include <string.h>

#include "samples.h"
#include "shown.h"
#include "snapshots.h"

static void render(struct probekit_snapshot *snapshot)
{
	FILE *out = show_open();

	out_record(out, snapshot);
	fclose(out);
	probekit_snapshot_free(snapshot);
}

static void set_row(struct probekit_probe *probe, const char *name, enum probekit_kind kind,
		    int64_t value, uint64_t count)
{
	static struct samples s;

	samples_init(&s, kind, 1);
	if (count)
		samples_add_many(&s, value, count);
	assert_int_equal(samples_finish(&s), 0);
	*probe = s.probe;
	probe->name = copied(name);
}

/* A run of two seconds in which spans of x:span all take so long. */
static struct probekit_snapshot *run_of(int64_t ns)
{
	struct probekit_snapshot *run = snapshot_new(1);

	assert_non_null(run);
	run->info.duration_ns = 2000000000;
	set_row(&run->probes[0], "x:span", PROBEKIT_KIND_SPAN, ns, ns ? 1000 : 0);
	return run;
}

static struct probekit_snapshot *join(int64_t a, int64_t b, int64_t c)
{
	struct probekit_snapshot *const runs[] = {run_of(a), run_of(b), run_of(c)};
	struct probekit_snapshot *joined;

	assert_int_equal(probekit_snapshot_join(runs, COUNT(runs), &joined, NULL), 0);
	return joined;
}

static void runs_and_their_spread_are_told(void **state)
{
	(void)state;
	/* each a tenth above the one before: the logarithms' standard deviation is ln 1.1 */
	render(join(1000000, 1100000, 1210000));
	assert_has("3 runs, 6 s together\n");
	assert_has("x:span      3         3 000");
	assert_has("1.1 ms +-9.5 %");
	assert_has("1.2 ms +-9.5 %");
	render(join(1000000, 1000000, 1000000));
	assert_has("1 ms +-0 %");
}

static void runs_without_spans_do_not_count(void **state)
{
	(void)state;
	render(join(1000000, 0, 1000000));
	assert_has("x:span      2         2 000");
	render(join(0, 1000000, 0));
	assert_has("x:span      1         1 000");
	assert_lacks("+-");
	render(join(0, 0, 0));
	assert_has("x:span      0             0");
	assert_lacks("+-");
}

static void one_measurement_has_no_spread(void **state)
{
	(void)state;
	render(run_of(1000000));
	assert_has("1 run, 2 s together\n");
	assert_has("x:span      1         1 000                 1 ms");
	assert_lacks("+-");
}

static void values_have_no_unit_and_keys_no_line(void **state)
{
	struct probekit_snapshot *run = snapshot_new(2);

	(void)state;
	assert_non_null(run);
	set_row(&run->probes[0], "x:depth", PROBEKIT_KIND_VALUE, 7, 5);
	set_row(&run->probes[1], "x:depth", PROBEKIT_KIND_VALUE, 7, 5);
	run->probes[1].has_key = true;
	render(run);
	assert_has("x:depth      1             5                    7                    7\n");
	assert_null(strstr(strstr(shown, "x:depth") + 1, "x:depth"));
}

static void many_probes_are_cut_by_their_time(void **state)
{
	struct probekit_snapshot *run = snapshot_new(23);

	(void)state;
	assert_non_null(run);
	for (size_t i = 0; i < 23; i++) {
		char name[32];

		snprintf(name, sizeof(name), "x:span_%zu", i);
		set_row(&run->probes[i], name, PROBEKIT_KIND_SPAN, 1000 * (int64_t)(i + 1), 1);
	}
	render(run);
	assert_has("x:span_22");
	assert_has("x:span_3 ");
	assert_lacks("x:span_2 ");
	assert_lacks("x:span_0");
	assert_has("and 3 probes of less time\n");
	assert_true(strstr(shown, "x:span_22") < strstr(shown, "x:span_21"));
}

static void names_cannot_steer_the_terminal(void **state)
{
	struct probekit_snapshot *run = run_of(1000);

	(void)state;
	free((void *)(uintptr_t)run->probes[0].name);
	run->probes[0].name = copied("x:\x1b[31mred");
	render(run);
	assert_has("x:\\x1b[31mred");
	assert_lacks("\x1b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_and_their_spread_are_told),
		cmocka_unit_test(runs_without_spans_do_not_count),
		cmocka_unit_test(one_measurement_has_no_spread),
		cmocka_unit_test(values_have_no_unit_and_keys_no_line),
		cmocka_unit_test(many_probes_are_cut_by_their_time),
		cmocka_unit_test(names_cannot_steer_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}
