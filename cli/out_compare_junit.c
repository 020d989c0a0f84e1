/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns a comparison as JUnit XML, as Jenkins, GitLab and the actions of GitHub read it: what failed is a
 * failure, what is undecided was skipped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "out_compare_parts.h"

enum { WIDTH = 100 };

/* ---- XML ---- */

/* Text without control characters but the newline. */
static void print_xml(FILE *out, const char *text)
{
	static const struct {
		char character;
		const char *entity;
	} entities[] = {
		{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&apos;"}};

	while (*text) {
		uint32_t code;
		size_t length = format_character(text, &code);
		const char *entity = NULL;

		for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++)
			if (*text == entities[i].character)
				entity = entities[i].entity;
		if (entity)
			fputs(entity, out);
		else if (length && code != 0xfffe && code != 0xffff) /* UTF-8, but not XML */
			fwrite(text, 1, length, out);
		else
			fputc('?', out);
		text += length ? length : 1;
	}
}

/* A foreign name, which tells testcases apart: as long as it may be. */
static void print_name(FILE *out, const char *name)
{
	while (*name) {
		uint32_t code;
		size_t length = format_character(name, &code);
		char character[5] = "";
		char escaped[4 * sizeof(character)];

		length = length ? length : 1;
		memcpy(character, name, length);
		format_escape(character, escaped, sizeof(escaped));
		print_xml(out, escaped);
		name += length;
	}
}

static void print_property(FILE *out, const char *name, const char *value)
{
	fprintf(out, "      <property name=\"%s\" value=\"", name);
	print_name(out, value);
	fputs("\"/>\n", out);
}

/* ---- test cases ---- */

struct testcase {
	const struct probekit_change *change;
	const struct probekit_rule_result *rule; /* NULL: the change is it */
	enum probekit_rule_state state;
	bool has_changed;
};

struct suite {
	FILE *out;
	const struct compare_view *view;
	const struct compare_summary *summary;
	size_t at; /* of the probe that was found last */
};

static enum probekit_rule_state state_of(const struct probekit_change *change)
{
	switch (change->verdict) {
	case PROBEKIT_VERDICT_UNDECIDED:
		return PROBEKIT_RULE_UNDECIDED;
	case PROBEKIT_VERDICT_REGRESS:
		return PROBEKIT_RULE_FAILED;
	default:
		return PROBEKIT_RULE_PASSED;
	}
}

/* False: the i-th result is no test case. */
static bool testcase_at(const struct compare_view *view, size_t i, struct testcase *made)
{
	*made = (struct testcase){0};
	if (view->rule_count) {
		made->rule = view->rules[i];
		made->change = made->rule->change;
		made->state = made->rule->state;
	} else {
		made->change = view->changes[i];
		made->state = state_of(made->change);
		if (made->change->is_informational)
			return false;
	}
	made->has_changed = made->state == PROBEKIT_RULE_FAILED ||
			    (made->change && made->change->verdict >= PROBEKIT_VERDICT_IMPROVE);
	/* Nothing that is measured otherwise passes or fails. */
	if (view->info->incomparable)
		made->state = PROBEKIT_RULE_UNDECIDED;
	return true;
}

static size_t result_count(const struct compare_view *view)
{
	return view->rule_count ? view->rule_count : view->change_count;
}

static void message_of(const struct suite *suite, const struct testcase *testcase,
		       char text[static COMPARE_TEXT])
{
	if (suite->view->info->incomparable)
		format_escape(suite->view->info->incomparable, text, COMPARE_TEXT);
	else if (testcase->rule)
		out_compare_rule(testcase->rule, text);
	else if (testcase->state == PROBEKIT_RULE_UNDECIDED)
		out_compare_undecided(testcase->change, text);
	else
		out_compare_change(testcase->change, text);
}

static int why_text(const struct compare_probe *probe, char **text)
{
	const struct text_style style = {.width = WIDTH};
	size_t size;
	FILE *out = open_memstream(text, &size);
	int ret;

	if (!out)
		return -ENOMEM;
	ret = out_compare_why(out, &style, probe, false);
	if (fclose(out))
		ret = -ENOMEM;
	if (ret)
		free(*text);
	return ret;
}

static int print_output(struct suite *suite, const struct testcase *testcase)
{
	const struct compare_probe *probe;
	char change[COMPARE_TEXT];
	char *why = NULL;

	if (!testcase->change)
		return 0;
	probe = out_compare_find(suite->summary, testcase->change->probe, &suite->at);
	if (testcase->has_changed && probe && probe->why && why_text(probe, &why))
		return -ENOMEM;
	out_compare_change(testcase->change, change);
	fputs("      <system-out>", suite->out);
	print_xml(suite->out, change);
	fputc('\n', suite->out);
	if (why) {
		fputc('\n', suite->out);
		print_xml(suite->out, why);
	}
	fputs("</system-out>\n", suite->out);
	free(why);
	return 0;
}

static int print_testcase(struct suite *suite, const struct testcase *testcase)
{
	FILE *out = suite->out;
	char message[COMPARE_TEXT];
	int ret;

	fputs("    <testcase classname=\"", out);
	print_name(out, testcase->change ? testcase->change->probe : "no probe");
	fputs("\" name=\"", out);
	print_name(out, testcase->rule ? testcase->rule->rule : testcase->change->measure);
	fputs("\">\n", out);
	message_of(suite, testcase, message);
	if (testcase->state == PROBEKIT_RULE_FAILED)
		fputs("      <failure type=\"regression\" message=\"", out);
	else if (testcase->state == PROBEKIT_RULE_UNDECIDED)
		fputs("      <skipped message=\"", out);
	if (testcase->state != PROBEKIT_RULE_PASSED) {
		print_xml(out, message);
		fputs("\"/>\n", out);
	}
	ret = print_output(suite, testcase);
	fputs("    </testcase>\n", out);
	return ret;
}

/* ---- the suite ---- */

static void print_head(const struct suite *suite)
{
	const struct compare_view *view = suite->view;
	size_t states[COMPARE_STATES] = {0};
	struct testcase testcase;
	size_t tests = 0;
	char method[COMPARE_TEXT];

	for (size_t i = 0; i < result_count(view); i++) {
		if (!testcase_at(view, i, &testcase))
			continue;
		tests++;
		states[testcase.state]++;
	}
	fprintf(suite->out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites name=\"probekit\" tests=\"%zu\" failures=\"%zu\" errors=\"0\">\n"
		"  <testsuite name=\"probekit compare\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" "
		"skipped=\"%zu\">\n"
		"    <properties>\n",
		tests, states[PROBEKIT_RULE_FAILED], tests, states[PROBEKIT_RULE_FAILED],
		states[PROBEKIT_RULE_UNDECIDED]);
	out_compare_method(view, method);
	print_property(suite->out, "base", view->base);
	print_property(suite->out, "head", view->head);
	print_property(suite->out, "method", method);
	fputs("    </properties>\n", suite->out);
}

static void print_tail(const struct suite *suite)
{
	const struct compare_view *view = suite->view;
	char text[COMPARE_TEXT];

	out_compare_sentence(view, suite->summary, text);
	fputs("    <system-out>", suite->out);
	print_xml(suite->out, text);
	fputc('\n', suite->out);
	for (size_t i = 0; i < view->unmatched_count; i++) {
		fprintf(suite->out,
			"only in %s: ", view->unmatched[i]->is_in_head ? "head" : "base");
		print_name(suite->out, view->unmatched[i]->probe);
		out_compare_unmatched(view, view->unmatched[i], text);
		fputs(", ", suite->out);
		print_xml(suite->out, text);
		fputc('\n', suite->out);
	}
	fputs("</system-out>\n  </testsuite>\n</testsuites>\n", suite->out);
}

int out_compare_junit(FILE *out, const struct compare_view *view)
{
	struct compare_summary summary;
	struct suite suite = {.out = out, .view = view, .summary = &summary};
	struct testcase testcase;
	int ret = 0;

	if (out_compare_summary_init(&summary, view))
		return -ENOMEM;
	print_head(&suite);
	for (size_t i = 0; i < result_count(view) && !ret; i++)
		if (testcase_at(view, i, &testcase))
			ret = print_testcase(&suite, &testcase);
	print_tail(&suite);
	out_compare_summary_done(&summary);
	return ret;
}
