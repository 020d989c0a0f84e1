/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns a recording that was never recorded: rows as functions have them, of some 40 buckets over a few
 * bands, with times, a tail, and causes of it. */
#include "snapshot_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../bpf/bucket.h"
#include "breakdown.h"
#include "histogram.h"
#include "snapshot.h"
#include "stack.h"

#define CALLS 500
#define FRAMES 8

struct random {
	uint64_t state;
};

/* splitmix64, in (0, 1) */
static double uniform(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return ((double)((z ^ z >> 31) >> 12) + 0.5) * 0x1p-52;
}

static double normal(struct random *random)
{
	return sqrt(-2 * log(uniform(random))) * cos(2 * M_PI * uniform(random));
}

/* Calls of a function whose median is known; one in a hundred waits for a CPU. */
static int fill_latencies(struct probekit_probe *probe, double median, struct random *random)
{
	static uint64_t slots[BUCKET_SLOTS(BUCKET_SCALE)];
	static struct row_sums sums;

	memset(slots, 0, sizeof(slots));
	memset(&sums, 0, sizeof(sums));
	probe->min = INT64_MAX;
	for (int i = 0; i < CALLS; i++) {
		double waited = i % 100 ? 0 : median * (4 + 8 * uniform(random));
		int64_t ns = llround(median * exp(0.1 * normal(random)) + waited);
		unsigned int slot = bucket_slot_of_ns((uint64_t)ns, BUCKET_SCALE);
		uint64_t *band = sums.bands[slot >> BUCKET_SCALE];

		slots[slot]++;
		band[PROBEKIT_CLASS_RUNQUEUE] += (uint64_t)waited;
		band[PROBEKIT_CLASS_ONCPU] += (uint64_t)ns - (uint64_t)waited;
		probe->min = ns < probe->min ? ns : probe->min;
		probe->max = ns > probe->max ? ns : probe->max;
		probe->sum += ns;
	}
	probe->count = CALLS;
	if (histogram_from_slots(slots, BUCKET_SLOTS(BUCKET_SCALE),
				 BUCKET_SLOT_BASE - (BUCKET_SECONDS_EXPONENT << BUCKET_SCALE),
				 BUCKET_SCALE, &probe->histogram))
		return -ENOMEM;
	return breakdown_from_row(&sums, 0, probe);
}

static int add_stack(struct probekit_stack *stack)
{
	struct probekit_frame frames[FRAMES];

	for (uint64_t i = 0; i < FRAMES; i++)
		frames[i] = (struct probekit_frame){.function = "handle_request_of_client",
						    .module = "/usr/bin/service",
						    .module_offset = 0x1000 * i,
						    .file = "service.c",
						    .line = 100};
	return stack_copy(
		stack, &(struct probekit_stack){
			       .frames = frames, .size = FRAMES, .is_complete = true, .share = 1});
}

static int explain(struct probekit_probe *probe)
{
	struct probekit_wait wait = {
		.exponent = probe->bands[probe->band_count - 1].exponent,
		.time_class = PROBEKIT_CLASS_RUNQUEUE,
		.other_pid = 4242,
		.other_comm = "neighbour",
		.time_ns = probe->bands[probe->band_count - 1].time_ns[PROBEKIT_CLASS_RUNQUEUE],
		.count = 4,
		.spans = 4,
	};

	return breakdown_add_wait(probe, &wait) || breakdown_explain(probe) ? -ENOMEM : 0;
}

static int fill_row(struct probekit_probe *probe, size_t i, struct random *random, double build)
{
	char *name;
	int result;

	if (asprintf(&name, "process_part_of_request_%zu", i) < 0)
		return -ENOMEM;
	*probe = (struct probekit_probe){
		.name = name,
		.kind = PROBEKIT_KIND_FUNCTION,
		.object = strdup("/usr/bin/service"),
		.build_id = strdup("00112233445566778899aabbccddeeff00112233"),
		.sites = 2,
		.probe_cost_ns = 1400,
		.cost = PROBEKIT_COST_EMULATED,
	};
	/* 1 us to 1 ms; each run is a few percent off */
	result = fill_latencies(
		probe, 1000 * pow(1000, (double)(i % 97) / 97) * build * exp(0.02 * normal(random)),
		random);
	if (!result)
		result = explain(probe);
	/* few run for long enough for a sample */
	if (!result && probe->cause_count && i % 10 == 0)
		result = add_stack(&probe->causes[0].stack);
	return result || !probe->object || !probe->build_id ? -ENOMEM : 0;
}

static struct probekit_snapshot *make_run(size_t functions, struct random *random, double build)
{
	struct probekit_snapshot *run = snapshot_new(functions);

	for (size_t i = 0; run && i < functions; i++) {
		if (fill_row(&run->probes[i], i, random, build) == 0)
			continue;
		probekit_snapshot_free(run);
		run = NULL;
	}
	if (!run)
		return NULL;
	run->info.started_unix_ns = 1767225600123456789;
	run->info.duration_ns = 3000000000;
	run->info.child_status = 0;
	run->info.child_cpu_ns = 2900000000;
	run->info.environment.kernel = strdup("6.18.0");
	run->info.environment.cpus = 4;
	return run;
}

int snapshot_file_make(const char *path, size_t functions, size_t runs, uint64_t seed,
		       struct probekit_error *err)
{
	struct probekit_snapshot **made = calloc(runs, sizeof(struct probekit_snapshot *));
	struct random random = {.state = seed};
	double build = 1 + 0.01 * uniform(&random);
	struct probekit_snapshot *joined;
	size_t count = 0;
	int result = made ? 0 : error_no_memory(err);

	for (; !result && count < runs; count += !result) {
		made[count] = make_run(functions, &random, build);
		if (!made[count])
			result = error_no_memory(err);
	}
	if (!result)
		result = probekit_snapshot_join(made, count, &joined, err);
	if (!result) {
		result = probekit_snapshot_write(joined, path, err);
		probekit_snapshot_free(joined);
		count = 0;
	}
	for (size_t i = 0; i < count; i++)
		probekit_snapshot_free(made[i]);
	free(made);
	return result;
}
