/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF files: made in memory, and damaged in every way that matters. */
#include "elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "elf_builder.h"

#define CODE_ADDRESS 0x401000u
#define DATA_ADDRESS 0x602010u
#define BUILD_ID "\x01\x23\x45\x67\x89\xab\xcd\xef"

static const unsigned char CODE[64] = {0x90, 0xc3, 0xcc};

/* Code and data whose addresses and offsets differ, an interpreter, and a build id; not finished.
 */
static void build_sample(struct elf_builder *builder)
{
	static const char interpreter[] = "/lib/ld.so";
	unsigned char note[64];
	size_t note_bytes = 0;
	uint64_t offset;

	elf_builder_init(builder);
	offset = elf_builder_append(builder, CODE, sizeof(CODE));
	elf_builder_segment(builder, PT_LOAD, PF_R | PF_X, offset, CODE_ADDRESS, sizeof(CODE));
	elf_builder_section(builder, ".text", SHT_PROGBITS, offset, CODE_ADDRESS, sizeof(CODE));
	offset = elf_builder_append(builder, "data", 4);
	elf_builder_segment(builder, PT_LOAD, PF_R | PF_W, offset, DATA_ADDRESS, 4)->p_memsz = 4096;
	elf_builder_section(builder, ".data.more", SHT_PROGBITS, offset + 1, DATA_ADDRESS + 1, 3);
	elf_builder_section(builder, ".data", SHT_PROGBITS, offset, DATA_ADDRESS, 4);
	elf_builder_section(builder, ".bss", SHT_NOBITS, offset, DATA_ADDRESS + 4, 4092);
	offset = elf_builder_append(builder, interpreter, sizeof(interpreter));
	elf_builder_segment(builder, PT_INTERP, PF_R, offset, 0, sizeof(interpreter));
	elf_builder_note(note, sizeof(note), &note_bytes, NT_GNU_ABI_TAG, "GNU", "abi", 3);
	elf_builder_note(note, sizeof(note), &note_bytes, NT_GNU_BUILD_ID, "GNU", BUILD_ID, 8);
	offset = elf_builder_append(builder, note, note_bytes);
	elf_builder_segment(builder, PT_NOTE, PF_R, offset, 0, note_bytes);
}

static struct elf_file *open_bytes(const struct elf_builder *builder)
{
	struct probekit_error err;
	struct elf_file *file;

	if (elf_file_from_memory(builder->bytes, builder->size_bytes, &file, &err))
		fail_msg("%s", err.text);
	return file;
}

static void assert_refused(const void *bytes, size_t size, const char *text)
{
	struct probekit_error err;
	struct elf_file *file;

	assert_int_equal(elf_file_from_memory(bytes, size, &file, &err), -ENOEXEC);
	assert_int_equal(err.code, -ENOEXEC);
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
}

static void what_is_no_elf_is_refused(void **state)
{
	(void)state;
	assert_refused("", 0, "is not an ELF file");
	assert_refused("\x7f"
		       "EL",
		       3, "is not an ELF file");
	assert_refused("#!/bin/sh\n", 10, "is not an ELF file");
	assert_refused("\x7f"
		       "ELF",
		       4, "is cut short");
}

static void every_truncation_is_said_to_be_cut_short(void **state)
{
	struct elf_builder builder;

	(void)state;
	build_sample(&builder);
	elf_builder_finish(&builder);
	for (size_t size = 4; size < builder.size_bytes; size++)
		assert_refused(builder.bytes, size, "is cut short: ");
	elf_file_free(open_bytes(&builder));
}

static void a_segment_beyond_the_end_is_cut_short(void **state)
{
	struct elf_builder builder;

	(void)state;
	build_sample(&builder);
	elf_builder_finish(&builder);
	elf_builder_program_header(&builder, 1)->p_filesz = builder.size_bytes;
	assert_refused(builder.bytes, builder.size_bytes, "is cut short: segment");
	elf_builder_program_header(&builder, 1)->p_filesz = 4;
	elf_builder_program_header(&builder, 1)->p_offset = UINT64_MAX - 2;
	assert_refused(builder.bytes, builder.size_bytes, "is cut short: segment");
}

