/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the counters that the kernel keeps for each BPF program while its statistics are on. */
#include "bench_switch_runs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_PROGRAMS 64

int program_runs_enable(void)
{
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);

	return fd < 0 ? -errno : fd;
}

int program_runs_of(int program_fd, struct program_runs *runs)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(program_fd, &info, &size))
		return -errno;
	runs->run_ns = info.run_time_ns;
	runs->runs = info.run_cnt;
	return 0;
}

static bool has(const uint32_t *ids, size_t count, uint32_t id)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* Only a program's own descriptor tells its counters; a link's has no run_cnt. */
static bool read_fdinfo(FILE *file, uint32_t *id, struct program_runs *runs)
{
	char line[128];
	int found = 0;

	while (fgets(line, sizeof(line), file)) {
		found += sscanf(line, "prog_id: %" SCNu32, id) == 1;
		found += sscanf(line, "run_time_ns: %" SCNu64, &runs->run_ns) == 1;
		found += sscanf(line, "run_cnt: %" SCNu64, &runs->runs) == 1;
	}
	return found == 3;
}

int program_runs_of_process(pid_t pid, struct program_runs *runs)
{
	uint32_t ids[MAX_PROGRAMS];
	size_t count = 0;
	const struct dirent *entry;
	char path[320];
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	folder = opendir(path);
	if (!folder)
		return -errno;
	memset(runs, 0, sizeof(*runs));
	while (count < MAX_PROGRAMS && (entry = readdir(folder))) {
		struct program_runs one;
		uint32_t id;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", pid, entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (read_fdinfo(file, &id, &one) && !has(ids, count, id)) {
			ids[count++] = id;
			runs->run_ns += one.run_ns;
			runs->runs += one.runs;
		}
		fclose(file);
	}
	closedir(folder);
	return count ? 0 : -ENOENT;
}

int empty_switch_attach(struct empty_switch *empty)
{
	/* r0 = 0; exit */
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_RAW_TP);
	int id = libbpf_find_vmlinux_btf_id("sched_switch", BPF_TRACE_RAW_TP);

	if (id < 0)
		return id;
	options.attach_btf_id = (__u32)id;
	empty->program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty_switch", "GPL", code,
				       sizeof(code) / sizeof(code[0]), &options);
	if (empty->program < 0)
		return -errno;
	empty->link = bpf_raw_tracepoint_open(NULL, empty->program);
	if (empty->link < 0) {
		int result = -errno;

		close(empty->program);
		return result;
	}
	return 0;
}

void empty_switch_detach(struct empty_switch *empty)
{
	close(empty->link);
	close(empty->program);
}
