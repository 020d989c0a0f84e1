/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine as the kernel's texts tell it, and the revision from git's own files. */
#include "environment.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

#include "git_revision.h"

#define SHA1 "c123d5770b3e0e7a4ed0cc4bb4d1cea7ac0bd2b4"
#define OTHER_SHA1 "dd7d2410b3e0e7a4ed0cc4bb4d1cea7ac0bd2b4f"
#define SHA256 SHA1 "0123456789abcdef01234567"

#define CPUINFO(flags) \
	"processor\t: 0\nmodel\t\t: 85\nmodel name\t: A CPU @ 2 GHz\n" flags "\nprocessor\t: 1\n"

/* ---- the machine ---- */

static void the_cpu_is_named_by_its_first_block(void **state)
{
	size_t length;
	const char *name =
		environment_find_cpu(CPUINFO("flags\t\t: fpu vme"), "model name", &length);

	(void)state;
	assert_non_null(name);
	assert_int_equal(length, strlen("A CPU @ 2 GHz"));
	assert_memory_equal(name, "A CPU @ 2 GHz", length);
	assert_null(environment_find_cpu(CPUINFO("Features\t: fp"), "mode", &length));
	assert_null(environment_find_cpu("no colon\n", "no colon", &length));
	assert_null(environment_find_cpu("", "model name", &length));
	assert_non_null(environment_find_cpu("model name:", "model name", &length));
	assert_int_equal(length, 0);
}

static void the_cpu_flags_tell_a_virtual_machine(void **state)
{
	(void)state;
	assert_int_equal(
		environment_is_virtual(CPUINFO("flags\t\t: fpu hypervisor vme"), "Dell", ""), 1);
	assert_int_equal(environment_is_virtual(CPUINFO("flags\t\t: hypervisor"), "", ""), 1);
	/* the flags are of the CPU, and know better than names */
	assert_int_equal(environment_is_virtual(CPUINFO("flags\t\t: fpu vme"), "QEMU", ""), 0);
	assert_int_equal(environment_is_virtual(CPUINFO("flags\t\t: hypervisors"), "", ""), 0);
}

static void without_flags_names_tell_a_virtual_machine(void **state)
{
	(void)state;
	assert_int_equal(environment_is_virtual("", "QEMU", "Standard PC"), 1);
	assert_int_equal(environment_is_virtual("", "Amazon EC2", "m7g.large"), 1);
	assert_int_equal(environment_is_virtual("", "Microsoft Corporation", "Virtual Machine"), 1);
	assert_int_equal(environment_is_virtual("", "Ampere", "Altra"), 0);
	assert_int_equal(environment_is_virtual("", "", ""), -1);
}

static void steal_is_its_share_of_all_ticks(void **state)
{
	struct cpu_ticks from;
	struct cpu_ticks to;

	(void)state;
	/* guest time, the last two, is in user time too */
	environment_parse_ticks("cpu  100 0 50 800 10 5 5 30 60 0\ncpu0 1 2 3\n", &from);
	assert_int_equal(from.all, 1000);
	assert_int_equal(from.steal, 30);
	environment_parse_ticks("cpu  150 0 50 840 10 5 5 40 90 0\n", &to);
	assert_true(fabs(environment_steal(&from, &to) - 0.1) < 1e-12);
	assert_true(isnan(environment_steal(&from, &from)));
	/* it has been seen to go back */
	environment_parse_ticks("cpu  150 0 50 840 10 5 5 20 90 0\n", &to);
	assert_true(environment_steal(&from, &to) == 0);
	environment_parse_ticks("cpu  150 0 50 840 10 5\n", &to);
	assert_int_equal(to.all, 0);
	assert_true(isnan(environment_steal(&to, &from)));
	assert_true(isnan(environment_steal(&from, &to)));
}

static void this_machine_is_read_and_copied(void **state)
{
	struct probekit_environment read;
	struct probekit_environment copy;
	struct utsname name;

	(void)state;
	assert_int_equal(uname(&name), 0);
	assert_int_equal(environment_read(0, &read), 0);
	assert_string_equal(read.kernel, name.release);
	assert_int_equal(read.cpus, sysconf(_SC_NPROCESSORS_ONLN));
	assert_true(read.load >= 0);
	assert_true(isnan(read.cpu_quota));
	assert_true(isnan(read.steal));
	assert_int_equal(environment_copy(&read, &copy), 0);
	assert_string_equal(copy.kernel, read.kernel);
	assert_ptr_not_equal(copy.kernel, read.kernel);
	environment_done(&copy);
	environment_done(&read);
	assert_null(read.kernel);
}

