/* SPDX-License-Identifier: BSD-2-Clause */
#include "reports.h"

#include "shown.h"

struct probekit_snapshot_info info;
size_t runs;
const struct text_style plain = {.width = 80};

int report_reset(void **state)
{
	(void)state;
	runs = 0;
	info = (struct probekit_snapshot_info){
		.duration_ns = 10000000000,
		.target = "./logger",
		.child_status = -1,
		.span_cost_ns = 500,
		.usdt_cost_ns = 900,
		.floor_ns = 300,
		.attach = "uprobe_multi",
		.site = "nop5",
	};
	return 0;
}

void render(struct row *const *rows, size_t size, const int64_t *key,
	    const struct text_style *style, const char *clock)
{
	const struct probekit_probe *probes[20];
	struct text_view view = {.info = &info, .runs = runs, .rows = probes, .size = size};
	FILE *out = show_open();
	int result;

	assert_true(size <= sizeof(probes) / sizeof(probes[0]));
	for (size_t i = 0; i < size; i++)
		probes[i] = &rows[i]->probe;
	view.has_key = key != NULL;
	view.key = key ? *key : 0;
	result = clock ? out_text_interval(out, style, &view, clock)
		       : out_text_report(out, style, &view);
	fclose(out);
	assert_int_equal(result, 0);
}

void report(struct row *row)
{
	render(&row, 1, NULL, &plain, NULL);
}

void make_flush(struct row *row)
{
	row_init(row, "logger:flush", PROBEKIT_KIND_SPAN);
	row_add(row, 1.8 * US, 60000);
	row_add(row, 1.85 * US, 30000);
	row_add(row, 2 * US, 10000);
	row_add(row, 16 * MS, 1000);
	row_add(row, 17 * MS, 1900);
	row_add(row, 63 * MS, 100);
}
