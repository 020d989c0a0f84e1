/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One of two that run by turns: player FILE MODE COUNT does COUNT spans of so much work each, and appends to
 * FILE what it knows: that it runs, and how it was run.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

#define SPAN_US 100

static int file;

/* A line as one write, so that it stays whole. */
static void note(const char *format, ...)
{
	char line[128];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	check(write(file, line, (size_t)size) == size);
}

static volatile sig_atomic_t continued;

static void on_continue(int number)
{
	(void)number;
	continued++;
}

/* By the thread's CPU clock: as much work however often it is stopped. */
NOINLINE void play(void);
NOINLINE void play(void)
{
	PROBEKIT_SPAN(player, work);
	burn_us(SPAN_US);
	touch();
}

static void work(unsigned long count)
{
	while (count--)
		play();
}

static void fail_after(unsigned long count)
{
	work(count);
	puts("it fails on purpose");
	exit(3);
}

/* Ends when it is told to. */
static void play_on(unsigned long count)
{
	(void)count;
	for (;;)
		play();
}

/* The same with a child and a child of that, which are busy too, and hear nothing but SIGKILL. */
static void raise_family(unsigned long count)
{
	for (int i = 0; i < 2; i++) {
		if (fork())
			break;
		signal(SIGTERM, SIG_IGN);
	}
	note("member %d\n", (int)getpid());
	play_on(count);
}

/* A child in a session of its own, which does the work. */
static void leave_group(unsigned long count)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (pid) {
		waitpid(pid, NULL, 0);
		return;
	}
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	play_on(count);
}

static const struct mode modes[] = {
	{"work", work},		  {"fail", fail_after},	  {"on", play_on},
	{"family", raise_family}, {"leave", leave_group}, {NULL, NULL},
};

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_continue, .sa_flags = SA_RESTART};
	cpu_set_t allowed;
	int result;

	check(argc == 4);
	sigaction(SIGCONT, &action, NULL);
	file = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	check(file >= 0);
	check(sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
	note("begins %d group %d cpus %d\n", (int)getpid(), (int)getpgid(0), CPU_COUNT(&allowed));
	result = program_main(argc - 1, argv + 1, modes, NULL);
	note("ends %d continued %d\n", (int)getpid(), (int)continued);
	return result;
}