/* ---- git ---- */

static char folder[] = "/tmp/probekit-test-XXXXXX";

static int in_new_folder(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	return !mkdtemp(folder) || chdir(folder);
}

static int remove_folder(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return chdir("/") || system(command);
}

/* With the folders that it is in. */
static void put(const char *path, const char *text)
{
	char *copy = strdup(path);
	FILE *file;

	assert_non_null(copy);
	for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(copy, 0755);
		*slash = '/';
	}
	free(copy);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void check_revision(const char *where, const char *expected)
{
	char *found = git_revision(where);

	if (!found || !expected)
		assert_true(!found && !expected);
	else
		assert_string_equal(found, expected);
	free(found);
}

static void a_branch_is_followed_to_its_commit(void **state)
{
	(void)state;
	put(".git/HEAD", "ref: refs/heads/a/topic\n");
	check_revision(".", NULL);
	put(".git/packed-refs", "# pack-refs with: peeled fully-peeled sorted\n" OTHER_SHA1
				" refs/heads/a\n" SHA1 " refs/heads/a/topic\n^" OTHER_SHA1 "\n");
	check_revision(".", SHA1);
	put(".git/refs/heads/a/topic", OTHER_SHA1 "\n");
	check_revision(".", OTHER_SHA1);
}

static void the_repository_may_be_further_up(void **state)
{
	(void)state;
	put(".git/HEAD", SHA1 "\n");
	put("src/lib/file", "");
	check_revision("src/lib", SHA1);
	check_revision("src/lib/missing", NULL);
}

static void hashes_of_both_lengths_are_known(void **state)
{
	(void)state;
	put(".git/HEAD", SHA256 "\n");
	check_revision(".", SHA256);
	put(".git/HEAD", SHA1 "00\n");
	check_revision(".", NULL);
}

static void a_worktree_shares_the_branches_of_its_repository(void **state)
{
	(void)state;
	put("main/.git/HEAD", "ref: refs/heads/main\n");
	put("main/.git/refs/heads/topic", SHA1 "\n");
	put("main/.git/worktrees/other/HEAD", "ref: refs/heads/topic\n");
	put("main/.git/worktrees/other/commondir", "../..\n");
	put("other/.git", "gitdir: ../main/.git/worktrees/other\n");
	check_revision("other", SHA1);
}

/* Read as root, the files of anybody. */
static void only_hashes_get_out(void **state)
{
	(void)state;
	put("secret", "password\n");
	put("hash", SHA1 "\n");
	put(".git/HEAD", "ref: refs/../../secret\n");
	check_revision(".", NULL);
	put(".git/HEAD", "ref: ../hash\n");
	check_revision(".", NULL);
	put(".git/refs/heads/main", "password\n");
	put(".git/HEAD", "ref: refs/heads/main\n");
	check_revision(".", NULL);
	assert_int_equal(unlink(".git/HEAD"), 0);
	assert_int_equal(mkfifo(".git/HEAD", 0644), 0); /* nobody ever writes to it */
	check_revision(".", NULL);
}

int main(void)
{
#define GIT_TEST(name) cmocka_unit_test_setup_teardown(name, in_new_folder, remove_folder)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cpu_is_named_by_its_first_block),
		cmocka_unit_test(the_cpu_flags_tell_a_virtual_machine),
		cmocka_unit_test(without_flags_names_tell_a_virtual_machine),
		cmocka_unit_test(steal_is_its_share_of_all_ticks),
		cmocka_unit_test(this_machine_is_read_and_copied),
		GIT_TEST(a_branch_is_followed_to_its_commit),
		GIT_TEST(the_repository_may_be_further_up),
		GIT_TEST(hashes_of_both_lengths_are_known),
		GIT_TEST(a_worktree_shares_the_branches_of_its_repository),
		GIT_TEST(only_hashes_get_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
