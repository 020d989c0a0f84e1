/* SPDX-License-Identifier: BSD-2-Clause */
#include "svg_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DEPTH_MAX 8
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

struct scanner {
	const char *at;
	const char *open[DEPTH_MAX];
	size_t depth;
	struct svg_scan found;
};

static bool takes(struct scanner *scanner, const char *text)
{
	if (strncmp(scanner->at, text, strlen(text)) != 0)
		return false;
	scanner->at += strlen(text);
	return true;
}

/* One of these, with nothing that could be part of a longer name behind it. */
static const char *take_name(struct scanner *scanner, const char *const *names, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		size_t length = strlen(names[i]);

		if (strncmp(scanner->at, names[i], length) == 0 &&
		    strchr(" />=", scanner->at[length])) {
			scanner->at += length;
			return names[i];
		}
	}
	fail_msg("unexpected: %.60s", scanner->at);
	return NULL;
}

static void take_text(struct scanner *scanner, const char *end)
{
	static const char *const references[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};

	while (!strchr(end, *scanner->at)) {
		bool is_known = *scanner->at != '&';

		assert_true((unsigned char)*scanner->at >= 0x20 || *scanner->at == '\n');
		assert_true(*scanner->at != '<' && *scanner->at != '>');
		for (size_t i = 0; i < LENGTH(references); i++)
			is_known |= strncmp(scanner->at, references[i], strlen(references[i])) == 0;
		assert_true(is_known);
		scanner->at++;
	}
	assert_true(*scanner->at);
}

static void take_attributes(struct scanner *scanner)
{
	static const char *const names[] = {
		"xmlns",      "width",	     "height", "viewBox",   "class",	    "x",
		"y",	      "type",	     "data-f", "data-find", "data-omitted", "aria-live",
		"aria-label", "placeholder",
	};

	while (takes(scanner, " ")) {
		take_name(scanner, names, LENGTH(names));
		assert_true(takes(scanner, "=\""));
		take_text(scanner, "\"");
		scanner->at++;
	}
}

static void take_element(struct scanner *scanner)
{
	static const char *const names[] = {"svg",  "style",  "rect",	       "g",    "title",
					    "text", "script", "foreignObject", "input"};
	const char *start = scanner->at;
	const char *name = take_name(scanner, names, LENGTH(names));

	scanner->found.frames += strncmp(start, "g class=\"f ", 11) == 0;
	scanner->found.graphs += strncmp(start, "g class=\"graph\"", 15) == 0;
	scanner->found.scripts += strcmp(name, "script") == 0;
	take_attributes(scanner);
	if (takes(scanner, "/>"))
		return;
	assert_true(takes(scanner, ">"));
	assert_true(scanner->depth < DEPTH_MAX);
	scanner->open[scanner->depth++] = name;
}

static void take_end(struct scanner *scanner)
{
	assert_true(scanner->depth > 0);
	assert_true(takes(scanner, scanner->open[--scanner->depth]));
	assert_true(takes(scanner, ">"));
}

static void take_piece(struct scanner *scanner)
{
	if (takes(scanner, "<![CDATA[")) {
		scanner->at = strstr(scanner->at, "]]>");
		assert_non_null(scanner->at);
		scanner->at += 3;
	} else if (takes(scanner, "</")) {
		take_end(scanner);
	} else if (takes(scanner, "<")) {
		take_element(scanner);
	} else {
		take_text(scanner, "<");
	}
}

struct svg_scan svg_scan(const char *text, size_t size)
{
	struct scanner scanner = {.at = text};

	assert_int_equal(strlen(text), size);
	assert_true(takes(&scanner, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
	do
		take_piece(&scanner);
	while (scanner.depth > 0);
	assert_string_equal(scanner.at, "\n");
	return scanner.found;
}
