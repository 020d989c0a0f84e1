/* SPDX-License-Identifier: BSD-2-Clause */
/* What files and peers are called: texts of addresses, descriptors of another process, noted names. */
#include "thing_names.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_name(const struct thing *thing, const pid_t *pids, size_t pid_count,
			const char *expected)
{
	char *name = NULL;

	assert_int_equal(thing_name(thing, pids, pid_count, &name), 0);
	assert_string_equal(name, expected);
	free(name);
}

/* ---- peers ---- */

static struct thing peer(int family, const char *ip, uint16_t port, bool is_own_port)
{
	struct thing thing = {.kind = THING_PEER,
			      .family = (uint32_t)family,
			      .port = port,
			      .is_own_port = is_own_port};

	assert_int_equal(inet_pton(family, ip, thing.ip), 1);
	return thing;
}

static void a_peer_is_its_address_and_port(void **state)
{
	struct thing v4 = peer(AF_INET, "127.0.0.1", 5432, false);
	struct thing v6 = peer(AF_INET6, "2001:db8::1", 443, false);

	(void)state;
	assert_name(&v4, NULL, 0, "127.0.0.1:5432");
	assert_name(&v6, NULL, 0, "[2001:db8::1]:443");
}

static void one_who_came_to_us_is_told_by_our_port(void **state)
{
	struct thing v4 = peer(AF_INET, "10.0.0.7", 8080, true);
	struct thing v6 = peer(AF_INET6, "::1", 65535, true);

	(void)state;
	assert_name(&v4, NULL, 0, "10.0.0.7 at our port 8080");
	assert_name(&v6, NULL, 0, "::1 at our port 65535");
}

static void a_socket_without_an_address_is_told_by_its_family(void **state)
{
	const struct thing netlink = {.kind = THING_PEER, .family = AF_NETLINK};

	(void)state;
	assert_name(&netlink, NULL, 0, "a socket of family 16");
}

/* ---- files ---- */

struct fixture {
	char path[64];
	struct thing thing; /* the file */
	pid_t child;	    /* has it open, and we have not */
};

/* Has the file open, says so, and stays. */
static void hold_open(const char *path, int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (open(path, O_RDONLY | O_CLOEXEC) < 0 || write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static int set_up(void **state)
{
	static struct fixture fixture;
	int ready[2];
	struct stat st;
	char byte;
	int fd;

	*state = &fixture;
	strcpy(fixture.path, "/tmp/probekit-thing-XXXXXX");
	fd = mkostemp(fixture.path, O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || pipe2(ready, O_CLOEXEC))
		return -1;
	close(fd);
	fixture.thing = (struct thing){
		.kind = THING_FILE,
		.inode = st.st_ino,
		.device = major(st.st_dev) << 20 | minor(st.st_dev),
		.names = {"app.log", "logs", "var", "/"},
	};
	fixture.child = fork();
	if (fixture.child == 0)
		hold_open(fixture.path, ready[1]);
	return fixture.child < 0 || read(ready[0], &byte, 1) != 1;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	kill(fixture->child, SIGKILL);
	waitpid(fixture->child, NULL, 0);
	return unlink(fixture->path);
}

static void a_file_is_called_as_a_process_has_it_open(void **state)
{
	const struct fixture *fixture = *state;
	const pid_t pids[] = {getpid(), fixture->child};

	assert_name(&fixture->thing, pids, 2, fixture->path);
}

static void a_file_that_none_of_them_has_open_has_its_noted_names(void **state)
{
	const struct fixture *fixture = *state;
	const pid_t own = getpid();
	struct thing other = fixture->thing;

	assert_name(&fixture->thing, &own, 1, "var/logs/app.log");
	assert_name(&fixture->thing, NULL, 0, "var/logs/app.log");
	other.inode++;
	assert_name(&other, &fixture->child, 1, "var/logs/app.log");
	other = fixture->thing;
	other.device ^= 1;
	assert_name(&other, &fixture->child, 1, "var/logs/app.log");
}

static void a_process_that_has_ended_is_passed_over(void **state)
{
	const struct fixture *fixture = *state;
	pid_t pids[] = {fork(), fixture->child};

	if (pids[0] == 0)
		_exit(0);
	assert_int_equal(waitpid(pids[0], NULL, 0), pids[0]);
	assert_name(&fixture->thing, pids, 2, fixture->path);
}

static void noted_names_are_bounded_and_may_be_few(void **state)
{
	struct thing thing = {.kind = THING_FILE};
	char expected[THING_NAMES * (THING_NAME_BYTES + 1)];

	(void)state;
	assert_name(&thing, NULL, 0, "");
	strcpy(thing.names[0], "data");
	assert_name(&thing, NULL, 0, "data");
	memset(thing.names, 'x', sizeof(thing.names));
	memset(expected, 'x', sizeof(expected));
	for (size_t i = 1; i < THING_NAMES; i++)
		expected[i * (THING_NAME_BYTES + 1) - 1] = '/';
	expected[sizeof(expected) - 1] = '\0';
	assert_name(&thing, NULL, 0, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_is_its_address_and_port),
		cmocka_unit_test(one_who_came_to_us_is_told_by_our_port),
		cmocka_unit_test(a_socket_without_an_address_is_told_by_its_family),
		cmocka_unit_test(a_file_is_called_as_a_process_has_it_open),
		cmocka_unit_test(a_file_that_none_of_them_has_open_has_its_noted_names),
		cmocka_unit_test(a_process_that_has_ended_is_passed_over),
		cmocka_unit_test(noted_names_are_bounded_and_may_be_few),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
