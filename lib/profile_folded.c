/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns folded stacks: a line for each, which flamegraph.pl, inferno and speedscope read. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile_path.h"

#define NS_PER_US 1000

struct line {
	char *text;
	uint64_t time_ns;
};

/* In a line ';' ends a name, and readers take a number behind a space at the end of the stack for
 * the value in another profile. They become ':', as perf's stacks have it there, and '_'. */
static void put_name(FILE *out, const struct profile_step *step, bool is_last)
{
	const char *digits = strrchr(step->name, ' ');

	if (!is_last || !digits || digits[1 + strspn(digits + 1, "0123456789.")])
		digits = NULL;
	for (const char *c = step->name; *c; c++)
		putc_unlocked(*c == ';' ? ':' : c == digits ? '_' : *c, out);
}

static int make_line(const struct probekit_profile_entry *entry, struct line *line)
{
	struct profile_path path;
	size_t size;
	FILE *out = NULL;
	int result = profile_path_init(entry, &path);

	if (result == 0) {
		out = open_memstream(&line->text, &size);
		result = out ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < path.size && result == 0; i++) {
		if (i > 0)
			putc_unlocked(';', out);
		put_name(out, &path.steps[i], i + 1 == path.size);
		if (path.steps[i].kind == PROFILE_STEP_KERNEL)
			fputs("_[k]", out);
	}
	if (out && fclose(out))
		result = -ENOMEM;
	line->time_ns = entry->time_ns;
	profile_path_done(&path);
	return result;
}

static int compare_lines(const void *left, const void *right)
{
	const struct line *a = left;
	const struct line *b = right;

	return strcmp(a->text, b->text);
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Equal lines follow each other. What a line has beyond whole microseconds goes to the next one,
 * so that the sum of the file is that of the profile. */
static void print(FILE *out, const struct line *lines, size_t size)
{
	uint64_t time_ns = 0;

	for (size_t i = 0; i < size; i++) {
		time_ns = add_saturated(time_ns, lines[i].time_ns);
		if (i + 1 < size && strcmp(lines[i].text, lines[i + 1].text) == 0)
			continue;
		if (time_ns >= NS_PER_US)
			fprintf(out, "%s %" PRIu64 "\n", lines[i].text, time_ns / NS_PER_US);
		time_ns %= NS_PER_US;
	}
}

int profile_to_folded(const struct probekit_profile *profile, char **bytes, size_t *size_bytes)
{
	struct line *lines = calloc(profile->size + 1, sizeof(*lines));
	char *text = NULL;
	size_t size = 0;
	FILE *out = NULL;
	int result = lines ? 0 : -ENOMEM;

	for (size_t i = 0; i < profile->size && result == 0; i++)
		result = make_line(&profile->entries[i], &lines[i]);
	if (result == 0) {
		qsort(lines, profile->size, sizeof(*lines), compare_lines);
		out = open_memstream(&text, &size);
		result = out ? 0 : -ENOMEM;
	}
	if (out) {
		print(out, lines, profile->size);
		if (fclose(out))
			result = -ENOMEM;
	}
	for (size_t i = 0; lines && i < profile->size; i++)
		free(lines[i].text);
	free(lines);
	if (result) {
		free(text);
		return result;
	}
	*bytes = text;
	*size_bytes = size;
	return 0;
}
