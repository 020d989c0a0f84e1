/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what is said about a probe whose latency changed: which time, and for what. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "out_compare_parts.h"

enum {
	MAX_CLASSES = 5,
	MAX_CAUSES = 5,
	MAX_EXPLAINED = 3, /* with stacks and holders */
	DIFFERENCE_WIDTH = 10,
	CLASS_WIDTH = 10,
	TIME_WIDTH = 9,
	BODY = 2 + DIFFERENCE_WIDTH + 2 + CLASS_WIDTH,
};

#define LEAST_PART 0.05 /* of the largest difference */

static const char *const phrases[PROBEKIT_CLASS_COUNT] = {
	[PROBEKIT_CLASS_ONCPU] = "on CPU",
	[PROBEKIT_CLASS_RUNQUEUE] = "of waiting for a CPU",
	[PROBEKIT_CLASS_THROTTLED] = "of CPU quota wait",
	[PROBEKIT_CLASS_LOCK] = "of lock wait",
	[PROBEKIT_CLASS_DISK] = "of disk wait",
	[PROBEKIT_CLASS_NETWORK] = "of network wait",
	[PROBEKIT_CLASS_IPC] = "of waiting for another process",
	[PROBEKIT_CLASS_IO] = "of io_uring or AIO",
	[PROBEKIT_CLASS_SLEEP] = "of sleep",
	[PROBEKIT_CLASS_POLL] = "of poll, select or epoll",
	[PROBEKIT_CLASS_PAGEFAULT] = "of page faults",
	[PROBEKIT_CLASS_MEMORY] = "of memory reclaim",
	[PROBEKIT_CLASS_STOPPED] = "stopped",
	[PROBEKIT_CLASS_OTHER] = "of other waits",
};

/* A rule fails of an increase, whatever the probe's quantiles do. */
static bool is_faster(const struct compare_probe *probe)
{
	return probe->verdict == PROBEKIT_VERDICT_IMPROVE && !probe->failed;
}

/* The name of the class whose rule failed; NULL: none did. */
static const char *failed_class(const struct compare_probe *probe)
{
	for (size_t i = 0; probe->failed && i < PROBEKIT_CLASS_COUNT; i++)
		if (strcmp(probekit_class_name((enum probekit_class)i), probe->failed->measure) ==
		    0)
			return probe->failed->measure;
	return NULL;
}

/* ---- in one sentence ---- */

static const struct probekit_difference *difference_in(const struct probekit_why *why,
						       const char *name)
{
	for (size_t i = 0; i < why->class_count; i++)
		if (strcmp(probekit_class_name(why->classes[i].time_class), name) == 0)
			return &why->classes[i];
	return NULL;
}

/* That of the class whose rule failed, else the largest in the direction of the verdict: certain ones first. */
static const struct probekit_difference *main_difference(const struct compare_probe *probe)
{
	const struct probekit_why *why = probe->why;
	const char *name = failed_class(probe);
	double sign = is_faster(probe) ? -1 : 1;

	if (name)
		return difference_in(why, name);
	for (int is_certain = 1; is_certain >= 0; is_certain--)
		for (size_t i = 0; i < why->class_count; i++) {
			const struct probekit_difference *one = &why->classes[i];

			if (one->is_certain == (is_certain != 0) &&
			    sign * (one->head_ns - one->base_ns) > 0)
				return one;
		}
	return NULL;
}

static const struct probekit_cause_difference *main_cause(const struct compare_probe *probe,
							  enum probekit_class time_class)
{
	const struct probekit_why *why = probe->why;
	double sign = is_faster(probe) ? -1 : 1;

	for (size_t i = 0; i < why->cause_count; i++)
		if (why->causes[i].cause->time_class == time_class &&
		    sign * (why->causes[i].head_ns - why->causes[i].base_ns) > 0)
			return &why->causes[i];
	return NULL;
}

/* What is hot in both builds is not why they differ. */
static bool tells_why(const struct probekit_cause_difference *found)
{
	return found->is_located || found->cause->time_class != PROBEKIT_CLASS_ONCPU;
}

/* Whether there is more to say of a cause than its class. */
static bool is_named(const struct probekit_cause *cause)
{
	return cause->address || cause->syscall || cause->object || cause->stack.size ||
	       cause->thief.pid || cause->thief.tid;
}

static int subject_of(const struct probekit_cause *cause, char **text)
{
	const struct text_style style = {.width = UINT32_MAX};
	struct text_line line = {.style = &style};
	size_t size;

	line.out = open_memstream(text, &size);
	if (!line.out)
		return -ENOMEM;
	out_cause_subject(&line, NULL, cause);
	if (fclose(line.out)) {
		free(*text);
		return -ENOMEM;
	}
	return 0;
}

/* "; holder now in fsync" */
static void add_holder(const struct probekit_cause_difference *found, char *text, size_t size)
{
	const struct probekit_holder *holder = found->cause->holder;
	const char *name;
	char activity[TEXT_SIZE / 2];
	bool is_place;

	if (!holder || !holder->activity_count)
		return;
	name = holder->activities[0].name;
	is_place = strcmp(name, "oncpu") != 0 && strcmp(name, "runqueue") != 0 &&
		   strcmp(name, "futex") != 0;
	format_escape(activity_word(name), activity, sizeof(activity));
	snprintf(text, size, "; holder %s %s%s", found->is_of_head ? "now" : "was",
		 is_place ? "in " : "", activity);
}

