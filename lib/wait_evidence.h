/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_WAIT_EVIDENCE_H
#define PROBEKIT_WAIT_EVIDENCE_H
/* What samples told of waits: where threads waited, who held the lock, who ended the wait. */
#include "tally.h"
#include "thread_stacks.h"

#define WAIT_SUBJECTS_MAX 1024

struct lock_use {
	const char *kind; /* "mutex", "rwlock" ...; NULL: not known */
	uint32_t value;	  /* that a thread waited with; of no meaning where the kind is not known */
};

/* All zero is empty. */
struct wait_evidence {
	void *tree;  /* by probe and what was waited for */
	size_t size; /* beyond WAIT_SUBJECTS_MAX the lightest goes */
};

/* `user` and `kernel` are the record's stacks; they may be NULL. -ENOMEM. */
int wait_evidence_add(struct wait_evidence *evidence, struct traces *traces,
		      const struct stack_record *record, struct trace *user, struct trace *kernel)
	__attribute__((warn_unused_result));
void wait_evidence_done(struct wait_evidence *evidence, struct traces *traces);

/* What samples of one thing that was waited for told, or of several. */
struct wait_findings {
	struct tally waiters;
	struct tally kernel; /* of the waiters */
	struct tally holders;
	struct tally wakers;
	struct thread_tally holder_threads;
	struct thread_tally waker_threads;
	struct thread_stacks by_holder; /* the same stacks, by thread */
	struct thread_stacks by_waker;
	bool is_lock;
};

/* All that is known of the waits for which `is_of` holds, in whichever span; stacks that show the same are
 * joined, the heaviest come first. -ENOMEM. */
int wait_evidence_gather(struct wait_evidence *evidence, struct traces *traces,
			 bool (*is_of)(const struct wait_identity *wait, void *arg), void *arg,
			 struct wait_findings *findings) __attribute__((warn_unused_result));
void wait_findings_done(struct wait_findings *findings, struct traces *traces);

/* As evidence_fill(). */
int wait_evidence_fill(struct wait_evidence *evidence, struct traces *traces,
		       bool (*is_of)(const struct wait_identity *wait, void *arg), void *arg,
		       uint32_t probe, struct probekit_cause *cause)
	__attribute__((warn_unused_result));

/* As evidence_lock_use(). */
struct lock_use wait_evidence_lock_use(struct wait_evidence *evidence, struct traces *traces,
				       struct futex_place place);

#endif
