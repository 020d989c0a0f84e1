/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON parser: what RFC 8259 has it accept and refuse, and that jansson agrees about texts that are nearly
 * right. */
#include "json_value.h"

#include <dirent.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A copy of the exact size, so that a sanitizer sees a read beyond it. */
static const struct json_value *parse(struct json_tree *tree, const char *text, size_t size,
				      struct json_fault *fault)
{
	const struct json_value *value = NULL;
	char *copy = malloc(size ? size : 1);
	bool is_parsed;

	assert_non_null(copy);
	memcpy(copy, text, size);
	*fault = (struct json_fault){.at = copy};
	is_parsed = json_tree_parse(tree, copy, size, NULL, &value, fault);
	assert_int_equal(is_parsed, value != NULL);
	fault->at = text + (fault->at - copy);
	free(copy);
	return value;
}

static const struct json_value *parse_ok(struct json_tree *tree, const char *text)
{
	struct json_fault fault;
	const struct json_value *value = parse(tree, text, strlen(text), &fault);

	if (!value)
		fail_msg("'%s' is refused: %s", text, fault.what ? fault.what : "truncated");
	return value;
}

/* ---- what is accepted ---- */

static void values_of_every_type_are_read(void **state)
{
	struct json_tree tree = {0};
	const struct json_value *root =
		parse_ok(&tree, " {\"a\" : [ 1 , -2.5 , \"x\" , { } , [ ] ] ,\r\n\t\"b\":null, "
				"\"c\":true,\"d\":false}\n");
	const struct json_value *list = json_value_get(root, "a");

	(void)state;
	assert_true(json_value_is(root, VALUE_OBJECT));
	assert_int_equal(root->size, 4);
	assert_int_equal(json_value_size(list), 5);
	assert_int_equal(json_value_integer(json_value_at(list, 0)), 1);
	assert_true(json_value_number(json_value_at(list, 0)) == 1);
	assert_true(json_value_number(json_value_at(list, 1)) == -2.5);
	assert_int_equal(json_value_integer(json_value_at(list, 1)), 0);
	assert_string_equal(json_value_text(json_value_at(list, 2)), "x");
	assert_true(json_value_is(json_value_at(list, 3), VALUE_OBJECT));
	assert_int_equal(json_value_size(json_value_at(list, 4)), 0);
	assert_null(json_value_at(list, 5));
	assert_true(json_value_is_null(json_value_get(root, "b")));
	assert_true(json_value_is_bool(json_value_get(root, "c")));
	assert_true(json_value_is(json_value_get(root, "d"), VALUE_FALSE));
	assert_null(json_value_get(root, "e"));
	json_tree_done(&tree);
}

static void nothing_has_no_members_and_no_value(void **state)
{
	(void)state;
	assert_null(json_value_get(NULL, "a"));
	assert_null(json_value_at(NULL, 0));
	assert_int_equal(json_value_size(NULL), 0);
	assert_null(json_value_text(NULL));
	assert_int_equal(json_value_integer(NULL), 0);
	assert_true(json_value_number(NULL) == 0);
	assert_true(json_value_is_null(NULL));
	assert_false(json_value_is(NULL, VALUE_NULL));
}

/* Names that differ in the middle alone, or in length by a multiple of 256. */
static void members_are_told_apart_by_their_whole_name(void **state)
{
	struct json_tree tree = {0};
	char text[1024] = "{\"axb\":1,\"ayb\":2,\"\":3,\"a";
	char name[300] = "a";

	(void)state;
	memset(name + 1, 'x', 257);
	strcpy(name + 258, "b");
	snprintf(text, sizeof(text), "{\"axb\":1,\"ayb\":2,\"\":3,\"%s\":4}", name);
	assert_int_equal(json_value_integer(json_value_get(parse_ok(&tree, text), "axb")), 1);
	assert_int_equal(json_value_integer(json_value_get(parse_ok(&tree, text), "ayb")), 2);
	assert_int_equal(json_value_integer(json_value_get(parse_ok(&tree, text), "")), 3);
	assert_int_equal(json_value_integer(json_value_get(parse_ok(&tree, text), name)), 4);
	json_tree_done(&tree);
}

static void integers_fill_64_bits(void **state)
{
	struct json_tree tree = {0};

	(void)state;
	assert_true(json_value_integer(parse_ok(&tree, "9223372036854775807")) == INT64_MAX);
	assert_true(json_value_integer(parse_ok(&tree, "-9223372036854775808")) == INT64_MIN);
	assert_true(json_value_integer(parse_ok(&tree, "-0")) == 0);
	json_tree_done(&tree);
}

