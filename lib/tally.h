/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TALLY_H
#define PROBEKIT_TALLY_H
/* How much each stack weighs, and how often each thread was seen: bounded, so that what is heavy is
 * kept and what is light may be lost. */
#include "trace.h"

struct weighed {
	struct trace *trace;
	uint64_t weight;
};

/* All zero is empty. */
struct tally {
	struct weighed *items;
	size_t size;
	uint64_t total; /* also of those that were replaced */
	uint64_t replaced;
};

/* At most `limit` stacks: beyond, those that show the same become one, else the lightest goes.
 * Takes a user of its own of `trace`, which may be NULL: that is not counted. -ENOMEM. */
int tally_add(struct tally *tally, struct traces *traces, struct trace *trace, uint64_t weight,
	      size_t limit) __attribute__((warn_unused_result));
/* Adds all of `from`, unbounded. */
int tally_add_all(struct tally *tally, struct traces *traces, const struct tally *from)
	__attribute__((warn_unused_result));
void tally_done(struct tally *tally, struct traces *traces);

/* Resolves all, and joins those that show the same; the heaviest comes first. */
int tally_join(struct tally *tally, struct traces *traces) __attribute__((warn_unused_result));
/* Of one that is joined: the heaviest, and its share. An empty one leaves `stack` empty. */
int tally_show(const struct tally *tally, struct probekit_stack *stack)
	__attribute__((warn_unused_result));

/* The same of the innermost function that has most weight: its heaviest stack, its share. */
int tally_show_hottest(const struct tally *tally, struct probekit_stack *stack)
	__attribute__((warn_unused_result));
/* What most of the weight waits for; NULL: not known. */
const char *tally_lock_kind(const struct tally *tally);

struct thread_count {
	pid_t pid;
	pid_t tid;
	char comm[16];
	uint64_t count;
};

#define THREADS_MAX 64

/* All zero is empty. */
struct thread_tally {
	struct thread_count *items;
	size_t size;
};

/* `comm` may be "": not known. At most `limit` threads: beyond, the one seen least goes. */
int thread_tally_add(struct thread_tally *tally, const struct thread_count *thread, size_t limit)
	__attribute__((warn_unused_result));
bool thread_tally_has(const struct thread_tally *tally, pid_t tid);
int thread_tally_add_all(struct thread_tally *tally, const struct thread_tally *from)
	__attribute__((warn_unused_result));
void thread_tally_done(struct thread_tally *tally);
/* The thread seen most often; tid 0: none was. */
struct probekit_thread thread_tally_most(const struct thread_tally *tally);

#endif
