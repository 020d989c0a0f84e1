/* SPDX-License-Identifier: BSD-2-Clause */
/* The drawing of a histogram: its bands, bars and columns, in reports of rows made here. */
#include "reports.h"

#include "shown.h"

/* Names as wide as their columns are as far from each other as others. */
static void columns_of_classes_stand_apart(void **state)
{
	static const struct {
		enum probekit_class time_class;
		const char *title;
	} wide[] = {
		{PROBEKIT_CLASS_SLEEP, " cpu sleep\n"},
		{PROBEKIT_CLASS_PAGEFAULT, " cpu fault\n"},
		{PROBEKIT_CLASS_THROTTLED, " cpu thrtl\n"},
	};
	struct row row;

	(void)state;
	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		row_init(&row, "a:b", PROBEKIT_KIND_SPAN);
		row_add(&row, 10 * MS, 4); /* 7.8 - 15.6 ms */
		row_spend(&row, -7, PROBEKIT_CLASS_ONCPU, 10 * MS);
		row_spend(&row, -7, wide[i].time_class, 30 * MS);
		report(&row);
		assert_has(wide[i].title);
		assert_has("   25    75\n");
	}
	row_spend(&row, -7, PROBEKIT_CLASS_SLEEP, 40 * MS);
	report(&row);
	assert_has(" cpu thrtl sleep\n");
	assert_has("   12    38    50\n");
}

static void long_runs_of_empty_bands_are_collapsed(void **state)
{
	struct row row;

	(void)state;
	row_init(&row, "a:b", PROBEKIT_KIND_SPAN);
	row_add(&row, 10 * US, 5); /* 7.6 - 15.3 us */
	row_add(&row, 70 * US, 5); /* two empty bands between */
	row_add(&row, 1 * MS, 5);  /* three */
	report(&row);
	assert_has("15.3 - 30.5 us      0 |");
	assert_has("30.5 - 61 us      0 |");
	assert_has("             ...\n");
	assert_lacks("122 - 244 us");
	assert_lacks("244 - 488 us");
	assert_lacks("488 - 977 us");
	assert_has("0.98 - 2 ms      5 |");
}

static void band_counts_add_up_and_time_is_shared_by_them(void **state)
{
	struct row row;

	(void)state;
	row_init(&row, "a:b", PROBEKIT_KIND_SPAN);
	row_add(&row, 10 * US, 900);
	row_add(&row, 90 * US, 100);
	report(&row);
	assert_has("|    90 %    50 %\n");
	assert_has("|    10 %    50 %\n");
}

static void bars_fill_the_width_and_never_vanish(void **state)
{
	static const unsigned int widths[] = {60, 80, 132, 200};
	struct row row;
	struct row *rows = &row;

	(void)state;
	row_init(&row, "a:b", PROBEKIT_KIND_SPAN);
	row_add(&row, 10 * US, 1000000);
	row_add(&row, 20 * US, 1);
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		struct text_style style = {.width = widths[i]};
		const char *bar;

		render(&rows, 1, NULL, &style, NULL);
		bar = strstr(shown, "1 000 000 |#");
		assert_non_null(bar);
		while (bar > shown && bar[-1] != '\n')
			bar--;
		assert_int_equal(strcspn(bar, "\n"), widths[i]);
		assert_has("        1 |# ");
	}
}

static void lines_keep_to_the_width(void **state)
{
	struct text_style style = {.width = 60};
	struct row row;
	struct row *rows = &row;

	(void)state;
	make_flush(&row);
	row.probe.lost.unmatched_end = 1;
	render(&rows, 1, NULL, &style, NULL);
	assert_fits(style.width);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, report_reset, release)
		TEST(columns_of_classes_stand_apart),
		TEST(long_runs_of_empty_bands_are_collapsed),
		TEST(band_counts_add_up_and_time_is_shared_by_them),
		TEST(bars_fill_the_width_and_never_vanish),
		TEST(lines_keep_to_the_width),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
