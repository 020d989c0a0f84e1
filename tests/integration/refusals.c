/* SPDX-License-Identifier: BSD-2-Clause */
#include "refusals.h"

#include <stdlib.h>
#include <string.h>

#define ARGUMENTS (sizeof(((struct refusal *)NULL)->arguments) / sizeof(const char *))

int refusals_set_up(void **state)
{
	struct refusals_place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	place->folder = support_new_folder();
	*state = place;
	return 0;
}

int refusals_tear_down(void **state)
{
	struct refusals_place *place = *state;

	support_remove_folder(place->folder);
	free(place);
	return 0;
}

void refusals_put(struct refusals_place *place, const char *name, const void *data,
		  size_t size_bytes)
{
	char *path = support_join(place->folder, name);

	support_write_file(path, data, size_bytes);
	free(path);
	place->files++;
}

void refusals_check_line(const struct support_child *child, const char *const wanted[])
{
	if (support_count_lines(child->err.text) != 1)
		fail_msg("not one line: '%s'", child->err.text);
	if (strncmp(child->err.text, "probekit: ", 10) != 0)
		fail_msg("not by probekit: '%s'", child->err.text);
	assert_false(support_has_control_characters(child->err.text));
	for (int i = 0; wanted[i]; i++)
		if (!strstr(child->err.text, wanted[i]))
			fail_msg("no \"%s\" in: %s", wanted[i], child->err.text);
}

void refusals_check_one(const struct support_how *how, const struct refusal *refusal)
{
	const char *words[ARGUMENTS + 2] = {support_probekit()};
	struct support_child child;

	for (size_t i = 0; i < ARGUMENTS && refusal->arguments[i]; i++)
		words[i + 1] = refusal->arguments[i];
	support_start(&child, how, words);
	support_close_input(&child);
	if (support_finish(&child) != refusal->status)
		fail_msg("%s %s %s: status %d instead of %d: %s%s", words[1] ? words[1] : "",
			 words[1] && words[2] ? words[2] : "",
			 words[1] && words[2] && words[3] ? words[3] : "", child.status,
			 refusal->status, child.out.text, child.err.text);
	assert_string_equal(child.out.text, "");
	refusals_check_line(&child, refusal->wanted);
	support_done(&child);
}

void refusals_check(struct refusals_place *place, const struct refusal *refusals, size_t count)
{
	struct support_how how = {.folder = place->folder};

	for (size_t i = 0; i < count; i++) {
		refusals_check_one(&how, &refusals[i]);
		assert_int_equal(support_count_files(place->folder), place->files);
	}
}
