/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_STACK_VIEW_H
#define PROBEKIT_STACK_VIEW_H
/* What of a stack is worth showing, and what its names tell. Pure: the frames are given, innermost
 * first. */
#include "symbolize.h"

/* A part of the C or C++ run-time environment, by the last component of its path, or the vdso? */
bool stack_view_is_runtime(const char *module);

/* How many innermost frames are inside of the run-time environment: the function that the
 * application called is the first that is not hidden. */
size_t stack_view_hidden(const struct symbol_frame *frames, size_t size);
/* The same of a kernel stack: the scheduler, an interrupt, and what a tracer added. */
size_t stack_view_hidden_kernel(const struct symbol_frame *frames, size_t size);

/* What a thread that blocks in futex() has asked for. */
struct futex_call {
	uint32_t operation; /* with flags */
	uint32_t value;
};

/* What a thread that blocks there waits for, "mutex", by the frames up to the function that the
 * application called; NULL: not known. */
const char *stack_view_lock_kind(const struct symbol_frame *frames, size_t size,
				 const struct futex_call *call);
/* Has a lock of this kind an owner that its memory names? */
bool stack_view_has_owner(const char *lock_kind);

/* Are both at the same line of the same function? */
bool stack_view_is_same_place(const struct symbol_frame *a, const struct symbol_frame *b);
bool stack_view_is_same_function(const struct symbol_frame *a, const struct symbol_frame *b);

#endif
