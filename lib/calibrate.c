/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the span that is measured empty. The kernel counts it in probe 0, row 0. */
#include "calibrate.h"

#include <probekit/probe.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"
#include "process.h"

#define WARM_UP 8
#define ROUNDS 5
#define SPANS_PER_ROUND 100
#define INT3 0xcc

/* Two spans, one at the fast point and one at the plain, as detaching takes the kernel 30 to 100 ms: nothing
 * waits for it. */
static __attribute__((noinline)) void empty_spans(int count)
{
	for (int i = 0; i < count; i++) {
		PROBEKIT_SPAN(probekit, calibrate);
	}
}

static __attribute__((noinline)) void empty_plain_spans(int count)
{
	for (int i = 0; i < count; i++) {
		PROBEKIT_SPAN(probekit, calibrate_plain);
	}
}

/* Of a CPU: where threads queue for one, a round of single-stepped calls is longer than a turn. */
static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ns for one span, the best of some rounds: whatever else runs can only add. */
double calibrate_time(void (*spans)(int))
{
	double best = 0;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start = now_ns();
		double each;

		spans(SPANS_PER_ROUND);
		each = (double)(now_ns() - start) / SPANS_PER_ROUND;
		if (round == 0 || each < best)
			best = each;
	}
	return best;
}

struct sites {
	const struct sdt_site *begin;
	const struct sdt_site *end;
};

static int find_mapping(struct self *self, struct proc_maps *maps)
{
	uint64_t here = (uint64_t)(uintptr_t)&empty_spans;

	for (size_t i = 0; i < maps->size; i++) {
		const struct proc_map *map = &maps->maps[i];

		if (here < map->start || here >= map->end)
			continue;
		self->load_offset = map->start - map->offset;
		return object_open(map->path, -1, &self->object, NULL) ||
		       !object_is_mapped(self->object, map);
	}
	return -1;
}

static int find_self(struct self *self)
{
	struct proc_maps maps;
	int result;

	if (process_read_maps(getpid(), &maps, NULL))
		return -1;
	result = find_mapping(self, &maps);
	proc_maps_done(&maps);
	return result;
}

static bool find_sites(const struct self *self, const char *begin, const char *end,
		       struct sites *sites)
{
	*sites = (struct sites){0};
	for (size_t i = 0; i < self->object->sites.size; i++) {
		const struct sdt_site *site = &self->object->sites.sites[i];

		if (strcmp(site->provider, "probekit") != 0)
			continue;
		if (strcmp(site->name, begin) == 0)
			sites->begin = site;
		if (strcmp(site->name, end) == 0)
			sites->end = site;
	}
	return sites->begin && sites->end;
}

static int attach(struct attachment *attachment, const struct self *self, const struct sites *sites,
		  enum point point)
{
	struct placement begin;
	struct placement end;
	int result;

	placement_choose(sites->begin, point, &begin);
	placement_choose(sites->end, point, &end);
	result = attachment_add_site(attachment, self->object, &begin,
				     sites->begin->semaphore_offset, PROGRAM_SPAN_BEGIN,
				     cookie_make(0, 0, begin.flags), getpid());
	if (!result)
		result = attachment_add_site(attachment, self->object, &end,
					     sites->end->semaphore_offset, PROGRAM_SPAN_END,
					     cookie_make(0, 0, end.flags), getpid());
	return result;
}

static uint64_t count_spans(struct engine *engine, struct row_sums *sums)
{
	uint64_t count;

	engine_read_row(engine, 0, sums);
	count = sums->zero_count;
	for (size_t i = 0; i < engine_slots(engine); i++)
		count += sums->slots[i];
	return count;
}

/* Did the kernel turn the instruction into something better than a breakpoint, and does it count? */
static bool is_optimised(struct engine *engine, const struct self *self, const struct sites *sites,
			 enum point point, struct row_sums *sums)
{
	uint8_t original = point == POINT_NOP5 ? 0x0f : 0x66;
	uint64_t before = count_spans(engine, sums);
	struct placement begin;
	uint8_t now;

	empty_spans(WARM_UP);
	placement_choose(sites->begin, point, &begin);
	now = *(const volatile uint8_t *)(uintptr_t)(self->load_offset + begin.offset);
	return count_spans(engine, sums) - before == WARM_UP && now != INT3 && now != original;
}

static void fault(int signal)
{
	(void)signal;
	_exit(1);
}

