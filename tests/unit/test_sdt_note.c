/* SPDX-License-Identifier: BSD-2-Clause */
/* USDT notes: made in memory, damaged, and those of system libraries as readelf sees them. */
#include "sdt_note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "elf_builder.h"
#include "elf_note.h"

#define CODE_ADDRESS 0x401000u
#define DATA_ADDRESS 0x602010u
#define PROBES_ADDRESS (DATA_ADDRESS + 8)
#define BASE_ADDRESS 0x500000u

#define NOP10 "\x66\x2e\x0f\x1f\x84\0\0\0\0\0"
#define NOP5 "\x0f\x1f\x44\0\0"
#define LEA_DOWN "\x48\x8d\x64\x24\x80"
#define LEA_UP "\x48\x8d\xa4\x24\x80\0\0\0"

/* A file under construction, and its notes. */
struct sample {
	struct elf_builder builder;
	uint64_t code_offset;
	uint64_t data_offset;
	unsigned char notes[2048];
	size_t notes_bytes;
	struct elf_file *file;
	struct sdt_sites sites;
};

/* `code` at CODE_ADDRESS; semaphores at PROBES_ADDRESS, whose segment differs in address and
 * offset. */
static void sample_init(struct sample *sample, const void *code, size_t size_bytes)
{
	struct elf_builder *builder = &sample->builder;

	memset(sample, 0, sizeof(*sample));
	elf_builder_init(builder);
	sample->code_offset = elf_builder_append(builder, code, size_bytes);
	elf_builder_segment(builder, PT_LOAD, PF_R | PF_X, sample->code_offset, CODE_ADDRESS,
			    size_bytes);
	sample->data_offset = elf_builder_append(builder, NULL, 16);
	elf_builder_segment(builder, PT_LOAD, PF_R | PF_W, sample->data_offset, DATA_ADDRESS, 16)
		->p_memsz = 64;
	elf_builder_section(builder, ".probes", SHT_PROGBITS, sample->data_offset + 8,
			    PROBES_ADDRESS, 8);
}

static void add_raw(struct sample *sample, const uint64_t addresses[3], const char *strings,
		    size_t strings_bytes)
{
	unsigned char desc[512];

	assert_true(24 + strings_bytes <= sizeof(desc));
	memcpy(desc, addresses, 24);
	memcpy(desc + 24, strings, strings_bytes);
	elf_builder_note(sample->notes, sizeof(sample->notes), &sample->notes_bytes, 3, "stapsdt",
			 desc, 24 + strings_bytes);
}

static void add_note(struct sample *sample, const char *name, const char *arguments, uint64_t site,
		     uint64_t base, uint64_t semaphore)
{
	const uint64_t addresses[3] = {site, base, semaphore};
	char strings[256];
	size_t length =
		(size_t)snprintf(strings, sizeof(strings), "app%c%s%c%s", 0, name, 0, arguments);

	assert_true(length < sizeof(strings));
	add_raw(sample, addresses, strings, length + 1);
}

/* Finishes the file and reads its sites; `base` is the address of .stapsdt.base, 0 for none. */
static void sample_read(struct sample *sample, uint64_t base)
{
	struct elf_builder *builder = &sample->builder;
	struct probekit_error err;
	uint64_t offset = elf_builder_append(builder, sample->notes, sample->notes_bytes);

	elf_builder_section(builder, ".note.stapsdt", SHT_NOTE, offset, 0, sample->notes_bytes);
	if (base)
		elf_builder_section(builder, ".stapsdt.base", SHT_PROGBITS, offset, base, 1);
	elf_builder_finish(builder);
	if (elf_file_from_memory(builder->bytes, builder->size_bytes, &sample->file, &err))
		fail_msg("%s", err.text);
	assert_int_equal(sdt_sites_read(sample->file, &sample->sites, &err), 0);
}

static void sample_done(struct sample *sample)
{
	sdt_sites_done(&sample->sites);
	assert_null(sample->sites.sites);
	elf_file_free(sample->file);
}