static void other_machines_and_kinds_are_refused(void **state)
{
	struct elf_builder builder;
	Elf64_Ehdr *header = elf_builder_header(&builder);
	Elf64_Ehdr good;

	(void)state;
	build_sample(&builder);
	elf_builder_finish(&builder);
	good = *header;
	header->e_ident[EI_CLASS] = ELFCLASS32;
	assert_refused(builder.bytes, builder.size_bytes, "is for another machine");
	*header = good;
	header->e_ident[EI_DATA] = ELFDATA2MSB;
	assert_refused(builder.bytes, builder.size_bytes, "is for another machine");
	*header = good;
	header->e_machine = EM_S390;
	assert_refused(builder.bytes, builder.size_bytes, "is for another machine");
	*header = good;
	header->e_type = ET_REL;
	assert_refused(builder.bytes, builder.size_bytes, "neither a program nor a shared library");
	header->e_type = ET_CORE;
	assert_refused(builder.bytes, builder.size_bytes, "neither a program nor a shared library");
}

static void extreme_tables_are_refused(void **state)
{
	struct elf_builder builder;
	Elf64_Ehdr *header = elf_builder_header(&builder);
	Elf64_Ehdr good;

	(void)state;
	build_sample(&builder);
	elf_builder_finish(&builder);
	good = *header;
	header->e_shnum = 0xffff;
	assert_refused(builder.bytes, builder.size_bytes, "is cut short: section table");
	*header = good;
	header->e_shentsize = 1;
	assert_refused(builder.bytes, builder.size_bytes, "is not a valid ELF file");
	*header = good;
	header->e_shoff = UINT64_MAX - 63;
	assert_refused(builder.bytes, builder.size_bytes, "is cut short: section table");
	*header = good;
	header->e_phnum = PN_XNUM - 1;
	assert_refused(builder.bytes, builder.size_bytes, "is cut short: program header table");
	*header = good;
	header->e_phoff = UINT64_MAX;
	assert_refused(builder.bytes, builder.size_bytes, "is cut short: program header table");
	*header = good;
	header->e_phentsize = 0;
	assert_refused(builder.bytes, builder.size_bytes, "is not a valid ELF file");
	*header = good;
	header->e_shnum = 0;
	elf_builder_section_header(&builder, 0)->sh_size = UINT64_MAX / 64 + 2;
	assert_refused(builder.bytes, builder.size_bytes, "is not a valid ELF file");
	elf_builder_section_header(&builder, 0)->sh_size = 1000000;
	assert_refused(builder.bytes, builder.size_bytes, "is cut short: section table");
	*header = good;
	header->e_phnum = PN_XNUM;
	elf_builder_section_header(&builder, 0)->sh_info = 1000000;
	assert_refused(builder.bytes, builder.size_bytes, "is cut short: program header table");
}

static void counts_beyond_the_header_are_taken_from_section_0(void **state)
{
	struct elf_builder builder;
	Elf64_Ehdr *header = elf_builder_header(&builder);
	Elf64_Shdr *first;
	struct elf_file *file;
	uint64_t offset;
	size_t size;

	(void)state;
	build_sample(&builder);
	elf_builder_finish(&builder);
	first = elf_builder_section_header(&builder, 0);
	first->sh_size = header->e_shnum;
	first->sh_link = header->e_shstrndx;
	first->sh_info = header->e_phnum;
	header->e_shnum = 0;
	header->e_shstrndx = SHN_XINDEX;
	header->e_phnum = PN_XNUM;
	file = open_bytes(&builder);
	assert_non_null(elf_file_section(file, ".data", &size, NULL));
	assert_int_equal(size, 4);
	assert_int_equal(elf_file_offset(file, DATA_ADDRESS, 0, &offset), 0);
	elf_file_free(file);
}

