/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns writing time_ns, bands, relations, waits, and the system calls that follow from them. */
#include <string.h>

#include "breakdown.h"
#include "breakdown_json.h"
#include "causes_json.h"

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
		json_times(json, band ? band->time_ns : none);
	else
		json_text_null(json, "time_ns");
}

static void waits(struct json_text *json, const struct probekit_probe *probe)
{
	json_text_open(json, "waits", '[');
	for (size_t i = 0; i < probe->wait_count; i++) {
		const struct probekit_wait *wait = &probe->waits[i];
		const struct json_lock lock = {wait->address, wait->symbol, wait->place, NULL};
		struct probekit_thread other = {.pid = wait->other_pid};

		memcpy(other.comm, wait->other_comm, sizeof(other.comm));
		json_text_open_inline(json, NULL, '{');
		json_text_integer(json, "exponent", wait->exponent);
		json_text_string(json, "class", probekit_class_name(wait->time_class));
		json_text_string(json, "syscall", wait->syscall);
		json_text_integer(json, "pid", wait->pid);
		json_lock(json, "lock", &lock);
		json_object_of(json, wait->time_class, wait->object, wait->direction);
		json_thread(json, "other", &other);
		if (wait->is_slow)
			json_text_bool(json, "is_slow", true);
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

void breakdown_to_json(struct json_text *json, const struct probekit_probe *probe)
{
	relations(json, "parents", probe->parents, probe->parent_count, probe->sum);
	relations(json, "children", probe->children, probe->child_count, probe->sum);
	if (probe->has_time) {
		json_times(json, probe->time_ns);
		json_text_unsigned(json, "unexplained_ns", probe->unexplained_ns);
	} else {
		json_text_null(json, "time_ns");
		json_text_null(json, "unexplained_ns");
	}
	waits(json, probe);
	if (!json->is_sparse)
		syscalls(json, probe);
	tail_to_json(json, &probe->tail);
	causes_to_json(json, probe);
}
