/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the lines below a histogram that say what made the slow spans slow. */
#include "out_parts.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_CAUSES_SHOWN = 6,
	MAX_OF_CLASS = 3,
	MAX_EXPLAINED = 3, /* with stacks and holders */
	MAX_ACTIVITIES = 3,
	MAX_CHILDREN_SHOWN = 3,
	SHARE_WIDTH = 7,
	STEP = 2, /* of a holder's holder */
};

#define LEAST_SHARE 0.01
#define LEAST_EXPLAINED 0.05
#define LEAST_ACTIVITY 0.05
#define LEAST_INVERSION 0.2 /* of the time that others waited for the holder */

static const char *const words[PROBEKIT_CLASS_COUNT] = {
	[PROBEKIT_CLASS_ONCPU] = "on CPU",
	[PROBEKIT_CLASS_RUNQUEUE] = "runnable, waiting for a CPU",
	[PROBEKIT_CLASS_THROTTLED] = "held back by a cgroup's CPU quota",
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

/* What all lines of one row share. */
struct why {
	struct text_line *line;
	const struct probekit_snapshot_info *info;
	unsigned int body; /* column where causes begin */
};

/* ---- the first line of a cause ---- */

/* `fsync("/var/log/app.log")`, or what the class means. */
static void print_call(struct text_line *line, const struct probekit_cause *cause)
{
	char object[TEXT_SIZE];
	char call[TEXT_SIZE / 2];

	format_escape(cause->object ? cause->object : "", object, sizeof(object));
	format_escape(cause->syscall ? cause->syscall : "", call, sizeof(call));
	if (cause->syscall && cause->object)
		line_add(line, 0, INK_BOLD, "%s(\"%s\")", call, object);
	else if (cause->syscall)
		line_add(line, 0, INK_BOLD, "%s", call);
	else if (cause->object)
		line_add(line, 0, INK_BOLD, "%s: %s", words[cause->time_class], object);
	else
		line_add(line, 0, INK_PLAIN, "%s", words[cause->time_class]);
}

static void print_lock(struct text_line *line, const struct probekit_cause *cause)
{
	const char *kind = cause->lock_kind ? cause->lock_kind : "lock";
	size_t first = stack_library_frames(&cause->stack);
	char name[TEXT_SIZE];
	char shown[TEXT_SIZE / 4];

	if (!cause->address) {
		print_call(line, cause);
		return;
	}
	format_escape(kind, shown, sizeof(shown));
	if (cause->lock_kind && strcmp(kind, "join") == 0) {
		line_add(line, 0, INK_BOLD, "the end of another thread");
	} else if (cause->symbol) {
		lock_text(cause->symbol, cause->place, cause->address, name);
		if (cause->lock_kind && strcmp(kind, "mutex") != 0)
			line_add(line, 0, INK_PLAIN, "%s ", shown);
		line_add(line, 0, INK_BOLD, "%s", name);
	} else if (cause->stack.size && cause->stack.frames[first].function) {
		frame_text(&cause->stack.frames[first], name, sizeof(name));
		line_add(line, 0, INK_BOLD, "a %s that %s waits for", shown, name);
		line_add(line, 1, INK_PLAIN, "(0x%llx)", (unsigned long long)cause->address);
	} else {
		line_add(line, 0, INK_BOLD, "a %s at 0x%llx of process %d", shown,
			 (unsigned long long)cause->address, (int)cause->pid);
	}
}

static bool is_target(const struct probekit_snapshot_info *info, pid_t pid)
{
	for (size_t i = 0; info && i < info->pid_count; i++)
		if (info->pids[i] == pid)
			return true;
	return false;
}

static void print_thief(struct text_line *line, const struct probekit_snapshot_info *info,
			const struct probekit_cause *cause)
{
	const struct probekit_thread *thief = &cause->thief;
	char name[TEXT_SIZE];

	if (!thief->pid && !thief->tid) {
		print_call(line, cause);
		return;
	}
	if (thief->tid)
		thread_text(thief->comm, sizeof(thief->comm), "tid", thief->tid, name);
	else
		thread_text(thief->comm, sizeof(thief->comm), "pid", thief->pid, name);
	line_add(line, 0, INK_BOLD,
		 is_target(info, thief->pid) ? "CPU taken by the target's own %s"
					     : "CPU taken by %s",
		 name);
}

static void print_peer(struct text_line *line, const struct probekit_cause *cause)
{
	static const struct {
		const char *direction;
		const char *text;
	} directions[] = {{"read", "reading from"},
			  {"write", "writing to"},
			  {"accept", "accepting on"},
			  {"connect", "connecting to"}};
	char peer[TEXT_SIZE];
	const char *text = "waiting on";

	if (!cause->object) {
		print_call(line, cause);
		return;
	}
	for (size_t i = 0; cause->direction && i < sizeof(directions) / sizeof(directions[0]); i++)
		if (strcmp(cause->direction, directions[i].direction) == 0)
			text = directions[i].text;
	format_escape(cause->object, peer, sizeof(peer));
	line_add(line, 0, INK_BOLD, "%s %s", text, peer);
}

static void print_hot(struct text_line *line, const struct probekit_cause *cause)
{
	char name[TEXT_SIZE];

	if (!cause->stack.size) {
		print_call(line, cause);
		return;
	}
	frame_text(&cause->stack.frames[0], name, sizeof(name));
	if (stack_probe_frames(&cause->stack))
		line_add(line, 0, INK_BOLD, "in probekit's own probe (cost of measuring)");
	else
		line_add(line, 0, INK_BOLD, "in %s", name);
	if (cause->stack.share > 0)
		line_add(line, 0, INK_PLAIN, ", %s of it", format_share(cause->stack.share).text);
}

void out_cause_subject(struct text_line *line, const struct probekit_snapshot_info *info,
		       const struct probekit_cause *cause)
{
	switch (cause->time_class) {
	case PROBEKIT_CLASS_ONCPU:
		print_hot(line, cause);
		break;
	case PROBEKIT_CLASS_RUNQUEUE:
		print_thief(line, info, cause);
		break;
	case PROBEKIT_CLASS_LOCK:
		print_lock(line, cause);
		break;
	case PROBEKIT_CLASS_NETWORK:
		print_peer(line, cause);
		break;
	default:
		print_call(line, cause);
	}
	if (cause->time_class != PROBEKIT_CLASS_LOCK && (cause->waker.pid || cause->waker.tid)) {
		char name[TEXT_SIZE];

		thread_text(cause->waker.comm, sizeof(cause->waker.comm),
			    cause->waker.pid ? "pid" : "tid",
			    cause->waker.pid ? cause->waker.pid : cause->waker.tid, name);
		line_add(line, 0, INK_PLAIN, ", woken by %s", name);
	}
}

/* ---- what is known of it ---- */

const char *activity_word(const char *name)
{
	static const struct {
		const char *name;
		const char *word;
	} others[] = {{"oncpu", "on CPU"},
		      {"runqueue", "waiting for a CPU"},
		      {"futex", "waiting for another thread"},
		      {"pagefault", "page faults"}};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(name, others[i].name) == 0)
			return others[i].word;
	return name;
}