static void a_file_without_sections_has_segments(void **state)
{
	struct elf_builder builder;
	struct elf_file *file;
	uint64_t offset;
	size_t size = 1;

	(void)state;
	build_sample(&builder);
	elf_builder_finish(&builder);
	elf_builder_header(&builder)->e_shoff = 0;
	elf_builder_header(&builder)->e_shnum = 7;
	file = open_bytes(&builder);
	assert_null(elf_file_section(file, ".text", &size, NULL));
	assert_int_equal(size, 0);
	assert_int_equal(elf_file_offset(file, CODE_ADDRESS, PF_X, &offset), 0);
	elf_file_free(file);
}

static void sections_are_found_by_their_whole_name(void **state)
{
	struct elf_builder builder;
	struct elf_file *file;
	const void *bytes;
	uint64_t address = 1;
	size_t size = 1;

	(void)state;
	build_sample(&builder);
	elf_builder_finish(&builder);
	file = open_bytes(&builder);
	bytes = elf_file_section(file, ".data", &size, &address);
	assert_int_equal(size, 4);
	assert_memory_equal(bytes, "data", 4);
	assert_int_equal(address, DATA_ADDRESS);
	assert_null(elf_file_section(file, ".dat", &size, &address));
	assert_int_equal(size, 0);
	assert_int_equal(address, 0);
	assert_null(elf_file_section(file, ".bss", &size, &address));
	assert_int_equal(size, 0);
	assert_int_equal(address, DATA_ADDRESS + 4);
	elf_file_free(file);
}

static void a_section_outside_the_file_has_an_address_only(void **state)
{
	static const struct {
		uint64_t offset;
		uint64_t size;
	} places[] = {{0, UINT64_MAX}, {UINT64_MAX, 2}, {1u << 20, 1}, {8, 1u << 20}};

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct elf_builder builder;
		struct elf_file *file;
		uint64_t address;
		size_t size;

		build_sample(&builder);
		elf_builder_section(&builder, ".far", SHT_PROGBITS, places[i].offset, 0x77,
				    places[i].size);
		elf_builder_finish(&builder);
		file = open_bytes(&builder);
		assert_null(elf_file_section(file, ".far", &size, &address));
		assert_int_equal(size, 0);
		assert_int_equal(address, 0x77);
		elf_file_free(file);
	}
}

static void section_names_outside_their_table_match_nothing(void **state)
{
	struct elf_builder builder;
	struct elf_file *file;
	Elf64_Ehdr *header = elf_builder_header(&builder);
	size_t size;

	(void)state;
	build_sample(&builder);
	elf_builder_finish(&builder);
	for (size_t i = 0; i < header->e_shnum; i++)
		elf_builder_section_header(&builder, i)->sh_name = UINT32_MAX - (uint32_t)i;
	file = open_bytes(&builder);
	assert_null(elf_file_section(file, ".text", &size, NULL));
	elf_file_free(file);
	header->e_shstrndx = 0xfff0;
	file = open_bytes(&builder);
	assert_null(elf_file_section(file, ".text", &size, NULL));
	elf_file_free(file);
}

static void addresses_become_offsets_by_their_segment(void **state)
{
	struct elf_builder builder;
	struct elf_file *file;
	uint64_t offset = 0;

	(void)state;
	build_sample(&builder);
	elf_builder_finish(&builder);
	file = open_bytes(&builder);
	assert_int_equal(elf_file_offset(file, CODE_ADDRESS + 2, PF_X, &offset), 0);
	assert_memory_equal(elf_file_bytes(file, offset, 1), "\xcc", 1);
	assert_int_equal(elf_file_offset(file, DATA_ADDRESS + 3, PF_W, &offset), 0);
	assert_memory_equal(elf_file_bytes(file, offset, 1), "a", 1);

	assert_int_equal(elf_file_offset(file, DATA_ADDRESS, PF_X, &offset), -ENOENT);
	assert_int_equal(elf_file_offset(file, CODE_ADDRESS, PF_W, &offset), -ENOENT);
	assert_int_equal(elf_file_offset(file, CODE_ADDRESS - 1, 0, &offset), -ENOENT);
	assert_int_equal(elf_file_offset(file, CODE_ADDRESS + 64, 0, &offset), -ENOENT);
	assert_int_equal(elf_file_offset(file, DATA_ADDRESS + 4, 0, &offset), -ENOENT);
	assert_int_equal(elf_file_offset(file, 0, 0, &offset), -ENOENT);
	assert_int_equal(elf_file_offset(file, UINT64_MAX, 0, &offset), -ENOENT);
	elf_file_free(file);
}

