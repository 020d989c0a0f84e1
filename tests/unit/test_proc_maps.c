/* SPDX-License-Identifier: BSD-2-Clause */
/* The text of /proc/PID/maps: lines as kernels write them, this process's own, and damaged ones. */
#include "proc_maps.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

static struct proc_maps parse(const char *text)
{
	struct proc_maps maps;

	assert_int_equal(proc_maps_parse(text, strlen(text), &maps), 0);
	return maps;
}

static void a_line_gives_all_its_fields(void **state)
{
	struct proc_maps maps = parse(
		"7fb8cdc5c000-7fb8cdc5d000 r-xp 0001f000 fe:10 10961049          /usr/lib/a.so\n"
		"ffffffffff600000-ffffffffff601000 -w-s 00000000 00:00 0 \n");

	(void)state;
	assert_int_equal(maps.size, 2);
	assert_int_equal(maps.bad_lines, 0);
	assert_true(maps.maps[0].start == 0x7fb8cdc5c000 && maps.maps[0].end == 0x7fb8cdc5d000);
	assert_true(maps.maps[0].offset == 0x1f000 && maps.maps[0].inode == 10961049);
	assert_true(maps.maps[0].dev_major == 0xfe && maps.maps[0].dev_minor == 0x10);
	assert_true(maps.maps[0].is_executable && !maps.maps[0].is_writable);
	assert_true(!maps.maps[0].is_shared && !maps.maps[0].is_deleted);
	assert_string_equal(maps.maps[0].path, "/usr/lib/a.so");
	assert_true(maps.maps[1].start == 0xffffffffff600000);
	assert_true(!maps.maps[1].is_executable && maps.maps[1].is_writable);
	assert_true(maps.maps[1].is_shared);
	assert_string_equal(maps.maps[1].path, "");
	proc_maps_done(&maps);
	assert_int_equal(maps.size, 0);
}

static void paths_keep_all_but_what_the_kernel_added(void **state)
{
	static const struct {
		const char *written;
		const char *path;
		bool is_deleted;
	} examples[] = {
		{"", "", false},
		{" ", "", false},
		{"          [heap]", "[heap]", false},
		{"  [vdso]", "[vdso]", false},
		{" [anon: a b ]", "[anon: a b ]", false},
		{" /a b/ c ", "/a b/ c ", false},
		{" /tab\there", "/tab\there", false},
		{" /new\\012line", "/new\nline", false},
		{" /\\012", "/\n", false},
		{" /back\\slash\\01", "/back\\slash\\01", false},
		{" /\\040", "/\\040", false},
		{" /gone (deleted)", "/gone", true},
		{" /gone  (deleted)", "/gone ", true},
		{" /twice (deleted) (deleted)", "/twice (deleted)", true},
		{" /memfd:x (deleted)", "/memfd:x", true},
		{" /kept (deleted) ", "/kept (deleted) ", false},
		{" /kept(deleted)", "/kept(deleted)", false},
		{" anon_inode:[perf_event]", "anon_inode:[perf_event]", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct proc_maps maps;
		char line[256];

		snprintf(line, sizeof(line), "1000-2000 rw-p 00000000 00:00 0%s\n",
			 examples[i].written);
		maps = parse(line);
		assert_int_equal(maps.size, 1);
		assert_string_equal(maps.maps[0].path, examples[i].path);
		assert_int_equal(maps.maps[0].is_deleted, examples[i].is_deleted);
		proc_maps_done(&maps);
	}
}

static void lines_not_understood_are_counted_and_left_out(void **state)
{
	static const char *const lines[] = {
		"",
		"1000",
		"1000-2000",
		"1000 2000 r-xp 0 0:0 0 /a",
		"1000-2000 r-x 0 0:0 0 /a",
		"1000-2000 r-xq 0 0:0 0 /a",
		"1000-2000 xr-p 0 0:0 0 /a",
		"1000-2000 r-xpp 0 0:0 0 /a",
		"1000-2000 r-xp x 0:0 0 /a",
		"1000-2000 r-xp 0 0-0 0 /a",
		"1000-2000 r-xp 0 100000000:0 0 /a",
		"1000-2000 r-xp 0 0:0 a /a",
		"1000-2000 r-xp 0 0:0 0/a",
		"2000-1000 r-xp 0 0:0 0 /a",
		"1000-1000 r-xp 0 0:0 0 /a",
		"1000-10000000000000000 r-xp 0 0:0 0 /a",
		"1000-2000 r-xp 0 0:0 18446744073709551616 /a",
		"-2000 r-xp 0 0:0 0 /a",
		" 1000-2000 r-xp 0 0:0 0 /a",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct proc_maps maps;
		char text[256];

		snprintf(text, sizeof(text), "1-2 r-xp 0 0:0 1 /x\n%s\n3-4 r-xp 0 0:0 2 /y\n",
			 lines[i]);
		maps = parse(text);
		if (maps.size != 2 || maps.bad_lines != 1 || maps.maps[1].inode != 2)
			fail_msg("'%s'", lines[i]);
		proc_maps_done(&maps);
	}
}

static void a_zero_byte_makes_a_line_bad(void **state)
{
	static const char text[] = "1-2 r-xp 0 0:0 1 /x\0y\n3-4 r-xp 0 0:0 2 /z\n";
	struct proc_maps maps;

	(void)state;
	assert_int_equal(proc_maps_parse(text, sizeof(text) - 1, &maps), 0);
	assert_int_equal(maps.size, 1);
	assert_int_equal(maps.bad_lines, 1);
	proc_maps_done(&maps);
}

static void a_line_cut_short_at_the_end_is_bad(void **state)
{
	static const char text[] = "1-2 r-xp 0 0:0 1 /x\n3-4 r-xp 0 0:0 2 /yyyy";

	(void)state;
	for (size_t size = 0; size < sizeof(text); size++) {
		struct proc_maps maps;

		assert_int_equal(proc_maps_parse(text, size, &maps), 0);
		assert_int_equal(maps.size, size >= 20);
		assert_int_equal(maps.bad_lines, size != 0 && size != 20);
		proc_maps_done(&maps);
	}
}

/* Reads to the end; the result is freed by the caller. */
static char *read_own_maps(size_t *size)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	char *text = malloc(1 << 20);
	ssize_t n;

	assert_true(fd >= 0 && text);
	*size = 0;
	while ((n = read(fd, text + *size, (1 << 20) - *size)) > 0)
		*size += (size_t)n;
	assert_int_equal(n, 0);
	close(fd);
	return text;
}