static void numbers_are_the_nearest_doubles_in_every_locale(void **state)
{
	static const char *const texts[] = {
		"0.5",
		"-0.1",
		"0.123456789",
		"123456.789",
		"1e3",
		"1E-7",
		"2.5e+10",
		"0.30000000000004",
		"1.7976931348623157e308",
		"5e-324",
		"0.1234567890123456789",
		"-0.0",
		"9007199254740993.0",
		"0.000001",
		"100000000000000.1",
	};
	struct json_tree tree = {0};

	(void)state;
	for (int local = 0; local < 2; local++) {
		if (local && !setlocale(LC_ALL, "de_DE.UTF-8"))
			setlocale(LC_ALL, "fr_FR.UTF-8");
		for (size_t i = 0; i < COUNT(texts); i++) {
			double number = json_value_number(parse_ok(&tree, texts[i]));
			double expected;

			setlocale(LC_NUMERIC, "C");
			expected = strtod(texts[i], NULL);
			if (number != expected || signbit(number) != signbit(expected))
				fail_msg("%s is read as %.17g", texts[i], number);
		}
	}
	setlocale(LC_ALL, "C");
	json_tree_done(&tree);
}

static void escapes_stand_for_their_characters(void **state)
{
	struct json_tree tree = {0};

	(void)state;
	assert_string_equal(json_value_text(parse_ok(&tree, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"")),
			    "\"\\/\b\f\n\r\t");
	assert_string_equal(json_value_text(parse_ok(&tree, "\"a\\u0041\\u00e4\\u20AC!\"")),
			    "aA\xc3\xa4\xe2\x82\xac!");
	assert_string_equal(json_value_text(parse_ok(&tree, "\"\\ud83d\\ude00\"")),
			    "\xf0\x9f\x98\x80");
	assert_string_equal(json_value_text(parse_ok(&tree, "\"x\xc3\xa4\xf0\x9f\x98\x80\x7f\"")),
			    "x\xc3\xa4\xf0\x9f\x98\x80\x7f");
	json_tree_done(&tree);
}

/* ---- what is refused ---- */

static void what_is_no_json_is_refused_where_it_is_wrong(void **state)
{
	static const struct {
		const char *text;
		long at;
		enum json_fault_kind kind;
	} cases[] = {
		{"nope", 0, FAULT_INVALID},
		{"[1 2]", 3, FAULT_INVALID},
		{"[1,]", 3, FAULT_INVALID},
		{"{\"a\" 1}", 5, FAULT_INVALID},
		{"{\"a\":1,}", 7, FAULT_INVALID},
		{"{a:1}", 1, FAULT_INVALID},
		{"[1}", 2, FAULT_INVALID},
		{"{\"a\":1]", 6, FAULT_INVALID},
		{"01", 2, FAULT_TRUNCATED},
		{"[01]", 3, FAULT_INVALID},
		{"[+1]", 1, FAULT_INVALID},
		{"[.5]", 1, FAULT_INVALID},
		{"[1.]", 3, FAULT_INVALID},
		{"[1e]", 3, FAULT_INVALID},
		{"[-]", 2, FAULT_INVALID},
		{"[--1]", 2, FAULT_INVALID},
		{"[9223372036854775808]", 1, FAULT_INVALID},
		{"[-9223372036854775809]", 1, FAULT_INVALID},
		{"[1e999]", 1, FAULT_INVALID},
		{"[\"\x01\"]", 2, FAULT_INVALID},
		{"[\"\n\"]", 2, FAULT_INVALID},
		{"[\"\\x41\"]", 3, FAULT_INVALID},
		{"[\"\\u12g4\"]", 6, FAULT_INVALID},
		{"[\"\\u0000\"]", 8, FAULT_INVALID},
		{"[\"\\ud83d\"]", 8, FAULT_INVALID},
		{"[\"\\ude00\"]", 8, FAULT_INVALID},
		{"[\"\\ud83d\\u0041\"]", 14, FAULT_INVALID},
		{"[\"\xff\"]", 2, FAULT_INVALID},
		{"[\"\xc3(\"]", 2, FAULT_INVALID},
		{"[\"\xed\xa0\x80\"]", 2, FAULT_INVALID},
		{"{\"a\":1,\"b\":2,\"a\":3}", 19, FAULT_INVALID},
		{"[1] x", 4, FAULT_MORE},
		{"{} {}", 3, FAULT_MORE},
		{"", 0, FAULT_TRUNCATED},
		{" \n", 2, FAULT_TRUNCATED},
		{"[\"abc", 5, FAULT_TRUNCATED},
		{"[\"ab\\", 5, FAULT_TRUNCATED},
		{"[\"\\u12", 6, FAULT_TRUNCATED},
		{"[\"\xe2\x82", 4, FAULT_TRUNCATED},
		{"[tru", 4, FAULT_TRUNCATED},
		{"[-", 2, FAULT_TRUNCATED},
		{"{\"a\":", 5, FAULT_TRUNCATED},
		{"[[[1,2],", 8, FAULT_TRUNCATED},
	};
	struct json_tree tree = {0};
	struct json_fault fault;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (parse(&tree, cases[i].text, strlen(cases[i].text), &fault))
			fail_msg("'%s' is accepted", cases[i].text);
		if (fault.kind != cases[i].kind || fault.at - cases[i].text != cases[i].at)
			fail_msg("'%s': fault %d at %ld", cases[i].text, (int)fault.kind,
				 (long)(fault.at - cases[i].text));
	}
	json_tree_done(&tree);
}