static void a_site_has_all_that_its_note_says(void **state)
{
	struct sample sample;
	const struct sdt_site *site;

	(void)state;
	sample_init(&sample, "\xcc\x90\xcc\xcc", 4);
	add_note(&sample, "flush__begin", "8@$5 -4@$-1", CODE_ADDRESS + 1, BASE_ADDRESS,
		 PROBES_ADDRESS + 2);
	add_note(&sample, "plain", "", CODE_ADDRESS, BASE_ADDRESS, 0);
	sample_read(&sample, BASE_ADDRESS);
	assert_int_equal(sample.sites.size, 2);
	assert_int_equal(sample.sites.bad_notes, 0);
	assert_int_equal(sample.sites.bad_arguments, 0);
	site = &sample.sites.sites[0];
	assert_string_equal(site->provider, "app");
	assert_string_equal(site->name, "flush__begin");
	assert_string_equal(site->arguments, "8@$5 -4@$-1");
	assert_int_equal(site->address, CODE_ADDRESS + 1);
	assert_int_equal(site->offset, sample.code_offset + 1);
	assert_int_equal(site->semaphore_offset, sample.data_offset + 10);
	assert_false(site->has_bad_semaphore);
	assert_int_equal(site->form, SDT_FORM_FOREIGN);
	assert_int_equal(site->arg_count, 2);
	site = &sample.sites.sites[1];
	assert_string_equal(site->arguments, "");
	assert_int_equal(site->arg_count, 0);
	assert_int_equal(site->semaphore_offset, 0);
	assert_false(site->has_bad_semaphore);
	sample_done(&sample);
}

