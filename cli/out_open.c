/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the lines about single spans: the slowest, those that have not ended, and deadlocks. */
#include "out_parts.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	MAX_OPEN_SHOWN = 3,
	MAX_SLOWEST_SHOWN = 3,
	OPEN_INDENT = 14,
	DEADLOCK_INDENT = 6,
};

/* ---- the slowest ---- */

static void clock_text(int64_t unix_ns, char *text, size_t size)
{
	time_t seconds = (time_t)(unix_ns / 1000000000);
	char clock[16];
	struct tm tm;

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&seconds, &tm));
	snprintf(text, size, "%s.%03d", clock, (int)(unix_ns / 1000000 % 1000));
}

static void print_slow(struct text_line *line, const struct probekit_slow_span *span)
{
	char thread[TEXT_SIZE];
	char clock[32];
	int most = 0;

	for (int i = 1; i < PROBEKIT_CLASS_COUNT; i++)
		if (span->time_ns[i] > span->time_ns[most])
			most = i;
	clock_text(span->ended_unix_ns, clock, sizeof(clock));
	thread_text(span->thread.comm, sizeof(span->thread.comm), "tid", span->thread.tid, thread);
	line->indent = 4;
	line_add(line, 0, INK_PLAIN, "%s  %8s  %s", clock,
		 format_duration((double)span->duration_ns).text, thread);
	if (span->has_key)
		line_add(line, 2, INK_PLAIN, "key %lld", (long long)span->key);
	if (span->time_ns[most] && span->duration_ns)
		line_add(line, 2, INK_PLAIN, "%s %s",
			 format_share((double)span->time_ns[most] / (double)span->duration_ns).text,
			 probekit_class_name((enum probekit_class)most));
	line_end(line);
	line->indent = 2;
}

void out_slowest(struct text_line *line, const struct probekit_probe *row)
{
	if (!row->slowest_count)
		return;
	fputs("\n  slowest:\n", line->out);
	for (size_t i = 0; i < row->slowest_count && i < MAX_SLOWEST_SHOWN; i++)
		print_slow(line, &row->slowest[i]);
}

/* ---- open ---- */

static int compare_open(const void *a, const void *b)
{
	const struct probekit_open_span *left = *(const struct probekit_open_span *const *)a;
	const struct probekit_open_span *right = *(const struct probekit_open_span *const *)b;

	return left->age_ns > right->age_ns ? -1 : left->age_ns < right->age_ns;
}

static void print_blocked(struct text_line *line, const struct probekit_open_span *span)
{
	char name[TEXT_SIZE];

	if (span->blocked_in && strcmp(span->blocked_in, "oncpu") == 0) {
		line_add(line, 2, INK_WARN, "on CPU");
	} else if (span->blocked_in) {
		format_escape(span->blocked_in, name, sizeof(name));
		line_add(line, 2, INK_WARN, "in %s", name);
		if (span->blocked_ns)
			line_add(line, 1, INK_WARN, "for %s",
				 format_duration((double)span->blocked_ns).text);
	}
	if (!span->lock_address)
		return;
	lock_text(span->lock_symbol, span->lock_place, span->lock_address, name);
	line_add(line, 1, INK_WARN, "on %s", name);
	if (span->holder_tid)
		line_add(line, 1, INK_WARN, "held by tid %d", (int)span->holder_tid);
}

static void print_open_span(struct text_line *line, const struct probekit_open_span *span)
{
	char thread[TEXT_SIZE];

	thread_text(span->comm, sizeof(span->comm), "tid", span->tid, thread);
	line->indent = 4;
	line_add(line, 0, INK_WARN, "%8s  %s", format_duration((double)span->age_ns).text, thread);
	line->indent = OPEN_INDENT;
	print_blocked(line, span);
	line_end(line);
	line->indent = 2;
	out_stack(line, OPEN_INDENT, "at", &span->stack, stack_library_frames(&span->stack));
}

void out_open(struct text_line *line, const struct probekit_probe *probe)
{
	size_t n = probe->open_count;
	const struct probekit_open_span **open = malloc((n ? n : 1) * sizeof(*open));

	for (size_t i = 0; open && i < n; i++)
		open[i] = &probe->open[i];
	if (open && n) {
		qsort(open, n, sizeof(*open), compare_open);
		fputc('\n', line->out);
		line_add(line, 0, INK_WARN, "still open: %s%s", format_count(n).text,
			 n > MAX_OPEN_SHOWN ? ", the oldest" : "");
		line_end(line);
	}
	for (size_t i = 0; open && i < n && i < MAX_OPEN_SHOWN; i++)
		print_open_span(line, open[i]);
	free(open);
}

