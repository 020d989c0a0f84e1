/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns copying and freeing the stacks of snapshots. */
#include "stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