static void a_moved_base_moves_site_and_semaphore(void **state)
{
	static const struct {
		uint64_t moved;	   /* what the linker wrote is lower by this */
		uint64_t base_now; /* 0: no section */
		uint64_t base_then;
	} examples[] = {
		{0, BASE_ADDRESS, BASE_ADDRESS},
		{0x1000, BASE_ADDRESS, BASE_ADDRESS - 0x1000},
		{-(uint64_t)0x1000, BASE_ADDRESS, BASE_ADDRESS + 0x1000},
		{0, 0, BASE_ADDRESS - 0x1000},
		{0, BASE_ADDRESS, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct sample sample;

		sample_init(&sample, "\x90\x90", 2);
		add_note(&sample, "a", "", CODE_ADDRESS + 1 - examples[i].moved,
			 examples[i].base_then, PROBES_ADDRESS - examples[i].moved);
		add_note(&sample, "b", "", CODE_ADDRESS - examples[i].moved, examples[i].base_then,
			 0);
		sample_read(&sample, examples[i].base_now);
		assert_int_equal(sample.sites.size, 2);
		assert_int_equal(sample.sites.sites[0].address, CODE_ADDRESS + 1);
		assert_int_equal(sample.sites.sites[0].offset, sample.code_offset + 1);
		assert_int_equal(sample.sites.sites[0].semaphore_offset, sample.data_offset + 8);
		assert_int_equal(sample.sites.sites[1].semaphore_offset, 0);
		assert_false(sample.sites.sites[1].has_bad_semaphore);
		sample_done(&sample);
	}
}

static void one_name_may_have_several_sites_and_semaphores(void **state)
{
	struct sample sample;

	(void)state;
	sample_init(&sample, "\x90\x90\x90\x90", 4);
	for (uint64_t i = 0; i < 4; i++)
		add_note(&sample, "same", "", CODE_ADDRESS + 3 - i, 0, PROBES_ADDRESS + (i & 2));
	sample_read(&sample, 0);
	assert_int_equal(sample.sites.size, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(sample.sites.sites[i].name, "same");
		assert_int_equal(sample.sites.sites[i].offset, sample.code_offset + 3 - i);
		assert_int_equal(sample.sites.sites[i].semaphore_offset,
				 sample.data_offset + 8 + (i & 2));
	}
	sample_done(&sample);
}

static void a_semaphore_that_cannot_be_raised_is_marked(void **state)
{
	static const uint64_t addresses[] = {
		CODE_ADDRESS,	    /* not writable */
		PROBES_ADDRESS + 1, /* odd offset */
		DATA_ADDRESS + 16,  /* no file bytes */
		DATA_ADDRESS - 1,   1, UINT64_MAX,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct sample sample;

		sample_init(&sample, "\x90\x90\x90\x90", 4);
		add_note(&sample, "a", "", CODE_ADDRESS, 0, addresses[i]);
		sample_read(&sample, 0);
		assert_int_equal(sample.sites.size, 1);
		assert_int_equal(sample.sites.bad_notes, 0);
		assert_int_equal(sample.sites.sites[0].semaphore_offset, 0);
		assert_true(sample.sites.sites[0].has_bad_semaphore);
		sample_done(&sample);
	}
}

static void bad_arguments_do_not_drop_sites(void **state)
{
	struct sample sample;

	(void)state;
	sample_init(&sample, "\x90\x90\x90", 3);
	add_note(&sample, "a", "8@sym+4 8@$1", CODE_ADDRESS, 0, 0);
	add_note(&sample, "b", "8@$1", CODE_ADDRESS + 1, 0, 0);
	add_note(&sample, "c", "?", CODE_ADDRESS + 2, 0, 0);
	sample_read(&sample, 0);
	assert_int_equal(sample.sites.size, 3);
	assert_int_equal(sample.sites.bad_notes, 0);
#ifdef __x86_64__
	assert_int_equal(sample.sites.bad_arguments, 2);
	assert_true(sample.sites.sites[0].has_bad_argument);
	assert_false(sample.sites.sites[1].has_bad_argument);
	assert_int_equal(sample.sites.sites[0].arg_count, 2);
	assert_int_equal(sample.sites.sites[0].args[0].kind, SDT_ARG_BAD);
	assert_int_equal(sample.sites.sites[0].args[1].value, 1);
#endif
	sample_done(&sample);
}

static void bad_notes_are_counted_and_left_out(void **state)
{
	static const uint64_t good[3] = {CODE_ADDRESS, 0, 0};
	static const uint64_t data[3] = {DATA_ADDRESS, 0, 0};
	static const uint64_t behind[3] = {CODE_ADDRESS + 4, 0, 0};
	struct sample sample;

	(void)state;
	sample_init(&sample, "\x90\x90\x90\x90", 4);
	elf_builder_note(sample.notes, sizeof(sample.notes), &sample.notes_bytes, 2, "stapsdt",
			 good, sizeof(good));
	elf_builder_note(sample.notes, sizeof(sample.notes), &sample.notes_bytes, 3, "stapsdx",
			 good, sizeof(good));
	elf_builder_note(sample.notes, sizeof(sample.notes), &sample.notes_bytes, 3, "stapsdt",
			 good, 23);
	elf_builder_note(sample.notes, sizeof(sample.notes), &sample.notes_bytes, 3, "", "", 0);
	add_raw(&sample, good, "", 0);	       /* no strings */
	add_raw(&sample, good, "app\0nam", 7); /* no NUL */
	add_raw(&sample, good, "app\0name\0arg", 12);
	add_raw(&sample, good, "\0name\0", 7); /* no provider */
	add_raw(&sample, good, "app\0\0", 6);  /* no name */
	add_raw(&sample, data, "app\0name\0", 10);
	add_raw(&sample, behind, "app\0name\0", 10);
	add_raw(&sample, good, "app\0good\0", 10);
	add_raw(&sample, good, "app\0short", 10); /* no string for the arguments */
	sample_read(&sample, 0);
	assert_int_equal(sample.sites.bad_notes, 11);
	assert_int_equal(sample.sites.size, 2);
	assert_string_equal(sample.sites.sites[0].name, "good");
	assert_string_equal(sample.sites.sites[1].name, "short");
	assert_string_equal(sample.sites.sites[1].arguments, "");
	sample_done(&sample);
}

static void notes_cut_short_end_the_list(void **state)
{
	struct sample whole;
	size_t first;

	(void)state;
	sample_init(&whole, "\x90\x90", 2);
	/* Descriptors of a multiple of 4 bytes, so that no byte is mere padding. */
	add_note(&whole, "one", "4@$1234", CODE_ADDRESS, 0, 0);
	first = whole.notes_bytes;
	add_note(&whole, "two", "4@$1234", CODE_ADDRESS + 1, 0, 0);
	for (size_t size = 0; size <= whole.notes_bytes; size++) {
		struct sample sample = whole;

		sample.notes_bytes = size;
		sample_read(&sample, 0);
		assert_int_equal(sample.sites.size, (size >= first) + (size == whole.notes_bytes));
		assert_int_equal(sample.sites.bad_notes,
				 size != 0 && size != first && size != whole.notes_bytes);
		sample_done(&sample);
	}
}

static void a_hostile_size_does_not_wrap_around(void **state)
{
	static const uint32_t sizes[][2] = {
		{UINT32_MAX, 8},
		{8, UINT32_MAX},
		{UINT32_MAX, UINT32_MAX},
		{UINT32_MAX - 3, 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const Elf64_Nhdr header = {sizes[i][0], sizes[i][1], 3};
		struct sample sample;

		sample_init(&sample, "\x90", 1);
		memcpy(sample.notes, &header, sizeof(header));
		sample.notes_bytes = 64;
		sample_read(&sample, 0);
		assert_int_equal(sample.sites.size, 0);
		assert_int_equal(sample.sites.bad_notes, 1);
		sample_done(&sample);
	}
}

static void a_file_without_notes_has_no_sites(void **state)
{
	struct sample sample;

	(void)state;
	sample_init(&sample, "\x90", 1);
	sample_read(&sample, 0);
	assert_int_equal(sample.sites.size, 0);
	assert_int_equal(sample.sites.bad_notes, 0);
	sample_done(&sample);
}

#ifdef __x86_64__
static enum sdt_form form_of(const char *code, size_t size_bytes)
{
	struct sample sample;
	enum sdt_form form;

	sample_init(&sample, code, size_bytes);
	add_note(&sample, "a", "", CODE_ADDRESS, 0, 0);
	sample_read(&sample, 0);
	assert_int_equal(sample.sites.size, 1);
	form = sample.sites.sites[0].form;
	sample_done(&sample);
	return form;
}

static void own_sites_are_known_by_every_byte(void **state)
{
	static const char inlined[] = "\x90" NOP10 LEA_DOWN NOP5 LEA_UP;
	static const char thunk[] = "\x90" NOP10 NOP5 "\xc3";

	(void)state;
	assert_int_equal(form_of(inlined, sizeof(inlined) - 1), SDT_FORM_INLINE);
	assert_int_equal(form_of(thunk, sizeof(thunk) - 1), SDT_FORM_THUNK);
	assert_int_equal(form_of("\x90", 1), SDT_FORM_FOREIGN);
	assert_memory_equal(inlined + SDT_NOP10_OFFSET, NOP10, 10);
	assert_memory_equal(inlined + SDT_INLINE_NOP5_OFFSET, NOP5, 5);
	assert_memory_equal(thunk + SDT_THUNK_NOP5_OFFSET, NOP5, 5);
	for (size_t i = 0; i < sizeof(inlined) - 1; i++) {
		char code[sizeof(inlined)];

		memcpy(code, inlined, sizeof(code));
		code[i] ^= 1;
		assert_int_equal(form_of(code, sizeof(code) - 1), SDT_FORM_FOREIGN);
	}
	for (size_t i = 0; i < sizeof(thunk) - 1; i++) {
		char code[sizeof(thunk)];

		memcpy(code, thunk, sizeof(code));
		code[i] ^= 1;
		assert_int_equal(form_of(code, sizeof(code) - 1), SDT_FORM_FOREIGN);
	}
}
#endif

static void note_records_end_exactly_or_are_cut_short(void **state)
{
	unsigned char bytes[128];
	struct elf_note note;
	size_t used = 0;
	size_t position = 0;

	(void)state;
	elf_builder_note(bytes, sizeof(bytes), &used, 7, "own", "abcde", 5);
	assert_true(elf_note_next(bytes, used, 4, &position, &note));
	assert_int_equal(note.type, 7);
	assert_int_equal(note.owner_size, 4);
	assert_string_equal(note.owner, "own");
	assert_int_equal(note.desc_size, 5);
	assert_memory_equal(note.desc, "abcde", 5);
	assert_int_equal(position, used);
	assert_false(elf_note_next(bytes, used, 4, &position, &note));

	/* The last one's padding may be missing, its content not. */
	position = 0;
	assert_true(elf_note_next(bytes, used - 3, 4, &position, &note));
	assert_int_equal(position, used - 3);
	position = 0;
	assert_false(elf_note_next(bytes, used - 4, 4, &position, &note));
	assert_int_equal(position, 0);
}

/* Copies what stands between `before` and the end of the line, or the next comma. */
static bool field(const char *line, const char *before, bool to_comma, char *value, size_t size)
{
	const char *start = strstr(line, before);

	if (!start)
		return false;
	start += strlen(before);
	snprintf(value, size, "%.*s", (int)strcspn(start, to_comma ? ",\n" : "\n"), start);
	return true;
}

/* Compares each probe that readelf lists; returns how many. */
static size_t compare_with_readelf(const char *path, const struct sdt_sites *sites)
{
	char provider[256] = "";
	char name[256] = "";
	char location[64] = "";
	char semaphore[64] = "";
	char line[4096];
	size_t count = 0;
	FILE *readelf;

	snprintf(line, sizeof(line), "LC_ALL=C readelf -nW '%s' 2>/dev/null", path);
	readelf = popen(line, "r");
	assert_non_null(readelf);
	while (fgets(line, sizeof(line), readelf)) {
		const struct sdt_site *site;
		char arguments[2048];

		field(line, "Provider: ", false, provider, sizeof(provider));
		field(line, "Name: ", false, name, sizeof(name));
		field(line, "Location: ", true, location, sizeof(location));
		field(line, "Semaphore: ", true, semaphore, sizeof(semaphore));
		if (!field(line, "Arguments: ", false, arguments, sizeof(arguments)))
			continue;
		assert_true(count < sites->size);
		site = &sites->sites[count];
		assert_string_equal(site->provider, provider);
		assert_string_equal(site->name, name);
		assert_string_equal(site->arguments, arguments);
		assert_int_equal(site->address, strtoull(location, NULL, 16));
		assert_int_equal(site->semaphore_offset != 0, strtoull(semaphore, NULL, 16) != 0);
		/* Compilers write well-formed operands; some name a symbol. */
		assert_int_equal(site->has_bad_argument, strstr(arguments, "(%rip)") != NULL);
		count++;
	}
	assert_int_equal(pclose(readelf), 0);
	return count;
}

/* A C++ compiler brings libstdc++, which has probes, and readelf comes with the linker. */
static void system_files_have_the_probes_that_readelf_lists(void **state)
{
	static const char *const paths[] = {
		"/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/usr/lib/aarch64-linux-gnu/libstdc++.so.6",
		"/usr/lib64/libstdc++.so.6",
		"/usr/lib/libstdc++.so.6",
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/lib/aarch64-linux-gnu/libc.so.6",
		"/lib64/libc.so.6",
		"/usr/lib/postgresql/15/bin/postgres",
	};
	size_t compared = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct probekit_error err;
		struct sdt_sites sites;
		struct elf_file *file;

		if (access(paths[i], R_OK))
			continue;
		if (elf_file_open(paths[i], -1, &file, &err))
			fail_msg("%s", err.text);
		assert_int_equal(sdt_sites_read(file, &sites, &err), 0);
		assert_int_equal(sites.bad_notes, 0);
		assert_int_equal(compare_with_readelf(paths[i], &sites), sites.size);
		compared += sites.size;
		sdt_sites_done(&sites);
		elf_file_free(file);
	}
	assert_true(compared > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_site_has_all_that_its_note_says),
		cmocka_unit_test(a_moved_base_moves_site_and_semaphore),
		cmocka_unit_test(one_name_may_have_several_sites_and_semaphores),
		cmocka_unit_test(a_semaphore_that_cannot_be_raised_is_marked),
		cmocka_unit_test(bad_arguments_do_not_drop_sites),
		cmocka_unit_test(bad_notes_are_counted_and_left_out),
		cmocka_unit_test(notes_cut_short_end_the_list),
		cmocka_unit_test(a_hostile_size_does_not_wrap_around),
		cmocka_unit_test(a_file_without_notes_has_no_sites),
#ifdef __x86_64__
		cmocka_unit_test(own_sites_are_known_by_every_byte),
#endif
		cmocka_unit_test(note_records_end_exactly_or_are_cut_short),
		cmocka_unit_test(system_files_have_the_probes_that_readelf_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
