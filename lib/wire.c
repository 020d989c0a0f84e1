/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire.h"

#include <string.h>

static const struct {
	const char *suffix;
	enum wire_role role;
} suffixes[] = {
	/* the longer of two that end alike first */
	{"__async_begin", WIRE_ASYNC_BEGIN},
	{"__wait_begin", WIRE_LOCK_WAIT},
	{"__async_end", WIRE_ASYNC_END},
	{"__begin", WIRE_SPAN_BEGIN},
	{"__end", WIRE_SPAN_END},
	{"__start", WIRE_EXPLICIT_BEGIN},
	{"__stop", WIRE_EXPLICIT_END},
	{"__value", WIRE_VALUE},
	{"__acquired", WIRE_LOCK_ACQUIRED},
	{"__released", WIRE_LOCK_RELEASED},
};

static const struct {
	const char *begin;
	const char *end;
} pairs[] = {
	{"start", "done"},	{"start", "stop"},   {"start", "end"},	    {"start", "finish"},
	{"start", "commit"},	{"start", "abort"},  {"start", "complete"}, {"begin", "end"},
	{"begin", "done"},	{"begin", "commit"}, {"begin", "rollback"}, {"entry", "return"},
	{"entry", "exit"},	{"enter", "exit"},   {"enter", "leave"},    {"enter", "return"},
	{"acquire", "release"}, {"open", "close"},
};

static bool ends_with(const char *name, size_t length, const char *suffix)
{
	size_t n = strlen(suffix);

	return length > n && memcmp(name + length - n, suffix, n) == 0;
}

enum wire_role wire_role(const struct sdt_site *site, size_t *name_length)
{
	size_t length = strlen(site->name);

	*name_length = length;
	if (site->form == SDT_FORM_FOREIGN)
		return WIRE_EVENT;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		if (!ends_with(site->name, length, suffixes[i].suffix))
			continue;
		*name_length = length - strlen(suffixes[i].suffix);
		return suffixes[i].role;
	}
	return WIRE_EVENT;
}

static bool is_parted(const char *name, size_t stem)
{
	/* a whole word: nothing before it, or a separator */
	return stem == 0 || name[stem - 1] == '_' || name[stem - 1] == '-';
}

bool wire_is_pair(const char *begin, const char *end)
{
	size_t begin_length = strlen(begin);
	size_t end_length = strlen(end);

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		size_t begin_word = strlen(pairs[i].begin);
		size_t end_word = strlen(pairs[i].end);
		size_t stem = begin_length - begin_word;

		if (begin_length < begin_word || end_length < end_word ||
		    end_length - end_word != stem)
			continue;
		if (memcmp(begin, end, stem) == 0 && is_parted(begin, stem) &&
		    strcmp(begin + stem, pairs[i].begin) == 0 &&
		    strcmp(end + stem, pairs[i].end) == 0)
			return true;
	}
	return false;
}
