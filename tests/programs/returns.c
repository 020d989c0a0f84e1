/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slow spans at the end of main() -> outer_call() -> inner_call(), built without frame pointers, for others to
 * probe the returns of: where in the file the functions are is told as "FUNCTION OFFSET".
 */
#include "scene.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- the one who has the mutex ---- */

static void hold_mutex(struct actor *actor)
{
	pthread_mutex_lock(&mutex);
	await_span(actor);
	pause_ms(SLOW_MS);
	pthread_mutex_unlock(&mutex);
}

static struct actor owner = {.act = hold_mutex, .name = "owner"};

static void prepare_owner(void)
{
	set_scene(&owner);
}

/* ---- what makes spans slow ---- */

static void want_mutex(void)
{
	sem_post(&owner.is_entered);
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
}

static void compute(void)
{
	burn_us(4 * SLOW_MS * 1000);
}

/* Begins with an instruction that the kernel does not emulate, but steps elsewhere. */
static NOINLINE void leaf(void)
{
#if defined(__x86_64__)
	__asm__ volatile("test %%eax, %%eax" : : : "cc", "memory");
#endif
	touch();
}

/* Most of the time passes in what a probe of leaf() takes. */
static void call_leaves(void)
{
	long long end = now_ns() + 4 * SLOW_MS * 1000000ll;

	while (now_ns() < end)
		for (int i = 0; i < 100; i++)
			leaf();
}

static void (*slowly)(void);

/* ---- the calls ---- */

static NOINLINE void inner_call(void)
{
	slowly();
	touch();
}

static NOINLINE void outer_call(void)
{
	inner_call();
	touch();
}

/* ---- modes ---- */

static void run_slowly(void (*what)(void), void (*prepare)(void), unsigned long count)
{
	slowly = what;
	play((struct scene){prepare, outer_call, work}, count);
}

static void wait_for_mutex(unsigned long count)
{
	start_actor(&owner);
	run_slowly(want_mutex, prepare_owner, count);
}

static void computing(unsigned long count)
{
	run_slowly(compute, NULL, count);
}

static void calling(unsigned long count)
{
	run_slowly(call_leaves, NULL, count);
}

/* Where in this program's file is `function`? */
static void tell_offset(const char *name, void (*function)(void))
{
	uintptr_t address = (uintptr_t)function;
	uintptr_t start, end, offset;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	check(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 &&
		    address >= start && address < end)
			tell(name, (long long)(address - start + offset));
	fclose(maps);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"wait", wait_for_mutex},
		{"compute", computing},
		{"call", calling},
		{NULL, NULL},
	};

	tell_offset("outer_call", outer_call);
	tell_offset("inner_call", inner_call);
	tell_offset("leaf", leaf);
	return scene_main(argc, argv, modes);
}
