/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns a profile as JSON: docs/profile-format.md, field by field. */
#include <time.h>

#include "json_out.h"
#include "out_profile.h"

static void print_started(FILE *out, int64_t unix_ns)
{
	time_t seconds = (time_t)(unix_ns / 1000000000);
	char date[32];
	struct tm tm;

	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
	fprintf(out, "\"%s.%09dZ\"", date, (int)(unix_ns % 1000000000));
}

static void print_stack(FILE *out, const char *name, const struct probekit_stack *stack)
{
	fprintf(out, "      \"%s\": [", name);
	for (size_t i = 0; i < stack->size; i++) {
		fputs(i ? ",\n        " : "\n        ", out);
		print_frame(out, &stack->frames[i]);
	}
	fprintf(out, "%s]", stack->size ? "\n      " : "");
}

static void print_entry(FILE *out, const struct probekit_profile_entry *entry)
{
	fprintf(out,
		"    { \"class\": \"%s\", \"syscall\": ", probekit_class_name(entry->time_class));
	print_text(out, entry->syscall);
	if (entry->pid)
		fprintf(out, ", \"pid\": %d, \"comm\": ", (int)entry->pid);
	else
		fputs(", \"pid\": null, \"comm\": ", out);
	print_string(out, entry->comm);
	fprintf(out, ",\n      \"time_ns\": %llu, \"samples\": %llu, \"stack_is_complete\": %s, ",
		(unsigned long long)entry->time_ns, (unsigned long long)entry->samples,
		entry->stack.is_complete ? "true" : "false");
	fputs("\"stack_end\": ", out);
	print_text(out, entry->stack.end ? probekit_stack_end_name(entry->stack.end) : NULL);
	fputs(",\n", out);
	print_stack(out, "stack", &entry->stack);
	fputs(",\n", out);
	print_stack(out, "kernel_stack", &entry->kernel_stack);
	fputs(" }", out);
}

void out_profile_json(FILE *out, const struct probekit_profile *profile)
{
	const struct probekit_profile_info *info = probekit_profile_info(profile);
	size_t size = probekit_profile_size(profile);

	fputs("{\n  \"schema\": \"probekit.profile/1\",\n  \"target\": ", out);
	print_string(out, info->target);
	fputs(",\n  \"started\": ", out);
	print_started(out, info->started_unix_ns);
	fprintf(out, ",\n  \"duration_ns\": %llu,\n  \"scope\": \"%s\",\n  \"has_oncpu\": %s,\n",
		(unsigned long long)info->duration_ns,
		info->profiling == PROBEKIT_PROFILING_SPANS ? "spans" : "whole",
		info->has_oncpu ? "true" : "false");
	fputs("  \"time_ns\": {", out);
	for (int i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		fprintf(out, "%s \"%s\": %llu", i ? "," : "",
			probekit_class_name((enum probekit_class)i),
			(unsigned long long)info->time_ns[i]);
	fputs(" },\n  \"stacks\": {", out);
	for (int i = 0; i < PROBEKIT_STACK_END_COUNT; i++)
		fprintf(out, "%s \"%s\": %llu", i ? "," : "",
			probekit_stack_end_name((enum probekit_stack_end)i),
			(unsigned long long)info->stacks[i]);
	fprintf(out,
		" },\n  \"lost\": { \"samples_dropped\": %llu, \"samples_skipped\": %llu, "
		"\"unknown_stacks\": %llu, \"threads_missed\": %llu, \"switches_missed\": %llu },\n"
		"  \"entries\": [",
		(unsigned long long)info->samples_dropped,
		(unsigned long long)info->samples_skipped, (unsigned long long)info->unknown_stacks,
		(unsigned long long)info->threads_missed,
		(unsigned long long)info->switches_missed);
	for (size_t i = 0; i < size; i++) {
		fputs(i ? ",\n" : "\n", out);
		print_entry(out, probekit_profile_entry(profile, i));
	}
	fprintf(out, "%s]\n}\n", size ? "\n  " : "");
}
