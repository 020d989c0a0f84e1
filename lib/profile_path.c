/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the names that the parts of a stack have in every file made of a profile. */
#include "profile_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

#define UNKNOWN "[unknown]"
/* In the place of the callers that were not found: below it the stack does not begin at the
 * thread's first function, and must not look as if it did. */
#define INCOMPLETE "[incomplete]"

char *profile_escape(const char *text)
{
	size_t size = 4 * strlen(text) + 1; /* \xNN for each byte at most */
	char *escaped = malloc(size);

	if (escaped)
		escape_text(text, escaped, size);
	return escaped;
}

static bool is_empty(const char *text)
{
	return !text || !*text;
}

char *profile_frame_name(const struct probekit_frame *frame)
{
	const char *module = frame->module;
	const char *slash;
	char *bracketed;
	char *name;

	if (!is_empty(frame->function))
		return profile_escape(frame->function);
	if (is_empty(module))
		return strdup(UNKNOWN);
	if (*module == '[')
		return profile_escape(module);
	slash = strrchr(module, '/');
	if (asprintf(&bracketed, "[%s]", slash ? slash + 1 : module) < 0)
		return NULL;
	name = profile_escape(bracketed);
	free(bracketed);
	return name;
}

const char *profile_class_name(enum probekit_class time_class)
{
	const char *name = probekit_class_name(time_class);

	return name ? name : probekit_class_name(PROBEKIT_CLASS_OTHER);
}

static char *wait_name(const struct probekit_profile_entry *entry)
{
	const char *class_name = profile_class_name(entry->time_class);
	char *name;

	if (asprintf(&name, "[%s%s%s]", class_name, entry->syscall ? " " : "",
		     entry->syscall ? entry->syscall : "") < 0)
		return NULL;
	return name;
}

/* Takes `name`. */
static int add(struct profile_path *path, enum profile_step_kind kind, char *name,
	       const struct probekit_frame *frame)
{
	if (!name)
		return -ENOMEM;
	path->steps[path->size++] = (struct profile_step){kind, name, frame};
	return 0;
}

static int add_frames(struct profile_path *path, enum profile_step_kind kind,
		      const struct probekit_stack *stack)
{
	int result = 0;

	for (size_t i = stack->size; i-- > 0 && result == 0;)
		result = add(path, kind, profile_frame_name(&stack->frames[i]), &stack->frames[i]);
	return result;
}

static int add_steps(struct profile_path *path)
{
	const struct probekit_profile_entry *entry = path->entry;
	size_t user = entry->stack.size;
	size_t kernel = entry->kernel_stack.size;
	int result =
		add(path, PROFILE_STEP_PROCESS,
		    is_empty(entry->comm) ? strdup(UNKNOWN) : profile_escape(entry->comm), NULL);

	if (result == 0 && user + kernel == 0)
		result = add(path, PROFILE_STEP_FRAME, strdup(UNKNOWN), NULL);
	if (result == 0 && user > 0 && !entry->stack.is_complete)
		result = add(path, PROFILE_STEP_FRAME, strdup(INCOMPLETE), NULL);
	if (result == 0)
		result = add_frames(path, PROFILE_STEP_FRAME, &entry->stack);
	if (result == 0)
		result = add_frames(path, PROFILE_STEP_KERNEL, &entry->kernel_stack);
	/* Where it ran, the innermost function is what is looked for. */
	if (result == 0 && entry->time_class != PROBEKIT_CLASS_ONCPU)
		result = add(path, PROFILE_STEP_WAIT, wait_name(entry), NULL);
	return result;
}

int profile_path_init(const struct probekit_profile_entry *entry, struct profile_path *path)
{
	/* Besides the frames: the process, a stand-in, the wait. */
	size_t most = entry->stack.size + entry->kernel_stack.size + 3;

	*path = (struct profile_path){.entry = entry};
	path->steps = calloc(most, sizeof(*path->steps));
	return path->steps ? add_steps(path) : -ENOMEM;
}

void profile_path_done(struct profile_path *path)
{
	for (size_t i = 0; i < path->size; i++)
		free(path->steps[i].name);
	free(path->steps);
	*path = (struct profile_path){0};
}
