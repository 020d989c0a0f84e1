/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what made the slow spans slow: the tail's waits, joined by cause. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "stack.h"

static bool is_without_cpu(enum probekit_class time_class)
{
	return time_class == PROBEKIT_CLASS_RUNQUEUE || time_class == PROBEKIT_CLASS_THROTTLED;
}

struct probekit_thread *cause_other(struct probekit_cause *cause)
{
	return is_without_cpu(cause->time_class) ? &cause->thief : &cause->waker;
}

/* A lock with a name is one cause in all processes of a binary. */
static bool is_same_lock(const struct probekit_cause *cause, const struct probekit_wait *wait)
{
	if (!cause->address != !wait->address)
		return false;
	if (cause->symbol || wait->symbol)
		return breakdown_is_same(cause->symbol, wait->symbol) &&
		       breakdown_is_same(cause->place, wait->place);
	return cause->pid == wait->pid && cause->address == wait->address;
}

static bool is_cause_of(struct probekit_cause *cause, const struct probekit_wait *wait)
{
	return cause->time_class == wait->time_class &&
	       cause_other(cause)->pid == wait->other_pid && is_same_lock(cause, wait) &&
	       breakdown_is_same(cause->syscall, wait->syscall) &&
	       breakdown_is_same(cause->object, wait->object) &&
	       breakdown_is_same(cause->direction, wait->direction);
}

static int begin_cause(const struct probekit_wait *wait, struct probekit_cause *cause)
{
	struct probekit_thread *other;

	cause->time_class = wait->time_class;
	cause->pid = wait->pid;
	cause->address = wait->address;
	other = cause_other(cause);
	other->pid = wait->other_pid;
	memcpy(other->comm, wait->other_comm, sizeof(other->comm));
	return breakdown_copy_text(wait->syscall, &cause->syscall) |
	       breakdown_copy_text(wait->symbol, &cause->symbol) |
	       breakdown_copy_text(wait->place, &cause->place) |
	       breakdown_copy_text(wait->object, &cause->object) |
	       breakdown_copy_text(wait->direction, &cause->direction);
}

static int join(struct probekit_probe *probe, const struct probekit_wait *wait)
{
	struct probekit_cause *cause = probe->causes;
	const struct probekit_cause *end = cause + probe->cause_count;

	while (cause < end && !is_cause_of(cause, wait))
		cause++;
	if (cause == end) {
		probe->cause_count++;
		if (begin_cause(wait, cause))
			return -ENOMEM;
	}
	cause->time_ns += wait->time_ns;
	cause->count += wait->count;
	cause->spans += wait->spans;
	return 0;
}

/* What a class has beyond its causes: all of oncpu, and waits that found no room in the kernel. */
static void add_rest(struct probekit_probe *probe)
{
	size_t known = probe->cause_count;

	for (int c = 0; c < PROBEKIT_CLASS_COUNT; c++) {
		uint64_t rest = probe->tail.time_ns[c];

		for (size_t i = 0; i < known; i++)
			if ((int)probe->causes[i].time_class == c)
				rest -= probe->causes[i].time_ns < rest ? probe->causes[i].time_ns
									: rest;
		if (rest)
			probe->causes[probe->cause_count++] = (struct probekit_cause){
				.time_class = (enum probekit_class)c, .time_ns = rest};
	}
}

static int by_time(const void *a, const void *b)
{
	const struct probekit_cause *x = a;
	const struct probekit_cause *y = b;

	return x->time_ns < y->time_ns ? 1 : -(x->time_ns > y->time_ns);
}

static bool is_of_threshold(const struct probekit_tail *tail)
{
	return tail->exponent == INT32_MIN;
}

static bool is_in_tail(const struct probekit_wait *wait, const struct probekit_tail *tail)
{
	return is_of_threshold(tail) ? wait->is_slow : wait->exponent >= tail->exponent;
}

/* A wait that was under way while the tail's time was read may be in one alone. */
static void set_shares(struct probekit_probe *probe)
{
	double all = 0;

	for (size_t i = 0; i < probe->cause_count; i++)
		all += (double)probe->causes[i].time_ns;
	for (size_t i = 0; i < probe->cause_count; i++)
		probe->causes[i].share = all > 0 ? (double)probe->causes[i].time_ns / all : 0;
}

int breakdown_explain(struct probekit_probe *probe)
{
	int result = 0;

	if (!is_of_threshold(&probe->tail))
		tail_by_shape(probe, &probe->tail);
	else
		tail_by_threshold(probe, &probe->tail);
	if (!probe->tail.count)
		return 0;
	probe->causes = calloc(probe->wait_count + PROBEKIT_CLASS_COUNT, sizeof(*probe->causes));
	if (!probe->causes)
		return -ENOMEM;
	for (size_t i = 0; i < probe->wait_count && !result; i++)
		if (is_in_tail(&probe->waits[i], &probe->tail))
			result = join(probe, &probe->waits[i]);
	if (result)
		return result;
	add_rest(probe);
	set_shares(probe);
	qsort(probe->causes, probe->cause_count, sizeof(*probe->causes), by_time);
	return 0;
}

static void release(const char *text)
{
	free((void *)(uintptr_t)text);
}

void holder_free(struct probekit_holder *holder)
{
	while (holder) {
		struct probekit_holder *next = holder->next;

		for (size_t i = 0; i < holder->activity_count; i++)
			release(holder->activities[i].name);
		free(holder->activities);
		stack_done(&holder->stack);
		release(holder->file);
		release(holder->file_activity);
		release(holder->next_symbol);
		release(holder->next_place);
		free(holder);
		holder = next;
	}
}

void cause_done(struct probekit_cause *cause)
{
	release(cause->syscall);
	release(cause->symbol);
	release(cause->place);
	release(cause->lock_kind);
	release(cause->object);
	release(cause->direction);
	stack_done(&cause->stack);
	stack_done(&cause->kernel_stack);
	stack_done(&cause->waker_stack);
	holder_free(cause->holder);
	*cause = (struct probekit_cause){0};
}
