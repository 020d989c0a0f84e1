/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that a target changes while they are read: what was read stands, and nothing of it can end us. */
#include "shared_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "asked.h"
#include "mapped_file.h"
#include "module.h"
#include "victim.h"

#define LARGE_BYTES (80l << 20)

struct copies {
	char folder[64];
	char program[PATH_MAX];
	char debug[PATH_MAX];
};

static void copy_file(const char *name, const char *to)
{
	char command[2 * PATH_MAX + 16];
	char from[PATH_MAX];

	victim_program_path(name, from, sizeof(from));
	assert_true((size_t)snprintf(command, sizeof(command), "cp '%s' '%s'", from, to) <
		    sizeof(command));
	assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
	struct copies *copies = calloc(1, sizeof(*copies));

	assert_non_null(copies);
	strcpy(copies->folder, "/tmp/probekit-shared-XXXXXX");
	assert_non_null(mkdtemp(copies->folder));
	snprintf(copies->program, sizeof(copies->program), "%s/program", copies->folder);
	snprintf(copies->debug, sizeof(copies->debug), "%s/stacks_inline.debug", copies->folder);
	*state = copies;
	return 0;
}

static int tear_down(void **state)
{
	struct copies *copies = *state;

	unlink(copies->program);
	unlink(copies->debug);
	assert_int_equal(rmdir(copies->folder), 0);
	free(copies);
	return 0;
}

/* The function and line of the `nth` address that the program tells. */
static void expect_known(struct asked *asked, const struct victim *victim, size_t nth)
{
	struct symbol_frame frame;
	unsigned long long address = 0;
	size_t seen = 0;

	for (size_t i = 0; i < victim->line_count && seen <= nth; i++)
		seen += sscanf(victim->lines[i], "address %llx", &address) == 1;
	assert_int_equal(seen, nth + 1);
	frame = asked_resolve(asked, address);
	assert_non_null(frame.function);
	assert_true(frame.line > 0);
}

static void a_large_program_that_is_cut_short_is_still_known(void **state)
{
	struct copies *copies = *state;
	struct asked asked = {0};
	struct victim victim;

	copy_file("stacks_inline", copies->program);
	assert_int_equal(truncate(copies->program, LARGE_BYTES), 0);
	victim_start(&victim, copies->program, NULL, NULL, "done");
	victim_end(&victim); /* nobody may write to what runs */
	ask_about(&asked, victim.pid, &victim.maps);
	expect_known(&asked, &victim, 0);
	assert_int_equal(truncate(copies->program, 4096), 0);
	for (size_t i = 0; i < 3; i++)
		expect_known(&asked, &victim, i);
	asked_done(&asked);
	victim_done(&victim);
}

static void a_linked_debug_file_that_is_cut_short_is_still_known(void **state)
{
	struct copies *copies = *state;
	struct asked asked = {0};
	struct victim victim;

	copy_file("stacks_inline_linked", copies->program);
	copy_file(".debug/stacks_inline.debug", copies->debug);
	victim_start(&victim, copies->program, NULL, NULL, "done");
	ask_about(&asked, victim.pid, &victim.maps);
	expect_known(&asked, &victim, 0);
	assert_int_equal(truncate(copies->debug, 0), 0);
	for (size_t i = 0; i < 3; i++)
		expect_known(&asked, &victim, i);
	asked_done(&asked);
	victim_done(&victim);
}

static int open_program(const struct copies *copies, off_t size_bytes)
{
	int fd;

	copy_file("stacks_inline", copies->program);
	assert_int_equal(chmod(copies->program, 0775), 0);
	assert_int_equal(truncate(copies->program, size_bytes), 0);
	fd = open(copies->program, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* A sparse file costs its owner nothing. */
static void a_file_that_claims_all_of_memory_is_refused(void **state)
{
	struct copies *copies = *state;
	struct module_cache *cache;
	struct module *module;
	int fd = open_program(copies, (off_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));

	assert_int_equal(module_cache_new(&cache), 0);
	assert_int_equal(module_from_file(cache, copies->program, fd, &module), -EFBIG);
	assert_int_equal(module_cache_size(cache), 0);
	module_cache_free(cache);
	close(fd);
}

static void many_files_together_have_one_limit(void **state)
{
	struct shared_file_budget budget;
	uint64_t all;

	(void)state;
	shared_file_budget_init(&budget);
	all = budget.left_bytes;
	assert_true(all > 0);
	assert_int_equal(shared_file_claim(&budget, all - 1), 0);
	assert_int_equal(shared_file_claim(&budget, 2), -EFBIG);
	assert_int_equal(shared_file_claim(&budget, 1), 0);
	assert_int_equal(shared_file_claim(&budget, 1), -EFBIG);
}

static void only_roots_own_file_is_safe_from_a_target(void **state)
{
	const struct stat of_root = {.st_uid = 0, .st_mode = S_IFREG | 0755};
	const struct stat of_group = {.st_uid = 0, .st_mode = S_IFREG | 0775};
	const struct stat of_all = {.st_uid = 0, .st_mode = S_IFREG | 0757};
	const struct stat of_user = {.st_uid = 1000, .st_mode = S_IFREG | 0555};

	(void)state;
	assert_false(shared_file_may_change(&of_root, 0));
	assert_true(shared_file_may_change(&of_group, 0));
	assert_true(shared_file_may_change(&of_all, 0));
	assert_true(shared_file_may_change(&of_user, 0));
	assert_true(shared_file_may_change(&of_root, 1)); /* init is root's */
	assert_true(shared_file_may_change(&of_root, INT_MAX));
	assert_int_equal(shared_file_may_change(&of_root, getpid()), geteuid() == 0);
}

/* Blocks where a FIFO's writer does, until somebody opens it to read. */
static pid_t start_writer(const char *fifo)
{
	pid_t pid = fork();
	char status[4096];
	char path[64];

	if (pid == 0)
		_exit(open(fifo, O_WRONLY) < 0);
	assert_true(pid > 0);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	do {
		FILE *file = fopen(path, "r");

		assert_non_null(file);
		status[fread(status, 1, sizeof(status) - 1, file)] = '\0';
		fclose(file);
	} while (!strstr(status, "State:\tS"));
	return pid;
}

static void what_is_no_regular_file_is_not_even_opened(void **state)
{
	const struct timespec moment = {.tv_nsec = 100000000};
	struct copies *copies = *state;
	pid_t writer;
	int status;
	int fd;

	assert_int_equal(mkfifo(copies->program, 0600), 0);
	writer = start_writer(copies->program);
	assert_int_equal(mapped_file_open_below("", copies->program, 0), -ENOENT);
	nanosleep(&moment, NULL);
	assert_int_equal(waitpid(writer, &status, WNOHANG), 0); /* it still waits */
	fd = open(copies->program, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_large_program_that_is_cut_short_is_still_known),
		TEST(a_linked_debug_file_that_is_cut_short_is_still_known),
		TEST(a_file_that_claims_all_of_memory_is_refused),
		TEST(what_is_no_regular_file_is_not_even_opened),
		cmocka_unit_test(many_files_together_have_one_limit),
		cmocka_unit_test(only_roots_own_file_is_safe_from_a_target),
	};

	return cmocka_run_group_tests_name("shared files", tests, NULL, NULL);
}