static void overlapping_and_unordered_segments_have_one_answer(void **state)
{
	struct elf_builder builder;
	struct elf_file *file;
	uint64_t offset;

	(void)state;
	elf_builder_init(&builder);
	elf_builder_append(&builder, NULL, 8192);
	elf_builder_segment(&builder, PT_LOAD, PF_R, 4000, 0x9000, 100);
	elf_builder_segment(&builder, PT_LOAD, PF_R, 2000, 0x5000, 256);
	elf_builder_segment(&builder, PT_LOAD, PF_R, 3000, 0x5080, 256);
	elf_builder_segment(&builder, PT_LOAD, PF_R, 1000, 0x5000, 512);
	elf_builder_segment(&builder, PT_LOAD, PF_R, 1000, UINT64_MAX - 8, 512);
	elf_builder_finish(&builder);
	file = open_bytes(&builder);
	assert_int_equal(elf_file_offset(file, 0x50ff, 0, &offset), 0);
	assert_int_equal(offset, 2255);
	assert_int_equal(elf_file_offset(file, 0x5100, 0, &offset), -ENOENT);
	assert_int_equal(elf_file_offset(file, 0x9001, 0, &offset), 0);
	assert_int_equal(offset, 4001);
	assert_int_equal(elf_file_offset(file, UINT64_MAX - 4, 0, &offset), -ENOENT);
	elf_file_free(file);
}

static void bytes_lie_within_the_file_or_are_absent(void **state)
{
	struct elf_builder builder;
	struct elf_file *file;

	(void)state;
	build_sample(&builder);
	elf_builder_finish(&builder);
	file = open_bytes(&builder);
	assert_memory_equal(elf_file_bytes(file, 0, builder.size_bytes), builder.bytes,
			    builder.size_bytes);
	assert_non_null(elf_file_bytes(file, builder.size_bytes - 1, 1));
	assert_null(elf_file_bytes(file, builder.size_bytes - 1, 2));
	assert_null(elf_file_bytes(file, builder.size_bytes, 1));
	assert_null(elf_file_bytes(file, UINT64_MAX, 2));
	assert_null(elf_file_bytes(file, 1, SIZE_MAX));
	elf_file_free(file);
}

static void build_id_and_interpreter_are_read(void **state)
{
	struct elf_builder builder;
	struct elf_file *file;

	(void)state;
	build_sample(&builder);
	elf_builder_finish(&builder);
	file = open_bytes(&builder);
	assert_string_equal(elf_file_build_id(file), "0123456789abcdef");
	assert_string_equal(elf_file_interpreter(file), "/lib/ld.so");
	elf_file_free(file);

	/* Without its NUL, and with a build id longer than any. */
	elf_builder_program_header(&builder, 2)->p_filesz--;
	elf_builder_program_header(&builder, 3)->p_filesz -= 8;
	file = open_bytes(&builder);
	assert_null(elf_file_build_id(file));
	assert_null(elf_file_interpreter(file));
	elf_file_free(file);
}

static void notes_aligned_to_8_are_followed(void **state)
{
	/* A property note of 1 byte, whose padding to 8 differs from that to 4. */
	static const struct {
		Elf64_Nhdr property;
		char property_owner[4];
		char property_bytes[8];
		Elf64_Nhdr id;
		char id_owner[4];
		char id_bytes[8];
	} notes = {{4, 1, NT_GNU_PROPERTY_TYPE_0}, "GNU", "",
		   {4, 8, NT_GNU_BUILD_ID},	   "GNU", "\xfe\xdc\xba\x98\x76\x54\x32\x10"};
	struct elf_builder builder;
	struct elf_file *file;
	uint64_t offset;

	(void)state;
	elf_builder_init(&builder);
	offset = elf_builder_append(&builder, &notes, sizeof(notes));
	elf_builder_segment(&builder, PT_NOTE, PF_R, offset, 0, sizeof(notes))->p_align = 8;
	elf_builder_finish(&builder);
	file = open_bytes(&builder);
	assert_string_equal(elf_file_build_id(file), "fedcba9876543210");
	elf_file_free(file);
}