/*
 * Linux 6.18 does not copy the page that an optimised site calls into a forked child, whose copy of
 * the code calls it all the same: the child dies, and detaching does not cure it. Such a kernel
 * must not optimise the sites of programs that may fork, so a child of ours tries first. It is
 * cloned without a signal to us: the caller may handle SIGCHLD.
 */
static bool survives_fork(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	int status;

	if (pid == 0) {
		signal(SIGSEGV, fault);
		signal(SIGBUS, fault);
		signal(SIGILL, fault);
		signal(SIGTRAP, fault);
		empty_spans(1);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, __WALL) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static uint64_t median_ns(struct engine *engine, const struct row_sums *sums)
{
	struct probekit_probe probe = {.kind = PROBEKIT_KIND_FUNCTION};
	uint64_t median;

	if (histogram_from_slots(sums->slots, engine_slots(engine),
				 engine_first_bucket(engine, true), engine_scale(engine),
				 &probe.histogram))
		return 0;
	probe.count = histogram_total(&probe.histogram);
	probe.min = (int64_t)~sums->inverted_min;
	probe.max = (int64_t)sums->max;
	median = (uint64_t)probekit_probe_quantile(&probe, 0.5);
	histogram_done(&probe.histogram);
	return median;
}

uint64_t calibrate_added_ns(void (*spans)(int), double untraced)
{
	double traced = calibrate_time(spans);

	return traced > untraced ? (uint64_t)(traced - untraced) : 0;
}

/* Is a point better than the plain one? Then it stays attached; what the kernel's fork check refuses is
 * moved to `refused`. */
static bool attach_fast(struct attachment *attachment, const struct features *features,
			const struct self *self, const struct sites *sites, struct row_sums *sums,
			enum point *point, struct attach_links *refused)
{
	static const enum point order[] = {POINT_NOP5, POINT_NOP10};

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		bool is_attached;

		*point = order[i];
		if (!features->has[order[i] == POINT_NOP5 ? FEATURE_NOP5 : FEATURE_NOP10])
			continue;
		is_attached = attach(attachment, self, sites, order[i]) == 0;
		if (is_attached && is_optimised(attachment->engine, self, sites, order[i], sums)) {
			if (!features->has[FEATURE_FORK_CHECK] || survives_fork())
				return true;
			*refused = attachment->links;
			attachment->links = (struct attach_links){0};
			break; /* a kernel optimises one of the two */
		}
		attach_links_close(&attachment->links, 0);
	}
	*point = POINT_NOP;
	return false;
}

static uint64_t measure_plain(struct attachment *attachment, const struct self *self,
			      const struct sites *sites, double untraced)
{
	return attach(attachment, self, sites, POINT_NOP)
		       ? 0
		       : calibrate_added_ns(empty_plain_spans, untraced);
}

static void measure_spans(struct attachment *attachment, const struct features *features,
			  const struct self *self, bool with_usdt, struct calibration *calibration,
			  struct attach_links *refused)
{
	struct engine *engine = attachment->engine;
	struct row_sums sums = {.slots = calloc(engine_slots(engine), sizeof(uint64_t))};
	double untraced = calibrate_time(empty_spans);
	struct sites fast;
	struct sites plain;
	bool is_fast;

	if (sums.slots && find_sites(self, "calibrate__begin", "calibrate__end", &fast) &&
	    find_sites(self, "calibrate_plain__begin", "calibrate_plain__end", &plain)) {
		is_fast = attach_fast(attachment, features, self, &fast, &sums, &calibration->point,
				      refused);
		calibration->span_ns = is_fast ? calibrate_added_ns(empty_spans, untraced)
					       : measure_plain(attachment, self, &plain, untraced);
		count_spans(engine, &sums);
		calibration->floor_ns = median_ns(engine, &sums);
		if (with_usdt)
			calibration->usdt_ns =
				is_fast ? measure_plain(attachment, self, &plain, untraced)
					: calibration->span_ns;
	}
	free(sums.slots);
}

void calibrate(struct attachment *attachment, const struct features *features, bool with_usdt,
	       bool with_functions, struct calibration *calibration, struct attach_links *refused)
{
	struct self self = {0};

	*calibration = (struct calibration){.point = POINT_NOP};
	*refused = (struct attach_links){0};
	engine_record(attachment->engine, 0);
	if (find_self(&self) == 0) {
		measure_spans(attachment, features, &self, with_usdt, calibration, refused);
		if (with_functions)
			calibrate_calls(attachment, &self, calibration);
	}
	engine_pause(attachment->engine);
	engine_forget_caller(attachment->engine);
	object_free(self.object);
}
