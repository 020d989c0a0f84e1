/* SPDX-License-Identifier: BSD-2-Clause */
/* The file is read back by the generated reader; pprof itself is in tests/viewers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "pprof.pb-c.h"
#include "profiles.h"

#include <cmocka.h>

#define PACKED_MAX (4 << 20)

/* Frees the profile; the caller frees the other. */
static Pprof__Profile *converted(struct probekit_profile *profile)
{
	uint8_t *packed = malloc(PACKED_MAX);
	z_stream stream = {.next_out = packed, .avail_out = PACKED_MAX};
	Pprof__Profile *read;
	char *bytes;
	size_t size;

	assert_int_equal(profile_to_pprof(profile, &bytes, &size), 0);
	profile_free(profile);
	stream.next_in = (void *)bytes;
	stream.avail_in = (uInt)size;
	assert_int_equal(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	inflateEnd(&stream);
	free(bytes);
	read = pprof__profile__unpack(NULL, stream.total_out, packed);
	assert_non_null(read);
	free(packed);
	return read;
}

static const char *text_of(const Pprof__Profile *profile, int64_t position)
{
	assert_true(position >= 0 && (size_t)position < profile->n_string_table);
	return profile->string_table[position];
}

static const char *function_of(const Pprof__Profile *profile, uint64_t location, size_t line)
{
	uint64_t id = profile->location[location - 1]->line[line]->function_id;

	return text_of(profile, profile->function[id - 1]->name);
}

static const char *label_of(const Pprof__Profile *profile, size_t sample, const char *key)
{
	const Pprof__Sample *labelled = profile->sample[sample];

	for (size_t i = 0; i < labelled->n_label; i++)
		if (strcmp(text_of(profile, labelled->label[i]->key), key) == 0)
			return text_of(profile, labelled->label[i]->str);
	return NULL;
}

static void an_empty_profile_has_its_types_and_no_samples(void **state)
{
	Pprof__Profile *read = converted(profile_new());

	(void)state;
	assert_int_equal(read->n_sample, 0);
	assert_int_equal(read->n_sample_type, 2);
	assert_string_equal(read->string_table[0], "");
	assert_string_equal(text_of(read, read->sample_type[0]->type), "samples");
	assert_string_equal(text_of(read, read->sample_type[1]->unit), "nanoseconds");
	assert_string_equal(text_of(read, read->default_sample_type), "time");
	assert_int_equal(read->time_nanos, 1700000000000000000);
	assert_int_equal(read->duration_nanos, 10000000000);
	pprof__profile__free_unpacked(read, NULL);
}

static void a_sample_has_both_stacks_innermost_first_and_its_labels(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct probekit_profile_entry *entry =
		profile_add(profile, PROBEKIT_CLASS_LOCK, "main;work", "futex_wait", 5001);
	Pprof__Profile *read;

	(void)state;
	entry->syscall = "futex";
	entry->samples = 3;
	read = converted(profile);
	assert_int_equal(read->sample[0]->n_location_id, 3);
	assert_string_equal(function_of(read, read->sample[0]->location_id[0], 0), "futex_wait");
	assert_string_equal(function_of(read, read->sample[0]->location_id[1], 0), "work");
	assert_string_equal(function_of(read, read->sample[0]->location_id[2], 0), "main");
	assert_int_equal(read->sample[0]->value[0], 3);
	assert_int_equal(read->sample[0]->value[1], 5001);
	assert_string_equal(label_of(read, 0, "class"), "lock");
	assert_string_equal(label_of(read, 0, "syscall"), "futex");
	assert_string_equal(label_of(read, 0, "pid"), "42");
	assert_string_equal(label_of(read, 0, "process"), "app");
	assert_null(label_of(read, 0, "stack"));
	assert_string_equal(text_of(read, read->mapping[0]->filename), "/usr/bin/app");
	assert_int_equal(read->n_mapping, 2);
	pprof__profile__free_unpacked(read, NULL);
}

static void inlined_functions_are_lines_of_one_location(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct probekit_profile_entry *entry =
		profile_add(profile, PROBEKIT_CLASS_ONCPU, "main;outer;middle;inner", NULL, 1);
	const Pprof__Location *location;
	Pprof__Profile *read;

	(void)state;
	entry->stack.frames[0].is_inlined = entry->stack.frames[1].is_inlined = true;
	entry->stack.frames[0].line = 7;
	read = converted(profile);
	assert_int_equal(read->sample[0]->n_location_id, 2);
	location = read->location[read->sample[0]->location_id[0] - 1];
	assert_int_equal(location->n_line, 3);
	assert_int_equal(location->line[0]->line, 7);
	assert_string_equal(function_of(read, location->id, 0), "inner");
	assert_string_equal(function_of(read, location->id, 2), "outer");
	assert_true(read->mapping[0]->has_inline_frames);
	pprof__profile__free_unpacked(read, NULL);
}

static void equal_things_are_in_the_tables_once(void **state)
{
	struct probekit_profile *profile = profile_new();
	Pprof__Profile *read;

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_LOCK, "main;work;main", NULL, 1);
	profile_add(profile, PROBEKIT_CLASS_DISK, "main;work", NULL, 2);
	read = converted(profile);
	assert_int_equal(read->n_sample, 2);
	assert_int_equal(read->n_location, 2);
	assert_int_equal(read->n_function, 2);
	assert_int_equal(read->n_mapping, 1);
	assert_int_equal(read->sample[0]->location_id[0], read->sample[0]->location_id[2]);
	for (size_t i = 0; i < read->n_string_table; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(read->string_table[i], read->string_table[j]);
	pprof__profile__free_unpacked(read, NULL);
}

static void what_has_no_stack_has_a_place_all_the_same(void **state)
{
	struct probekit_profile *profile = profile_new();
	Pprof__Profile *read;

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_OTHER, NULL, NULL, 9);
	read = converted(profile);
	assert_int_equal(read->sample[0]->n_location_id, 1);
	assert_string_equal(function_of(read, read->sample[0]->location_id[0], 0), "[unknown]");
	pprof__profile__free_unpacked(read, NULL);
}