static void assert_open_fails(const char *path, int code, const char *text)
{
	struct probekit_error err;
	struct elf_file *file;

	assert_int_equal(elf_file_open(path, -1, &file, &err), code);
	assert_int_equal(err.code, code);
	if (!strstr(err.text, text) || !strstr(err.text, path))
		fail_msg("'%s' does not say '%s' of '%s'", err.text, text, path);
}

/* A FIFO would block for ever: the alarm then ends the test. */
static void what_is_no_regular_file_is_refused_without_waiting(void **state)
{
	char folder[] = "/tmp/probekit-elf-XXXXXX";
	char path[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_open_fails(folder, -EISDIR, "is a directory");
	snprintf(path, sizeof(path), "%s/file", folder);
	assert_open_fails(path, -ENOENT, "No such file");
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(30);
	assert_open_fails(path, -ENOEXEC, "is not a regular file");
	alarm(0);
	assert_int_equal(unlink(path), 0);
	assert_open_fails("/dev/null", -ENOEXEC, "is not a regular file");
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	assert_open_fails(path, -ENOEXEC, "is not an ELF file");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void a_descriptor_is_taken_over(void **state)
{
	struct probekit_error err;
	struct elf_file *file;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(elf_file_open("a name", fd, &file, &err), 0);
	elf_file_free(file);
	assert_int_equal(fcntl(fd, F_GETFD), -1);

	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(elf_file_open("a name", fd, &file, &err), -ENOEXEC);
	assert_string_equal(err.text, "'a name' is not a regular file");
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	elf_file_free(NULL);
}

static void a_file_that_shrinks_loses_bytes_only(void **state)
{
	static const char zeros[1 << 16];
	char path[] = "/tmp/probekit-elf-XXXXXX";
	struct elf_builder builder;
	struct probekit_error err;
	struct elf_file *file;
	int fd = mkstemp(path);

	(void)state;
	build_sample(&builder);
	elf_builder_finish(&builder);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, builder.bytes, builder.size_bytes), builder.size_bytes);
	for (int i = 0; i < 4; i++)
		assert_int_equal(write(fd, zeros, sizeof(zeros)), sizeof(zeros));
	assert_int_equal(elf_file_open(path, fd, &file, &err), 0);
	assert_int_equal(truncate(path, (off_t)builder.size_bytes), 0);
	assert_null(elf_file_bytes(file, sizeof(zeros) * 2, 1));
	assert_memory_equal(elf_file_bytes(file, 0, 4), ELFMAG, 4);
	elf_file_free(file);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_elf_is_refused),
		cmocka_unit_test(every_truncation_is_said_to_be_cut_short),
		cmocka_unit_test(a_segment_beyond_the_end_is_cut_short),
		cmocka_unit_test(other_machines_and_kinds_are_refused),
		cmocka_unit_test(extreme_tables_are_refused),
		cmocka_unit_test(counts_beyond_the_header_are_taken_from_section_0),
		cmocka_unit_test(a_file_without_sections_has_segments),
		cmocka_unit_test(sections_are_found_by_their_whole_name),
		cmocka_unit_test(a_section_outside_the_file_has_an_address_only),
		cmocka_unit_test(section_names_outside_their_table_match_nothing),
		cmocka_unit_test(addresses_become_offsets_by_their_segment),
		cmocka_unit_test(overlapping_and_unordered_segments_have_one_answer),
		cmocka_unit_test(bytes_lie_within_the_file_or_are_absent),
		cmocka_unit_test(build_id_and_interpreter_are_read),
		cmocka_unit_test(notes_aligned_to_8_are_followed),
		cmocka_unit_test(what_is_no_regular_file_is_refused_without_waiting),
		cmocka_unit_test(a_descriptor_is_taken_over),
		cmocka_unit_test(a_file_that_shrinks_loses_bytes_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
