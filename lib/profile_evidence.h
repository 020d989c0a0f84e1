/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PROFILE_EVIDENCE_H
#define PROBEKIT_PROFILE_EVIDENCE_H
/*
 * From the stacks that a profile sampled, and the times that the kernel added up, to what each stack took:
 * every process, class and system call has its time shared out among its stacks by their weight.
 */
#include "trace.h"

#define PROFILE_STACKS_MAX 65536

/* A time that is known exactly. */
struct profile_total {
	struct profile_key key;
	uint64_t ns;
};

struct profile_stack {
	struct profile_key key;
	struct trace *user;   /* NULL: not had */
	struct trace *kernel; /* NULL: none, or not had */
	uint64_t ns;	      /* the weight of its samples, or what is its part of the time */
	uint64_t samples;
};

struct profile_stacks {
	struct profile_stack *items;
	size_t size;
};

/* All zero is empty. */
struct profile_evidence {
	void *tree; /* struct profile_stack, by key and traces */
	size_t size;
	bool is_full; /* of stacks that show different things: no others are kept */
	struct profile_stacks present; /* waits that have not ended, with the time they took so far */
	void *names;		       /* struct process_comm, by process */
};

/* `user` and `kernel` are the record's stacks; they may be NULL. -ENOMEM. */
int profile_evidence_add(struct profile_evidence *evidence, struct traces *traces,
			 const struct stack_record *record, struct trace *user,
			 struct trace *kernel) __attribute__((warn_unused_result));
/* What a thread is waiting for now, and has for so long. */
int profile_evidence_add_present(struct profile_evidence *evidence,
				 const struct profile_total *wait, struct trace *user,
				 struct trace *kernel) __attribute__((warn_unused_result));
void profile_evidence_forget_present(struct profile_evidence *evidence, struct traces *traces);
void profile_evidence_done(struct profile_evidence *evidence, struct traces *traces);

/* What a process is called now. -ENOMEM. */
int profile_evidence_name(struct profile_evidence *evidence, pid_t pid, const char *comm)
	__attribute__((warn_unused_result));
/* The last name it was seen with; NULL: none. */
const char *profile_evidence_comm(const struct profile_evidence *evidence, pid_t pid);

/* Shares out `totals`, of which each key is there once, and adds the waits that are present: the longest first,
 * each key and what it shows once. What has no stack is one with neither trace. The traces are
 * resolved, and live until the evidence changes; free() the items. Without `for_oncpu` time on-CPU is left
 * out. -ENOMEM. */
int profile_evidence_share(struct profile_evidence *evidence, struct traces *traces,
			   const struct profile_total *totals, size_t total_count, bool for_oncpu,
			   struct profile_stacks *shared) __attribute__((warn_unused_result));

#endif
