/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how locks read: who waits for which, who has it meanwhile and what that one does. */
#include "out_locks.h"

#include <stdlib.h>
#include <string.h>

#include "out_lock_times.h"
#include "out_lock_waiters.h"
#include "out_parts.h"

enum {
	MAX_SHOWN = 10,	   /* of each section */
	MAX_EXPLAINED = 5, /* with histogram and stacks */
	MAX_HOLDERS = 3,
	FEW_HOLDERS = 2, /* where there are more, and all are told together */
	MAX_ACTIVITIES = 64,
	MAX_WAKERS = 2,
	MAX_SPANS = 3,
	MAX_INTERVAL = 10,
	BODY = OUT_LOCK_INDENT,
};

#define LEAST_UNOWNED 0.05
#define LEAST_BARGED 0.01
#define LEAST_ALONE 0.1 /* of one holder of many */
#define LEAST_RUNQUEUE 0.05

/* ---- what a lock is called ---- */

/* Are there locks of more than one process? */
static bool has_processes(const struct probekit_snapshot *snapshot)
{
	pid_t pid = 0;

	for (size_t i = 0; i < probekit_snapshot_lock_count(snapshot); i++) {
		const struct probekit_lock *lock = probekit_snapshot_lock(snapshot, i);

		if (lock->pid && pid && lock->pid != pid)
			return true;
		if (lock->pid)
			pid = lock->pid;
	}
	return false;
}

static void kind_text(const struct probekit_snapshot *snapshot, const struct probekit_lock *lock,
		      char text[TEXT_SIZE])
{
	static const char *const sides[] = {
		[PROBEKIT_LOCK_ANY] = "",
		[PROBEKIT_LOCK_READ] = ", readers",
		[PROBEKIT_LOCK_WRITE] = ", writers",
	};
	char kind[TEXT_SIZE / 4];
	char pid[32] = "";

	format_escape(lock->kind ? lock->kind : "futex", kind, sizeof(kind));
	if (lock->pid && has_processes(snapshot))
		snprintf(pid, sizeof(pid), ", pid %d", (int)lock->pid);
	snprintf(text, TEXT_SIZE, "%s%s%s%s", kind, sides[lock->access],
		 lock->is_shared ? ", shared" : "", pid);
}

/* Where the first to wait for it was called from stands for a lock without a name. */
static void name_text(const struct probekit_lock *lock, char text[2 * TEXT_SIZE])
{
	bool is_memory = lock->kind && strcmp(lock->kind, "malloc") == 0;
	bool is_stream = lock->kind && strcmp(lock->kind, "stdio") == 0;
	bool is_of_library = lock->kind && strcmp(lock->kind, "libc") == 0;
	const struct probekit_stack *stack = lock->waiter_count ? &lock->waiters[0] : NULL;
	char name[TEXT_SIZE];
	char more[32] = "";

	if (lock->objects > 1)
		snprintf(more, sizeof(more), " and %u more", lock->objects - 1);
	if (!lock->pid && !lock->address) {
		snprintf(text, 2 * TEXT_SIZE, "all others, for which there was no room");
	} else if (lock->name) {
		format_escape(lock->name, text, TEXT_SIZE);
	} else if (!lock->symbol && (is_memory || is_stream)) {
		snprintf(text, 2 * TEXT_SIZE, "%s 0x%llx%s",
			 is_memory ? "an arena of malloc" : "a FILE of stdio",
			 (unsigned long long)lock->address, more);
	} else if (is_of_library && stack && stack_library_frames(stack)) {
		frame_text(&stack->frames[stack_library_frames(stack) - 1], name, sizeof(name));
		snprintf(text, 2 * TEXT_SIZE, "a lock of the C library in %s", name);
	} else if (lock->symbol || !stack || !stack->size) {
		lock_text(lock->symbol, lock->place, lock->address, name);
		snprintf(text, 2 * TEXT_SIZE, "%s", name);
	} else {
		frame_text(&stack->frames[stack_library_frames(stack)], name, sizeof(name));
		snprintf(text, 2 * TEXT_SIZE, "0x%llx%s in %s", (unsigned long long)lock->address,
			 more, name);
	}
}

static double time_of(const struct probekit_lock *lock)
{
	return (double)lock->waits.sum + (double)lock->waiting_ns;
}

/* ---- the lines of one ---- */

