/* SPDX-License-Identifier: BSD-2-Clause */
/* Catalogs as text and as JSON. */
#include "out_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static const struct probekit_catalog_entry entries[] = {
	{.name = "libc:setjmp",
	 .kind = PROBEKIT_CATALOG_EVENT,
	 .object = "/lib/libc.so",
	 .arguments = "8@%rdi",
	 .sites = 1},
	{.name = "db:query__start,query__done",
	 .kind = PROBEKIT_CATALOG_PAIR,
	 .object = "./db",
	 .arguments = "",
	 .sites = 1,
	 .end_sites = 1,
	 .has_semaphore = true},
	{.name = "db:tx__start,commit|abort",
	 .kind = PROBEKIT_CATALOG_PAIR,
	 .object = "./db",
	 .arguments = "",
	 .sites = 1,
	 .end_sites = 2},
	{.name = "db:depth",
	 .kind = PROBEKIT_CATALOG_VALUE,
	 .object = "./db",
	 .arguments = "8@%rax",
	 .sites = 2,
	 .has_semaphore = true,
	 .is_fast = true},
	{.name = "db:flush",
	 .kind = PROBEKIT_CATALOG_SPAN,
	 .object = "./db",
	 .arguments = "",
	 .sites = 4,
	 .end_sites = 1,
	 .has_key = true,
	 .has_semaphore = true,
	 .is_fast = true},
	{.name = "db:\"\\\033\xff\xc3\xbc",
	 .kind = PROBEKIT_CATALOG_EVENT,
	 .object = "./db",
	 .arguments = "",
	 .sites = 1},
};

#define SIZE (sizeof(entries) / sizeof(entries[0]))

static const struct probekit_catalog_entry functions[] = {
	{.name = "shop::Cart::add(int)",
	 .kind = PROBEKIT_CATALOG_FUNCTION,
	 .object = "./shop",
	 .arguments = "",
	 .sites = 2,
	 .end_sites = 3,
	 .cost = PROBEKIT_COST_STEPPED,
	 .size_bytes = 812,
	 .inlined = 7,
	 .first_inlined = "sell at shop.cpp:12",
	 .by_exits = true},
	{.name = "handle",
	 .kind = PROBEKIT_CATALOG_FUNCTION,
	 .object = "./shop",
	 .arguments = "",
	 .sites = 1,
	 .cost = PROBEKIT_COST_EMULATED,
	 .size_bytes = 40,
	 .inlined = UINT32_MAX},
	{.name = "tiny",
	 .kind = PROBEKIT_CATALOG_FUNCTION,
	 .object = "./shop",
	 .arguments = "",
	 .inlined = 1,
	 .first_inlined = "sell at shop.cpp:9",
	 .refused = "inlined everywhere (1 place; first sell at shop.cpp:9)"},
};

#define FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

/* The caller frees it. */
static char *render_these(const struct probekit_catalog_entry *these, bool is_json, size_t size,
			  size_t bad_notes)
{
	const struct probekit_catalog_entry *list[SIZE];
	struct list_view view = {"./db", list, size, bad_notes};
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	for (size_t i = 0; i < size; i++)
		list[i] = &these[i];
	if (is_json)
		out_list_json(out, &view);
	else
		out_list_text(out, false, &view);
	fclose(out);
	return text;
}

static char *render(bool is_json, size_t size, size_t bad_notes)
{
	return render_these(entries, is_json, size, bad_notes);
}

static void text_is_grouped_by_object_and_kind(void **state)
{
	char *text = render(false, SIZE, 2);

	(void)state;
	assert_string_equal(
		text,
		"/lib/libc.so\n"
		"USDT probes\n"
		"  libc:setjmp               1 site, args 8@%rdi\n"
		"\n"
		"./db\n"
		"spans\n"
		"  db:flush                  sites: 4 begin, 1 end, key, fast\n"
		"values\n"
		"  db:depth                  2 sites, fast\n"
		"pairs of USDT probes\n"
		"  -u db:query__start,query__done  1 site\n"
		"  -u 'db:tx__start,commit|abort'  sites: 1 begin, 2 end\n"
		"USDT probes\n"
		"  db:\"\\\\x1b\\xff\xc3\xbc           1 site\n"
		"\n"
		"2 notes with unknown bytes (not listed) or arguments (no key, id or value)\n");
	free(text);
}

static void notes_are_mentioned_only_when_bad(void **state)
{
	char *text = render(false, 1, 0);

	(void)state;
	assert_null(strstr(text, "note"));
	free(text);
}

static void json_is_well_formed_whatever_the_names(void **state)
{
	char *text = render(true, SIZE, 2);
	json_error_t error;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	json_t *list;
	json_t *entry;

	(void)state;
	if (!root)
		fail_msg("%s in:\n%s", error.text, text);
	assert_string_equal(json_string_value(json_object_get(root, "schema")), "probekit.list/1");
	assert_string_equal(json_string_value(json_object_get(root, "target")), "./db");
	assert_int_equal(json_integer_value(json_object_get(root, "bad_notes")), 2);
	list = json_object_get(root, "entries");
	assert_int_equal(json_array_size(list), SIZE);
	entry = json_array_get(list, SIZE - 1);
	assert_string_equal(json_string_value(json_object_get(entry, "name")),
			    "db:\"\\\033\xef\xbf\xbd\xc3\xbc");
	json_decref(root);
	free(text);
}

