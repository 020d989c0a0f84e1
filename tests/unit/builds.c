/* SPDX-License-Identifier: BSD-2-Clause */
#include "builds.h"

void builds_init(struct builds *builds, uint64_t seed)
{
	memset(builds, 0, sizeof(*builds));
	samples_init(&builds->random, PROBEKIT_KIND_SPAN, seed);
}

static void fill_row(struct builds *builds, const struct build_probe *from,
		     struct probekit_probe *row)
{
	static struct samples spans;
	double run = exp(from->run_spread * samples_normal(&builds->random));
	double total = 0;

	samples_init(&spans, from->kind, samples_next(&builds->random));
	for (uint64_t i = 0; i < from->count; i++) {
		bool is_slow = samples_uniform(&spans) < from->slow_share;
		double ns = samples_log_normal(&spans, from->median_ns * run, from->spread);

		samples_add(&spans, is_slow ? ns * from->slow_factor : ns);
	}
	assert_int_equal(samples_finish(&spans), 0);
	*row = spans.probe;
	row->name = copied(from->name);
	row->has_time = from->kind != PROBEKIT_KIND_VALUE;
	total = (double)row->sum;
	row->time_ns[PROBEKIT_CLASS_LOCK] = (uint64_t)(from->lock_share * total);
	row->time_ns[PROBEKIT_CLASS_ONCPU] = (uint64_t)row->sum - row->time_ns[PROBEKIT_CLASS_LOCK];
}

static struct probekit_snapshot *new_run(struct builds *builds, const struct build_probe *probes)
{
	struct probekit_snapshot *run;
	size_t size = 0;

	while (probes[size].name)
		size++;
	run = snapshot_new(size);
	assert_non_null(run);
	for (size_t i = 0; i < size; i++)
		fill_row(builds, &probes[i], &run->probes[i]);
	return run;
}

void builds_add(struct builds *builds, size_t pairs, const struct build_probe *base,
		const struct build_probe *head)
{
	for (size_t i = 0; i < pairs; i++) {
		assert_true(builds->pairs < BUILDS_PAIRS_MAX);
		builds->base[builds->pairs] = new_run(builds, base);
		builds->head[builds->pairs] = new_run(builds, head);
		builds->pairs++;
	}
}

struct probekit_comparison *builds_compare(const struct builds *builds, double delta,
					   const char *const *rules)
{
	const struct probekit_compare_options options = {
		.size = sizeof(options), .delta = delta, .rules = rules};
	struct probekit_comparison *comparison;
	struct probekit_error err;

	if (probekit_compare((const struct probekit_snapshot *const *)builds->base,
			     (const struct probekit_snapshot *const *)builds->head, builds->pairs,
			     &options, &comparison, &err))
		fail_msg("%s", err.text);
	return comparison;
}

void builds_done(struct builds *builds)
{
	for (size_t i = 0; i < builds->pairs; i++) {
		probekit_snapshot_free(builds->base[i]);
		probekit_snapshot_free(builds->head[i]);
	}
	builds->pairs = 0;
}

/* ---- one probe ---- */

const struct build_probe build_plain = {
	.name = "web:request",
	.median_ns = 1 * MS,
	.spread = 0.2,
	.run_spread = 0.005,
	.count = 2000,
};

const struct build_probe build_none = {0};

const struct probekit_change *builds_change(const struct probekit_comparison *comparison,
					    const char *probe, const char *measure)
{
	for (size_t i = 0; i < probekit_comparison_size(comparison); i++) {
		const struct probekit_change *change = probekit_comparison_change(comparison, i);

		if (strcmp(change->probe, probe) == 0 && strcmp(change->measure, measure) == 0)
			return change;
	}
	fail_msg("%s %s is not there", probe, measure);
	return NULL;
}

/* Base and head with one probe that differs by what is changed in `head`. */
struct probekit_comparison *builds_compare_one(struct builds *builds, size_t pairs,
					       const struct build_probe *base,
					       const struct build_probe *head,
					       const char *const *rules)
{
	const struct build_probe bases[] = {*base, build_none};
	const struct build_probe heads[] = {*head, build_none};

	builds_init(builds, 42);
	builds_add(builds, pairs, bases, heads);
	return builds_compare(builds, 0.02, rules);
}
