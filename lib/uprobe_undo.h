/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_UPROBE_UNDO_H
#define PROBEKIT_UPROBE_UNDO_H
/*
 * Threads that were caught while the kernel had a probe of theirs half done: their registers are set to
 * what they would be without it. Interrupts wait while a breakpoint is taken and come all at once then, so
 * that of short functions many samples are of such moments.
 */
#include "unwind.h"

/* A thread that leaves a probed function by the kernel's trampoline is put behind the call; one at a probed
 * instruction, where it has run that, as far as the stack shows, or not. */
void uprobe_undo(struct address_space *space, struct unwind_registers *registers,
		 const struct unwind_stack *stack);

#endif