static void json_is_shown_safely_by_terminals(void **state)
{
	const struct probekit_catalog_entry entry = {
		.name = "\xc2\x9b\x7f\xe2\x80\xae\xf3\xa0\x81\x81|\xff",
		.kind = PROBEKIT_CATALOG_SPAN,
		.object = "./db",
		.arguments = "",
	};
	char *text = render_these(&entry, true, 1, 0);

	(void)state;
	assert_non_null(strstr(text, "\"\\u009b\\u007f\\u202e\\udb40\\udc41|\\ufffd\""));
	free(text);
}

static void json_says_null_where_nothing_is_known(void **state)
{
	char *text = render(true, SIZE, 0);
	json_t *root = json_loads(text, 0, NULL);
	json_t *list = json_object_get(root, "entries");
	json_t *event = json_array_get(list, 0);
	json_t *span = json_array_get(list, 4);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(event, "kind")), "event");
	assert_true(json_is_null(json_object_get(event, "end_sites")));
	assert_true(json_is_null(json_object_get(event, "has_key")));
	assert_true(json_is_null(json_object_get(event, "is_fast")));
	assert_true(json_is_false(json_object_get(event, "has_semaphore")));
	assert_string_equal(json_string_value(json_object_get(span, "kind")), "span");
	assert_int_equal(json_integer_value(json_object_get(span, "end_sites")), 1);
	assert_true(json_is_true(json_object_get(span, "has_key")));
	assert_true(json_is_true(json_object_get(span, "is_fast")));
	json_decref(root);
	free(text);
}

static void an_empty_list_is_valid_json(void **state)
{
	char *text = render(true, 0, 0);
	json_t *root = json_loads(text, 0, NULL);

	(void)state;
	assert_non_null(root);
	assert_int_equal(json_array_size(json_object_get(root, "entries")), 0);
	json_decref(root);
	free(text);
}

static void functions_are_a_table(void **state)
{
	char *text = render_these(functions, false, FUNCTIONS, 0);

	(void)state;
	assert_string_equal(
		text,
		"./shop\n"
		"functions                   cost       entries      size  inlined  returns by\n"
		"  shop::Cart::add(int)      stepped          2       812        7  3 exits, inlined in sell at shop.cpp:12\n"
		"  handle                    emulated         1        40        ?  uretprobe\n"
		"  tiny                      cannot be probed: inlined everywhere (1 place; first sell at shop.cpp:9)\n");
	free(text);
}

static void functions_have_more_members(void **state)
{
	char *text = render_these(functions, true, FUNCTIONS, 0);
	json_error_t error;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	json_t *list = json_object_get(root, "entries");
	json_t *add = json_array_get(list, 0);
	json_t *handle = json_array_get(list, 1);
	json_t *tiny = json_array_get(list, 2);

	(void)state;
	if (!root)
		fail_msg("%s in:\n%s", error.text, text);
	assert_string_equal(json_string_value(json_object_get(add, "kind")), "function");
	assert_string_equal(json_string_value(json_object_get(add, "cost")), "stepped");
	assert_string_equal(json_string_value(json_object_get(add, "returns")), "exits");
	assert_int_equal(json_integer_value(json_object_get(add, "end_sites")), 3);
	assert_int_equal(json_integer_value(json_object_get(add, "size_bytes")), 812);
	assert_int_equal(json_integer_value(json_object_get(add, "inlined")), 7);
	assert_true(json_is_null(json_object_get(add, "refused")));
	assert_true(json_is_null(json_object_get(add, "has_semaphore")));
	assert_string_equal(json_string_value(json_object_get(handle, "returns")), "uretprobe");
	assert_true(json_is_null(json_object_get(handle, "end_sites")));
	assert_true(json_is_null(json_object_get(handle, "inlined")));
	assert_true(json_is_null(json_object_get(handle, "first_inlined")));
	assert_true(json_is_null(json_object_get(tiny, "cost")));
	assert_true(json_is_null(json_object_get(tiny, "returns")));
	assert_string_equal(json_string_value(json_object_get(tiny, "first_inlined")),
			    "sell at shop.cpp:9");
	json_decref(root);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_grouped_by_object_and_kind),
		cmocka_unit_test(notes_are_mentioned_only_when_bad),
		cmocka_unit_test(json_is_well_formed_whatever_the_names),
		cmocka_unit_test(json_is_shown_safely_by_terminals),
		cmocka_unit_test(json_says_null_where_nothing_is_known),
		cmocka_unit_test(an_empty_list_is_valid_json),
		cmocka_unit_test(functions_are_a_table),
		cmocka_unit_test(functions_have_more_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
