/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many threads, many spans, one lock: every span is counted, and memory stays within bounds, that of
 * the kernel too. PROBEKIT_OVERLOAD_SECONDS is how long, 3 unless it is set.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define RESIDENT_KIB_MAX (200 * 1024)
#define MAPS_BYTES_MAX (256ull << 20)

static const char *seconds(void)
{
	const char *text = getenv("PROBEKIT_OVERLOAD_SECONDS");

	return text ? text : "3";
}

/* The number that stands behind `name` in a file of /proc. */
static uint64_t number_in(const char *path, const char *name)
{
	char line[256];
	uint64_t number = 0;
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			number = strtoull(line + strlen(name), NULL, 10);
	if (file)
		fclose(file);
	return number;
}

static uint64_t resident_kib_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	return number_in(path, "VmHWM:");
}

/* What the kernel says that the process's BPF maps and programs take. */
static uint64_t bpf_bytes_of(pid_t pid)
{
	char folder[64];
	char path[384];
	uint64_t bytes = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%d/fdinfo", (int)pid);
	dir = opendir(folder);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		bytes += number_in(path, "memlock:");
	}
	closedir(dir);
	return bytes;
}

static void start_attached(struct support_child *probekit, pid_t pid)
{
	char text[16];
	const char *const words[] = {
		support_probekit(), "latency", "-v", "--json", "-p", text, NULL};

	snprintf(text, sizeof(text), "%d", (int)pid);
	support_start(probekit, NULL, words);
	support_wait_measuring(probekit);
}

static int64_t sum_of(const json_t *times)
{
	const char *name;
	json_t *value;
	int64_t sum = 0;

	json_object_foreach ((json_t *)times, name, value)
		sum += json_integer_value(value);
	return sum;
}

static void check_row(const json_t *row, const char *truth)
{
	int64_t spans = (int64_t)support_number(truth, "spans");
	const json_t *lost = json_object_get(row, "lost");

	print_message("  %lld spans in %lld ms\n", (long long)spans,
		      (long long)support_number(truth, "took") / 1000000);
	support_check_nothing_lost(lost);
	print_message("  %lld samples dropped, %lld switches repaired\n",
		      (long long)support_integer(lost, "samples_dropped"),
		      (long long)support_integer(lost, "sched_repaired"));
	assert_int_equal(support_integer(row, "count"), spans);
	assert_int_equal(sum_of(json_object_get(row, "time_ns")), support_integer(row, "sum_ns"));
	assert_true(support_integer(json_object_get(row, "time_ns"), "lock") > 0);
}

static void no_span_is_lost_and_memory_is_bounded(void **state)
{
	const char *const words[] = {support_program("crowd"), "run", seconds(), "wait", NULL};
	struct support_child program;
	struct support_child probekit;
	uint64_t resident_kib;
	uint64_t bpf_bytes;
	json_t *snapshot;

	(void)state;
	support_require_tracing();
	support_start(&program, NULL, words);
	assert_true(support_wait_text(&program, &program.out, "ready\n"));
	start_attached(&probekit, program.pid);
	support_write(&program, "go\n");
	assert_true(support_wait_text(&program, &program.out, "done\n"));
	bpf_bytes = bpf_bytes_of(probekit.pid);
	resident_kib = resident_kib_of(probekit.pid);
	assert_int_equal(kill(probekit.pid, SIGINT), 0);
	assert_int_equal(support_finish(&probekit), 0);
	print_message("  probekit: %llu MiB resident, BPF %llu MiB\n",
		      (unsigned long long)resident_kib >> 10, (unsigned long long)bpf_bytes >> 20);
	assert_in_range(resident_kib, 1, RESIDENT_KIB_MAX);
	assert_in_range(bpf_bytes, 1, MAPS_BYTES_MAX);
	snapshot = support_json(probekit.out.text);
	check_row(support_row(snapshot, "crowd:span"), program.out.text);
	json_decref(snapshot);
	support_done(&probekit);
	support_done(&program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_span_is_lost_and_memory_is_bounded),
	};

	return cmocka_run_group_tests_name("overload", tests, NULL, NULL);
}
