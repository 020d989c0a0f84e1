/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns the process that finishes what it has begun. That it shares our memory makes it cheap, and our descriptors,
 * that what it attached is closed with ours: by itself if we are gone meanwhile, when no signal disturbs that.
 */
#include "shield.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES 16384 /* the dynamic linker takes 4 KiB of it to find a function */

struct call {
	int (*run)(void *arg);
	void *arg;
	int result;
};

static int enter(void *arg)
{
	struct call *call = arg;

	setsid(); /* what is sent to our process group, as by timeout(1), is not for it */
	call->result = call->run(call->arg);
	return 0;
}

int shield_run(int (*run)(void *arg), void *arg)
{
	struct call call = {.run = run, .arg = arg, .result = -EINTR};
	_Alignas(16) char stack[STACK_BYTES];
	sigset_t all;
	sigset_t before;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	/* CLONE_VFORK: until it has ended this thread waits, whose data and errno it uses. It ends without
	 * a signal, and only who asks for it by __WCLONE is told. */
	pid = clone(enter, stack + sizeof(stack), CLONE_VM | CLONE_FILES | CLONE_VFORK, &call);
	if (pid < 0)
		call.result = run(arg);
	else
		waitpid(pid, NULL, __WCLONE);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return call.result;
}