static size_t activities_shown(const struct probekit_holder *holder)
{
	size_t n =
		holder->activity_count < MAX_ACTIVITIES ? holder->activity_count : MAX_ACTIVITIES;

	while (n > 1 && holder->activities[n - 1].share < LEAST_ACTIVITY)
		n--;
	return n;
}

static bool is_of_file(const struct probekit_holder *holder, const char *activity)
{
	return holder->file && holder->file_activity &&
	       strcmp(activity, holder->file_activity) == 0;
}

/* `fsync("/var/log/app.log") 94 % of it, on CPU 4 %` */
void out_activities(struct text_line *line, const struct probekit_holder *holder)
{
	size_t n = activities_shown(holder);
	char name[TEXT_SIZE / 2];
	char file[TEXT_SIZE];
	char call[2 * TEXT_SIZE];

	format_escape(holder->file ? holder->file : "", file, sizeof(file));
	for (size_t i = 0; i < n; i++) {
		const char *activity = holder->activities[i].name;

		format_escape(activity_word(activity), name, sizeof(name));
		if (is_of_file(holder, activity))
			snprintf(call, sizeof(call), "%s(\"%s\")", name, file);
		else
			snprintf(call, sizeof(call), "%s", name);
		line_add(line, 1, i == 0 ? INK_BOLD : INK_PLAIN, "%s %s%s%s", call,
			 format_share(holder->activities[i].share).text, i == 0 ? " of it" : "",
			 i + 1 < n ? "," : "");
	}
}

