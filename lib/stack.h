/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_STACK_H
#define PROBEKIT_STACK_H
/* Stacks as snapshots hold them: each owns its frames and copies of all their texts. */
#include <probekit/probekit.h>

/* `from` may borrow its texts. -ENOMEM, and `to` is empty then. */
int stack_copy(struct probekit_stack *to, const struct probekit_stack *from)
	__attribute__((warn_unused_result));
/* Frees what the stack owns, and leaves it empty. */
void stack_done(struct probekit_stack *stack);

#endif
