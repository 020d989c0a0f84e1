/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks that are contended as much as can be. For each line "WHAT MS" on standard input it
 * contends for so long, and prints how often a thread got what it wanted, a second. WHAT is
 * `mutex`: a thread for each CPU, and one more, take one mutex for as long as they leave it alone,
 * well under a microsecond; or `turns`: on each CPU two threads pass a turn to and fro by futex,
 * so that each one is waited for. For "waits" it prints how often threads blocked during the last
 * line, a second.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CPUS_MAX 64
#define THREADS_MAX (2 * CPUS_MAX)

struct pair {
	atomic_uint turn; /* of thread 0 or 1, or of nobody any more */
} __attribute__((aligned(64)));

enum { NOBODY = 2 };

struct player {
	pthread_t thread;
	size_t cpu;
	unsigned int number; /* in its pair */
	struct pair *pair;
	long count;
} __attribute__((aligned(64)));

static pthread_mutex_t contended_mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool is_over;
static struct pair pairs[CPUS_MAX];
static struct player players[THREADS_MAX];

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static long waits_so_far(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

/* ---- one mutex ---- */

static void work(void)
{
	for (int i = 0; i < 1000; i++)
		__asm__ volatile("" : : : "memory");
}

static void *play_mutex(void *arg)
{
	struct player *player = arg;

	while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
		pthread_mutex_lock(&contended_mutex);
		player->count++;
		work();
		pthread_mutex_unlock(&contended_mutex);
		work();
	}
	return NULL;
}

/* ---- turns ---- */

static void futex(atomic_uint *word, int operation, unsigned int value)
{
	syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void stay_on(size_t cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

static void *play_turns(void *arg)
{
	struct player *player = arg;
	atomic_uint *turn = &player->pair->turn;

	stay_on(player->cpu);
	while (atomic_load(turn) != NOBODY) {
		unsigned int whose = atomic_load(turn);

		if (whose == !player->number) {
			futex(turn, FUTEX_WAIT, whose);
			continue;
		}
		player->count++;
		atomic_store(turn, atomic_load(&is_over) ? NOBODY : !player->number);
		futex(turn, FUTEX_WAKE, 1);
	}
	return NULL;
}

/* ---- lines ---- */

static size_t list_cpus(size_t cpus[CPUS_MAX])
{
	cpu_set_t allowed;
	size_t count = 0;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (size_t cpu = 0; cpu < CPU_SETSIZE && count < CPUS_MAX; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			cpus[count++] = cpu;
	return count;
}

static size_t start(bool has_turns)
{
	size_t cpus[CPUS_MAX];
	size_t cpu_count = list_cpus(cpus);
	size_t count = has_turns ? 2 * cpu_count : cpu_count + 1;

	atomic_store(&is_over, false);
	for (size_t i = 0; i < cpu_count; i++)
		atomic_store(&pairs[i].turn, 0);
	for (size_t i = 0; i < count; i++) {
		players[i] = (struct player){
			.cpu = cpus[i / 2 % cpu_count],
			.number = i % 2,
			.pair = &pairs[i / 2],
		};
		if (pthread_create(&players[i].thread, NULL, has_turns ? play_turns : play_mutex,
				   &players[i]))
			abort();
	}
	return count;
}

static double contend(bool has_turns, long ms, double *waits_per_s)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	uint64_t begin_ns = now_ns();
	long waits = waits_so_far();
	size_t threads = start(has_turns);
	double seconds;
	long count = 0;

	nanosleep(&time, NULL);
	atomic_store(&is_over, true);
	for (size_t i = 0; i < threads; i++) {
		pthread_join(players[i].thread, NULL);
		count += players[i].count;
	}
	seconds = (double)(now_ns() - begin_ns) / 1e9;
	*waits_per_s = (double)(waits_so_far() - waits) / seconds;
	return (double)count / seconds;
}

int main(void)
{
	double waits_per_s = 0;
	char what[16];
	long ms;

	while (scanf("%15s", what) == 1) {
		if (strcmp(what, "waits") == 0)
			printf("%.1f\n", waits_per_s);
		else if (scanf("%ld", &ms) == 1)
			printf("%.1f\n", contend(strcmp(what, "turns") == 0, ms, &waits_per_s));
		fflush(stdout);
	}
	return 0;
}