static struct probekit_activity *find_activity(struct probekit_holder *holder, const char *name)
{
	for (size_t i = 0; i < holder->activity_count; i++)
		if (strcmp(holder->activities[i].name, name) == 0)
			return &holder->activities[i];
	if (holder->activity_count == MAX_ACTIVITIES)
		return NULL;
	holder->activities[holder->activity_count] = (struct probekit_activity){.name = name};
	return &holder->activities[holder->activity_count++];
}

static int by_share(const void *left, const void *right)
{
	const struct probekit_activity *a = left;
	const struct probekit_activity *b = right;

	return a->share < b->share ? 1 : -(a->share > b->share);
}

static bool is_same_frame(const struct probekit_frame *a, const struct probekit_frame *b)
{
	if (!a->function || !b->function)
		return a->function == b->function && a->module_offset == b->module_offset;
	return strcmp(a->function, b->function) == 0 && a->line == b->line;
}

static bool is_same_stack(const struct probekit_stack *a, const struct probekit_stack *b)
{
	if (a->size != b->size)
		return false;
	for (size_t i = 0; i < a->size; i++)
		if (!is_same_frame(&a->frames[i], &b->frames[i]))
			return false;
	return true;
}

/* Where holders stood that together had it longest; NULL: no stack was seen. */
static const struct probekit_stack *commonest_stack(const struct probekit_lock *lock)
{
	const struct probekit_stack *most = NULL;
	double most_share = 0;

	for (size_t i = 0; i < lock->holder_count; i++) {
		const struct probekit_stack *stack = &lock->holders[i].holder->stack;
		double share = 0;

		for (size_t k = i; k < lock->holder_count && stack->size; k++)
			if (is_same_stack(stack, &lock->holders[k].holder->stack))
				share += lock->holders[k].share;
		if (share > most_share) {
			most = stack;
			most_share = share;
		}
	}
	return most;
}

/* Threads that held it, also those that are not listed; 0: not known. */
static size_t holder_threads(const struct probekit_lock *lock)
{
	return lock->holder_threads > lock->holder_count ? lock->holder_threads
							 : lock->holder_count;
}

/* Who joins a thread waits for its end. */
static const char *held_word(const struct probekit_lock *lock)
{
	return lock->kind && strcmp(lock->kind, "join") == 0 ? "held up" : "held";
}

/* All holders as one. Of those that are not listed it is known for how long. */
static void print_together(struct text_line *line, const struct probekit_lock *lock, bool has_stack)
{
	struct probekit_activity activities[MAX_ACTIVITIES];
	struct probekit_holder all = {.activities = activities};
	struct probekit_activity *activity;
	char label[TEXT_SIZE];
	const struct probekit_stack *stack = has_stack ? commonest_stack(lock) : NULL;
	double whole = 0;
	double all_share;

	for (size_t i = 0; i < lock->holder_count; i++)
		whole += lock->holders[i].share;
	all_share = lock->holders[0].is_certain ? 1 - lock->unowned_share : whole;
	for (size_t i = 0; i < lock->holder_count && whole > 0; i++) {
		const struct probekit_holder *holder = lock->holders[i].holder;

		for (size_t k = 0; k < holder->activity_count; k++) {
			activity = find_activity(&all, holder->activities[k].name);
			if (activity)
				activity->share += holder->activities[k].share *
						   lock->holders[i].share / whole;
		}
		if (!all.file) {
			all.file = holder->file;
			all.file_activity = holder->file_activity;
		}
	}
	if (stack)
		all.stack = *stack;
	qsort(activities, all.activity_count, sizeof(*activities), by_share);
	snprintf(label, sizeof(label), "%s by %s%zu threads %s:", held_word(lock),
		 lock->holder_threads ? "" : "at least ", holder_threads(lock),
		 format_share(all_share < 1 ? all_share : 1).text);
	out_holder(line, BODY, label, &all);
}

static void print_holders(struct text_line *line, const struct probekit_lock *lock)
{
	size_t n = lock->holder_count < MAX_HOLDERS ? lock->holder_count : MAX_HOLDERS;
	bool is_part = holder_threads(lock) > n;

	if (is_part) {
		bool is_none_alone = lock->holders[0].share < LEAST_ALONE;

		print_together(line, lock, is_none_alone);
		n = is_none_alone ? 0 : FEW_HOLDERS;
	}
	for (size_t i = 0; i < n; i++) {
		const struct probekit_lock_holder *holder = &lock->holders[i];
		char label[TEXT_SIZE];

		if (i && holder->share < OUT_LOCK_LEAST_SHARE)
			return;
		snprintf(label, sizeof(label), "%s%s %s:", holder->is_certain ? "" : "maybe ",
			 is_part ? "by one of them" : held_word(lock),
			 format_share(holder->share).text);
		out_holder(line, BODY, label, holder->holder);
	}
}

