/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns two runs at once, and that neither outlives or outlasts us stopped: the commands die with this
 * thread, and a watchdog ends their process groups.
 */
#include "duet.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "cpus.h"
#include "format.h"
#include "group.h"
#include "measure.h"
#include "turns.h"
#include "watchdog.h"

enum {
	SIDES = 2,
	POLL_MS = 5,
	LOOK_MS = 50, /* between looks who has left a group */
};

/* Of the spans' time so much at least is for a CPU, and so much of one CPU at least, and at most, the
 * program takes. */
#define LEAST_BUSY 0.9
#define LEAST_CPU 0.8
#define MOST_CPU 1.2

struct side {
	struct run run;
	struct run_result result;
	bool is_open;
	bool has_ended;
};

struct duet {
	struct side sides[SIDES];
	struct cpus cpus;
	struct watchdog watchdog;
	struct turns *turns;
	size_t overlaps[SIDES];
	uint64_t next_look_ns;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; UINT64_MAX: none */
};

static pid_t pid_of(const struct side *side)
{
	return probekit_session_command_pid(side->run.session);
}

/* ---- the start ---- */

/* Measured, but held; where it will run, and guarded. */
static int prepare(struct duet *duet, struct side *side, const struct run_request *request,
		   struct probekit_error *err)
{
	int ret = run_open(&side->run, request, true, err);

	if (ret)
		return ret;
	side->is_open = true;
	ret = probekit_session_start(side->run.session, err);
	if (!ret)
		ret = cpus_pin(&duet->cpus, pid_of(side), err);
	return ret ? ret : watchdog_guard(&duet->watchdog, pid_of(side), err);
}

/* The first to run is stopped again before the second one does. */
static int release(struct duet *duet, int first, uint64_t seed, struct probekit_error *err)
{
	const pid_t leaders[SIDES] = {pid_of(&duet->sides[0]), pid_of(&duet->sides[1])};
	int ret = probekit_session_release(duet->sides[first].run.session, err);

	if (ret)
		return ret;
	duet->overlaps[first] += !turns_pause(leaders[first]);
	ret = probekit_session_release(duet->sides[!first].run.session, err);
	return ret ? ret : turns_start(leaders, !first, seed, &duet->turns, err);
}

/* Each may take its own time, and they share a CPU. */
static void set_deadline(struct duet *duet)
{
	uint64_t base_ns = duet->sides[0].run.request->timeout_ns;
	uint64_t head_ns = duet->sides[1].run.request->timeout_ns;

	duet->deadline_ns = base_ns && head_ns ? clock_now_ns() + base_ns + head_ns : UINT64_MAX;
}

/* ---- until both have ended ---- */

static int finish(struct side *side, bool has_timed_out, struct probekit_error *err)
{
	int ret = probekit_session_stop(side->run.session, err);

	side->has_ended = true;
	if (!ret)
		ret = run_finish(&side->run, has_timed_out, &side->result, err);
	side->result.cpu_share = NAN; /* half of the time it was stopped */
	return ret;
}

static int poll_side(struct side *side, struct probekit_error *err)
{
	int events = probekit_session_poll(side->run.session, POLL_MS, err);

	if (events < 0)
		return events == -EINTR ? 0 : events;
	return events & PROBEKIT_EVENT_TARGETS_ENDED ? finish(side, false, err) : 0;
}

/* Who has left the group is not stopped with it, and runs in the other's turns. */
static int check_groups(struct duet *duet, struct probekit_error *err)
{
	if (clock_now_ns() < duet->next_look_ns)
		return 0;
	duet->next_look_ns = clock_now_ns() + LOOK_MS * 1000000ull;
	for (int i = 0; i < SIDES; i++) {
		const struct side *side = &duet->sides[i];
		pid_t stray = side->has_ended ? 0 : group_find_stray(pid_of(side));

		if (!stray)
			continue;
		failure_error(err, -ENOTSUP,
			      "'%.200s' cannot be measured by turns: its process %d has left the "
			      "process group, and would not be stopped",
			      side->run.request->argv[0], (int)stray);
		snprintf(err->hint, sizeof(err->hint), "use --mode pairs");
		return err->code;
	}
	return 0;
}

static int interrupted(struct probekit_error *err)
{
	return failure_error(err, -EINTR, "the runs were interrupted");
}

/* None may be stopped when it is asked to end. */
static int time_out(struct duet *duet, struct probekit_error *err)
{
	turns_stop(duet->turns, duet->overlaps);
	duet->turns = NULL;
	return finish(&duet->sides[duet->sides[0].has_ended], true, err);
}

static int run_both(struct duet *duet, struct probekit_error *err)
{
	int ret = 0;

	while (!ret && !(duet->sides[0].has_ended && duet->sides[1].has_ended)) {
		for (int i = 0; i < SIDES && !ret; i++)
			if (!duet->sides[i].has_ended)
				ret = poll_side(&duet->sides[i], err);
		/* The same Ctrl-C may have ended a command, and that been seen first. */
		if (measure_is_interrupted())
			return interrupted(err);
		if (!ret)
			ret = check_groups(duet, err);
		if (!ret && clock_now_ns() >= duet->deadline_ns)
			return time_out(duet, err);
	}
	return ret;
}

static void tell_overlaps(const struct duet *duet)
{
	char command[512];

	for (int i = 0; i < SIDES; i++) {
		if (!duet->overlaps[i])
			continue;
		format_escape(duet->sides[i].run.request->argv[0], command, sizeof(command));
		fprintf(stderr,
			"probekit: '%s' still ran when %s of the other began: what waits for a CPU, "
			"or is in the kernel, stops late\n",
			command, format_plural(duet->overlaps[i], "turn", "turns").text);
	}
}

