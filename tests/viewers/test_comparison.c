/* SPDX-License-Identifier: BSD-2-Clause */
/* Comparisons as others read them: JSON by its schema, JUnit by XML's, Markdown as GitHub's own program does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comparisons.h"
#include "viewer.h"

#include <cmocka.h>

#define PYTHON "/usr/bin/python3"
#define CHECK_JSON                                               \
	"import json, jsonschema, sys; "                         \
	"schema = json.load(open(sys.argv[1])); "                \
	"jsonschema.Draft202012Validator.check_schema(schema); " \
	"jsonschema.Draft202012Validator(schema).validate(json.load(open(sys.argv[2])))"

enum { MANY = 300 };

static void make_many(struct made *made)
{
	made_many(made, MANY);
}

static void (*const makers[])(struct made *made) = {made_init, made_all, made_all_with_rules,
						    make_many};

#define MAKERS (sizeof(makers) / sizeof(makers[0]))

static void write_made(const char *folder, const char *name, void (*make)(struct made *made),
		       int (*print)(FILE *out, const struct compare_view *view))
{
	struct made made;
	char *text;

	make(&made);
	text = made_text(print, &made);
	viewer_write(folder, name, text, strlen(text));
	free(text);
	made_done(&made);
}

static void run_with(const char *folder, const char *command, const char *file)
{
	char *path = realpath(file, NULL);
	char line[1024];

	assert_non_null(path);
	snprintf(line, sizeof(line), command, path);
	free(viewer_run(folder, line));
	free(path);
}

static void its_json_is_as_the_schema_has_it(void **state)
{
	viewer_need(PYTHON " -c 'import jsonschema'", "python3-jsonschema");
	for (size_t i = 0; i < MAKERS; i++) {
		write_made(*state, "comparison.json", makers[i], out_compare_json);
		run_with(*state, PYTHON " -c '" CHECK_JSON "' %s comparison.json",
			 "../docs/comparison.schema.json");
	}
}

static void its_junit_is_as_the_schema_has_it(void **state)
{
	viewer_need("xmllint --version", "libxml2-utils");
	for (size_t i = 0; i < MAKERS; i++) {
		write_made(*state, "junit.xml", makers[i], out_compare_junit);
		run_with(*state, "xmllint --noout --schema %s junit.xml", "viewers/junit.xsd");
	}
}

static char *html_of(const char *folder, void (*make)(struct made *made))
{
	viewer_need("cmark-gfm --version", "cmark-gfm");
	write_made(folder, "comparison.md", make, out_compare_markdown);
	return viewer_run(folder, "cmark-gfm --unsafe -e table -e strikethrough -e autolink "
				  "comparison.md");
}

static size_t count_of(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

static void its_markdown_shows_names_as_they_are(void **state)
{
	char *html = html_of(*state, made_all_with_rules);

	assert_int_equal(count_of(html, "<h3>"), 1);
	assert_int_equal(count_of(html, "<table>"), 4);
	/* Three results of rules, three probes that changed and one that is undecided, at two measures
	 * each, two probes of one build, and four rows of titles. */
	assert_int_equal(count_of(html, "<tr>"), 3 + 2 * 3 + 2 + 2 + 4);
	assert_int_equal(count_of(html, "<pre>"), 1);
	assert_non_null(strstr(html, "<code>a|b&lt;c&gt;&amp;&quot;'`@everyone\\x1b[31m\\xff\\x0a"
				     "*x* ]]&gt;</code>"));
	assert_null(strstr(html, "<em>"));
	assert_null(strstr(html, "<c>"));
	free(html);
}

/* Where a page is cut, tables and blocks are whole: every row has all of its cells. */
static void its_markdown_is_whole_where_it_is_cut(void **state)
{
	static const struct {
		const char *open;
		const char *close;
	} pairs[] = {{"<details>", "</details>"}, {"<summary>", "</summary>"}, {"<code", "</code>"},
		     {"<pre>", "</pre>"},	  {"<table>", "</table>"},     {"<tr>", "</tr>"}};
	char *html = html_of(*state, make_many);

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_true(count_of(html, pairs[i].open) > 0);
		assert_int_equal(count_of(html, pairs[i].open), count_of(html, pairs[i].close));
	}
	assert_non_null(strstr(html, "more results of rules</p>"));
	assert_non_null(strstr(html, "more probes that changed</p>"));
	assert_null(strstr(html, "|---"));
	assert_null(strstr(html, "**"));
	free(html);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(its_json_is_as_the_schema_has_it, viewer_setup,
						viewer_teardown),
		cmocka_unit_test_setup_teardown(its_junit_is_as_the_schema_has_it, viewer_setup,
						viewer_teardown),
		cmocka_unit_test_setup_teardown(its_markdown_shows_names_as_they_are, viewer_setup,
						viewer_teardown),
		cmocka_unit_test_setup_teardown(its_markdown_is_whole_where_it_is_cut, viewer_setup,
						viewer_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
