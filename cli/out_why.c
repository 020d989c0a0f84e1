/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the lines below a histogram that say what made the slow spans slow. */
#include "out_parts.h"

#include <stdlib.h>

enum {
	MAX_CLASSES_SHOWN = 4,
	MAX_CAUSES_SHOWN = 3, /* of a class */
	MAX_CHILDREN_SHOWN = 3,
};

#define LEAST_SHARE 0.01

static const char *const words[PROBEKIT_CLASS_COUNT] = {
	[PROBEKIT_CLASS_ONCPU] = "on CPU",
	[PROBEKIT_CLASS_RUNQUEUE] = "runnable, waiting for a CPU",
	[PROBEKIT_CLASS_THROTTLED] = "throttled by the cgroup's CPU quota",
	[PROBEKIT_CLASS_LOCK] = "waiting for a lock",
	[PROBEKIT_CLASS_DISK] = "waiting for the disk",
	[PROBEKIT_CLASS_NETWORK] = "waiting on a network socket",
	[PROBEKIT_CLASS_IPC] = "waiting for another process (pipe, socket, signal)",
	[PROBEKIT_CLASS_IO] = "waiting in io_uring or AIO",
	[PROBEKIT_CLASS_SLEEP] = "asleep by its own wish",
	[PROBEKIT_CLASS_POLL] = "waiting in poll, select or epoll",
	[PROBEKIT_CLASS_PAGEFAULT] = "in page faults",
	[PROBEKIT_CLASS_MEMORY] = "reclaiming memory, or held back by its limit",
	[PROBEKIT_CLASS_STOPPED] = "stopped by a signal or a debugger",
	[PROBEKIT_CLASS_OTHER] = "waiting for something else",
};

/* One cause below its class: "log_mutex (logger+0x4050)   97 %   1 204 waits". */
static void print_cause(struct text_line *line, const struct probekit_cause *cause)
{
	char symbol[128];
	char place[128];

	format_escape(cause->symbol ? cause->symbol : "", symbol, sizeof(symbol));
	format_escape(cause->place ? cause->place : "", place, sizeof(place));
	line_add(line, 0, INK_PLAIN, "%9s", "");
	if (cause->symbol)
		line_add(line, 0, INK_BOLD, "%s", symbol);
	else if (cause->address)
		line_add(line, 0, INK_PLAIN, "a lock at 0x%llx of process %d",
			 (unsigned long long)cause->address, (int)cause->pid);
	else
		line_add(line, 0, INK_PLAIN, "in %s", cause->syscall);
	if (cause->place)
		line_add(line, 0, INK_PLAIN, " (%s)", place);
	line_add(line, 0, INK_PLAIN, ": %s in %s", format_share(cause->share).text,
		 format_plural(cause->count, "wait", "waits").text);
	line_end(line);
}

static void print_class(struct text_line *line, const struct probekit_tail *tail, double all,
			enum probekit_class time_class, bool is_first,
			const struct probekit_cause *causes, size_t size)
{
	size_t shown = 0;

	line_add(line, 0, is_first ? INK_BOLD : INK_PLAIN, "%7s  %s",
		 format_share((double)tail->time_ns[time_class] / all).text, words[time_class]);
	line_end(line);
	for (size_t i = 0; i < size && shown < MAX_CAUSES_SHOWN; i++) {
		if (causes[i].time_class != time_class || causes[i].share < LEAST_SHARE ||
		    !(causes[i].address || causes[i].syscall))
			continue;
		print_cause(line, &causes[i]);
		shown++;
	}
}

static void print_classes(struct text_line *line, const struct probekit_tail *tail,
			  const struct probekit_cause *causes, size_t size)
{
	bool is_shown[PROBEKIT_CLASS_COUNT] = {false};
	double all = 0;

	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		all += (double)tail->time_ns[i];
	for (int shown = 0; shown < MAX_CLASSES_SHOWN; shown++) {
		int best = -1;

		for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
			if (!is_shown[i] && (best < 0 || tail->time_ns[i] > tail->time_ns[best]))
				best = i;
		if ((double)tail->time_ns[best] < LEAST_SHARE * all)
			break;
		is_shown[best] = true;
		print_class(line, tail, all, (enum probekit_class)best, shown == 0, causes, size);
	}
}

static int by_time(const void *a, const void *b)
{
	const struct probekit_relation *const *x = a;
	const struct probekit_relation *const *y = b;

	return (*x)->time_ns < (*y)->time_ns ? 1 : -((*x)->time_ns > (*y)->time_ns);
}

static void print_children(struct text_line *line, const struct probekit_probe *probe)
{
	size_t n = probe->child_count;
	const struct probekit_relation **children = calloc(n ? n : 1, sizeof(*children));
	size_t shown = 0;

	for (size_t i = 0; children && i < n; i++)
		children[i] = &probe->children[i];
	if (children)
		qsort(children, n, sizeof(*children), by_time);
	for (size_t i = 0; children && i < n && shown < MAX_CHILDREN_SHOWN; i++) {
		double share = (double)children[i]->time_ns / (double)probe->sum;
		char name[256];

		if (share < LEAST_SHARE)
			break;
		format_escape(children[i]->name, name, sizeof(name));
		line_add(line, 0, INK_PLAIN, shown++ ? ", %s in %s" : "of all its time %s in %s",
			 format_share(share).text, name);
	}
	line_end(line);
	free(children);
}

void out_why(struct text_line *line, const struct probekit_probe *row)
{
	struct probekit_cause *causes;
	struct probekit_tail tail;
	size_t size;

	if (!probekit_probe_tail(row, &tail) || tail.count == 0)
		return;
	fputc('\n', line->out);
	line_add(line, 0, INK_PLAIN, "why slow (over %s: %s of spans, %s of the time):",
		 format_duration((double)tail.from_ns).text, format_share(tail.share_of_spans).text,
		 format_share(tail.share_of_time).text);
	line_end(line);
	if (probekit_probe_causes(row, &causes, &size)) /* no memory: without them */
		size = 0;
	print_classes(line, &tail, causes, size);
	free(causes);
	if (row->child_count && row->sum > 0)
		print_children(line, row);
}
