/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how a profile reads: where the time went, and the stacks that took most of it. */
#include "out_profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "out_parts.h"

enum {
	MAX_SHOWN = 10,
	STACK_INDENT = 8,
};

/* Entries that differ in lines alone. */
struct group {
	const struct probekit_profile_entry *heaviest;
	uint64_t time_ns;
	uint64_t samples;
};

/* ---- groups ---- */

static int compare_texts(const char *a, const char *b)
{
	if (!a || !b)
		return (a != NULL) - (b != NULL);
	return strcmp(a, b);
}

static int compare_frames(const struct probekit_frame *a, const struct probekit_frame *b)
{
	int order = compare_texts(a->function, b->function);

	if (!order)
		order = compare_texts(a->module, b->module);
	if (order || a->function || a->module_offset == b->module_offset)
		return order;
	return a->module_offset < b->module_offset ? -1 : 1;
}

static int compare_stacks(const struct probekit_stack *a, const struct probekit_stack *b)
{
	int order = (a->size > b->size) - (a->size < b->size);

	for (size_t i = 0; i < a->size && !order; i++)
		order = compare_frames(&a->frames[i], &b->frames[i]);
	return order;
}

static int by_functions(const void *left, const void *right)
{
	const struct probekit_profile_entry *a = ((const struct group *)left)->heaviest;
	const struct probekit_profile_entry *b = ((const struct group *)right)->heaviest;
	int order = (a->pid > b->pid) - (a->pid < b->pid);

	if (!order)
		order = (int)a->time_class - (int)b->time_class;
	if (!order)
		order = compare_texts(a->syscall, b->syscall);
	return order ? order : compare_stacks(&a->stack, &b->stack);
}

static int most_time_first(const void *left, const void *right)
{
	const struct group *a = left;
	const struct group *b = right;

	return a->time_ns == b->time_ns ? by_functions(a, b) : a->time_ns < b->time_ns ? 1 : -1;
}

/* Groups of the entries, most time first; their number. */
static size_t make_groups(const struct probekit_profile *profile, struct group *groups)
{
	size_t size = probekit_profile_size(profile);
	size_t kept = 0;

	for (size_t i = 0; i < size; i++) {
		const struct probekit_profile_entry *entry = probekit_profile_entry(profile, i);

		groups[i] = (struct group){entry, entry->time_ns, entry->samples};
	}
	if (size)
		qsort(groups, size, sizeof(*groups), by_functions);
	for (size_t i = 0; i < size; i++) {
		struct group *last = &groups[kept ? kept - 1 : 0];

		if (!kept || by_functions(last, &groups[i]) != 0) {
			groups[kept++] = groups[i];
			continue;
		}
		if (groups[i].heaviest->time_ns > last->heaviest->time_ns)
			last->heaviest = groups[i].heaviest;
		last->time_ns += groups[i].time_ns;
		last->samples += groups[i].samples;
	}
	if (kept)
		qsort(groups, kept, sizeof(*groups), most_time_first);
	return kept;
}

/* ---- lines ---- */

static uint64_t whole_time(const struct probekit_profile_info *info)
{
	uint64_t whole = 0;

	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		whole += info->time_ns[i];
	return whole;
}

static struct format share_of(uint64_t ns, uint64_t whole)
{
	return format_share(whole ? (double)ns / (double)whole : 0);
}

static void print_totals(struct text_line *line, const struct probekit_profile_info *info,
			 uint64_t whole)
{
	bool is_told[PROBEKIT_CLASS_COUNT] = {false};

	line->indent = 2;
	for (;;) {
		int most = -1;

		for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
			if (!is_told[i] && info->time_ns[i] &&
			    (most < 0 || info->time_ns[i] > info->time_ns[most]))
				most = i;
		if (most < 0)
			break;
		is_told[most] = true;
		line_add(line, 3, INK_PLAIN, "%s %s",
			 probekit_class_name((enum probekit_class)most),
			 share_of(info->time_ns[most], whole).text);
	}
	line_end(line);
}

static void print_head(struct text_line *line, const struct probekit_profile_info *info,
		       uint64_t whole)
{
	char target[TEXT_SIZE];

	format_escape(info->target, target, sizeof(target));
	line_add(line, 0, INK_BOLD, "%s", target);
	line_add(line, 3, INK_PLAIN, "%s",
		 info->profiling == PROBEKIT_PROFILING_SPANS ? "threads inside spans"
							     : "all threads");
	line_add(line, 3, INK_PLAIN, "%s", format_duration((double)info->duration_ns).text);
	line_add(line, 3, INK_PLAIN, "%s of thread time", format_duration((double)whole).text);
	line_end(line);
}

