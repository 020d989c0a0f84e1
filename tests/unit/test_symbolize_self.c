/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses in the test itself: its functions, libraries', the vdso's, compiled at run time, and
 * those of nothing at all. */
#include "symbolize.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "asked.h"

static uint64_t address_of(const void *pointer)
{
	return (uintptr_t)pointer;
}

__attribute__((noinline)) static int own_function(int value)
{
	__asm__ volatile("" ::: "memory");
	return value + 1;
}

static void own_functions_have_their_offset(void **state)
{
	struct asked asked = {0};
	struct symbol_frame frame;

	(void)state;
	ask_about_self(&asked);
	frame = asked_resolve(&asked, address_of(own_function) + 1);
	assert_string_equal(frame.function, "own_function");
	assert_int_equal(frame.offset, 1);
	assert_string_equal(strrchr(frame.file, '/'), "/test_symbolize_self.c");
	assert_false(frame.is_inlined);
	asked_done(&asked);
	assert_int_equal(own_function(1), 2);
}

static void library_functions_have_their_public_name(void **state)
{
	static const char *const names[] = {"qsort", "malloc", "pthread_mutex_lock", "fsync"};
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	struct asked asked = {0};

	(void)state;
	assert_non_null(libc);
	ask_about_self(&asked);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *function = dlsym(libc, names[i]);
		struct symbol_frame frame;

		assert_non_null(function);
		frame = asked_resolve(&asked, address_of(function));
		assert_string_equal(frame.function, names[i]);
		assert_int_equal(frame.offset, 0);
		assert_non_null(strstr(frame.module, "libc"));
	}
	asked_done(&asked);
	dlclose(libc);
}

static void the_vdso_is_read_from_memory(void **state)
{
	void *vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
	struct asked asked = {0};
	struct symbol_frame frame;

	(void)state;
	if (!vdso || !dlsym(vdso, "__vdso_clock_gettime"))
		skip();
	ask_about_self(&asked);
	frame = asked_resolve(&asked, address_of(dlsym(vdso, "__vdso_clock_gettime")));
	assert_string_equal(frame.function, "clock_gettime");
	assert_string_equal(frame.module, "[vdso]");
	asked_done(&asked);
	dlclose(vdso);
}

static void what_is_no_file_has_a_name_in_brackets(void **state)
{
	struct asked asked = {0};
	char on_stack;
	char name[64];
	struct symbol_frame frame;
	char *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(memory != MAP_FAILED);
	ask_about_self(&asked);
	frame = asked_resolve(&asked, address_of(memory) + 16);
	assert_null(frame.function);
	assert_string_equal(frame.module, "[anon]");
	symbol_frame_name(&frame, name, sizeof(name));
	assert_memory_equal(name, "[anon]+0x", 9);
	assert_string_equal(asked_resolve(&asked, 16).module, "[unmapped]");
	assert_string_equal(asked_resolve(&asked, UINT64_MAX).module, "[unmapped]");
	assert_null(asked_resolve(&asked, address_of(&on_stack)).function);
	asked_done(&asked);
	munmap(memory, 4096);
}

static void read_only_data_is_read_from_the_file(void **state)
{
	static const uint64_t constant[] = {0x123456789abcdef0, 2};
	static uint64_t variable[] = {0x123456789abcdef0, 2};
	struct asked asked = {0};
	struct location location;
	uint64_t value;

	(void)state;
	ask_about_self(&asked);
	location = address_space_locate(&asked.space, address_of(constant));
	assert_non_null(location.module);
	assert_true(module_read(location.module, location.address, &value));
	assert_true(value == constant[0]);
	location = address_space_locate(&asked.space, address_of(variable));
	assert_non_null(location.module);
	assert_false(module_read(location.module, location.address, &value));
	assert_false(module_read(location.module, UINT64_MAX - 3, &value));
	variable[1]++;
	asked_done(&asked);
}

/* ---- run-time compilers ---- */

static void write_jit_map(const char *path, uint64_t start, const char *name)
{
	FILE *file = fopen(path, "ae");

	assert_non_null(file);
	fprintf(file, "%llx 20 %s\n", (unsigned long long)start, name);
	fclose(file);
}

static void a_perf_map_names_compiled_code_as_it_grows(void **state)
{
	char *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct asked asked = {0};
	struct symbol_frame frame;
	char path[64];

	(void)state;
	assert_true(memory != MAP_FAILED);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	unlink(path);
	ask_about_self(&asked);
	write_jit_map(path, address_of(memory), "first function");
	frame = asked_resolve(&asked, address_of(memory) + 0x1f);
	assert_string_equal(frame.function, "first function");
	assert_string_equal(frame.module, "[jit]");
	assert_int_equal(frame.offset, 0x1f);
	assert_null(asked_resolve(&asked, address_of(memory) + 0x20).function);
	write_jit_map(path, address_of(memory) + 0x20, "second");
	assert_string_equal(asked_resolve(&asked, address_of(memory) + 0x20).function, "second");
	assert_string_equal(frame.function, "first function");
	unlink(path);
	asked_done(&asked);
	munmap(memory, 4096);
}

static void a_perf_map_that_is_not_the_targets_is_not_read(void **state)
{
	char *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char target[] = "/tmp/probekit-symbolize-XXXXXX";
	struct asked asked = {0};
	char path[64];

	(void)state;
	assert_true(memory != MAP_FAILED);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	unlink(path);
	close(mkstemp(target));
	write_jit_map(target, address_of(memory), "elsewhere");
	assert_int_equal(symlink(target, path), 0);
	ask_about_self(&asked);
	assert_null(asked_resolve(&asked, address_of(memory)).function);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(asked_resolve(&asked, address_of(memory)).function);
	unlink(path);
	if (geteuid() == 0) {
		write_jit_map(path, address_of(memory), "of another user");
		assert_int_equal(chown(path, 12345, 12345), 0);
		assert_null(asked_resolve(&asked, address_of(memory)).function);
		unlink(path);
	}
	unlink(target);
	asked_done(&asked);
	munmap(memory, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_functions_have_their_offset),
		cmocka_unit_test(library_functions_have_their_public_name),
		cmocka_unit_test(the_vdso_is_read_from_memory),
		cmocka_unit_test(what_is_no_file_has_a_name_in_brackets),
		cmocka_unit_test(read_only_data_is_read_from_the_file),
		cmocka_unit_test(a_perf_map_names_compiled_code_as_it_grows),
		cmocka_unit_test(a_perf_map_that_is_not_the_targets_is_not_read),
	};

	return cmocka_run_group_tests_name("symbolize self", tests, NULL, NULL);
}
