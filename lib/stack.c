/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns copying and freeing the stacks of snapshots, and the names of their ends. */
#include "stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const end_names[PROBEKIT_STACK_END_COUNT] = {
	[PROBEKIT_STACK_NONE] = "none",
	[PROBEKIT_STACK_COMPLETE] = "complete",
	[PROBEKIT_STACK_COPY_SHORT] = "copy_short",
	[PROBEKIT_STACK_UNREADABLE] = "unreadable",
	[PROBEKIT_STACK_NO_CFI] = "no_unwind_info",
	[PROBEKIT_STACK_GENERATED] = "generated_code",
	[PROBEKIT_STACK_SWITCHED] = "other_stack",
	[PROBEKIT_STACK_LOST] = "lost",
	[PROBEKIT_STACK_TOO_DEEP] = "too_deep",
	[PROBEKIT_STACK_TOO_SLOW] = "too_slow",
	[PROBEKIT_STACK_FAILED] = "failed",
};

const char *probekit_stack_end_name(enum probekit_stack_end end)
{
	return (unsigned int)end < PROBEKIT_STACK_END_COUNT ? end_names[end] : NULL;
}

static bool copy_text(const char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return *to || !from;
}

static bool copy_frame(struct probekit_frame *to, const struct probekit_frame *from)
{
	*to = *from;
	to->function = to->module = to->file = NULL;
	return copy_text(&to->function, from->function) && copy_text(&to->module, from->module) &&
	       copy_text(&to->file, from->file);
}

int stack_copy(struct probekit_stack *to, const struct probekit_stack *from)
{
	struct probekit_stack copy = *from;

	copy.size = 0;
	copy.frames = calloc(from->size ? from->size : 1, sizeof(*copy.frames));
	*to = (struct probekit_stack){0};
	if (!copy.frames)
		return -ENOMEM;
	for (size_t i = 0; i < from->size; i++) {
		copy.size++;
		if (!copy_frame(&copy.frames[i], &from->frames[i])) {
			stack_done(&copy);
			return -ENOMEM;
		}
	}
	*to = copy;
	return 0;
}

void stack_done(struct probekit_stack *stack)
{
	for (size_t i = 0; i < stack->size; i++) {
		free((char *)stack->frames[i].function);
		free((char *)stack->frames[i].module);
		free((char *)stack->frames[i].file);
	}
	free(stack->frames);
	*stack = (struct probekit_stack){0};
}