/* ---- deadlocks ---- */

/* The span in which the thread waits for a lock. */
static const struct probekit_open_span *waiting(const struct text_view *view, pid_t tid)
{
	for (size_t i = 0; i < view->size; i++)
		for (size_t k = 0; k < view->rows[i]->open_count; k++)
			if (view->rows[i]->open[k].tid == tid &&
			    view->rows[i]->open[k].lock_address)
				return &view->rows[i]->open[k];
	return NULL;
}

/* Each circle is told once, from the span of its first thread that is in one. */
static bool is_told_from(const struct text_view *view, const struct probekit_open_span *start)
{
	if (waiting(view, start->tid) != start) /* one of several spans of the thread */
		return false;
	for (size_t i = 0; i < start->blocker_count; i++) {
		pid_t tid = start->blockers[i].thread.tid;

		if (tid < start->tid && waiting(view, tid))
			return false;
	}
	return true;
}

/* A thread of the circle: the span's own, and those it waits for. */
static struct probekit_blocker member_of(const struct probekit_open_span *start, size_t i)
{
	struct probekit_blocker self = {
		.thread = {.pid = start->pid, .tid = start->tid},
		.lock_address = start->lock_address,
		.lock_symbol = start->lock_symbol,
		.lock_place = start->lock_place,
		.stack = start->stack,
	};

	memcpy(self.thread.comm, start->comm, sizeof(self.thread.comm));
	return i ? start->blockers[i - 1] : self;
}

static void blocker_lock(const struct probekit_blocker *blocker, char text[TEXT_SIZE])
{
	lock_text(blocker->lock_symbol, blocker->lock_place, blocker->lock_address, text);
}

/* It has what the one before it waits for. */
static void print_member(struct text_line *line, const struct probekit_blocker *before,
			 const struct probekit_blocker *member)
{
	size_t first = stack_library_frames(&member->stack);
	char thread[TEXT_SIZE];
	char text[TEXT_SIZE];

	thread_text(member->thread.comm, sizeof(member->thread.comm), "tid", member->thread.tid,
		    thread);
	blocker_lock(before, text);
	line->indent = 2;
	line_add(line, 0, INK_PLAIN, "%s", thread);
	line->indent = 6;
	line_add(line, 1, INK_PLAIN, "holds %s,", text);
	blocker_lock(member, text);
	line_add(line, 1, INK_PLAIN, "waits for %s", text);
	if (first < member->stack.size) {
		frame_text(&member->stack.frames[first], text, sizeof(text));
		line_add(line, 1, INK_PLAIN, "in %s", text);
	}
	line_end(line);
}

static void add_head(struct text_line *line, size_t count)
{
	line->indent = 0;
	if (count > 1)
		line_add(line, 0, INK_BOLD, "DEADLOCK: %zu threads wait for each other", count);
	else
		line_add(line, 0, INK_BOLD, "DEADLOCK: a thread waits for itself");
}

static void print_circle(struct text_line *line, const struct probekit_open_span *start)
{
	size_t count = start->blocker_count + 1;

	add_head(line, count);
	line_end(line);
	for (size_t i = 0; i < count; i++) {
		const struct probekit_blocker before = member_of(start, (i + count - 1) % count);
		const struct probekit_blocker member = member_of(start, i);

		print_member(line, &before, &member);
	}
	line->indent = 2;
}

void out_deadlock(struct text_line *line, const struct probekit_deadlock *deadlock)
{
	size_t count = deadlock->size;

	add_head(line, count);
	line_add(line, 1, INK_PLAIN, "(pid %d)", (int)deadlock->threads[0].thread.pid);
	line_end(line);
	for (size_t i = 0; i < count; i++) {
		const struct probekit_stack *stack = &deadlock->threads[i].stack;
		struct probekit_blocker member = deadlock->threads[i];

		member.stack.size = 0; /* below, as a whole */
		print_member(line, &deadlock->threads[(i + count - 1) % count], &member);
		out_stack(line, DEADLOCK_INDENT, "in", stack, stack_library_frames(stack));
	}
}

void out_deadlocks(struct text_line *line, const struct text_view *view,
		   const struct probekit_probe *probe)
{
	for (size_t i = 0; i < probe->open_count; i++)
		if (probe->open[i].is_deadlock && probe->open[i].lock_address &&
		    is_told_from(view, &probe->open[i]))
			print_circle(line, &probe->open[i]);
}
