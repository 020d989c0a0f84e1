/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process that others wake: first COUNT that come and go, each once, then one ROUNDS times. Each wait is a span of
 * its own, all take about as long. It says who the last one was: passers COUNT ROUNDS.
 */
#include <probekit/probe.h>

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

#define PAUSE_NS 1000000

static int bytes[2];

static void wake(unsigned long times)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	for (unsigned long i = 0; i < times; i++) {
		nanosleep(&pause, NULL);
		if (write(bytes[1], "", 1) != 1)
			abort();
	}
	_exit(0);
}

static pid_t start(unsigned long times)
{
	pid_t pid = fork();

	if (pid < 0)
		abort();
	if (pid == 0)
		wake(times);
	return pid;
}

static void await(void)
{
	PROBEKIT_SPAN(passers, wait);
	char byte;

	if (read(bytes[0], &byte, 1) != 1)
		abort();
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	pid_t last;

	if (pipe(bytes))
		abort();
	for (unsigned long i = 0; i < count; i++) {
		pid_t pid = start(1);

		await();
		waitpid(pid, NULL, 0);
	}
	last = start(rounds);
	for (unsigned long i = 0; i < rounds; i++)
		await();
	waitpid(last, NULL, 0);
	printf("%d\n", (int)last);
	return 0;
}
