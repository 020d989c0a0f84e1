/* SPDX-License-Identifier: BSD-2-Clause */
#include "whys.h"

#include <math.h>

#include "breakdown.h"

struct whys whys;

/* ---- runs ---- */

static struct probekit_snapshot *new_run(uint64_t spans)
{
	struct probekit_snapshot *run = snapshot_new(1);
	struct probekit_probe *row = &run->probes[0];

	row->name = copied("web:request");
	row->has_time = true;
	row->count = spans;
	row->histogram.scale = 6;
	row->tail = (struct probekit_tail){.exponent = INT32_MIN, .count = 1, .from_ns = MS};
	return run;
}

void whys_begin(size_t count)
{
	assert_true(count <= PAIRS_MAX);
	whys.pairs = count;
	for (size_t i = 0; i < whys.pairs; i++) {
		whys.base[i] = new_run(SPANS);
		whys.head[i] = new_run(SPANS);
	}
}

int whys_end(void **state)
{
	(void)state;
	compare_why_done(&whys.why);
	subjects_done(&whys.subjects);
	for (size_t i = 0; i < whys.pairs; i++) {
		probekit_snapshot_free(whys.base[i]);
		probekit_snapshot_free(whys.head[i]);
	}
	whys.pairs = 0;
	return 0;
}

void spend(struct probekit_snapshot *run, enum probekit_class time_class, double ns_per_span)
{
	struct probekit_probe *row = &run->probes[0];
	uint64_t ns = (uint64_t)llround(ns_per_span * (double)row->count);

	row->time_ns[time_class] += ns;
	row->tail.time_ns[time_class] += ns;
}

static void add_wait(struct probekit_snapshot *run, struct probekit_wait wait, double ns_per_span)
{
	wait.count = 1;
	wait.spans = 1;
	wait.time_ns = (uint64_t)llround(ns_per_span * (double)run->probes[0].count);
	assert_int_equal(breakdown_add_wait(&run->probes[0], &wait), 0);
}

void wait_in(struct probekit_snapshot *run, struct probekit_wait wait, double ns_per_span)
{
	wait.is_slow = true;
	add_wait(run, wait, ns_per_span);
	spend(run, wait.time_class, ns_per_span);
}

void wait_fast(struct probekit_snapshot *run, struct probekit_wait wait, double ns_per_span)
{
	add_wait(run, wait, ns_per_span);
	run->probes[0].time_ns[wait.time_class] +=
		(uint64_t)llround(ns_per_span * (double)run->probes[0].count);
}

struct probekit_wait lock_wait(uint64_t address, const char *symbol, const char *place)
{
	return (struct probekit_wait){
		.time_class = PROBEKIT_CLASS_LOCK,
		.syscall = "futex",
		.pid = 42,
		.address = address,
		.symbol = symbol,
		.place = place,
	};
}

struct probekit_wait file_wait(const char *call, const char *file)
{
	return (struct probekit_wait){
		.time_class = PROBEKIT_CLASS_DISK, .syscall = call, .object = file};
}

void explain_tails(void)
{
	for (size_t i = 0; i < whys.pairs; i++) {
		assert_int_equal(breakdown_explain(&whys.base[i]->probes[0]), 0);
		assert_int_equal(breakdown_explain(&whys.head[i]->probes[0]), 0);
	}
}

void whys_ask(void)
{
	struct probekit_error err;

	assert_int_equal(subjects_of((const struct probekit_snapshot *const *)whys.base,
				     (const struct probekit_snapshot *const *)whys.head, whys.pairs,
				     &whys.subjects, &err),
			 0);
	assert_int_equal(whys.subjects.size, 1);
	assert_int_equal(compare_why_fill(&whys.subjects.items[0], whys.pairs, &whys.why, &err), 0);
	assert_string_equal(whys.why.probe, "web:request");
}

/* ---- what is expected ---- */

void assert_ns(double found, double expected)
{
	if (!(fabs(found - expected) <= 1e-6 * fabs(expected) + 1e-6))
		fail_msg("%.9g is not %.9g", found, expected);
}

void assert_class(size_t i, enum probekit_class time_class, double base_ns, double head_ns)
{
	assert_true(i < whys.why.class_count);
	assert_int_equal(whys.why.classes[i].time_class, time_class);
	assert_ns(whys.why.classes[i].base_ns, base_ns);
	assert_ns(whys.why.classes[i].head_ns, head_ns);
}

void assert_cause(size_t i, double base_ns, double head_ns)
{
	assert_true(i < whys.why.cause_count);
	assert_ns(whys.why.causes[i].base_ns, base_ns);
	assert_ns(whys.why.causes[i].head_ns, head_ns);
}