/* A thread without a CPU waits for nobody's lock any more. */
static double unowned_share(const struct probekit_lock *lock)
{
	double ns = time_of(lock);

	return ns > 0 ? lock->unowned_share - (double)lock->runqueue_ns / ns : 0;
}

static void print_unowned(struct text_line *line, const struct probekit_lock *lock)
{
	/* (of those that may have held it no share is certain, as the text says) */
	if (probekit_lock_is_event(lock) || unowned_share(lock) < LEAST_UNOWNED ||
	    (lock->holder_count && !lock->holders[0].is_certain))
		return;
	line->indent = BODY;
	line_add(line, 0, INK_PLAIN, "owner unknown for %s of the time",
		 format_share(unowned_share(lock)).text);
	line_end(line);
}

static void print_did(struct text_line *line, struct probekit_activity *did, size_t count)
{
	const struct probekit_holder waker = {.activities = did, .activity_count = count};

	if (count)
		line_add(line, 0, INK_PLAIN, ", after");
	line->indent = BODY + OUT_LOCK_LABEL;
	if (count)
		out_activities(line, &waker);
	line_end(line);
}

/* All wakers as one, with the stack of the first. Those that are not listed are no others, so no share is told. */
static void print_wakers_together(struct text_line *line, const struct probekit_lock *lock)
{
	struct probekit_activity activities[MAX_ACTIVITIES];
	struct probekit_holder all = {.activities = activities};
	double whole = 0;

	for (size_t i = 0; i < lock->waker_count; i++)
		whole += lock->wakers[i].share;
	for (size_t i = 0; i < lock->waker_count; i++)
		for (size_t k = 0; k < lock->wakers[i].did_count; k++) {
			const struct probekit_activity *did = &lock->wakers[i].did[k];
			struct probekit_activity *activity = find_activity(&all, did->name);

			if (activity && whole > 0)
				activity->share += did->share * lock->wakers[i].share / whole;
		}
	qsort(activities, all.activity_count, sizeof(*activities), by_share);
	line->indent = BODY;
	line_add(line, 0, INK_PLAIN, "woken by many threads");
	print_did(line, activities, all.activity_count);
	out_stack(line, BODY + OUT_LOCK_LABEL, "in", &lock->wakers[0].stack,
		  stack_library_frames(&lock->wakers[0].stack));
}

static void print_wakers(struct text_line *line, const struct probekit_lock *lock)
{
	char thread[TEXT_SIZE];

	if (lock->waker_count > MAX_WAKERS && lock->wakers[0].share < LEAST_ALONE) {
		print_wakers_together(line, lock);
		return;
	}
	for (size_t i = 0; i < lock->waker_count && i < MAX_WAKERS; i++) {
		const struct probekit_lock_waker *waker = &lock->wakers[i];

		if (i && waker->share < OUT_LOCK_LEAST_SHARE)
			return;
		thread_text(waker->thread.comm, sizeof(waker->thread.comm), "tid",
			    waker->thread.tid, thread);
		line->indent = BODY;
		line_add(line, 0, INK_PLAIN, "woken by %s %s of the time", thread,
			 format_share(waker->share).text);
		print_did(line, waker->did, waker->did_count);
		out_stack(line, BODY + OUT_LOCK_LABEL, "in", &waker->stack,
			  stack_library_frames(&waker->stack));
	}
}

static void print_spans(struct text_line *line, const struct probekit_lock *lock)
{
	char name[TEXT_SIZE];

	line->indent = BODY;
	for (size_t i = 0; i < lock->span_count && i < MAX_SPANS; i++) {
		format_escape(lock->spans[i].name, name, sizeof(name));
		line_add(line, 1, INK_PLAIN, "%s%s %s", i ? "" : "inside:  ", name,
			 format_share(lock->spans[i].share).text);
	}
	line_end(line);
}

