/* SPDX-License-Identifier: BSD-2-Clause */
#include "records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "stack.h"

struct stack_record record_at(uint64_t ip, enum stack_role role, uint64_t weight)
{
	struct stack_record record = {
		.kind = RECORD_STACK,
		.role = role,
		.at_ns = 1000,
		.wait_ns = weight,
		.wait = {.address = RECORD_LOCK, .syscall = 202, .time_class = CLASS_LOCK},
		.probe = RECORD_PROBE,
		.pid = (uint32_t)getpid(),
		.tid = (uint32_t)getpid(),
		.span_begin_ns = 1000,
		.comm = "test",
	};

	record.wait.pid = record.pid;
	record.registers[UNWIND_STACK_POINTER] = (uintptr_t)&record;
	record.registers[SAMPLE_REGISTERS - 1] = ip;
	return record;
}

struct stack_record *record_of_victim(const struct victim *victim, enum stack_role role,
				      uint64_t weight)
{
	size_t size_bytes = SAMPLE_POPPED_BYTES + victim->stack.size_bytes;
	struct stack_record *record = calloc(1, sizeof(*record) + size_bytes);

	assert_non_null(record);
	*record = record_at(victim->registers.ip, role, weight);
	record->pid = (uint32_t)victim->pid;
	record->tid = (uint32_t)victim->tid;
	for (int i = 0; i < SAMPLE_REGISTERS - 1; i++)
		record->registers[i] = victim->registers.values[i];
	record->size_bytes = (uint32_t)size_bytes;
	memcpy(record->bytes + SAMPLE_POPPED_BYTES, victim->copy, victim->stack.size_bytes);
	return record;
}

size_t record_size(const struct stack_record *record)
{
	return sizeof(*record) + record->size_bytes;
}

struct span_record record_of_span(uint64_t begin_ns, uint64_t ns)
{
	return (struct span_record){
		.kind = RECORD_SPAN,
		.probe = RECORD_PROBE,
		.pid = (uint32_t)getpid(),
		.tid = (uint32_t)getpid(),
		.begin_ns = begin_ns,
		.end_ns = begin_ns + ns,
		.ns = ns,
		.comm = "test",
	};
}

void record_add(struct evidence *evidence, const struct stack_record *record)
{
	assert_int_equal(evidence_add(evidence, record, record_size(record)), 0);
}

static bool is_of_lock(const struct wait_identity *wait, void *arg)
{
	(void)arg;
	return wait->address == RECORD_LOCK;
}

struct probekit_cause cause_of_lock(struct evidence *evidence)
{
	struct probekit_cause cause = {.time_class = PROBEKIT_CLASS_LOCK};

	assert_int_equal(evidence_fill(evidence, is_of_lock, NULL, RECORD_PROBE, &cause), 0);
	return cause;
}

struct evidence *new_evidence(void)
{
	struct evidence *evidence;

	assert_int_equal(evidence_new(&evidence), 0);
	return evidence;
}

void expect_functions(const struct probekit_stack *stack, size_t count, const char *const *names)
{
	for (size_t i = 0; i < stack->size; i++)
		print_message("  %s in %s, %s:%u\n", stack->frames[i].function,
			      stack->frames[i].module, stack->frames[i].file,
			      stack->frames[i].line);
	assert_true(stack->size >= count);
	for (size_t i = 0; i < count; i++) {
		assert_non_null(stack->frames[i].function);
		assert_string_equal(stack->frames[i].function, names[i]);
	}
}