/* ---- all of it ---- */

static int perform(struct duet *duet, const struct run_request *const requests[SIDES],
		   uint64_t seed, struct probekit_error *err)
{
	int ret = cpus_part(&duet->cpus, err);

	if (ret)
		return ret;
	ret = watchdog_start(&duet->watchdog, err);
	for (int i = 0; i < SIDES && !ret; i++)
		ret = prepare(duet, &duet->sides[i], requests[i], err);
	if (!ret && measure_is_interrupted())
		ret = interrupted(err);
	if (!ret) {
		run_give_up_rights(&duet->sides[0].run);
		ret = release(duet, __builtin_parityll(seed), seed, err);
	}
	if (!ret) {
		set_deadline(duet);
		ret = run_both(duet, err);
	}
	turns_stop(duet->turns, duet->overlaps);
	if (!ret)
		tell_overlaps(duet);
	for (int i = 0; i < SIDES; i++)
		if (duet->sides[i].is_open && !duet->sides[i].has_ended)
			(void)!probekit_session_stop(duet->sides[i].run.session, NULL);
	/* Their numbers are theirs until here. */
	watchdog_stop(&duet->watchdog);
	for (int i = 0; i < SIDES; i++)
		if (duet->sides[i].is_open)
			run_close(&duet->sides[i].run);
	cpus_join(&duet->cpus);
	return ret;
}

int duet_run(const struct run_request *base, const struct run_request *head, uint64_t seed,
	     struct run_result *base_result, struct run_result *head_result,
	     struct probekit_error *err)
{
	const struct run_request *const requests[SIDES] = {base, head};
	struct duet duet = {.watchdog.fd = -1};
	int ret;

	measure_catch_signals();
	ret = perform(&duet, requests, seed, err);
	if (ret) {
		for (int i = 0; i < SIDES; i++)
			probekit_snapshot_free(duet.sides[i].result.snapshot);
		return ret;
	}
	*base_result = duet.sides[0].result;
	*head_result = duet.sides[1].result;
	return 0;
}

/* ---- what cannot be measured so ---- */

struct times {
	double ns[PROBEKIT_CLASS_COUNT];
	double sum;
	bool is_unknown;   /* of spans */
	const char *async; /* one such probe; NULL: none */
};

static struct times times_of(const struct probekit_snapshot *snapshot)
{
	struct times times = {0};

	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++) {
		const struct probekit_probe *row = probekit_snapshot_probe(snapshot, i);

		if (row->has_key || row->kind == PROBEKIT_KIND_VALUE || !row->count)
			continue;
		if (row->kind == PROBEKIT_KIND_ASYNC)
			times.async = row->name;
		times.is_unknown |= !row->has_time;
		for (int k = 0; k < PROBEKIT_CLASS_COUNT; k++)
			times.ns[k] += (double)row->time_ns[k];
		times.sum += (double)row->sum;
	}
	return times;
}

/* On a CPU, or about to be. */
static bool is_busy(enum probekit_class time_class)
{
	return time_class == PROBEKIT_CLASS_ONCPU || time_class == PROBEKIT_CLASS_RUNQUEUE ||
	       time_class == PROBEKIT_CLASS_THROTTLED || time_class == PROBEKIT_CLASS_PAGEFAULT;
}

static const char *refuse_waits(const struct times *times, char *text, size_t size)
{
	int most = PROBEKIT_CLASS_OTHER;
	double busy = 0;

	for (int k = 0; k < PROBEKIT_CLASS_COUNT; k++) {
		if (is_busy((enum probekit_class)k))
			busy += times->ns[k];
		else if (times->ns[k] > times->ns[most])
			most = k;
	}
	if (times->sum <= 0 || busy >= LEAST_BUSY * times->sum)
		return NULL;
	snprintf(text, size,
		 "its spans wait for %s of their time, mostly in %s, and such waits go on while "
		 "it is stopped",
		 format_share(1 - busy / times->sum).text,
		 probekit_class_name((enum probekit_class)most));
	return text;
}

/* The share of its time that it would be on a CPU if nobody competed, as far as its spans tell. */
static double undisturbed(double cpu_share, const struct times *times)
{
	double oncpu = times->ns[PROBEKIT_CLASS_ONCPU];
	double queued = times->ns[PROBEKIT_CLASS_RUNQUEUE] + times->ns[PROBEKIT_CLASS_THROTTLED];

	return oncpu > 0 ? cpu_share * (oncpu + queued) / oncpu : cpu_share;
}

static const char *refuse_share(double cpu_share, const struct times *times, char *text,
				size_t size)
{
	if (undisturbed(cpu_share, times) < LEAST_CPU)
		snprintf(text, size,
			 "it is on a CPU for only %s of its time, and what it waits for goes on "
			 "while it is stopped",
			 format_share(cpu_share).text);
	else if (cpu_share > MOST_CPU)
		snprintf(text, size,
			 "it keeps %.1f CPUs busy at a time, and by turns it would have one",
			 cpu_share);
	else
		return NULL; /* or not known */
	return text;
}

const char *duet_refusal(const struct run_result *alone, char *text, size_t size)
{
	struct times times = times_of(alone->snapshot);
	const char *refusal;

	if (alone->has_left_group)
		return "a process of it leaves its process group, and would not be stopped with it";
	if (times.is_unknown)
		return "where the time of its spans goes is not known on this machine";
	if (times.async) {
		char name[200];

		format_escape(times.async, name, sizeof(name));
		snprintf(text, size,
			 "it has async spans (%s), of which the time that it is stopped cannot be "
			 "told apart",
			 name);
		return text;
	}
	refusal = refuse_waits(&times, text, size);
	return refusal ? refusal : refuse_share(alone->cpu_share, &times, text, size);
}