static void print_group(struct text_line *line, const struct group *group, uint64_t whole)
{
	const struct probekit_profile_entry *entry = group->heaviest;
	char text[TEXT_SIZE];

	line->indent = 2;
	line_add(line, 0, INK_BOLD, "%6s %9s", share_of(group->time_ns, whole).text,
		 format_duration((double)group->time_ns).text);
	line_add(line, 2, INK_BOLD, "%s", probekit_class_name(entry->time_class));
	if (entry->syscall) {
		format_escape(entry->syscall, text, sizeof(text));
		line_add(line, 1, INK_PLAIN, "in %s", text);
	}
	if (entry->pid) {
		thread_text(entry->comm, strlen(entry->comm), "pid", entry->pid, text);
		line_add(line, 3, INK_PLAIN, "%s", text);
	}
	if (group->samples)
		line_add(line, 3, INK_PLAIN, "%s",
			 format_plural(group->samples, "sample", "samples").text);
	line_end(line);
	if (!entry->stack.size && !entry->kernel_stack.size)
		fprintf(line->out, "%*sno stack\n", STACK_INDENT, "");
	out_stack(line, STACK_INDENT, "at", &entry->stack,
		  entry->time_class == PROBEKIT_CLASS_ONCPU ? 0
							    : stack_library_frames(&entry->stack));
	out_stack(line, STACK_INDENT, "kernel", &entry->kernel_stack, 0);
}

static void print_lost(struct text_line *line, const struct probekit_profile *profile,
		       uint64_t whole)
{
	const struct probekit_profile_info *info = probekit_profile_info(profile);
	uint64_t without = 0;

	for (size_t i = 0; i < probekit_profile_size(profile); i++) {
		const struct probekit_profile_entry *entry = probekit_profile_entry(profile, i);

		if (!entry->samples)
			without += entry->time_ns;
	}
	line->indent = 0;
	if (without)
		line_add(line, 1, INK_PLAIN, "without a stack: %s of the time;",
			 share_of(without, whole).text);
	if (info->samples_skipped)
		line_add(line, 1, INK_PLAIN, "%s skipped to bound the cost;",
			 format_plural(info->samples_skipped, "sample", "samples").text);
	if (info->samples_dropped)
		line_add(line, 1, INK_WARN, "%s lost, as the buffer was full;",
			 format_plural(info->samples_dropped, "sample", "samples").text);
	if (info->unknown_stacks)
		line_add(line, 1, INK_PLAIN, "%s could not be followed;",
			 format_plural(info->unknown_stacks, "stack", "stacks").text);
	out_stack_ends(line, info->stacks);
	if (info->threads_missed)
		line_add(line, 1, INK_WARN, "%s found no room and is not in it;",
			 format_plural(info->threads_missed, "thread", "threads").text);
	if (info->switches_missed)
		line_add(line, 1, INK_PLAIN, "%s the kernel did not tell;",
			 format_plural(info->switches_missed, "context switch", "context switches")
				 .text);
	line_add(line, 1, INK_PLAIN, "times are measured, stacks sampled");
	line_end(line);
}

int out_profile_text(FILE *out, const struct text_style *style,
		     const struct probekit_profile *profile)
{
	const struct probekit_profile_info *info = probekit_profile_info(profile);
	size_t size = probekit_profile_size(profile);
	struct group *groups = malloc((size ? size : 1) * sizeof(*groups));
	struct text_line line = {.out = out, .style = style};
	uint64_t whole = whole_time(info);
	size_t count;

	if (!groups)
		return -ENOMEM;
	print_head(&line, info, whole);
	if (!whole)
		fputs("  no thread ran or waited\n", out);
	print_totals(&line, info, whole);
	count = make_groups(profile, groups);
	for (size_t i = 0; i < count && i < MAX_SHOWN; i++) {
		fputc('\n', out);
		print_group(&line, &groups[i], whole);
	}
	if (count > MAX_SHOWN)
		fprintf(out, "\n  and %s\n",
			format_plural(count - MAX_SHOWN, "other stack", "other stacks").text);
	fputc('\n', out);
	print_lost(&line, profile, whole);
	free(groups);
	return 0;
}