static const struct proc_map *find(const struct proc_maps *maps, const void *address)
{
	for (size_t i = 0; i < maps->size; i++)
		if (maps->maps[i].start <= (uintptr_t)address &&
		    maps->maps[i].end > (uintptr_t)address)
			return &maps->maps[i];
	fail_msg("no mapping at %p", address);
	return NULL;
}

static void own_code_is_in_the_mapping_of_own_file(void **state)
{
	struct proc_maps maps;
	struct stat status;
	char path[PATH_MAX] = "";
	const struct proc_map *map;
	size_t size;
	char *text = read_own_maps(&size);

	(void)state;
	assert_int_equal(proc_maps_parse(text, size, &maps), 0);
	assert_int_equal(maps.bad_lines, 0);
	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	assert_int_equal(stat("/proc/self/exe", &status), 0);
	map = find(&maps, (const void *)(uintptr_t)own_code_is_in_the_mapping_of_own_file);
	assert_string_equal(map->path, path);
	assert_true(map->is_executable && !map->is_writable && !map->is_deleted);
	assert_true(map->inode == status.st_ino);
	map = find(&maps, &size);
	assert_true(map->is_writable && !map->is_executable);
	proc_maps_done(&maps);
	free(text);
}

static void odd_file_names_come_back_from_the_kernel(void **state)
{
	char folder[] = "/tmp/probekit-maps-XXXXXX";
	char path[PATH_MAX];
	char expected[PATH_MAX];
	struct proc_maps maps;
	const struct proc_map *map;
	void *mapping;
	size_t size;
	char *text;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_non_null(realpath(folder, expected));
	snprintf(path, sizeof(path), "%s/ a \n\\x ", folder);
	strcat(expected, "/ a \n\\x ");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	mapping = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(mapping != MAP_FAILED);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);

	text = read_own_maps(&size);
	assert_int_equal(proc_maps_parse(text, size, &maps), 0);
	assert_int_equal(maps.bad_lines, 0);
	map = find(&maps, mapping);
	assert_string_equal(map->path, expected);
	assert_true(map->is_deleted && map->is_shared);
	proc_maps_done(&maps);
	free(text);
	munmap(mapping, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_gives_all_its_fields),
		cmocka_unit_test(paths_keep_all_but_what_the_kernel_added),
		cmocka_unit_test(lines_not_understood_are_counted_and_left_out),
		cmocka_unit_test(a_zero_byte_makes_a_line_bad),
		cmocka_unit_test(a_line_cut_short_at_the_end_is_bad),
		cmocka_unit_test(own_code_is_in_the_mapping_of_own_file),
		cmocka_unit_test(odd_file_names_come_back_from_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
