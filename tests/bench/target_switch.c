/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two threads on one CPU that pass a turn to and fro by futex: each pass is one context switch. For
 * each line "WHERE N" on standard input it makes N passes or a few more, and prints nanoseconds a
 * context switch; WHERE says what a tracer of spans sees: `outside` any span, or `inside` one that
 * each thread holds open. For "switches" it prints how many context switches the last line made.
 */
#include <linux/futex.h>
#include <probekit/probe.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct game {
	atomic_uint turn; /* of thread 0 or 1 */
	long passes;	  /* of each thread */
	bool is_inside;
};

struct player {
	struct game *game;
	unsigned int number;
};

static void futex(atomic_uint *word, int operation, unsigned int value)
{
	syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void pass_turns(struct game *game, unsigned int number)
{
	for (long i = 0; i < game->passes; i++) {
		while (atomic_load(&game->turn) != number)
			futex(&game->turn, FUTEX_WAIT, !number);
		atomic_store(&game->turn, !number);
		futex(&game->turn, FUTEX_WAKE, 1);
	}
}

static void *play(void *arg)
{
	const struct player *player = arg;

	/* A thread that is traced has been in a span before, so that its state exists. */
	{
		PROBEKIT_SPAN(bench, visited);
	}
	if (player->game->is_inside) {
		PROBEKIT_SPAN(bench, held);
		pass_turns(player->game, player->number);
	} else {
		pass_turns(player->game, player->number);
	}
	return NULL;
}

/* Of all threads. Not wall time: that would count whoever else wanted this CPU. */
static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static long switches_so_far(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

/* New threads each time: that a thread has no state of a tracer that has gone is then certain. */
static int run(struct game *game)
{
	struct player players[2] = {{game, 0}, {game, 1}};
	pthread_t threads[2];

	atomic_store(&game->turn, 0);
	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, play, &players[i]))
			return -1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

static void stay_on_this_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)sched_getcpu(), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

int main(void)
{
	char where[16];
	struct game game = {0};
	long switches = 0;
	long passes;

	stay_on_this_cpu();
	while (scanf("%15s", where) == 1) {
		if (strcmp(where, "switches") == 0) {
			printf("%ld\n", switches);
		} else if (scanf("%ld", &passes) == 1) {
			uint64_t start = cpu_ns();

			switches = -switches_so_far();
			game.is_inside = strcmp(where, "inside") == 0;
			game.passes = passes / 2;
			if (run(&game))
				return 1;
			switches += switches_so_far();
			printf("%.3f\n", (double)(cpu_ns() - start) / (double)switches);
		}
		fflush(stdout);
	}
	return 0;
}
