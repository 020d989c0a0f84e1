/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_OUT_PARTS_H
#define PROBEKIT_CLI_OUT_PARTS_H
/* What the text output is put together from. */
#include "format.h"
#include "out_text.h"

/* A probe, the row of it that is shown (its own, or one key's), and its key rows. */
struct text_group {
	const struct probekit_probe *probe;
	const struct probekit_probe *shown; /* NULL: the wanted key did not occur */
	const struct probekit_probe *const *keys;
	size_t key_count;
};

/* A line of segments, continued on an indented one where a segment does not fit. */
struct text_line {
	FILE *out;
	const struct text_style *style;
	unsigned int indent;
	unsigned int at; /* columns used; 0: nothing printed yet */
};

enum text_ink { INK_PLAIN, INK_BOLD, INK_WARN, INK_BAR };

void line_add(struct text_line *line, unsigned int gap, enum text_ink ink, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void line_end(struct text_line *line);
/* Codes around inked text; "" without colour. */
const char *ink_start(const struct text_style *style, enum text_ink ink);
const char *ink_stop(const struct text_style *style, enum text_ink ink);

/* A time, or for kind VALUE a quantity. */
struct format format_of(const struct probekit_probe *probe, double value);
/* Whether quantile `q` of `count` values is anything but the largest of them. */
bool quantile_is_known(uint64_t count, double q);

void out_histogram(FILE *out, const struct text_style *style, const struct probekit_probe *probe);

/* What made the slow ones slow; nothing where that is not known. */
void out_why(struct text_line *line, const struct probekit_snapshot_info *info,
	     const struct probekit_probe *row);
/* What a cause is, on the line: "log_mutex (logger+0x4050)", "CPU taken by stress (pid 7)". `info`: of the
 * targets; NULL: they are not known. */
void out_cause_subject(struct text_line *line, const struct probekit_snapshot_info *info,
		       const struct probekit_cause *cause);
/* Below it where that was, and who held the lock or released it, from column `body` on. */
void out_cause_evidence(struct text_line *line, unsigned int body,
			const struct probekit_cause *cause);
/* "on CPU" for "oncpu"; a system call's name stays. */
const char *activity_word(const char *name);
/* What a holder did, on the line. */
void out_activities(struct text_line *line, const struct probekit_holder *holder);
/* A holder, and below it what it waited for itself, each a step further in. */
void out_holder(struct text_line *line, unsigned int body, const char *label,
		const struct probekit_holder *holder);
/* The few slowest, one by one. */
void out_slowest(struct text_line *line, const struct probekit_probe *row);
/* The spans that had not ended, oldest first. */
void out_open(struct text_line *line, const struct probekit_probe *probe);
/* A sentence for each circle of threads that wait for each other's locks, in which one is inside a
 * span of the probe: that one's first thread tells it. */
void out_deadlocks(struct text_line *line, const struct text_view *view,
		   const struct probekit_probe *probe);

/* The same of a circle of any threads, with the stack of each. */
void out_deadlock(struct text_line *line, const struct probekit_deadlock *deadlock);

/* How many stacks lack their outermost callers, and why; nothing where none does. */
void out_stack_ends(struct text_line *line, const uint64_t stacks[static PROBEKIT_STACK_END_COUNT]);

enum { TEXT_SIZE = 256 };

/* "function", "library+0x1f" where that is not known. */
void frame_text(const struct probekit_frame *frame, char *text, size_t size);
/* "log_mutex (logger+0x4050)"; the address where there is no name. */
void lock_text(const char *symbol, const char *place, uint64_t address, char text[TEXT_SIZE]);
/* "worker (tid 42)"; "tid 42" where the name is not known. */
void thread_text(const char *comm, size_t comm_size, const char *id_name, pid_t id,
		 char text[TEXT_SIZE]);
/* Innermost frames that are of the language's libraries, if any of the program's follow. */
size_t stack_library_frames(const struct probekit_stack *stack);
/* Innermost frames that are of a probe, which this tool makes take time. */
size_t stack_probe_frames(const struct probekit_stack *stack);
/* A line "LABEL inner <- outer      file.c:48" of the frames from `first` on; nothing of none. */
void out_stack(struct text_line *line, unsigned int indent, const char *label,
	       const struct probekit_stack *stack, size_t first);

/* The same columns for keys, for the summary of all probes, and for intervals. */
struct text_table {
	FILE *out;
	const struct text_style *style;
	unsigned int indent;
	size_t label_width;
	double seconds; /* what rates refer to */
};

void table_init(struct text_table *table, FILE *out, const struct text_style *style,
		unsigned int indent, uint64_t duration_ns);
/* Widens the first column for `label`; to be called for every label before the head is printed. */
void table_measure(struct text_table *table, const char *label);
void table_head(const struct text_table *table, const char *title);
void table_row(const struct text_table *table, const char *label,
	       const struct probekit_probe *probe);
void out_keys(FILE *out, const struct text_style *style, const struct text_group *group,
	      uint64_t duration_ns);

#endif
