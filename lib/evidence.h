/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_EVIDENCE_H
#define PROBEKIT_EVIDENCE_H
/*
 * From the kernel's records to what causes show: stacks, holders, wakers, hot functions, and the
 * slowest spans. Bounded, whatever comes: what is light makes room for what is heavy. Not
 * thread-safe; what it gives out owns all that it points to.
 */
#include <probekit/probekit.h>

#include "../bpf/shared.h"
#include "profile.h"
#include "profile_evidence.h"
#include "wait_evidence.h"

struct evidence;

int evidence_new(struct evidence **evidence) __attribute__((warn_unused_result));
void evidence_free(struct evidence *evidence);

/* Takes one record of the ring; a stack is unwound at once, as its process may end soon. -EINVAL:
 * no record, or of role STACK_OPEN, which evidence_stack() is for; -ENOMEM. */
int evidence_add(struct evidence *evidence, const void *record, size_t size_bytes)
	__attribute__((warn_unused_result));

/* How many of the stacks that came end so. */
uint64_t evidence_stacks(const struct evidence *evidence, enum probekit_stack_end end);

/* Since the last call: did so many stacks go on above their copy that copies should be longer? */
bool evidence_wants_longer_copies(struct evidence *evidence);

/* Fills stack, kernel_stack, lock_kind, holder (its thread, threads and stack), waker and
 * waker_stack of `cause`, where they are known and which are empty before, from all waits of the
 * probe for which `is_of` holds. The holder is NULL unless the waiters' stacks tell that the lock is
 * of a kind that has one. -ENOMEM, and a part may be filled. */
int evidence_fill(struct evidence *evidence,
		  bool (*is_of)(const struct wait_identity *wait, void *arg), void *arg,
		  uint32_t probe, struct probekit_cause *cause) __attribute__((warn_unused_result));
/* The same of a lock, whoever waited: fills waiters, wakers and, with thread and stack, holders of `lock`, whose
 * kind is known if it can be. -ENOMEM, and a part may be filled. */
int evidence_fill_lock(struct evidence *evidence,
		       bool (*is_of)(const struct wait_identity *wait, void *arg), void *arg,
		       struct probekit_lock *lock) __attribute__((warn_unused_result));
/* What the word there is used for, as the stack of who waited last tells: memory may be one lock after another. */
struct lock_use evidence_lock_use(struct evidence *evidence, struct futex_place place);
/* The same of time on-CPU: `stack` is the heaviest of the hottest function, whose share it has;
 * kernel_stack is there where most of the time was spent in the kernel. */
int evidence_fill_oncpu(struct evidence *evidence, uint32_t probe, struct probekit_cause *cause)
	__attribute__((warn_unused_result));

/* The stack of one record of any role; empty where it cannot be had. `*lock_kind`: what the thread
 * waits for, if it does; NULL: not known. -EINVAL, -ENOMEM. */
int evidence_stack(struct evidence *evidence, const void *record, size_t size_bytes,
		   struct probekit_stack *stack, const char **lock_kind)
	__attribute__((warn_unused_result));
/* Where the thread of a span that is still open ran last; empty where that was not sampled. -ENOMEM. */
int evidence_running_stack(struct evidence *evidence, uint32_t tid, uint64_t begin_ns,
			   struct probekit_stack *stack) __attribute__((warn_unused_result));
/* Has a lock of this kind an owner? */
bool evidence_has_owner(const char *lock_kind);

/* ---- profiles ---- */

/* A wait of a profile that has not ended, with the stack (STACK_OPEN) of its thread; `record` NULL: without.
 * -ENOMEM. */
int evidence_add_present(struct evidence *evidence, const struct profile_total *wait,
			 const void *record, size_t size_bytes) __attribute__((warn_unused_result));
void evidence_forget_present(struct evidence *evidence);
/* Reads what the process has mapped, and notes its name, as it may end soon. -ENOMEM. */
int evidence_note_process(struct evidence *evidence, pid_t pid, uint64_t at_ns, const char *comm)
	__attribute__((warn_unused_result));
/* The last name that a process was seen with; NULL: none. */
const char *evidence_comm(const struct evidence *evidence, pid_t pid);
/* Fills the entries of `profile`, but for their `comm`, as profile_evidence_share() has it. -ENOMEM, and a part
 * may be filled. */
int evidence_profile(struct evidence *evidence, const struct profile_total *totals,
		     size_t total_count, bool for_oncpu, struct probekit_profile *profile)
	__attribute__((warn_unused_result));

/* The slowest spans of the probe, slowest first: free() `*list`, which is NULL for none. -ENOMEM. */
int evidence_slowest(struct evidence *evidence, uint32_t probe, struct probekit_slow_span **list,
		     size_t *count) __attribute__((warn_unused_result));

#endif
