/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns writing time_ns, bands, relations, waits, and what follows from them: syscalls, causes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "breakdown.h"
#include "breakdown_json.h"
#include "histogram.h"

static void times(struct json_text *json, const uint64_t time_ns[static PROBEKIT_CLASS_COUNT])
{
	json_text_open_inline(json, "time_ns", '{');
	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		json_text_unsigned(json, probekit_class_name((enum probekit_class)i), time_ns[i]);
	json_text_close(json, '}');
}

/* Of the whole; at most 1, as what is still open has no part in it, but its children may have
 * ended. */
static double share_of(uint64_t time_ns, int64_t whole_ns)
{
	if (whole_ns <= 0)
		return 0;
	return (double)time_ns < (double)whole_ns ? (double)time_ns / (double)whole_ns : 1;
}

static void relations(struct json_text *json, const char *key, const struct probekit_relation *list,
		      size_t count, int64_t whole_ns)
{
	json_text_open(json, key, '[');
	for (size_t i = 0; i < count; i++) {
		json_text_open_inline(json, NULL, '{');
		json_text_string(json, "name", list[i].name);
		json_text_decimal(json, "share", share_of(list[i].time_ns, whole_ns));
		json_text_unsigned(json, "count", list[i].count);
		json_text_unsigned(json, "time_ns", list[i].time_ns);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}

void breakdown_band_to_json(struct json_text *json, const struct probekit_probe *probe,
			    int32_t exponent)
{
	static const uint64_t none[PROBEKIT_CLASS_COUNT];
	const struct probekit_band *band = breakdown_band(probe, exponent);

	if (probe->has_time)
		times(json, band ? band->time_ns : none);
	else
		json_text_null(json, "time_ns");
}

static void tail_of(struct json_text *json, const struct probekit_probe *probe)
{
	struct probekit_tail tail;

	if (!probekit_probe_tail(probe, &tail)) {
		json_text_null(json, "tail");
		return;
	}
	json_text_open_inline(json, "tail", '{');
	json_text_unsigned(json, "from_ns", tail.from_ns);
	json_text_unsigned(json, "count", tail.count);
	json_text_decimal(json, "share_of_spans", tail.share_of_spans);
	json_text_decimal(json, "share_of_time", tail.share_of_time);
	times(json, tail.time_ns);
	json_text_close(json, '}');
}

static void lock_of(struct json_text *json, uint64_t address, const char *symbol, const char *place)
{
	char text[32];

	if (!address) {
		json_text_null(json, "lock");
		return;
	}
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)address);
	json_text_open_inline(json, "lock", '{');
	json_text_string(json, "address", text);
	json_text_string(json, "symbol", symbol);
	json_text_string(json, "place", place);
	json_text_null(json, "kind");
	json_text_close(json, '}');
}

static void waits(struct json_text *json, const struct probekit_probe *probe)
{
	json_text_open(json, "waits", '[');
	for (size_t i = 0; i < probe->wait_count; i++) {
		const struct probekit_wait *wait = &probe->waits[i];

		json_text_open_inline(json, NULL, '{');
		json_text_integer(json, "exponent", wait->exponent);
		json_text_string(json, "class", probekit_class_name(wait->time_class));
		json_text_string(json, "syscall", wait->syscall);
		json_text_integer(json, "pid", wait->pid);
		lock_of(json, wait->address, wait->symbol, wait->place);
		json_text_unsigned(json, "time_ns", wait->time_ns);
		json_text_unsigned(json, "count", wait->count);
		json_text_unsigned(json, "spans", wait->spans);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}

/* Once for each name, at its first wait. */
static void syscalls(struct json_text *json, const struct probekit_probe *probe)
{
	json_text_open(json, "syscalls", '[');
	for (size_t i = 0; i < probe->wait_count; i++) {
		const char *name = probe->waits[i].syscall;
		uint64_t blocked_ns = 0;
		uint64_t count = 0;
		bool is_known = !name;

		for (size_t k = 0; name && k < probe->wait_count; k++) {
			const struct probekit_wait *wait = &probe->waits[k];

			if (!wait->syscall || strcmp(wait->syscall, name) != 0)
				continue;
			is_known |= k < i;
			blocked_ns += wait->time_ns;
			count += wait->count;
		}
		if (is_known)
			continue;
		json_text_open_inline(json, NULL, '{');
		json_text_string(json, "name", name);
		json_text_unsigned(json, "blocked_ns", blocked_ns);
		json_text_unsigned(json, "count", count);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}

static void causes(struct json_text *json, const struct probekit_probe *probe)
{
	struct probekit_cause *list;
	size_t size;

	if (probekit_probe_causes(probe, &list, &size)) {
		json->has_failed = true;
		return;
	}
	json_text_open(json, "causes", '[');
	for (size_t i = 0; i < size; i++) {
		json_text_open_inline(json, NULL, '{');
		json_text_string(json, "class", probekit_class_name(list[i].time_class));
		json_text_decimal(json, "share", list[i].share);
		json_text_unsigned(json, "time_ns", list[i].time_ns);
		json_text_unsigned(json, "waits", list[i].count);
		json_text_unsigned(json, "spans", list[i].spans);
		json_text_string(json, "syscall", list[i].syscall);
		lock_of(json, list[i].address, list[i].symbol, list[i].place);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
	free(list);
}

void breakdown_to_json(struct json_text *json, const struct probekit_probe *probe)
{
	relations(json, "parents", probe->parents, probe->parent_count, probe->sum);
	relations(json, "children", probe->children, probe->child_count, probe->sum);
	if (probe->has_time) {
		times(json, probe->time_ns);
		json_text_unsigned(json, "unexplained_ns", probe->unexplained_ns);
	} else {
		json_text_null(json, "time_ns");
		json_text_null(json, "unexplained_ns");
	}
	waits(json, probe);
	syscalls(json, probe);
	tail_of(json, probe);
	causes(json, probe);
}
