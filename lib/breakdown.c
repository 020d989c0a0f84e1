/* SPDX-License-Identifier: BSD-2-Clause */
#include "breakdown.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const class_names[PROBEKIT_CLASS_COUNT] = {
	[PROBEKIT_CLASS_ONCPU] = "oncpu",
	[PROBEKIT_CLASS_RUNQUEUE] = "runqueue",
	[PROBEKIT_CLASS_THROTTLED] = "throttled",
	[PROBEKIT_CLASS_LOCK] = "lock",
	[PROBEKIT_CLASS_DISK] = "disk",
	[PROBEKIT_CLASS_NETWORK] = "network",
	[PROBEKIT_CLASS_IPC] = "ipc",
	[PROBEKIT_CLASS_IO] = "io",
	[PROBEKIT_CLASS_SLEEP] = "sleep",
	[PROBEKIT_CLASS_POLL] = "poll",
	[PROBEKIT_CLASS_PAGEFAULT] = "pagefault",
	[PROBEKIT_CLASS_MEMORY] = "memory",
	[PROBEKIT_CLASS_STOPPED] = "stopped",
	[PROBEKIT_CLASS_OTHER] = "other",
};

/* The kernel's programs number the classes as the public header does. */
_Static_assert((int)PROBEKIT_CLASS_COUNT == (int)CLASS_COUNT, "one list");
_Static_assert((int)PROBEKIT_CLASS_THROTTLED == (int)CLASS_THROTTLED, "in one order");
_Static_assert((int)PROBEKIT_CLASS_IPC == (int)CLASS_IPC, "in one order");
_Static_assert((int)PROBEKIT_CLASS_POLL == (int)CLASS_POLL, "in one order");
_Static_assert((int)PROBEKIT_CLASS_STOPPED == (int)CLASS_STOPPED, "in one order");

const char *probekit_class_name(enum probekit_class time_class)
{
	return (unsigned int)time_class < PROBEKIT_CLASS_COUNT ? class_names[time_class] : NULL;
}

static void add_times(uint64_t into[static PROBEKIT_CLASS_COUNT],
		      const uint64_t from[static PROBEKIT_CLASS_COUNT])
{
	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		into[i] += from[i];
}

static bool is_empty(const uint64_t times[static PROBEKIT_CLASS_COUNT])
{
	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		if (times[i])
			return false;
	return true;
}

const struct probekit_band *breakdown_band(const struct probekit_probe *probe, int32_t exponent)
{
	for (size_t i = 0; i < probe->band_count; i++)
		if (probe->bands[i].exponent == exponent)
			return &probe->bands[i];
	return NULL;
}

/* Adds to the band, which is put in its place where it is new. */
static int add_band(struct probekit_probe *probe, int32_t exponent,
		    const uint64_t times[static PROBEKIT_CLASS_COUNT])
{
	struct probekit_band *bands = probe->bands;
	size_t at = 0;

	while (at < probe->band_count && bands[at].exponent < exponent)
		at++;
	if (at == probe->band_count || bands[at].exponent != exponent) {
		bands = reallocarray(bands, probe->band_count + 1, sizeof(*bands));
		if (!bands)
			return -ENOMEM;
		memmove(&bands[at + 1], &bands[at], (probe->band_count - at) * sizeof(*bands));
		bands[at] = (struct probekit_band){.exponent = exponent};
		probe->bands = bands;
		probe->band_count++;
	}
	add_times(bands[at].time_ns, times);
	return 0;
}

/* The tail by the caller's threshold. */
static void set_tail(const struct row_sums *sums, uint64_t slow_over_ns, struct probekit_tail *tail)
{
	tail->exponent = INT32_MIN;
	tail->from_ns = slow_over_ns;
	tail->count = sums->slow_count;
	add_times(tail->time_ns, sums->slow_ns);
}

int breakdown_from_row(const struct row_sums *sums, uint64_t slow_over_ns,
		       struct probekit_probe *probe)
{
	int result = 0;