static void print_remarks(struct text_line *line, const struct probekit_lock *lock)
{
	double waits = (double)lock->waits.count;
	double ns = (double)lock->waits.sum;

	line->indent = BODY;
	if (waits > 0 && (double)lock->barged >= LEAST_BARGED * waits)
		line_add(line, 0, INK_PLAIN, "%s of %s woke a thread for nothing: another took it",
			 format_count(lock->barged).text,
			 format_plural(lock->handoffs, "release", "releases").text);
	line_end(line);
	if (ns > 0 && (double)lock->runqueue_ns >= LEAST_RUNQUEUE * ns)
		line_add(line, 0, INK_WARN, "%s of the time woken already, but without a CPU",
			 format_share((double)lock->runqueue_ns / ns).text);
	line_end(line);
}

static void print_lock(struct text_line *line, const struct probekit_snapshot *snapshot,
		       const struct probekit_lock *lock, double all, bool is_explained)
{
	char name[2 * TEXT_SIZE];
	char kind[TEXT_SIZE];

	fputc('\n', line->out);
	name_text(lock, name);
	kind_text(snapshot, lock, kind);
	line->indent = BODY;
	line_add(line, 0, INK_BOLD, "%s", name);
	if (lock->name && lock->symbol) {
		lock_text(lock->symbol, lock->place, lock->address, name);
		line_add(line, 2, INK_PLAIN, "%s", name);
	}
	line_add(line, 2, INK_PLAIN, "%s", kind);
	if (all > 0)
		line_add(line, 2, INK_PLAIN, "%s of the time",
			 format_share(time_of(lock) / all).text);
	line_end(line);
	out_lock_waits(line, lock);
	if (!is_explained)
		return;
	out_lock_times(line, snapshot, lock);
	print_spans(line, lock);
	out_lock_waiters(line, lock);
	print_holders(line, lock);
	print_unowned(line, lock);
	if (!lock->holder_count)
		print_wakers(line, lock);
	print_remarks(line, lock);
}

/* ---- sections ---- */

enum section { OF_LOCKS, OF_UNKNOWN, OF_EVENTS };

static enum section section_of(const struct probekit_lock *lock)
{
	if (probekit_lock_is_event(lock))
		return OF_EVENTS;
	return lock->kind ? OF_LOCKS : OF_UNKNOWN;
}

/* All waits that found no room in the kernel's table. */
static bool is_others(const struct probekit_lock *lock)
{
	return !lock->pid && !lock->address;
}

static void print_section(struct text_line *line, const struct probekit_snapshot *snapshot,
			  enum section section)
{
	static const char *const titles[] = {
		[OF_LOCKS] = "locks",
		[OF_UNKNOWN] = "futexes of a kind that is not known",
		[OF_EVENTS] = "semaphores, condvars, joins, barriers (idle threads too)",
	};
	double all = 0;
	double whole = 0; /* (what is not known to be a lock counts with the locks) */
	size_t count = 0;
	size_t shown = 0;
	bool has_others = false;
	bool has_semaphores = false;

	for (size_t i = 0; i < probekit_snapshot_lock_count(snapshot); i++) {
		const struct probekit_lock *lock = probekit_snapshot_lock(snapshot, i);

		has_others |= is_others(lock);
		has_semaphores |= lock->kind && strcmp(lock->kind, "semaphore") == 0;
		if ((section_of(lock) == OF_EVENTS) == (section == OF_EVENTS))
			whole += time_of(lock);
		if (section_of(lock) != section)
			continue;
		all += time_of(lock);
		count++;
	}
	if (!count && section != OF_LOCKS)
		return;
	fputc('\n', line->out);
	line->indent = 0;
	line_add(line, 0, INK_BOLD, "%s", titles[section]);
	if (count)
		line_add(line, 0, INK_PLAIN, ": %s, %s of waiting", format_count(count).text,
			 format_duration(all).text);
	else
		line_add(line, 0, INK_PLAIN, ": %s",
			 has_others	  ? "none is known, as there was no room for all"
			 : has_semaphores ? "no thread waited for one but those made of semaphores"
					  : "no thread waited for one");
	line_end(line);
	for (size_t i = 0; i < probekit_snapshot_lock_count(snapshot) && shown < MAX_SHOWN; i++) {
		const struct probekit_lock *lock = probekit_snapshot_lock(snapshot, i);

		if (section_of(lock) == section)
			print_lock(line, snapshot, lock, whole, shown++ < MAX_EXPLAINED);
	}
	if (count > MAX_SHOWN)
		fprintf(line->out, "\n    and %s\n",
			format_plural(count - MAX_SHOWN, "other", "others").text);
}

