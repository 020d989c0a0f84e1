/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_UNWIND_H
#define PROBEKIT_UNWIND_H
/*
 * Stacks from copies: registers and some KiB of stack that were taken while a thread stood still
 * are walked later by the call frame information of the files that its process runs, which the
 * thread need not outlive. Where code has none, its frame pointer is followed.
 */
#include <probekit/probekit.h>

#include "../bpf/shared.h"
#include "address_space.h"

/* Registers by their DWARF number. */
#define UNWIND_REGISTERS 32
#if defined(__x86_64__)
#define UNWIND_FRAME_POINTER 6
#define UNWIND_STACK_POINTER 7
#define UNWIND_ARGUMENT_2 4 /* of a system call */
#define UNWIND_ARGUMENT_3 1
#elif defined(__aarch64__)
#define UNWIND_FRAME_POINTER 29
#define UNWIND_STACK_POINTER 31
#define UNWIND_ARGUMENT_2 1
#define UNWIND_ARGUMENT_3 2
#else
#error "no register numbers for this machine"
#endif

struct unwind_registers {
	uint64_t ip;
	uint64_t values[UNWIND_REGISTERS];
	uint32_t known; /* a bit for each value that is known */
};

static inline void unwind_registers_set(struct unwind_registers *registers, unsigned int number,
					uint64_t value)
{
	registers->values[number] = value;
	registers->known |= 1u << number;
}

struct unwind_stack {
	uint64_t address; /* of the first byte: at the stack pointer, or below it */
	const void *bytes;
	size_t size_bytes;
	uint32_t holes; /* a bit for each page of it that could not be read, from the lowest on */
	bool is_torn;	/* what lies above could not be read either */
	/* What uprobes have replaced in it, by the address of their trampoline; 0: nothing. Untrusted. */
	const struct replaced_return *returns; /* innermost first */
	size_t return_count;
	uint64_t trampoline;
	/* What stands in memory before the thread's next instruction, and there; 0: not known. */
	unsigned char code[2];
};

#define UNWIND_FRAMES_MAX 512
#define UNWIND_TIME_NS_MAX 200000000

struct unwind_trace {
	uint64_t addresses[UNWIND_FRAMES_MAX]; /* innermost first */
	/* A return address: what called is before it. Others are where a thread, or the code that a
	 * signal interrupted, stood. */
	bool is_return[UNWIND_FRAMES_MAX];
	size_t size;
	enum probekit_stack_end end;
};

struct unwinder;

/* For all threads of one process; `space` must outlive it. Files are opened when a frame lies in
 * them. -ENOMEM. */
int unwinder_new(struct address_space *space, struct unwinder **unwinder)
	__attribute__((warn_unused_result));
void unwinder_free(struct unwinder *unwinder);

/* Walks one stack. `registers` holds at least the stack pointer. What was found stands in `trace`
 * in any case; `trace->end` says why there is no more. */
void unwind_copied(struct unwinder *unwinder, const struct unwind_registers *registers,
		   const struct unwind_stack *stack, struct unwind_trace *trace);

#endif
