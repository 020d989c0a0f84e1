/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the syntax of globs and pairs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"
#include "plan.h"

int selection_add_glob(struct selection *selection, const char *glob, struct probekit_error *err)
{
	char **globs;
	char *copy;

	if (!*glob)
		return error_usage(err, "an empty pattern names no span");
	copy = strdup(glob);
	globs = reallocarray(selection->globs, selection->glob_count + 1, sizeof(*globs));
	if (globs)
		selection->globs = globs;
	if (!copy || !globs) {
		free(copy);
		return error_no_memory(err);
	}
	globs[selection->glob_count++] = copy;
	return 0;
}

int selection_add_function(struct selection *selection, const char *text,
			   struct probekit_error *err)
{
	struct function_pattern pattern = {.text = strdup(text)};
	struct function_pattern *functions = reallocarray(
		selection->functions, selection->function_count + 1, sizeof(*functions));

	if (functions)
		selection->functions = functions;
	if (!pattern.text || !functions) {
		free(pattern.text);
		return error_no_memory(err);
	}
	if (functions_split(pattern.text, pattern.library, sizeof(pattern.library),
			    &pattern.glob) ||
	    !*pattern.glob) {
		free(pattern.text);
		error_usage(err, "'%s' names no function", text);
		return error_hint(err, -EINVAL,
				  "write a name or a pattern, as 'handle_*', or libc:fsync");
	}
	functions[selection->function_count++] = pattern;
	return 0;
}

static void pair_done(struct pair *pair)
{
	for (size_t i = 0; i < pair->end_count; i++)
		free(pair->ends[i]);
	free(pair->ends);
	free(pair->text);
	free(pair->provider);
	free(pair->begin);
}

static int bad_pair(const char *text, struct probekit_error *err)
{
	error_usage(err, "'%s' is no pair of USDT probes", text);
	return error_hint(
		err, -EINVAL,
		"write PROVIDER:BEGIN,END as in postgresql:query__start,query__done; 'probekit list' shows them");
}

static int split_ends(struct pair *pair, const char *ends)
{
	while (*ends) {
		size_t length = strcspn(ends, "|");
		char **grown = reallocarray(pair->ends, pair->end_count + 1, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		pair->ends = grown;
		grown[pair->end_count] = strndup(ends, length);
		if (!grown[pair->end_count++])
			return -ENOMEM;
		if (length == 0)
			return -EINVAL;
		ends += length;
		if (*ends == '|' && !*++ends)
			return -EINVAL;
	}
	return 0;
}

int selection_add_pair(struct selection *selection, const char *text, struct probekit_error *err)
{
	const char *colon = strchr(text, ':');
	const char *comma = colon ? strchr(colon, ',') : NULL;
	struct pair pair = {0};
	struct pair *pairs;
	int result;

	if (!colon || !comma || colon == text || comma == colon + 1 || !comma[1] ||
	    strchr(comma + 1, ','))
		return bad_pair(text, err);
	pair.text = strdup(text);
	pair.provider = strndup(text, (size_t)(colon - text));
	pair.begin = strndup(colon + 1, (size_t)(comma - colon - 1));
	result = split_ends(&pair, comma + 1);
	pairs = reallocarray(selection->pairs, selection->pair_count + 1, sizeof(*pairs));
	if (pairs)
		selection->pairs = pairs;
	if (!pair.text || !pair.provider || !pair.begin || !pairs || result == -ENOMEM) {
		pair_done(&pair);
		return error_no_memory(err);
	}
	for (size_t i = 0; i < pair.end_count && !result; i++)
		if (strcmp(pair.ends[i], pair.begin) == 0)
			result = -EINVAL;
	if (result) {
		pair_done(&pair);
		return bad_pair(text, err);
	}
	pairs[selection->pair_count++] = pair;
	return 0;
}

void selection_done(struct selection *selection)
{
	for (size_t i = 0; i < selection->glob_count; i++)
		free(selection->globs[i]);
	for (size_t i = 0; i < selection->pair_count; i++)
		pair_done(&selection->pairs[i]);
	free(selection->globs);
	free(selection->pairs);
	for (size_t i = 0; i < selection->function_count; i++) {
		free(selection->functions[i].text);
		free(selection->functions[i].first_refused);
	}
	free(selection->functions);
	*selection = (struct selection){0};
}
