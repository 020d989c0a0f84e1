/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SCENE_H
#define SCENE_H
/*
 * What programs share whose slow spans have one cause that is known: most rounds of a scene are
 * fast spans, one in SLOW_EVERY is slow by what the scene injects. What a report must name
 * (threads, files, addresses) is told as "name value" lines, like the times of truth.h.
 *
 * Everything runs at the highest priority of ordinary tasks: what else runs on the machine is no
 * cause of a scene.
 */
#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "truth.h"

#define SLOW_EVERY 20
#define SLOW_MS 20
#define FAST_US 200

static inline void tell_text(const char *name, const char *text)
{
	printf("%s %s\n", name, text);
	fflush(stdout);
}

static inline void work(void)
{
	burn_us(FAST_US);
}

static NOINLINE void request(void)
{
	PROBEKIT_SPAN(scene, request);
	inside();
}

/* ---- rounds, of which some are slow ---- */

struct scene {
	void (*prepare)(void); /* before a slow span; may be NULL */
	void (*slow)(void);
	void (*fast)(void);
};

static struct scene scene;
static unsigned long scene_round;

static inline bool is_slow(void)
{
	return scene_round % SLOW_EVERY == 0;
}

static inline void next_round(void)
{
	scene_round++;
	if (is_slow() && scene.prepare)
		scene.prepare();
}

static inline void play_round(void)
{
	if (is_slow())
		scene.slow();
	else
		scene.fast();
}

static inline void play(struct scene wanted, unsigned long count)
{
	scene = wanted;
	run_rounds(count, next_round, request, play_round);
}

/* ---- others: threads that take turns with the spans, processes ---- */

struct actor {
	sem_t is_wanted;  /* by a round that will be slow */
	sem_t is_set;	  /* the scene is as the round needs it */
	sem_t is_entered; /* the slow span has begun */
	void (*act)(struct actor *actor);
	const char *name;
	pid_t tid;
};

static inline void *run_actor(void *arg)
{
	struct actor *actor = arg;

	prctl(PR_SET_NAME, actor->name);
	actor->tid = (pid_t)syscall(SYS_gettid);
	sem_post(&actor->is_set);
	for (;;) {
		sem_await(&actor->is_wanted);
		actor->act(actor);
	}
	return NULL;
}

/* To the end of the program; its tid is told under its name. */
static inline void start_actor(struct actor *actor)
{
	pthread_t thread;

	check(sem_init(&actor->is_wanted, 0, 0) == 0 && sem_init(&actor->is_set, 0, 0) == 0 &&
	      sem_init(&actor->is_entered, 0, 0) == 0);
	check(pthread_create(&thread, NULL, run_actor, actor) == 0);
	sem_await(&actor->is_set);
	tell(actor->name, actor->tid);
}

/* Of the round: returns once the actor has taken what the span will wait for. */
static inline void set_scene(struct actor *actor)
{
	sem_post(&actor->is_wanted);
	sem_await(&actor->is_set);
}

/* Of the actor: lets the round begin, and returns once its span has. */
static inline void await_span(struct actor *actor)
{
	sem_post(&actor->is_set);
	sem_await(&actor->is_entered);
}

/* Runs `run` in a process of this name; its pid is told under it. */
static inline pid_t start_process(const char *name, void (*run)(void))
{
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		run();
		_exit(0);
	}
	tell(name, pid);
	return pid;
}

static inline void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static inline int scene_main(int argc, char **argv, const struct mode *modes)
{
	/* (Without privilege the machine had better be quiet.) */
	setpriority(PRIO_PROCESS, 0, -20);
	tell("pid", getpid());
	return truth_main(argc, argv, modes);
}

#endif
