/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_RECORDS_H
#define PROBEKIT_TESTS_RECORDS_H
/* Records as the kernel writes them, of exactly their size. */
#include "breakdown.h"
#include "../../bpf/shared.h"
#include "evidence.h"
#include "victim.h"

#define RECORD_PROBE 3
#define RECORD_LOCK 0x1000 /* address of the lock that waits are for */

/* Of a thread that victim_capture() stopped, malloc'ed. */
struct stack_record *record_of_victim(const struct victim *victim, enum stack_role role,
				      uint64_t weight);
/* Of this process at `ip`, without any bytes of its stack. */
struct stack_record record_at(uint64_t ip, enum stack_role role, uint64_t weight);
size_t record_size(const struct stack_record *record);
struct span_record record_of_span(uint64_t begin_ns, uint64_t ns);

struct evidence *new_evidence(void);
void record_add(struct evidence *evidence, const struct stack_record *record);

/* The cause of all waits of RECORD_PROBE at RECORD_LOCK. */
struct probekit_cause cause_of_lock(struct evidence *evidence);

/* The stack's innermost functions, in order. */
void expect_functions(const struct probekit_stack *stack, size_t count, const char *const *names);

#endif
