/* SPDX-License-Identifier: BSD-2-Clause */
/* Spans that are slow because they compute, or because they may not. */
#include "machine.h"
#include "scene.h"

#define CROWD 6
#define BURST_US 20000
#define BETWEEN_BURSTS_MS 10

/* ---- computing ---- */

/* With its time in itself, not in asking for the time. */
static NOINLINE void burn_cycles(void)
{
	long long end = cpu_ns() + SLOW_MS * 1000000ll;

	while (cpu_ns() < end)
		for (int i = 0; i < 200000; i++)
			touch();
}

static void slow_path(unsigned long count)
{
	play((struct scene){NULL, burn_cycles, work}, count);
}

/* ---- more threads than CPUs ---- */

static void *burn_on(void *arg)
{
	for (;;)
		work();
	return arg;
}

static void crowd(unsigned long count)
{
	pthread_t thread;

	pin();
	for (int i = 0; i < CROWD; i++)
		check(pthread_create(&thread, NULL, burn_on, NULL) == 0);
	run_rounds(count, NULL, request, work);
}

/* ---- a thief ---- */

static void steal(void)
{
	for (;;) {
		burn_us(BURST_US);
		pause_ms(BETWEEN_BURSTS_MS);
	}
}

static void thief(unsigned long count)
{
	pid_t pid;

	pin();
	pid = start_process("thief", steal);
	run_rounds(count, NULL, request, work);
	end_process(pid);
}

/* ---- a CPU quota ---- */

static void quota(unsigned long count)
{
	struct group group;

	pin();
	enter_group(&group);
	tell_text("cgroup", strrchr(group.path, '/') + 1);
	run_rounds(count, NULL, request, work);
	leave_group(&group);
}

static const struct mode modes[] = {
	{"slow_path", slow_path}, {"crowd", crowd}, {"thief", thief},
	{"quota", quota},	  {NULL, NULL},
};

int main(int argc, char **argv)
{
	return scene_main(argc, argv, modes);
}
