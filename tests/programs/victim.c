/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program to be measured that does what the test says, and counts what it did. Modes:
 *	lines COUNT	"ready PID"; for each line of input COUNT spans `work`, then "did TOTAL"; to
 *its end tick		"ready PID"; a span `work` a millisecond until SIGTERM, then "total N" and
 *status 0 end STATUS	100 spans, "total 100", then exits with STATUS killed SIGNAL	100 spans,
 *"total 100", then raises SIGNAL open NAME	names its thread NAME, "ready PID"; a line of input
 *opens a span `held`, then "open"; until its input ends stubborn	ignores SIGTERM, "ready
 *PID"; until its input ends
 *	once FILE	100 spans, and makes FILE; where it is there already, writes its PID to it and waits to be killed
 *	rights FILE	100 spans, and appends its capabilities, as /proc/self/status has them, to FILE
 *	user UID	becomes that user, and waits to be ended
 */
#include <probekit/probe.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t is_over;
static volatile unsigned long done;

static void on_signal(int number)
{
	(void)number;
	is_over = 1;
}

__attribute__((noinline)) static void work(void)
{
	PROBEKIT_SPAN(victim, work);

	done++;
}

static void work_many(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		work();
}

static void say_ready(void)
{
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
}

static int lines(const char *count)
{
	char line[64];

	say_ready();
	while (fgets(line, sizeof(line), stdin)) {
		work_many(strtoul(count, NULL, 10));
		printf("did %lu\n", done);
		fflush(stdout);
	}
	return 0;
}

static int tick(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGTERM, &action, NULL);
	say_ready();
	while (!is_over) {
		work();
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	printf("total %lu\n", done);
	return 0;
}

static int end(int status, int number)
{
	work_many(100);
	printf("total %lu\n", done);
	fflush(stdout);
	if (number)
		raise(number);
	return status;
}

static void wait_for_end_of_input(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
}

static void hold_open(void)
{
	PROBEKIT_SPAN(victim, held);

	printf("open\n");
	fflush(stdout);
	wait_for_end_of_input();
}

static int open_span(const char *name)
{
	char line[64];

	prctl(PR_SET_NAME, name);
	say_ready();
	if (fgets(line, sizeof(line), stdin))
		hold_open();
	return 0;
}

static int ignore_end(void)
{
	signal(SIGTERM, SIG_IGN);
	say_ready();
	wait_for_end_of_input();
	return 0;
}

static int once(const char *path)
{
	FILE *file;

	if (open(path, O_WRONLY | O_CREAT | O_EXCL, 0644) >= 0)
		return end(0, 0);
	file = fopen(path, "w");
	if (!file)
		return 1;
	fprintf(file, "pid %d\n", (int)getpid());
	fclose(file);
	for (;;)
		pause();
}

static int tell_rights(const char *path)
{
	FILE *status = fopen("/proc/self/status", "r");
	FILE *file = fopen(path, "a");
	char line[256];

	while (status && file && fgets(line, sizeof(line), status))
		if (strncmp(line, "Cap", 3) == 0 || strncmp(line, "NoNewPrivs", 10) == 0)
			fputs(line, file);
	return status && file && fclose(file) == 0 ? end(0, 0) : 1;
}

static int become(uid_t user)
{
	if (setuid(user))
		return 1;
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	const char *value = argc > 2 ? argv[2] : "";

	if (strcmp(mode, "lines") == 0)
		return lines(value);
	if (strcmp(mode, "tick") == 0)
		return tick();
	if (strcmp(mode, "end") == 0)
		return end(atoi(value), 0);
	if (strcmp(mode, "killed") == 0)
		return end(0, atoi(value));
	if (strcmp(mode, "open") == 0)
		return open_span(value);
	if (strcmp(mode, "stubborn") == 0)
		return ignore_end();
	if (strcmp(mode, "once") == 0)
		return once(value);
	if (strcmp(mode, "rights") == 0)
		return tell_rights(value);
	if (strcmp(mode, "user") == 0)
		return become((uid_t)atoi(value));
	fprintf(stderr, "usage: victim MODE [VALUE]\n");
	return 2;
}
