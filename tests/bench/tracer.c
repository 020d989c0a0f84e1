/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how peers are started and when they count as attached: never by waiting some time. */
#include "bench.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "run.h"

#define READY_TIMEOUT_MS 120000 /* thousands of sites take bpftrace this long */
#define END_TIMEOUT_MS 300000
#define SIGNAL_AGAIN_MS 1000
#define MAX_PATHS 64

/* ---- places ---- */

static const char *keep(const char *text)
{
	static const char *kept[MAX_PATHS];
	static size_t count;

	for (size_t i = 0; i < count; i++)
		if (strcmp(kept[i], text) == 0)
			return kept[i];
	if (count == MAX_PATHS)
		return NULL;
	kept[count] = strdup(text);
	return kept[count] ? kept[count++] : NULL;
}

const char *bench_path(const char *relative)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	const char *kept;

	path[length > 0 ? length : 0] = 0;
	for (int up = 0; up < 3; up++) { /* BUILD/tests/bench/bench */
		char *slash = strrchr(path, '/');

		if (slash)
			*slash = 0;
	}
	if (strlen(path) + strlen(relative) + 2 > sizeof(path))
		return relative;
	strcat(path, "/");
	strcat(path, relative);
	kept = keep(path);
	return kept ? kept : relative;
}

static const char *find_in(const char *folders, const char *name)
{
	char path[PATH_MAX];

	while (folders && *folders) {
		int length = (int)strcspn(folders, ":");

		snprintf(path, sizeof(path), "%.*s/%s", length, folders, name);
		if (access(path, X_OK) == 0)
			return keep(path);
		folders += length + (folders[length] == ':');
	}
	return NULL;
}

const char *bench_find_tool(const char *names)
{
	while (*names) {
		char name[PATH_MAX];
		int length = (int)strcspn(names, ":");
		const char *found;

		snprintf(name, sizeof(name), "%.*s", length, names);
		if (strchr(name, '/'))
			found = access(name, X_OK) == 0 ? keep(name) : NULL;
		else if (!(found = find_in(getenv("PATH"), name)))
			found = find_in("/usr/sbin:/sbin", name);
		if (found)
			return found;
		names += length + (names[length] == ':');
	}
	return NULL;
}

/* ---- readiness ---- */

static long current_syscall(pid_t pid)
{
	char path[64];
	FILE *file;
	long number;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%ld", &number) != 1) /* "running" */
		number = -1;
	fclose(file);
	return number;
}

static bool is_alive(pid_t pid)
{
	char path[64];
	char state = 'X';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 'X';
	fclose(file);
	return state != 'Z' && state != 'X';
}

int bench_wait_syscall(pid_t pid, long number, int timeout_ms)
{
	uint64_t until = bench_now_ns() + (uint64_t)timeout_ms * 1000000;

	while (current_syscall(pid) != number) {
		if (!is_alive(pid) || bench_now_ns() >= until)
			return -1;
		poll(NULL, 0, 1);
	}
	return 0;
}

/* ---- peers ---- */

/* What epoll_wait() is to the kernel. */
#ifdef SYS_epoll_wait
#define EPOLL_SYSCALL SYS_epoll_wait
#else
#define EPOLL_SYSCALL SYS_epoll_pwait
#endif

/* Older ones tell on stdout what they are about to do, newer ones on stderr what they have done. */
static bool wait_attach(struct bench_child *child)
{
	uint64_t until = bench_now_ns() + READY_TIMEOUT_MS * 1000000ull;

	while (is_alive(child->pid) && bench_now_ns() < until)
		if (bench_child_wait(child, "Attaching", 1) ||
		    bench_child_wait_error(child, "Attached", 0) == 0)
			return true;
	return false;
}

/* bpftrace says how many probes it attaches, and then waits for events. */
int bench_bpftrace_start(struct bench_run *run, struct bench_child *child, pid_t pid,
			 const char *script)
{
	const char *bpftrace = bench_find_tool("bpftrace");
	char pid_text[16];
	const char *const argv[] = {bpftrace, "-e", script, pid ? "-p" : NULL, pid_text, NULL};

	*child = (struct bench_child){.in = -1, .out = -1, .err = -1};
	if (!bpftrace)
		return bench_missing(run, "bpftrace is not installed");
	snprintf(pid_text, sizeof(pid_text), "%d", pid);
	if (bench_child_start(run, child, argv))
		return -1;
	if (!wait_attach(child) ||
	    bench_wait_syscall(child->pid, EPOLL_SYSCALL, READY_TIMEOUT_MS)) {
		bench_fail(run, "bpftrace does not attach: %s", bench_child_error(child));
		bench_child_done(child);
		return -1;
	}
	return 0;
}

/* bpftrace 0.17 loses a signal that comes while it does not wait in epoll_wait(). */
int bench_bpftrace_end(struct bench_run *run, struct bench_child *child)
{
	int status;

	bench_wait_syscall(child->pid, EPOLL_SYSCALL, END_TIMEOUT_MS);
	status = child_end_insisting(child, SIGINT, SIGNAL_AGAIN_MS, END_TIMEOUT_MS);
	if (status == 0)
		return 0;
	bench_fail(run, "bpftrace ends with status %d: %s", status, bench_child_error(child));
	bench_child_done(child);
	return -1;
}

#define MAX_WORDS 32

/* To a pipe these tools print only when they end, unless stdbuf makes them print by line. */
int bench_libbpf_tool_start(struct bench_run *run, struct bench_child *child,
			    const char *const argv[])
{
	const char *words[MAX_WORDS] = {"stdbuf", "-oL"};
	char names[128];
	size_t count = 2;

	*child = (struct bench_child){.in = -1, .out = -1, .err = -1};
	/* Debian has them in /usr/sbin under their own names, others with a prefix */
	snprintf(names, sizeof(names), "/usr/sbin/%s:bpf-%s:%s", argv[0], argv[0], argv[0]);
	words[count++] = bench_find_tool(names);
	if (!words[2])
		return bench_missing(run, "%s of libbpf-tools is not installed", argv[0]);
	for (size_t i = 1; argv[i] && count < MAX_WORDS - 1; i++)
		words[count++] = argv[i];
	if (bench_child_start(run, child, words))
		return -1;
	if (!bench_child_wait(child, "Tracing", READY_TIMEOUT_MS)) {
		bench_fail(run, "%s does not attach: %s", argv[0], bench_child_error(child));
		bench_child_done(child);
		return -1;
	}
	return 0;
}

int bench_probekit_start(struct bench_run *run, struct bench_child *child,
			 const char *const arguments[])
{
	const char *words[MAX_WORDS] = {bench_path("probekit")};
	size_t count = 1;

	for (size_t i = 0; arguments[i] && count < MAX_WORDS - 2; i++)
		words[count++] = arguments[i];
	words[count] = "-v";
	if (bench_child_start(run, child, words))
		return -1;
	if (bench_child_wait_error(child, "measuring: ", READY_TIMEOUT_MS)) {
		bench_fail(run, "probekit does not measure: %s", bench_child_error(child));
		bench_child_done(child);
		return -1;
	}
	return 0;
}

/* ---- what peers print ---- */

/* Lines such as "[256, 512)   1234 |@@@|" and "256 -> 511 : 1234 |***|". */
long bench_histogram_count(const char *text)
{
	long total = 0;

	while (text && *text) {
		long count;

		if (sscanf(text, " [%*[^)])%ld", &count) == 1 ||
		    sscanf(text, " %*d -> %*d : %ld", &count) == 1)
			total += count;
		text = strchr(text, '\n');
		text += text != NULL;
	}
	return total;
}