static void holder_text(const struct probekit_holder *holder, char text[2 * TEXT_SIZE])
{
	char thread[TEXT_SIZE];

	thread_text(holder->thread.comm, sizeof(holder->thread.comm), "tid", holder->thread.tid,
		    thread);
	snprintf(text, 2 * TEXT_SIZE, holder->threads > 1 ? "%s and %u more" : "%s", thread,
		 holder->threads - 1);
}

/* It could have run, and who waits for it gone on, but another had its CPU. */
static void print_inversion(struct text_line *line, unsigned int indent,
			    const struct probekit_holder *holder)
{
	char thief[TEXT_SIZE];

	for (size_t i = 0; i < holder->activity_count && holder->thief.pid; i++) {
		if (strcmp(holder->activities[i].name, "runqueue") != 0 ||
		    holder->activities[i].share < LEAST_INVERSION)
			continue;
		thread_text(holder->thief.comm, sizeof(holder->thief.comm), "pid",
			    holder->thief.pid, thief);
		line->indent = indent;
		line_add(line, 0, INK_WARN, "priority inversion:");
		line_add(line, 1, INK_PLAIN, "%s of it others had its CPU, most %s%s",
			 format_share(holder->activities[i].share).text,
			 holder->thief.pid == holder->thread.pid ? "the target's own " : "", thief);
		line_end(line);
	}
}

/* A wait of its own that was hardly any of it may have been just after the hold. */
static bool is_chained(const struct probekit_holder *holder)
{
	for (size_t i = 0; i < holder->activity_count; i++)
		if (strcmp(holder->activities[i].name, "futex") == 0)
			return holder->next_address &&
			       holder->activities[i].share >= LEAST_ACTIVITY;
	return holder->next_address && !holder->activity_count;
}

void out_holder(struct text_line *line, unsigned int body, const char *label,
		const struct probekit_holder *holder)
{
	unsigned int indent = body + (unsigned int)strlen("holder: ");
	char text[2 * TEXT_SIZE];
	char lock[TEXT_SIZE];

	line->indent = body;
	line_add(line, 0, INK_PLAIN, "%s", label);
	line->indent = indent;
	out_activities(line, holder);
	holder_text(holder, text);
	if (holder->thread.tid)
		line_add(line, holder->activity_count ? 2 : 1, INK_PLAIN,
			 holder->activity_count ? "by %s" : "%s", text);
	line_end(line);
	for (;; indent += STEP) {
		const struct probekit_holder *next = holder->next;

		print_inversion(line, indent, holder);
		out_stack(line, indent, "in", &holder->stack, stack_library_frames(&holder->stack));
		if (!is_chained(holder))
			return;
		lock_text(holder->next_symbol, holder->next_place, holder->next_address, lock);
		line->indent = indent;
		line_add(line, 0, INK_BOLD, "waits for %s%s", lock, next ? "," : "");
		line->indent = indent + STEP;
		if (!next) {
			line_end(line);
			return;
		}
		holder_text(next, text);
		line_add(line, 1, INK_PLAIN, "held by %s%s", text, next->activity_count ? ":" : "");
		out_activities(line, next);
		line_end(line);
		holder = next;
	}
}

static void print_releaser(struct text_line *line, unsigned int body,
			   const struct probekit_cause *cause)
{
	char thread[TEXT_SIZE];

	if (!cause->waker.tid && !cause->waker.pid)
		return;
	thread_text(cause->waker.comm, sizeof(cause->waker.comm), "tid", cause->waker.tid, thread);
	line->indent = body;
	line_add(line, 0, INK_PLAIN, "released by:");
	line_add(line, 1, INK_BOLD, "%s", thread);
	line_end(line);
	out_stack(line, body + (unsigned int)strlen("released by: "), "in", &cause->waker_stack,
		  stack_library_frames(&cause->waker_stack));
}

static bool is_in_kernel(const struct probekit_cause *cause)
{
	return cause->time_class == PROBEKIT_CLASS_OTHER ||
	       (cause->time_class == PROBEKIT_CLASS_LOCK && !cause->address);
}

