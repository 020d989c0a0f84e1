/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quantiles against the application's own timestamps, taken just inside and just outside of each
 * span: a span's latency lies between the two, so each quantile does too, give or take one bucket.
 */
#include "support.h"

#include <stdio.h>

/* One bucket of scale 6. */
#define BUCKET 1.0108892860517005

static double ground_truth(const char *text, const char *side, const char *what)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_%s", side, what);
	return (double)support_number(text, name);
}

/* `slack` is a factor; one ns more is for times that are printed as whole ones. */
static void check_between(const char *text, const char *what, double measured, double slack)
{
	double inside = ground_truth(text, "inside", what);
	double outside = ground_truth(text, "outside", what);

	print_message("  %-6s %12.0f <= %12.0f <= %12.0f ns\n", what, inside, measured, outside);
	if (measured < inside / slack - 1 || measured > outside * slack + 1)
		fail_msg("%s: %.0f is not in %.0f to %.0f", what, measured, inside, outside);
}

static void check_distribution(const char *kind, unsigned long count)
{
	static const char *const quantiles[] = {"0.5", "0.9", "0.99", "0.999"};
	struct support_child child;
	char number[24];
	json_t *snapshot;
	json_t *row;

	snprintf(number, sizeof(number), "%lu", support_scaled(count));
	support_run(&child, NULL, support_probekit(), "latency", "--json", "--",
		    support_program("quantiles"), kind, number, NULL);
	assert_int_equal(child.status, 0);
	snapshot = support_json(child.out.text);
	row = support_row(snapshot, "quantiles:delay");
	assert_int_equal(support_integer(row, "count"), support_number(child.err.text, "count"));
	assert_int_equal(support_integer(json_object_get(row, "histogram"), "scale"), 6);
	print_message("%s, %s spans a thread:\n", kind, number);
	for (int i = 0; i < 4; i++)
		check_between(child.err.text, quantiles[i],
			      (double)support_integer(json_object_get(row, "quantiles_ns"),
						      quantiles[i]),
			      BUCKET);
	check_between(child.err.text, "min", (double)support_integer(row, "min_ns"), 1);
	check_between(child.err.text, "max", (double)support_integer(row, "max_ns"), 1);
	check_between(child.err.text, "sum", (double)support_integer(row, "sum_ns"), 1);
	json_decref(snapshot);
	support_done(&child);
}

static void quantiles_of_uniform_delays_are_those_of_the_application(void **state)
{
	(void)state;
	support_require_tracing();
	check_distribution("uniform", 20000);
}

static void quantiles_of_bimodal_delays_are_those_of_the_application(void **state)
{
	(void)state;
	support_require_tracing();
	check_distribution("bimodal", 20011);
}

static void quantiles_of_heavy_tailed_delays_are_those_of_the_application(void **state)
{
	(void)state;
	support_require_tracing();
	check_distribution("heavy", 30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_of_uniform_delays_are_those_of_the_application),
		cmocka_unit_test(quantiles_of_bimodal_delays_are_those_of_the_application),
		cmocka_unit_test(quantiles_of_heavy_tailed_delays_are_those_of_the_application),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