	if (slow_over_ns)
		set_tail(sums, slow_over_ns, &probe->tail);

	probe->has_time = true;
	probe->unexplained_ns = sums->unexplained_ns;
	for (uint32_t band = 0; band < BUCKET_OCTAVES && !result; band++) {
		if (is_empty(sums->bands[band]))
			continue;
		add_times(probe->time_ns, sums->bands[band]);
		result =
			add_band(probe, (int32_t)band - BUCKET_SECONDS_EXPONENT, sums->bands[band]);
	}
	return result;
}

int breakdown_add(struct probekit_probe *into, const struct probekit_probe *from)
{
	int result = 0;

	add_times(into->time_ns, from->time_ns);
	into->unexplained_ns += from->unexplained_ns;
	if (from->tail.exponent == INT32_MIN) {
		into->tail.exponent = INT32_MIN;
		into->tail.from_ns = from->tail.from_ns;
		into->tail.count += from->tail.count;
		add_times(into->tail.time_ns, from->tail.time_ns);
	}
	for (size_t i = 0; i < from->band_count && !result; i++)
		result = add_band(into, from->bands[i].exponent, from->bands[i].time_ns);
	return result;
}

static void subtract_times(uint64_t now[static PROBEKIT_CLASS_COUNT],
			   const uint64_t before[static PROBEKIT_CLASS_COUNT])
{
	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		now[i] -= before[i];
}

static void subtract_relations(struct probekit_relation *now, size_t count,
			       const struct probekit_relation *before, size_t before_count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < before_count; k++) {
			if (strcmp(now[i].name, before[k].name) != 0)
				continue;
			now[i].count -= before[k].count;
			now[i].time_ns -= before[k].time_ns;
		}
	}
}

int breakdown_relate(struct probekit_relation **list, size_t *count, const char *name,
		     uint64_t spans, uint64_t time_ns)
{
	struct probekit_relation *grown = reallocarray(*list, *count + 1, sizeof(*grown));
	char *copy;

	if (!grown)
		return -ENOMEM;
	*list = grown;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	grown[(*count)++] =
		(struct probekit_relation){.name = copy, .count = spans, .time_ns = time_ns};
	return 0;
}

static void release(const char *text)
{
	free((void *)(uintptr_t)text);
}

static void relations_done(struct probekit_relation *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		release(list[i].name);
	free(list);
}

bool breakdown_is_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

int breakdown_copy_text(const char *text, const char **into)
{
	*into = text ? strdup(text) : NULL;
	return !*into == !text ? 0 : -ENOMEM;
}

void breakdown_subtract(struct probekit_probe *now, const struct probekit_probe *before)
{
	size_t kept = 0;

	subtract_times(now->time_ns, before->time_ns);
	now->unexplained_ns -= before->unexplained_ns;
	if (now->tail.exponent == INT32_MIN) {
		now->tail.count -= before->tail.count;
		subtract_times(now->tail.time_ns, before->tail.time_ns);
	}
	for (size_t i = 0; i < now->band_count; i++) {
		const struct probekit_band *old = breakdown_band(before, now->bands[i].exponent);

		if (old)
			subtract_times(now->bands[i].time_ns, old->time_ns);
		if (!is_empty(now->bands[i].time_ns))
			now->bands[kept++] = now->bands[i];
	}
	now->band_count = kept;
	breakdown_subtract_waits(now, before);
	subtract_relations(now->children, now->child_count, before->children, before->child_count);
	subtract_relations(now->parents, now->parent_count, before->parents, before->parent_count);
}

void breakdown_done(struct probekit_probe *probe)
{
	free(probe->bands);
	breakdown_waits_done(probe);
	for (size_t i = 0; i < probe->cause_count; i++)
		cause_done(&probe->causes[i]);
	free(probe->causes);
	free(probe->slowest);
	relations_done(probe->children, probe->child_count);
	relations_done(probe->parents, probe->parent_count);
}