static void of_many_members_a_duplicate_is_found(void **state)
{
	struct json_tree tree = {0};
	struct json_fault fault;
	char text[4096] = "{";

	(void)state;
	for (int i = 0; i < 100; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "\"m%d\":1,", i);
	strcat(text, "\"last\":1}");
	assert_int_equal(parse_ok(&tree, text)->size, 101);
	strcpy(strstr(text, "\"last\""), "\"m42\":1}");
	assert_null(parse(&tree, text, strlen(text), &fault));
	assert_string_equal(fault.what, "a duplicate member");
	json_tree_done(&tree);
}

static void nesting_ends_at_a_depth(void **state)
{
	struct json_tree tree = {0};
	struct json_fault fault;
	char text[2 * JSON_DEPTH_MAX + 3];

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX);
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_non_null(parse(&tree, text, 2 * JSON_DEPTH_MAX, &fault));
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_null(parse(&tree, text, 2 * JSON_DEPTH_MAX + 2, &fault));
	assert_string_equal(fault.what, "values nested too deep");
	json_tree_done(&tree);
}

/* ---- elements left as they stand ---- */

static void elements_of_the_asked_list_are_left_as_text(void **state)
{
	static const char text[] = "{\"rows\": [ {\"a\":\"]\\\"\"} , [1,[2]] ,3 ], \"other\":[4], "
				   "\"in\":[{\"rows\":[ 5],\"deep\":[{\"rows\":[6]}]}]}";
	static const char *const expected[] = {"{\"a\":\"]\\\"\"} ", "[1,[2]] ", "3 "};
	const struct json_value *element;
	const struct json_value *root;
	const struct json_value *inner;
	struct json_tree tree = {0};
	struct json_tree part = {0};
	struct json_fault fault;

	(void)state;
	assert_true(json_tree_parse(&tree, text, strlen(text), "rows", &root, &fault));
	assert_int_equal(json_value_size(json_value_get(root, "rows")), 3);
	for (size_t i = 0; i < 3; i++) {
		element = json_value_at(json_value_get(root, "rows"), i);
		assert_true(json_value_is(element, VALUE_UNPARSED));
		assert_int_equal(element->size, strlen(expected[i]));
		assert_memory_equal(element->text, expected[i], element->size);
		assert_true(
			json_tree_parse(&part, element->text, element->size, NULL, &inner, &fault));
	}
	assert_int_equal(json_value_integer(inner), 3);
	assert_int_equal(json_value_integer(json_value_at(json_value_get(root, "other"), 0)), 4);
	inner = json_value_at(json_value_get(root, "in"), 0);
	element = json_value_at(json_value_get(inner, "rows"), 0);
	assert_true(json_value_is(element, VALUE_UNPARSED));
	/* deeper ones are as any other */
	inner = json_value_at(json_value_get(inner, "deep"), 0);
	assert_int_equal(json_value_integer(json_value_at(json_value_get(inner, "rows"), 0)), 6);
	json_tree_done(&part);
	json_tree_done(&tree);
}

static void unparsed_lists_end_where_they_should(void **state)
{
	static const char *const texts[] = {
		"{\"rows\":[1",	   "{\"rows\":[{\"a\":[1,2", "{\"rows\":[\"abc", "{\"rows\":[1,]}",
		"{\"rows\":[,1]}", "{\"rows\":[1}",	     "{\"rows\":[[1]",
	};
	struct json_tree tree = {0};
	struct json_fault fault;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		const struct json_value *root;

		if (json_tree_parse(&tree, texts[i], strlen(texts[i]), "rows", &root, &fault))
			fail_msg("'%s' is accepted", texts[i]);
	}
	json_tree_done(&tree);
}