int out_compare_why_sentence(const struct compare_probe *probe, char text[static COMPARE_TEXT])
{
	const struct probekit_difference *difference = main_difference(probe);
	const struct probekit_cause_difference *found;
	char *subject;
	int length;

	*text = '\0';
	if (!difference)
		return 0;
	length = snprintf(text, COMPARE_TEXT, "%s %s%s",
			  format_difference(difference->head_ns - difference->base_ns).text,
			  phrases[difference->time_class],
			  difference->is_certain ? "" : ", not certain");
	found = main_cause(probe, difference->time_class);
	if (!difference->is_certain || !found || !is_named(found->cause) || !tells_why(found))
		return 0;
	if (subject_of(found->cause, &subject))
		return -ENOMEM;
	length += snprintf(text + length, COMPARE_TEXT - (size_t)length, "%s%.*s",
			   difference->time_class == PROBEKIT_CLASS_LOCK ? " on " : ": ",
			   COMPARE_TEXT / 2, subject);
	free(subject);
	add_holder(found, text + length, COMPARE_TEXT - (size_t)length);
	return 0;
}

/* ---- in full ---- */

static double difference_of(double base, double head)
{
	return fabs(head - base);
}

static void print_times(FILE *out, const char *difference, const char *name, const char *base,
			const char *head)
{
	fprintf(out, "  %*s  %-*s%*s%*s", DIFFERENCE_WIDTH, difference, CLASS_WIDTH, name,
		TIME_WIDTH, base, TIME_WIDTH, head);
}

static void print_classes(FILE *out, const struct probekit_why *why, bool is_verbose)
{
	size_t n = 0;

	if (!why->class_count)
		return;
	fputc('\n', out);
	print_times(out, "per span", "", "base", "head");
	fputc('\n', out);
	for (size_t i = 0; i < why->class_count; i++) {
		const struct probekit_difference *one = &why->classes[i];
		double most = difference_of(why->classes[0].base_ns, why->classes[0].head_ns);
		bool is_small = difference_of(one->base_ns, one->head_ns) < LEAST_PART * most ||
				n >= MAX_CLASSES;

		if (is_small && !is_verbose)
			continue;
		print_times(out, format_difference(one->head_ns - one->base_ns).text,
			    probekit_class_name(one->time_class),
			    format_duration(one->base_ns).text, format_duration(one->head_ns).text);
		fprintf(out, "%s\n", one->is_certain ? "" : "  not certain");
		n++;
	}
}

static void print_cause(struct text_line *line, const struct probekit_cause_difference *one,
			bool is_explained)
{
	line->indent = 0;
	line_add(line, 0, INK_PLAIN, "  %*s  %-*s", DIFFERENCE_WIDTH,
		 format_difference(one->head_ns - one->base_ns).text, CLASS_WIDTH,
		 probekit_class_name(one->cause->time_class));
	line->indent = BODY;
	out_cause_subject(line, NULL, one->cause);
	if (is_named(one->cause) && !tells_why(one))
		line_words(line, 0, INK_PLAIN, ", hot but not known to be what differs");
	line_add(line, 2, INK_PLAIN, "%s -> %s", format_duration(one->base_ns).text,
		 format_duration(one->head_ns).text);
	line_end(line);
	if (is_explained)
		out_cause_evidence(line, BODY, one->cause);
}

static void print_causes(struct text_line *line, const struct probekit_why *why, bool is_verbose)
{
	size_t n = 0;

	if (!why->cause_count)
		return;
	fputs("\n  of it, by cause\n", line->out);
	for (size_t i = 0; i < why->cause_count; i++) {
		const struct probekit_cause_difference *one = &why->causes[i];
		double most = difference_of(why->causes[0].base_ns, why->causes[0].head_ns);
		bool is_small = difference_of(one->base_ns, one->head_ns) < LEAST_PART * most ||
				n >= MAX_CAUSES;

		if (is_small && !is_verbose)
			continue;
		print_cause(line, one, n < MAX_EXPLAINED && is_named(one->cause));
		n++;
	}
}

int out_compare_why(FILE *out, const struct text_style *style, const struct compare_probe *probe,
		    bool is_verbose)
{
	struct text_line line = {.out = out, .style = style};
	char sentence[COMPARE_TEXT];
	char name[TEXT_SIZE];

	if (out_compare_why_sentence(probe, sentence))
		return -ENOMEM;
	format_escape(probe->why->probe, name, sizeof(name));
	line_add(&line, 0, INK_BOLD, "why %s", name);
	if (failed_class(probe) && probe->verdict != PROBEKIT_VERDICT_REGRESS)
		line_add(&line, 1, INK_BOLD, "has more %s time%s", failed_class(probe),
			 *sentence ? ":" : "");
	else
		line_add(&line, 1, INK_BOLD, "is %s%s", is_faster(probe) ? "faster" : "slower",
			 *sentence ? ":" : "");
	line.indent = 2;
	line_words(&line, 1, INK_BOLD, sentence);
	line_end(&line);
	print_classes(out, probe->why, is_verbose);
	print_causes(&line, probe->why, is_verbose);
	out_compare_histogram(out, style, probe);
	return 0;
}
