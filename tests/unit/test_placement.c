/* SPDX-License-Identifier: BSD-2-Clause */
/* Where in a site a program is attached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "placement.h"

static uint64_t offset_of(enum sdt_form form, uint64_t offset, enum point point)
{
	const struct sdt_site site = {.form = form, .offset = offset};
	struct placement placement;

	placement_choose(&site, point, &placement);
	return placement.offset - offset;
}

static void a_foreign_site_is_taken_where_its_note_points(void **state)
{
	(void)state;
	for (int point = 0; point < POINT_COUNT; point++)
		assert_int_equal(offset_of(SDT_FORM_FOREIGN, 0x1100, (enum point)point), 0);
}

static void our_sites_are_taken_at_the_chosen_instruction(void **state)
{
	(void)state;
	assert_int_equal(offset_of(SDT_FORM_INLINE, 0x1100, POINT_NOP), 0);
	assert_int_equal(offset_of(SDT_FORM_INLINE, 0x1100, POINT_NOP5), SDT_INLINE_NOP5_OFFSET);
	assert_int_equal(offset_of(SDT_FORM_INLINE, 0x1100, POINT_NOP10), SDT_NOP10_OFFSET);
	assert_int_equal(offset_of(SDT_FORM_THUNK, 0x1100, POINT_NOP5), SDT_THUNK_NOP5_OFFSET);
	assert_int_equal(offset_of(SDT_FORM_THUNK, 0x1100, POINT_NOP10), SDT_NOP10_OFFSET);
}

static void a_long_nop_across_a_page_is_left_to_the_plain_one(void **state)
{
	uint64_t last = 0x2000 - 10 - SDT_NOP10_OFFSET; /* it ends with the page */

	(void)state;
	assert_int_equal(offset_of(SDT_FORM_THUNK, last, POINT_NOP10), SDT_NOP10_OFFSET);
	for (uint64_t beyond = 1; beyond < 10; beyond++)
		assert_int_equal(offset_of(SDT_FORM_THUNK, last + beyond, POINT_NOP10), 0);
	/* it begins with the next page */
	assert_int_equal(offset_of(SDT_FORM_THUNK, last + 10, POINT_NOP10), SDT_NOP10_OFFSET);
}

/* ---- arguments ---- */

static struct probekit_argument argument_at(enum point point, struct sdt_arg arg, unsigned int n)
{
	struct sdt_site site = {.form = SDT_FORM_INLINE, .offset = 0x1100, .arg_count = 3};
	struct placement placement;

	site.args[n] = arg;
	placement_choose(&site, point, &placement);
	return placement_argument(&site, &placement, n);
}

static void what_depends_on_the_stack_pointer_is_as_at_the_note(void **state)
{
	static const struct {
		struct sdt_arg arg;
		bool is_shifted;
	} cases[] = {
		{{.kind = SDT_ARG_MEMORY, .reg = SDT_X86_RSP, .index = -1, .value = -24}, true},
		{{.kind = SDT_ARG_REGISTER, .reg = SDT_X86_RSP, .index = -1}, true},
		{{.kind = SDT_ARG_MEMORY, .reg = 6, .index = -1, .value = -24}, false},
		{{.kind = SDT_ARG_REGISTER, .reg = 6, .index = -1}, false},
		{{.kind = SDT_ARG_CONSTANT, .reg = -1, .index = -1, .value = 7}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sdt_arg arg = cases[i].arg;

		arg.size_bytes = 8;
		for (unsigned int n = 0; n < 3; n++) {
			assert_int_equal(argument_at(POINT_NOP, arg, n).value, arg.value);
			assert_int_equal(argument_at(POINT_NOP10, arg, n).value, arg.value);
			assert_int_equal(argument_at(POINT_NOP5, arg, n).value,
					 arg.value + (cases[i].is_shifted ? 128 : 0));
		}
	}
}

static void an_argument_that_the_site_has_not_is_none(void **state)
{
	const struct sdt_site site = {.form = SDT_FORM_INLINE, .offset = 0x1100, .arg_count = 1};
	struct placement placement;

	(void)state;
	placement_choose(&site, POINT_NOP5, &placement);
	assert_int_equal(placement_argument(&site, &placement, 1).kind, PROBEKIT_ARGUMENT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_foreign_site_is_taken_where_its_note_points),
		cmocka_unit_test(our_sites_are_taken_at_the_chosen_instruction),
		cmocka_unit_test(a_long_nop_across_a_page_is_left_to_the_plain_one),
		cmocka_unit_test(what_depends_on_the_stack_pointer_is_as_at_the_note),
		cmocka_unit_test(an_argument_that_the_site_has_not_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
