/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_LOCK_EVIDENCE_H
#define PROBEKIT_LOCK_EVIDENCE_H
/* What samples told of a lock, as the snapshot shows it. */
#include "wait_evidence.h"

/* As evidence_fill_lock(), from findings that are joined. */
int lock_evidence_show(const struct wait_findings *findings, struct probekit_lock *lock)
	__attribute__((warn_unused_result));

/* Appends a holder that is not there yet, and returns its place; NULL: no memory. */
struct probekit_lock_holder *lock_holder_of(struct probekit_lock *lock,
					    const struct probekit_thread *thread);

#endif
