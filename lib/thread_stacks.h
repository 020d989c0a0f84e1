/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_THREAD_STACKS_H
#define PROBEKIT_THREAD_STACKS_H
/* The stacks of samples by thread: bounded as tallies are. */
#include "tally.h"

struct stacks_of_thread {
	struct thread_count thread;
	struct tally stacks; /* those that were read */
	uint64_t weight;     /* of all its samples */
};

/* All zero is empty. */
struct thread_stacks {
	struct stacks_of_thread *items;
	size_t size;
	uint64_t total; /* weight of all threads, also of those that went */
};

/* `trace` may be NULL: the thread is noted all the same. Beyond THREADS_MAX the lightest thread goes. -ENOMEM. */
int thread_stacks_add(struct thread_stacks *list, struct traces *traces,
		      const struct thread_count *thread, struct trace *trace, uint64_t weight)
	__attribute__((warn_unused_result));
int thread_stacks_add_all(struct thread_stacks *list, struct traces *traces,
			  const struct thread_stacks *from) __attribute__((warn_unused_result));
/* Joins the stacks of each thread, the heaviest first; and the threads with most weight come first. -ENOMEM. */
int thread_stacks_join(struct thread_stacks *list, struct traces *traces)
	__attribute__((warn_unused_result));
void thread_stacks_done(struct thread_stacks *list, struct traces *traces);

#endif
