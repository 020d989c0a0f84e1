/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how containers are made. */
#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	FIRST_USER = 100000, /* of those that the container has */
	USERS = 65536,
	MAX_FILES = 8,
};

/* In the child, which nobody hears but by its status. */
static void require(bool is_done, const char *what)
{
	if (is_done)
		return;
	fprintf(stderr, "cannot make a container: %s: %s\n", what, strerror(errno));
	_exit(124);
}

/* ---- files ---- */

static void copy(int from, const char *to)
{
	int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	ssize_t sent;

	require(fd >= 0, to);
	do {
		sent = sendfile(fd, from, NULL, 1 << 20);
		require(sent >= 0, "sendfile");
	} while (sent > 0);
	close(fd);
}

/* Opened first: they may lie below the folder. */
static void mount_copies(const struct container *container)
{
	char path[512];
	int files[MAX_FILES];
	int count = 0;

	for (; count < MAX_FILES && container->names[count]; count++) {
		snprintf(path, sizeof(path), "%s/%s", container->source, container->names[count]);
		files[count] = open(path, O_RDONLY | O_CLOEXEC);
		require(files[count] >= 0, path);
	}
	require(mount("none", container->folder, "tmpfs", 0, "mode=1777") == 0, "tmpfs");
	snprintf(path, sizeof(path), "%s/.debug", container->folder);
	require(mkdir(path, 0755) == 0, path);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", container->folder, container->names[i]);
		copy(files[i], path);
		close(files[i]);
	}
}

static void mount_overlay(const struct container *container)
{
	char options[2048];
	char upper[512];
	char work[512];

	require(mount("none", container->folder, "tmpfs", 0, NULL) == 0, "tmpfs");
	snprintf(upper, sizeof(upper), "%s/upper", container->folder);
	snprintf(work, sizeof(work), "%s/work", container->folder);
	require(mkdir(upper, 0755) == 0 && mkdir(work, 0755) == 0, "mkdir");
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", container->source,
		 upper, work);
	if (mount("none", container->folder, "overlay", 0, options))
		_exit(errno == ENODEV ? 123 : 124);
}

static void mount_files(const struct container *container)
{
	require(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0,
		"mount namespace");
	if (container->files == CONTAINER_OVERLAY)
		mount_overlay(container);
	else if (container->files == CONTAINER_BOUND)
		require(mount(container->source, container->folder, NULL, MS_BIND, NULL) == 0,
			"bind");
	else
		mount_copies(container);
	require(mount("none", "/proc", "proc", 0, NULL) == 0, "proc");
}

/* ---- users ---- */

static void write_map(pid_t pid, const char *name)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "we");
	require(file && fprintf(file, "0 %d %d\n", FIRST_USER, USERS) > 0 && fclose(file) == 0,
		path);
}

/* A process that stays outside says who the users inside are. */
static void enter_user_namespace(void)
{
	pid_t inside = getpid();
	int entered[2];
	pid_t outside;
	char byte;
	int status;

	require(pipe2(entered, O_CLOEXEC) == 0, "pipe");
	outside = fork();
	if (outside == 0) {
		require(read(entered[0], &byte, 1) == 1, "read");
		write_map(inside, "uid_map");
		write_map(inside, "gid_map");
		_exit(0);
	}
	require(outside > 0 && unshare(CLONE_NEWUSER) == 0 && write(entered[1], "", 1) == 1 &&
			waitpid(outside, &status, 0) == outside && status == 0,
		"user namespace");
	require(setgroups(0, NULL) == 0 && setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0,
		"user of the container");
	close(entered[0]);
	close(entered[1]);
}

/* ---- processes ---- */

static void join_cgroup(const char *folder)
{
	char path[600];
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	file = fopen(path, "we");
	require(file && fputs("0\n", file) > 0 && fclose(file) == 0, path);
}

static void become_contained(void *arg)
{
	const struct container *container = arg;

	if (container->cgroup)
		join_cgroup(container->cgroup);
	mount_files(container);
	require(unshare(CLONE_NEWCGROUP) == 0, "cgroup namespace");
	enter_user_namespace();
}

void container_divide_pids(bool is_divided)
{
	static int ours = -1;

	if (ours < 0)
		ours = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	assert_true(ours >= 0);
	assert_int_equal(is_divided ? unshare(CLONE_NEWPID) : setns(ours, CLONE_NEWPID), 0);
}

void container_start(struct support_child *child, const struct container *container,
		     const char *const words[])
{
	const struct support_how how = {
		.prepare = become_contained,
		.arg = (void *)container,
	};

	container_divide_pids(true);
	support_start(child, &how, words);
	container_divide_pids(false);
	if (support_wait_text(child, &child->out, "ready"))
		return;
	if (support_finish(child) == 123) {
		print_message("skipped: needs overlayfs: this kernel has it not\n");
		skip();
	}
	fail_msg("%s", child->err.text);
}

pid_t container_inner_tid(pid_t pid, pid_t tid)
{
	char path[64];
	char line[256];
	pid_t inner = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)tid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, "NSpid:", 6) == 0)
			inner = (pid_t)atoi(strrchr(line, '\t'));
	if (status)
		fclose(status);
	return inner;
}

void container_require(void)
{
	support_require_tracing();
	if (geteuid() == 0)
		return;
	print_message("skipped: needs root: to make namespaces\n");
	skip();
}
