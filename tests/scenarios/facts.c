/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how facts are looked up and compared. */
#include "facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool truth_find(const char *truth, const char *name, char value[static FACT_TEXT_MAX])
{
	size_t length = strlen(name);
	bool is_found = false;

	for (const char *line = truth; line; line = strchr(line, '\n')) {
		size_t size;

		line += *line == '\n';
		if (strncmp(line, name, length) != 0 || line[length] != ' ')
			continue;
		size = strcspn(line + length + 1, "\n");
		is_found = size < FACT_TEXT_MAX;
		if (is_found)
			snprintf(value, FACT_TEXT_MAX, "%.*s", (int)size, line + length + 1);
	}
	return is_found;
}

/* What `text` stands for: itself, or the program's value. */
static bool expand(const char *text, const char *truth, char value[static FACT_TEXT_MAX])
{
	if (text[0] == '$')
		return truth_find(truth, text + 1, value);
	return snprintf(value, FACT_TEXT_MAX, "%s", text) < FACT_TEXT_MAX;
}

static void print_value(const json_t *value, char text[static FACT_TEXT_MAX])
{
	char *dump;

	if (!value) {
		snprintf(text, FACT_TEXT_MAX, "nothing");
	} else if (json_is_string(value)) {
		snprintf(text, FACT_TEXT_MAX, "%s", json_string_value(value));
	} else {
		dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
		snprintf(text, FACT_TEXT_MAX, "%s", dump ? dump : "?");
		free(dump);
	}
}

/* ---- paths ---- */

/* The element whose `member` is `value`. */
static const json_t *find_element(const json_t *list, const char *member, const char *value)
{
	char text[FACT_TEXT_MAX];
	json_t *element;
	size_t i;

	json_array_foreach ((json_t *)list, i, element) {
		print_value(json_object_get(element, member), text);
		if (strcmp(text, value) == 0)
			return element;
	}
	return NULL;
}

/* `selector` is what stands between brackets. */
static const json_t *select_element(const json_t *list, char *selector, const char *truth)
{
	char value[FACT_TEXT_MAX];
	char *colon = strchr(selector, ':');

	if (!colon)
		return json_array_get(list, strtoul(selector, NULL, 10));
	*colon = '\0';
	if (!expand(colon + 1, truth, value))
		return NULL;
	return find_element(list, selector, value);
}

/* One step of a path; *last is what was there before it, to be shown when it leads nowhere. */
static const json_t *step(const json_t *from, char *name, const char *truth, const json_t **last)
{
	char *bracket = strchr(name, '[');
	const json_t *member;

	*last = from;
	if (bracket)
		*bracket++ = '\0';
	member = json_object_get(from, name);
	if (!bracket || !json_is_array(member))
		return member;
	bracket[strcspn(bracket, "]")] = '\0';
	*last = member;
	return select_element(member, bracket, truth);
}

static const json_t *follow(const json_t *row, const char *path, const char *truth,
			    const json_t **last)
{
	char text[FACT_TEXT_MAX];
	const json_t *at = row;
	char *rest = NULL;

	snprintf(text, sizeof(text), "%s", path);
	for (char *name = strtok_r(text, ".", &rest); name && at; name = strtok_r(NULL, ".", &rest))
		at = step(at, name, truth, last);
	return at;
}

/* ---- facts ---- */

static double rest_of(const json_t *shares)
{
	return 1 - json_number_value(json_object_get(shares, "runqueue"));
}

static bool compare(const struct fact *fact, const json_t *value, const json_t *last,
		    const char *expected)
{
	char text[FACT_TEXT_MAX];

	if (!value || json_is_null(value))
		return false;
	print_value(value, text);
	switch (fact->kind) {
	case FACT_IS:
		return strcmp(text, expected) == 0;
	case FACT_HAS:
		return strstr(text, expected) != NULL;
	case FACT_AT_LEAST:
		return json_is_number(value) && json_number_value(value) >= strtod(expected, NULL);
	case FACT_OF_REST:
		return json_is_number(value) &&
		       json_number_value(value) >= strtod(expected, NULL) * rest_of(last);
	case FACT_EXISTS:
		return true;
	}
	return false;
}

/* The functions of a list of frames, or the value as it is. */
static void describe(const json_t *value, char text[static FACT_TEXT_MAX])
{
	size_t used = 0;
	json_t *frame;
	size_t i;

	if (!json_object_get(json_array_get(value, 0), "function")) {
		print_value(value, text);
		return;
	}
	json_array_foreach ((json_t *)value, i, frame) {
		const char *function = json_string_value(json_object_get(frame, "function"));

		used += (size_t)snprintf(text + used, FACT_TEXT_MAX - used, "%s%s", i ? " <- " : "",
					 function ? function : "?");
		if (used >= FACT_TEXT_MAX)
			return;
	}
}

static const char *const wording[] = {
	[FACT_IS] = "",
	[FACT_HAS] = "something with ",
	[FACT_AT_LEAST] = "at least ",
	[FACT_OF_REST] = "without the run queue at least ",
	[FACT_EXISTS] = "anything",
};

static void tell_missed(const struct fact *fact, const char *expected, const json_t *found,
			char missed[static FACT_TEXT_MAX])
{
	char text[FACT_TEXT_MAX];

	describe(found, text);
	snprintf(missed, FACT_TEXT_MAX, "%s: expected %s%s, found %.240s", fact->path,
		 wording[fact->kind], expected, text);
}

bool fact_holds(const struct fact *fact, const json_t *row, const char *truth,
		char missed[static FACT_TEXT_MAX])
{
	char expected[FACT_TEXT_MAX] = "";
	const json_t *last = row;
	const json_t *value = follow(row, fact->path, truth, &last);

	if (fact->expected && !expand(fact->expected, truth, expected)) {
		snprintf(missed, FACT_TEXT_MAX, "%s: the program does not tell %s", fact->path,
			 fact->expected);
		return false;
	}
	if (compare(fact, value, last, expected))
		return true;
	tell_missed(fact, expected, json_is_array(last) && !value ? last : value, missed);
	return false;
}