static void what_was_lost_stands_in_the_comments(void **state)
{
	struct probekit_profile *profile = profile_new();
	Pprof__Profile *read;

	(void)state;
	profile->info.samples_dropped = 5;
	profile->info.unknown_stacks = 6;
	read = converted(profile);
	assert_int_equal(read->n_comment, 3);
	assert_string_equal(text_of(read, read->comment[0]), "app");
	assert_string_equal(text_of(read, read->comment[1]), "samples dropped: 5");
	assert_string_equal(text_of(read, read->comment[2]), "unknown stacks: 6");
	pprof__profile__free_unpacked(read, NULL);
}

static void a_stack_that_is_cut_off_says_so(void **state)
{
	struct probekit_profile *profile = profile_new();
	Pprof__Profile *read;

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_ONCPU, "work", NULL, 1)->stack.is_complete = false;
	read = converted(profile);
	assert_string_equal(label_of(read, 0, "stack"), "incomplete");
	pprof__profile__free_unpacked(read, NULL);
}

static void times_too_large_for_the_format_are_its_largest(void **state)
{
	struct probekit_profile *profile = profile_new();
	Pprof__Profile *read;

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_ONCPU, "work", NULL, UINT64_MAX);
	read = converted(profile);
	assert_int_equal(read->sample[0]->value[1], INT64_MAX);
	pprof__profile__free_unpacked(read, NULL);
}

static void foreign_bytes_become_clean_text(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct probekit_profile_entry *entry =
		profile_add(profile, PROBEKIT_CLASS_ONCPU, "f", NULL, 1);
	Pprof__Profile *read;

	(void)state;
	profile_set_frame(entry, 0, "a\xff\n<b>", "/x\n");
	read = converted(profile);
	assert_string_equal(function_of(read, 1, 0), "a\\xff\\n<b>");
	assert_string_equal(text_of(read, read->mapping[0]->filename), "/x\\n");
	pprof__profile__free_unpacked(read, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_profile_has_its_types_and_no_samples),
		cmocka_unit_test(a_sample_has_both_stacks_innermost_first_and_its_labels),
		cmocka_unit_test(inlined_functions_are_lines_of_one_location),
		cmocka_unit_test(equal_things_are_in_the_tables_once),
		cmocka_unit_test(what_has_no_stack_has_a_place_all_the_same),
		cmocka_unit_test(what_was_lost_stands_in_the_comments),
		cmocka_unit_test(a_stack_that_is_cut_off_says_so),
		cmocka_unit_test(times_too_large_for_the_format_are_its_largest),
		cmocka_unit_test(foreign_bytes_become_clean_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
