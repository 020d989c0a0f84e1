/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_WAIT_EVIDENCE_H
#define PROBEKIT_WAIT_EVIDENCE_H
/* What samples told of waits: where threads waited, who held the lock, who ended the wait. */
#include "tally.h"

#define WAIT_SUBJECTS_MAX 1024

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

/* As evidence_fill(). */
int wait_evidence_fill(struct wait_evidence *evidence, struct traces *traces,
		       bool (*is_of)(const struct wait_identity *wait, void *arg), void *arg,
		       uint32_t probe, struct probekit_cause *cause)
	__attribute__((warn_unused_result));

/* What the lock at an address of a process is, as its waiters' stacks tell; NULL: not known. */
const char *wait_evidence_lock_kind(struct wait_evidence *evidence, struct traces *traces,
				    pid_t pid, uint64_t address);

#endif