void out_cause_evidence(struct text_line *line, unsigned int body,
			const struct probekit_cause *cause)
{
	bool has_cpu = cause->time_class == PROBEKIT_CLASS_ONCPU;

	if (cause->time_class != PROBEKIT_CLASS_RUNQUEUE &&
	    cause->time_class != PROBEKIT_CLASS_THROTTLED)
		out_stack(line, body, has_cpu ? "running:" : "waiting:", &cause->stack,
			  has_cpu ? stack_probe_frames(&cause->stack)
				  : stack_library_frames(&cause->stack));
	if (is_in_kernel(cause))
		out_stack(line, body, "in kernel:", &cause->kernel_stack, 0);
	if (cause->holder)
		out_holder(line, body, "holder:", cause->holder);
	else if (cause->time_class == PROBEKIT_CLASS_LOCK)
		print_releaser(line, body, cause);
}

/* ---- which causes ---- */

static bool is_rest(const struct probekit_cause *cause)
{
	return !cause->count && cause->time_class != PROBEKIT_CLASS_ONCPU;
}

static void print_cause(struct why *why, const struct probekit_cause *cause, bool is_first,
			bool is_explained)
{
	struct text_line *line = why->line;
	int width = (int)(why->body - SHARE_WIDTH - 4);

	line->indent = 0;
	line_add(line, 0, is_first ? INK_BOLD : INK_PLAIN, "%*s  %-*s  ", SHARE_WIDTH,
		 format_share(cause->share).text, width, probekit_class_name(cause->time_class));
	line->indent = why->body;
	out_cause_subject(line, why->info, cause);
	if (cause->count)
		line_add(line, 0, INK_PLAIN, ", %s",
			 format_plural(cause->count, "wait", "waits").text);
	line_end(line);
	if (is_explained)
		out_cause_evidence(line, why->body, cause);
	line->indent = 2;
}

/* Most time first, as they come; of one class a few, so that others are told too. */
static size_t choose(const struct probekit_probe *row,
		     const struct probekit_cause *chosen[MAX_CAUSES_SHOWN])
{
	size_t of_class[PROBEKIT_CLASS_COUNT] = {0};
	size_t n = 0;

	for (size_t i = 0; i < row->cause_count && n < MAX_CAUSES_SHOWN; i++) {
		const struct probekit_cause *cause = &row->causes[i];

		if (cause->share < LEAST_SHARE || of_class[cause->time_class] == MAX_OF_CLASS)
			continue;
		of_class[cause->time_class]++;
		chosen[n++] = cause;
	}
	return n;
}

static void print_causes(struct text_line *line, const struct probekit_snapshot_info *info,
			 const struct probekit_probe *row)
{
	const struct probekit_cause *chosen[MAX_CAUSES_SHOWN];
	size_t n = choose(row, chosen);
	struct why why = {line, info, 0};
	size_t width = 0;
	size_t explained = 0;

	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(probekit_class_name(chosen[i]->time_class));

		width = length > width ? length : width;
	}
	why.body = (unsigned int)(SHARE_WIDTH + 2 + width + 2);
	for (size_t i = 0; i < n; i++) {
		bool is_explained = !is_rest(chosen[i]) && explained < MAX_EXPLAINED &&
				    (i == 0 || chosen[i]->share >= LEAST_EXPLAINED);

		explained += is_explained;
		print_cause(&why, chosen[i], i == 0, is_explained);
	}
}

/* ---- spans inside ---- */

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
		char name[TEXT_SIZE];

		if (share < LEAST_SHARE)
			break;
		format_escape(children[i]->name, name, sizeof(name));
		line_add(line, 0, INK_PLAIN, shown++ ? ", %s in %s" : "of all its time %s in %s",
			 format_share(share).text, name);
	}
	line_end(line);
	free(children);
}

void out_why(struct text_line *line, const struct probekit_snapshot_info *info,
	     const struct probekit_probe *row)
{
	bool has_children = row->child_count && row->sum > 0;
	bool has_threshold = row->tail.exponent == INT32_MIN && row->tail.from_ns;

	if (has_children || row->tail.count || has_threshold)
		fputc('\n', line->out);
	if (has_children)
		print_children(line, row);
	if (row->tail.count == 0 && !has_threshold)
		return;
	if (row->tail.count == 0) {
		line_add(line, 0, INK_PLAIN, "none took longer than %s",
			 format_duration((double)row->tail.from_ns).text);
		line_end(line);
		return;
	}
	line_add(line, 0, INK_PLAIN, "why slow (over %s: %s of spans, %s of the time):",
		 format_duration((double)row->tail.from_ns).text,
		 format_share(row->tail.share_of_spans).text,
		 format_share(row->tail.share_of_time).text);
	line_end(line);
	print_causes(line, info, row);
}
