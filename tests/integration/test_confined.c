/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A target that has its own root, and puts something else in the place of a library that it has mapped: what it
 * names outside of its root is never opened, and nothing makes probekit wait.
 */
#include "support_user.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct place {
	char *root;
	char *library; /* in it */
	char *outside;
	char *secret;
	int watch; /* of the secret's being opened */
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	size_t size;
	char *bytes = support_read_file(support_program("victim"), &size);

	assert_non_null(place);
	place->root = support_new_folder();
	place->library = support_join(place->root, "library.so");
	place->outside = support_new_folder();
	place->secret = support_join(place->outside, "secret");
	support_write_file(place->library, bytes, size);
	support_write_file(place->secret, "secret", 6);
	place->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(inotify_add_watch(place->watch, place->secret, IN_OPEN) >= 0);
	free(bytes);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;

	close(place->watch);
	free(place->library);
	free(place->secret);
	support_remove_folder(place->root);
	support_remove_folder(place->outside);
	free(place);
	return 0;
}

static bool was_opened(const struct place *place)
{
	char events[4096];

	return read(place->watch, events, sizeof(events)) > 0;
}

/* ---- the target ---- */

static void link_to_the_secret(const struct place *place)
{
	if (symlink(place->secret, "/library.so"))
		_exit(1);
}

static void climb_to_the_secret(const struct place *place)
{
	char path[4096];

	snprintf(path, sizeof(path), "../../../../../../../..%s", place->secret);
	if (symlink(path, "/library.so"))
		_exit(1);
}

static void put_a_fifo(const struct place *place)
{
	(void)place;
	if (mkfifo("/library.so", 0666))
		_exit(1);
}

static void be_target(const struct place *place, void (*replace)(const struct place *place),
		      int ready)
{
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chroot(place->root) || chdir("/"))
		_exit(1);
	fd = open("/library.so", O_RDONLY);
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ||
	    unlink("/library.so"))
		_exit(1);
	close(fd);
	replace(place);
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static pid_t start_target(const struct place *place, void (*replace)(const struct place *place))
{
	int ready[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0)
		be_target(place, replace, ready[1]);
	assert_true(pid > 0);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/* ---- tests ---- */

static void check(const struct place *place, void (*replace)(const struct place *place))
{
	pid_t target;
	char pid[16];
	struct support_child probekit;

	support_require_tracing();
	if (geteuid() != 0) {
		print_message("skipped: needs root: to give a process its own root\n");
		skip();
	}
	target = start_target(place, replace);
	snprintf(pid, sizeof(pid), "%d", (int)target);
	support_run(&probekit, NULL, support_probekit(), "list", "-f", "main", "-p", pid, NULL);
	assert_int_equal(probekit.status, 0);
	support_done(&probekit);
	support_run(&probekit, NULL, support_probekit(), "offcpu", "-d", "0.2", "-p", pid, NULL);
	assert_int_equal(probekit.status, 0);
	support_done(&probekit);
	assert_false(was_opened(place));
	kill(target, SIGKILL);
	assert_int_equal(waitpid(target, NULL, 0), target);
	close(open(place->secret, O_RDONLY)); /* it would have been seen */
	assert_true(was_opened(place));
}

static void a_link_does_not_lead_out_of_the_targets_root(void **state)
{
	check(*state, link_to_the_secret);
}

static void nor_does_one_that_climbs(void **state)
{
	check(*state, climb_to_the_secret);
}

static void a_fifo_in_the_place_of_a_library_is_not_waited_for(void **state)
{
	check(*state, put_a_fifo);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_link_does_not_lead_out_of_the_targets_root),
		TEST(nor_does_one_that_climbs),
		TEST(a_fifo_in_the_place_of_a_library_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
