/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding a process's cgroup with the CPU controller from the texts of /proc. */
#include "cgroup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define V1_MOUNT \
	"30 24 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n"
#define V2_MOUNT "29 24 0:25 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

static void check_path(const char *text, int result, const char *path, bool is_v2)
{
	char found[64];
	bool found_v2;

	assert_int_equal(cgroup_find_path(text, found, sizeof(found), &found_v2), result);
	if (result)
		return;
	assert_string_equal(found, path);
	assert_int_equal(found_v2, is_v2);
}

static void version_2_is_one_line_without_controllers(void **state)
{
	(void)state;
	check_path("0::/system.slice/shop.service\n", 0, "/system.slice/shop.service", true);
	check_path("0::/", 0, "/", true);
}

static void the_hierarchy_of_the_cpu_controller_precedes_version_2(void **state)
{
	const char *text = "12:cpuset:/other\n4:cpu,cpuacct:/shop\n0::/user.slice\n";

	(void)state;
	check_path(text, 0, "/shop", false);
	check_path("0::/user.slice\n4:cpuacct,cpu:/shop\n", 0, "/shop", false);
}

static void controllers_whose_names_only_begin_alike_are_others(void **state)
{
	(void)state;
	check_path("12:cpuset:/a\n11:cpuacct:/b\n1:name=cpu:/c\n", -ENOENT, NULL, false);
	check_path("12:cpuset:/a\n0::/d\n", 0, "/d", true);
}

static void a_path_may_hold_colons(void **state)
{
	(void)state;
	check_path("0::/a:b:c\n", 0, "/a:b:c", true);
}

static void broken_lines_are_passed_over(void **state)
{
	(void)state;
	check_path("", -ENOENT, NULL, false);
	check_path("\n:\n4\n4:cpu\n0::/x\n", 0, "/x", true);
	/* longer than the buffer of check_path() */
	check_path("4:cpu:/0123456789012345678901234567890123456789012345678901234567890123\n",
		   -ENOENT, NULL, false);
}

static void check_folder(const char *mounts, bool is_v2, const char *path, int result,
			 const char *folder, size_t mount_length)
{
	char found[64];
	size_t length;

	assert_int_equal(cgroup_find_folder(mounts, is_v2, path, found, sizeof(found), &length),
			 result);
	if (result)
		return;
	assert_string_equal(found, folder);
	assert_int_equal(length, mount_length);
}

static void a_folder_is_below_the_mount_of_its_hierarchy(void **state)
{
	(void)state;
	check_folder(V1_MOUNT V2_MOUNT, true, "/a/b", 0, "/sys/fs/cgroup/a/b", 14);
	check_folder(V1_MOUNT V2_MOUNT, false, "/a/b", 0, "/sys/fs/cgroup/cpu,cpuacct/a/b", 26);
	check_folder(V2_MOUNT, true, "/", 0, "/sys/fs/cgroup", 14);
}

static void a_hierarchy_that_is_not_mounted_is_not_found(void **state)
{
	(void)state;
	check_folder(V2_MOUNT, false, "/a", -ENOENT, NULL, 0);
	check_folder(V1_MOUNT, true, "/a", -ENOENT, NULL, 0);
	check_folder("30 24 0:26 / /cpuset rw - cgroup cgroup rw,cpuset\n", false, "/a", -ENOENT,
		     NULL, 0);
	check_folder("", true, "/a", -ENOENT, NULL, 0);
}

/* As a container without a cgroup namespace sees it. */
static void the_root_of_the_mount_is_taken_off_the_path(void **state)
{
	const char *mounts = "29 24 0:25 /docker/12 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";

	(void)state;
	check_folder(mounts, true, "/docker/12/job", 0, "/sys/fs/cgroup/job", 14);
	check_folder(mounts, true, "/docker/12", 0, "/sys/fs/cgroup", 14);
	check_folder(mounts, true, "/docker/123", -ENOENT, NULL, 0);
	check_folder(mounts, true, "/docker", -ENOENT, NULL, 0);
}

static void a_cgroup_outside_our_namespace_is_not_found(void **state)
{
	(void)state;
	check_folder(V2_MOUNT, true, "/../other", -ENOENT, NULL, 0);
}

static void broken_mounts_are_passed_over(void **state)
{
	(void)state;
	check_folder("29\n29 24 0:25 / /x\n29 24 0:25 / /x rw - cgroup2\n- - - \n" V2_MOUNT, true,
		     "/a", 0, "/sys/fs/cgroup/a", 14);
	/* longer than the buffer of check_folder() */
	check_folder(V2_MOUNT, true,
		     "/0123456789012345678901234567890123456789012345678901234567890123", -ENOENT,
		     NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_2_is_one_line_without_controllers),
		cmocka_unit_test(the_hierarchy_of_the_cpu_controller_precedes_version_2),
		cmocka_unit_test(controllers_whose_names_only_begin_alike_are_others),
		cmocka_unit_test(a_path_may_hold_colons),
		cmocka_unit_test(broken_lines_are_passed_over),
		cmocka_unit_test(a_folder_is_below_the_mount_of_its_hierarchy),
		cmocka_unit_test(a_hierarchy_that_is_not_mounted_is_not_found),
		cmocka_unit_test(the_root_of_the_mount_is_taken_off_the_path),
		cmocka_unit_test(a_cgroup_outside_our_namespace_is_not_found),
		cmocka_unit_test(broken_mounts_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
