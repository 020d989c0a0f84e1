/* SPDX-License-Identifier: BSD-2-Clause */
#include "breakdown_truth.h"

#include <stdio.h>
#include <string.h>

#include "breakdown.h"

/* From the interrupt that wakes a thread on an idle CPU to the switch the kernel's clock stands
 * still: it counts that as running, and we as waiting. So long at most. */
#define WAKE_US 50
/* Choosing the next thread: the kernel counts that as the next one's running, we as the last one's. */
#define SWITCH_US 5

/* An emulated CPU stands still between any two instructions, which no account of the guest tells. */
static int64_t allow_us(int64_t us)
{
	return us * 1000 * (test_scale() > 1 ? 40 : 1);
}

struct bracket bracket_of(const struct run *run, const char *name)
{
	char inner[32];
	char outer[32];

	snprintf(inner, sizeof(inner), "inner-%s", name);
	snprintf(outer, sizeof(outer), "outer-%s", name);
	return (struct bracket){run_truth(run, inner), run_truth(run, outer)};
}

/* A thread's CPU clock may leave out what interrupts and the hypervisor took of its CPU. */
struct truth truth_of(const struct run *run)
{
	int64_t stolen = run_truth(run, "stolen");
	int64_t waits = run_truth(run, "waits");
	int64_t waking = allow_us(WAKE_US) * waits;
	struct truth truth = {
		.wall = bracket_of(run, "wall"),
		.cpu = bracket_of(run, "cpu"),
		.delay = bracket_of(run, "delay"),
		.waits = waits,
		.preemptions = run_truth(run, "preemptions"),
	};

	truth.blocked.low = truth.wall.low - truth.cpu.low - truth.delay.low - stolen;
	truth.blocked.high = truth.wall.high - truth.cpu.high - truth.delay.high + waking;
	truth.cpu.low -= waking;
	truth.cpu.high += stolen;
	return truth;
}

static int64_t allowed_beyond(struct bracket truth, int64_t allowed_ns)
{
	int64_t allowed = truth.high / 50 > allowed_ns ? truth.high / 50 : allowed_ns;

	/* what stands still may be any of the times */
	return test_scale() > 1 ? 4 * allowed : allowed;
}

void truth_check_between(const char *what, int64_t is, struct bracket truth, int64_t allowed_ns)
{
	int64_t allowed = allowed_beyond(truth, allowed_ns);

	if (is < truth.low - allowed || is > truth.high + allowed)
		fail_msg("%s: %lld ns, not %lld to %lld", what, (long long)is, (long long)truth.low,
			 (long long)truth.high);
}

/* How far outside of its bracket, in per cent of wall time. */
static double beyond(int64_t is, struct bracket bracket, const struct truth *truth)
{
	int64_t ns = 0;

	if (is < bracket.low)
		ns = is - bracket.low;
	else if (is > bracket.high)
		ns = is - bracket.high;
	return 100. * (double)ns / (double)truth->wall.high;
}

static void print_figures(const struct probekit_probe *row, const struct truth *truth)
{
	print_message("  beyond the truth: oncpu %+.2f%% runqueue %+.2f%% blocked %+.2f%%;",
		      beyond((int64_t)row->time_ns[PROBEKIT_CLASS_ONCPU], truth->cpu, truth),
		      beyond(breakdown_queued(row), truth->delay, truth),
		      beyond(breakdown_blocked(row), truth->blocked, truth));
	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		if (row->time_ns[i])
			print_message(" %s %llu us", probekit_class_name((enum probekit_class)i),
				      (unsigned long long)row->time_ns[i] / 1000);
	print_message("\n");
}

/* The hypervisor's part of the CPU clock is only known to the tick, so what is left of wall time for
 * blocking is as good as wall time. */
int64_t truth_allowed_blocked(const struct probekit_probe *row, const struct truth *truth)
{
	int64_t allowed =
		allow_us(50) * (int64_t)row->count + allow_us(SWITCH_US) * truth->preemptions;

	return allowed > truth->wall.high / 50 ? allowed : truth->wall.high / 50;
}

/* (What ends a wait is an interrupt, which runs on a little where its thread is already back.) */
static int64_t allowed_of_cpu(const struct probekit_probe *row, const struct truth *truth)
{
	return allow_us(5) * ((int64_t)row->count + truth->waits) +
	       allow_us(SWITCH_US) * truth->preemptions;
}

void truth_check_row(const struct probekit_probe *row, const struct truth *truth)
{
	int64_t count = (int64_t)row->count;
	int64_t switching = allow_us(SWITCH_US) * truth->preemptions;

	print_figures(row, truth);
	truth_check_between("wall", row->sum, truth->wall, count * allow_us(1));
	truth_check_between("oncpu", (int64_t)row->time_ns[PROBEKIT_CLASS_ONCPU], truth->cpu,
			    allowed_of_cpu(row, truth));
	truth_check_between("runqueue and throttled", breakdown_queued(row), truth->delay,
			    allow_us(50) * count + switching);
	truth_check_between("blocked", breakdown_blocked(row), truth->blocked,
			    truth_allowed_blocked(row, truth));
}

/* Throttled is part of the delay. Some kernels count a group as throttled for longer than its one
 * thread waits, and a thread that waits for a CPU once the quota is renewed goes on being throttled to
 * us: only that much is sure. */
static struct bracket throttled_of(const struct run *run, const struct truth *truth)
{
	int64_t counted = run_truth(run, "throttled");

	return (struct bracket){
		.low = (counted < truth->delay.low ? counted : truth->delay.low) / 2,
		.high = truth->delay.high,
	};
}

void truth_check_class(const struct probekit_probe *row, const struct truth *truth,
		       const struct run *run, enum probekit_class time_class)
{
	int64_t allowed = truth_allowed_blocked(row, truth);
	int64_t is = (int64_t)row->time_ns[time_class];
	int64_t least = run_truth(run, "least");
	struct bracket expected = truth->blocked;

	if (time_class == PROBEKIT_CLASS_ONCPU)
		expected = truth->cpu;
	else if (time_class == PROBEKIT_CLASS_RUNQUEUE)
		expected = truth->delay;
	else if (time_class == PROBEKIT_CLASS_THROTTLED)
		expected = throttled_of(run, truth);
	truth_check_between(probekit_class_name(time_class), is, expected, allowed);
	if (is < least - allowed)
		fail_msg("%s: %lld ns, but the peer held for %lld", row->name, (long long)is,
			 (long long)least);
}

static bool has_hypervisor(void)
{
	char text[4096] = "";
	FILE *file = fopen("/proc/cpuinfo", "re");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return strstr(text, " hypervisor") != NULL;
}

bool truth_is_robbed(const struct run *run, const char *name)
{
	const struct probekit_probe *row = find_row(run->snapshot, name);
	struct truth truth = truth_of(run);
	int64_t above;

	assert_non_null(row);
	above = (int64_t)row->time_ns[PROBEKIT_CLASS_ONCPU] - truth.cpu.high;
	return has_hypervisor() && above > allowed_beyond(truth.cpu, allowed_of_cpu(row, &truth));
}