/* ---- beside jansson ---- */

static bool is_same(const struct json_value *a, const json_t *b)
{
	bool same = true;

	switch (a->type) {
	case VALUE_NULL:
		return json_is_null(b);
	case VALUE_FALSE:
		return json_is_false(b);
	case VALUE_TRUE:
		return json_is_true(b);
	case VALUE_INTEGER:
		return json_is_integer(b) && json_integer_value(b) == a->integer;
	case VALUE_REAL:
		return json_is_real(b) && json_real_value(b) == a->real;
	case VALUE_TEXT:
		return json_is_string(b) && json_string_length(b) == a->size &&
		       strcmp(json_string_value(b), a->text) == 0;
	case VALUE_LIST:
		same = json_is_array(b) && json_array_size(b) == a->size;
		for (uint32_t i = 0; same && i < a->size; i++)
			same = is_same(&a->items[i], json_array_get(b, i));
		return same;
	case VALUE_OBJECT:
		same = json_is_object(b) && json_object_size(b) == a->size;
		for (uint32_t i = 0; same && i < a->size; i++)
			same = is_same(&a->items[i], json_object_get(b, a->items[i].key));
		return same;
	default:
		return false;
	}
}

static void compare(struct json_tree *tree, const char *text, size_t size)
{
	json_t *expected = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	struct json_fault fault;
	const struct json_value *found = parse(tree, text, size, &fault);

	if (!found != !expected)
		fail_msg("%s by us alone: %.*s", found ? "accepted" : "refused", (int)size, text);
	if (found && !is_same(found, expected))
		fail_msg("read otherwise: %.*s", (int)size, text);
	json_decref(expected);
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* A byte put in, taken out or replaced, up to three times. */
static size_t mutate(char *text, size_t size, uint64_t *random)
{
	static const char bytes[] = "{}[]\",:\\u0019.-+eEntfalse \n\x01\x7f\xc3\xa4\xff";

	for (uint64_t n = 1 + next_random(random) % 3; n && size > 1; n--) {
		size_t at = next_random(random) % size;
		char byte = bytes[next_random(random) % (sizeof(bytes) - 1)];

		switch (next_random(random) % 3) {
		case 0:
			text[at] = byte;
			break;
		case 1:
			memmove(text + at, text + at + 1, --size - at);
			break;
		default:
			memmove(text + at + 1, text + at, size++ - at);
			text[at] = byte;
		}
	}
	return size;
}

static void compare_mutations(struct json_tree *tree, const char *path, uint64_t *random)
{
	static char whole[1 << 16];
	static char text[(1 << 16) + 8];
	FILE *file = fopen(path, "r");
	size_t size;

	assert_non_null(file);
	size = fread(whole, 1, sizeof(whole), file);
	fclose(file);
	assert_true(size > 0 && size < sizeof(whole));
	compare(tree, whole, size);
	for (int i = 0; i < 2000; i++) {
		/* short pieces are wrong in more interesting ways */
		size_t from = next_random(random) % size;
		size_t length = i % 2 ? size : 1 + next_random(random) % 40;

		from = i % 2 ? 0 : from;
		length = length < size - from ? length : size - from;
		memcpy(text, whole + from, length);
		compare(tree, text, mutate(text, length, random));
	}
}

static void jansson_agrees_about_mutated_snapshots(void **state)
{
	static const char folder[] = "fuzz/corpus/snapshot";
	struct json_tree tree = {0};
	uint64_t random = 7;
	struct dirent *entry;
	DIR *dir = opendir(folder);
	size_t files = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[512];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		compare_mutations(&tree, path, &random);
		files++;
	}
	closedir(dir);
	assert_true(files > 5);
	json_tree_done(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_every_type_are_read),
		cmocka_unit_test(nothing_has_no_members_and_no_value),
		cmocka_unit_test(members_are_told_apart_by_their_whole_name),
		cmocka_unit_test(integers_fill_64_bits),
		cmocka_unit_test(numbers_are_the_nearest_doubles_in_every_locale),
		cmocka_unit_test(escapes_stand_for_their_characters),
		cmocka_unit_test(what_is_no_json_is_refused_where_it_is_wrong),
		cmocka_unit_test(of_many_members_a_duplicate_is_found),
		cmocka_unit_test(nesting_ends_at_a_depth),
		cmocka_unit_test(elements_of_the_asked_list_are_left_as_text),
		cmocka_unit_test(unparsed_lists_end_where_they_should),
		cmocka_unit_test(jansson_agrees_about_mutated_snapshots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