void out_locks_deadlocks(FILE *out, const struct text_style *style,
			 const struct probekit_snapshot *snapshot)
{
	struct text_line line = {.out = out, .style = style};

	for (size_t i = 0; i < probekit_snapshot_deadlock_count(snapshot); i++) {
		out_deadlock(&line, probekit_snapshot_deadlock(snapshot, i));
		fputc('\n', out);
	}
}

static void print_losses(struct text_line *line, const struct probekit_snapshot *snapshot)
{
	const struct probekit_snapshot_info *info = probekit_snapshot_info(snapshot);
	const struct {
		uint64_t count;
		const char *what;
	} losses[] = {
		{info->lost.map_full,
		 "times a table for holders or spans of locks was full: their shares are too "
		 "small"},
		{info->lost.waits_unnamed,
		 "times of what holders did are told no more, as others took longer"},
		{info->lost.samples_dropped, "stacks found no room on their way"},
		{info->lost.sched_repaired,
		 "switches were not seen: their times are right, but not for what"},
	};

	line->indent = 0;
	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
		if (!losses[i].count)
			continue;
		line_add(line, 0, INK_WARN, "%s %s", format_count(losses[i].count).text,
			 losses[i].what);
		line_end(line);
	}
	out_stack_ends(line, info->stacks);
	if (line->at)
		line_add(line, 1, INK_PLAIN, "times are measured, stacks sampled");
	line_end(line);
}

void out_locks_report(FILE *out, const struct text_style *style,
		      const struct probekit_snapshot *snapshot)
{
	const struct probekit_snapshot_info *info = probekit_snapshot_info(snapshot);
	struct text_line line = {.out = out, .style = style};
	char target[TEXT_SIZE];

	out_locks_deadlocks(out, style, snapshot);
	format_escape(info->target ? info->target : "", target, sizeof(target));
	line_add(&line, 0, INK_BOLD, "%s", target);
	line_add(&line, 3, INK_PLAIN, "waits for locks in");
	line_add(&line, 1, INK_PLAIN, "%s", format_duration((double)info->duration_ns).text);
	line_end(&line);
	if (!probekit_snapshot_lock_count(snapshot)) {
		fputs("  no thread waited for a lock\n", out);
	} else {
		for (enum section section = OF_LOCKS; section <= OF_EVENTS; section++)
			print_section(&line, snapshot, section);
	}
	fputc('\n', out);
	out_lock_holds(&line, snapshot);
	print_losses(&line, snapshot);
}

/* ---- intervals ---- */

static void print_interval_row(FILE *out, size_t indent, const struct probekit_snapshot *snapshot,
			       const struct probekit_lock *lock)
{
	char name[2 * TEXT_SIZE];
	char kind[TEXT_SIZE];

	name_text(lock, name);
	kind_text(snapshot, lock, kind);
	fprintf(out, "%*s %10s %10s %10s %10s  %s  %s\n", (int)indent, "",
		format_count(lock->waits.count).text, format_duration((double)lock->waits.sum).text,
		format_duration(probekit_probe_quantile(&lock->waits, 0.5)).text,
		format_duration((double)lock->waits.max).text, name, kind);
}

/* Those that wait for events last: most of them have nothing to do. */
void out_locks_interval(FILE *out, const struct text_style *style,
			const struct probekit_snapshot *snapshot, const char *clock)
{
	struct text_line line = {.out = out, .style = style};
	size_t deadlocks = probekit_snapshot_deadlock_count(snapshot);
	size_t count = probekit_snapshot_lock_count(snapshot);
	size_t shown = 0;

	fprintf(out, "%s %10s %10s %10s %10s  %s\n", clock, "waits", "time", "p50", "max", "lock");
	for (enum section section = OF_LOCKS; section <= OF_EVENTS; section++) {
		for (size_t i = 0; i < count && shown < MAX_INTERVAL; i++) {
			const struct probekit_lock *lock = probekit_snapshot_lock(snapshot, i);

			if (section_of(lock) != section || !lock->waits.count)
				continue;
			shown++;
			print_interval_row(out, strlen(clock), snapshot, lock);
		}
	}
	if (deadlocks)
		line_add(&line, 0, INK_BOLD, "%s",
			 format_plural(deadlocks, "DEADLOCK goes on", "DEADLOCKS go on").text);
	line_end(&line);
}
