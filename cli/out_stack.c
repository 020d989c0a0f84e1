/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how stacks, locks and threads of a snapshot read in one line of text. */
#include "out_parts.h"

#include <string.h>

enum {
	FRAMES_NARROW = 2,
	FRAMES_WIDE = 4,
	WIDE = 120,
	LEAST_NAMES = 16, /* columns; where the place leaves fewer it is left out */
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

void frame_text(const struct probekit_frame *frame, char *text, size_t size)
{
	char module[TEXT_SIZE / 2];
	char place[TEXT_SIZE];

	if (frame->function) {
		format_escape(frame->function, text, size);
		return;
	}
	format_escape(frame->module ? base_name(frame->module) : "?", module, sizeof(module));
	snprintf(place, sizeof(place), "%s+0x%llx", module,
		 (unsigned long long)frame->module_offset);
	snprintf(text, size, "%s", frame->module ? place : module);
}

void lock_text(const char *symbol, const char *place, uint64_t address, char text[TEXT_SIZE])
{
	char name[TEXT_SIZE / 2];
	char where[TEXT_SIZE / 2 - 8];

	format_escape(place ? place : "", where, sizeof(where));
	if (symbol)
		format_escape(symbol, name, sizeof(name));
	else
		snprintf(name, sizeof(name), "the lock at 0x%llx", (unsigned long long)address);
	snprintf(text, TEXT_SIZE, place ? "%s (%s)" : "%s", name, where);
}

void thread_text(const char *comm, size_t comm_size, const char *id_name, pid_t id,
		 char text[TEXT_SIZE])
{
	char raw[32] = "";
	char name[4 * sizeof(raw)];

	memcpy(raw, comm, comm_size < sizeof(raw) ? comm_size : sizeof(raw) - 1);
	format_escape(*raw ? raw : "?", name, sizeof(name));
	if (id && !*raw) /* ended before it was asked */
		snprintf(text, TEXT_SIZE, "%s %d", id_name, (int)id);
	else if (id)
		snprintf(text, TEXT_SIZE, "%s (%s %d)", name, id_name, (int)id);
	else
		snprintf(text, TEXT_SIZE, "%s", name);
}

void out_stack_ends(struct text_line *line, const uint64_t stacks[static PROBEKIT_STACK_END_COUNT])
{
	static const char *const reasons[PROBEKIT_STACK_END_COUNT] = {
		[PROBEKIT_STACK_COPY_SHORT] = "copied too little",
		[PROBEKIT_STACK_UNREADABLE] = "memory not readable",
		[PROBEKIT_STACK_NO_CFI] = "no unwind information",
		[PROBEKIT_STACK_GENERATED] = "generated code",
		[PROBEKIT_STACK_SWITCHED] = "from another stack",
		[PROBEKIT_STACK_LOST] = "could not be followed",
		[PROBEKIT_STACK_TOO_DEEP] = "too deep",
		[PROBEKIT_STACK_TOO_SLOW] = "took too long",
		[PROBEKIT_STACK_FAILED] = "no memory",
	};
	uint64_t all = 0;
	uint64_t incomplete = 0;

	for (int i = 0; i < PROBEKIT_STACK_END_COUNT; i++) {
		all += stacks[i];
		incomplete += reasons[i] ? stacks[i] : 0;
	}
	if (!incomplete)
		return;
	line_add(line, 1, INK_PLAIN,
		 "%s of %s without the outermost callers:", format_count(incomplete).text,
		 format_plural(all, "stack", "stacks").text);
	for (int i = 0; i < PROBEKIT_STACK_END_COUNT; i++) {
		if (!reasons[i] || !stacks[i])
			continue;
		incomplete -= stacks[i];
		line_add(line, 1, INK_PLAIN, "%s %s%s", format_count(stacks[i]).text, reasons[i],
			 incomplete ? "," : ";");
	}
}

static bool has_prefix(const char *text, const char *const *prefixes, size_t count)
{
	for (size_t i = 0; text && i < count; i++)
		if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

size_t stack_library_frames(const struct probekit_stack *stack)
{
	size_t n = 0;

	while (n < stack->size && probekit_frame_is_library(&stack->frames[n]))
		n++;
	return n < stack->size ? n : 0;
}

/* What <probekit/probe.h> puts into a function at the end of a span. Begins are a part of the function. */
size_t stack_probe_frames(const struct probekit_stack *stack)
{
	static const char *const functions[] = {"probekit.end.", "probekit_priv_"};
	size_t n = 0;

	while (n < stack->size && has_prefix(stack->frames[n].function, functions,
					     sizeof(functions) / sizeof(functions[0])))
		n++;
	return n;
}

/* "logger.c:48" of the program's own innermost frame, if it has one: another's would mislead. */
static void place_of(const struct probekit_stack *stack, size_t first, char *text, size_t size)
{
	char file[TEXT_SIZE / 4];

	*text = '\0';
	for (size_t i = first; i < stack->size; i++) {
		const struct probekit_frame *frame = &stack->frames[i];

		if (probekit_frame_is_library(frame) && (i > first || !frame->file))
			continue;
		if (frame->file && frame->line) {
			format_escape(base_name(frame->file), file, sizeof(file));
			snprintf(text, size, "%s:%u", file, frame->line);
		}
		return;
	}
}

/* As many callers as fit; libraries between them are of no interest. */
static void names_of(const struct probekit_stack *stack, size_t first, size_t most, size_t columns,
		     char names[2 * TEXT_SIZE])
{
	char name[TEXT_SIZE];
	size_t shown = 1;

	frame_text(&stack->frames[first], names, columns < TEXT_SIZE ? columns + 1 : TEXT_SIZE);
	for (size_t i = first + 1; i < stack->size && shown < most; i++) {
		if (probekit_frame_is_library(&stack->frames[i]))
			continue;
		frame_text(&stack->frames[i], name, sizeof(name));
		if (format_width(names) + strlen(" <- ") + format_width(name) > columns ||
		    strlen(names) + strlen(" <- ") + strlen(name) >= 2 * TEXT_SIZE)
			return;
		strcat(strcat(names, " <- "), name);
		shown++;
	}
}

void out_stack(struct text_line *line, unsigned int indent, const char *label,
	       const struct probekit_stack *stack, size_t first)
{
	unsigned int width = line->style->width < WIDE ? line->style->width : WIDE;
	size_t used = indent + strlen(label) + 1;
	char names[2 * TEXT_SIZE];
	char place[TEXT_SIZE / 2];
	size_t columns;

	if (first >= stack->size)
		return;
	place_of(stack, first, place, sizeof(place));
	if (used + LEAST_NAMES + 2 + format_width(place) > width)
		*place = '\0';
	if (*place)
		used += 2 + format_width(place);
	columns = used + LEAST_NAMES < width ? width - used : LEAST_NAMES;
	names_of(stack, first, *place && width < WIDE ? FRAMES_NARROW : FRAMES_WIDE, columns,
		 names);
	fprintf(line->out, "%*s%s %s", (int)indent, "", label, names);
	if (*place)
		fprintf(line->out, "%*s%s", (int)(2 + columns - format_width(names)), "", place);
	fputc('\n', line->out);
}
