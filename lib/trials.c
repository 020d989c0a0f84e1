/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the small programs and calls by which a kernel is asked. */
#include "trials.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach.h"
#include "kernel_types.h"

/* BPF_TRACE_UPROBE_SESSION (Linux 6.13, commit d920179b3d48), which older headers lack. */
#define ATTACH_TYPE_UPROBE_SESSION 57

#define RETURN_ZERO                                                  \
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0}, \
	{                                                            \
		.code = BPF_JMP | BPF_EXIT                           \
	}
#define CALL_KERNEL(id)                                                                   \
	{                                                                                 \
		.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_KFUNC_CALL, .imm = (id) \
	}

void trial_init(struct trial *trial)
{
	*trial = (struct trial){0};
}

void trial_done(struct trial *trial)
{
	kernel_types_free(trial->types);
	trial->types = NULL;
}

/* ---- programs ---- */

static int load(enum bpf_prog_type type, uint32_t expected_attach_type, uint32_t btf_id,
		const struct bpf_insn *code, size_t size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = expected_attach_type,
		    .attach_btf_id = btf_id);

	return bpf_prog_load(type, "probekit_test", "Dual BSD/GPL", code, size, &options);
}

static int load_return_zero(uint32_t expected_attach_type)
{
	const struct bpf_insn code[] = {RETURN_ZERO};

	return load(BPF_PROG_TYPE_KPROBE, expected_attach_type, 0, code, 2);
}

/* The verifier refuses with these what it does not know; -EPERM is no privilege, and so on. */
static int answer_of_load(int fd)
{
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	return fd == -EINVAL || fd == -EACCES ? TRIAL_ABSENT : fd;
}

static int try_helper_of(enum bpf_prog_type type, enum bpf_func_id helper)
{
	int result = libbpf_probe_bpf_helper(type, helper, NULL);

	return result == 1 ? 0 : result == 0 ? TRIAL_ABSENT : result;
}

static int try_helper(enum bpf_func_id helper)
{
	return try_helper_of(BPF_PROG_TYPE_KPROBE, helper);
}

int trial_bpf(struct trial *trial)
{
	int fd = load_return_zero(0);

	(void)trial;
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* Atomic exchange (Linux 5.12, commit 5ffa25502b5a): the programs cannot be loaded without. */
int trial_atomics(struct trial *trial)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_STX | BPF_MEM | BPF_DW,
		 .dst_reg = BPF_REG_10,
		 .src_reg = BPF_REG_0,
		 .off = -8},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
		 .dst_reg = BPF_REG_10,
		 .src_reg = BPF_REG_0,
		 .off = -8,
		 .imm = BPF_CMPXCHG},
		{.code = BPF_JMP | BPF_EXIT},
	};

	(void)trial;
	return answer_of_load(load(BPF_PROG_TYPE_KPROBE, 0, 0, code, 4));
}

int trial_task_storage(struct trial *trial)
{
	int result = try_helper(BPF_FUNC_task_storage_get);

	(void)trial;
	return result ? result : try_helper(BPF_FUNC_get_current_task_btf);
}

int trial_cookie(struct trial *trial)
{
	(void)trial;
	return try_helper(BPF_FUNC_get_attach_cookie);
}

int trial_find_vma(struct trial *trial)
{
	(void)trial;
	return try_helper(BPF_FUNC_find_vma);
}

int trial_loop(struct trial *trial)
{
	(void)trial;
	return try_helper(BPF_FUNC_loop);
}

/* Lockdown in confidentiality mode takes the helper away (commit 51e1bb9eeaf7), in words that
 * libbpf's probing of helpers does not know. */
int trial_kernel_reads(struct trial *trial)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_1, .imm = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel},
		RETURN_ZERO,
	};

	(void)trial;
	return answer_of_load(load(BPF_PROG_TYPE_KPROBE, 0, 0, code, sizeof(code) / sizeof(*code)));
}

/* The helper came with the accounting of BPF memory by cgroup (Linux 5.11), before which it was
 * bounded by RLIMIT_MEMLOCK; libbpf asks the same question. Uprobe programs had to wait for it. */
int trial_memory_by_cgroup(struct trial *trial)
{
	(void)trial;
	return try_helper_of(BPF_PROG_TYPE_SOCKET_FILTER, BPF_FUNC_ktime_get_coarse_ns);
}

int trial_jit(struct trial *trial)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	int fd = load_return_zero(0);
	int result;

	if (fd < 0)
		return fd;
	result = bpf_obj_get_info_by_fd(fd, &info, &size);
	close(fd);
	if (result)
		return result;
	if (!info.jited_prog_len)
		return TRIAL_ABSENT;
	snprintf(trial->found, sizeof(trial->found), "programs are compiled to machine code");
	return 0;
}

/* ---- uprobes ---- */

/* Kernels whose PID filter took in only one thread (before 46ba0e49b642) look for the process first; fixed
 * ones refuse the PID -1 before they look at the path. */
static int try_link(bool use_multi, pid_t pid)
{
	const struct attach_sites sites = attach_nowhere(pid);
	struct attach_links links = {0};
	int program = load_return_zero(use_multi ? ATTACH_TYPE_UPROBE_MULTI : 0);
	int fd = -1;
	int result;

	if (program < 0)
		return program;
	result = use_multi ? attach_multi(program, &sites, &fd)
			   : attach_perf(program, &sites, &links);
	if (fd >= 0)
		close(fd);
	attach_links_close(&links, 0);
	close(program);
	return result;
}

/* Any objection but the awaited one comes from a kernel that has no such link. */
static int answer_of_link(int result, int awaited)
{
	if (result == awaited)
		return 0;
	return result == -EPERM || result == -ENOMEM || result == -EMFILE ? result : TRIAL_ABSENT;
}

int trial_uprobe_multi(struct trial *trial)
{
	(void)trial;
	return answer_of_link(try_link(true, 0), -EBADF);
}

/* A kernel without such links says -EINVAL to everything. */
int trial_uprobe_multi_pid(struct trial *trial)
{
	int result = trial_uprobe_multi(trial);

	return result ? result : answer_of_link(try_link(true, -1), -EINVAL);
}

int trial_perf_uprobe(struct trial *trial)
{
	int type = attach_perf_type();

	(void)trial;
	return type >= 0 ? 0 : type == -ENOENT ? TRIAL_ABSENT : type;
}

int trial_perf_uprobe_allowed(struct trial *trial)
{
	int result = try_link(false, 0);

	(void)trial;
	return result == -EINVAL ? 0 : result == -ENOENT ? TRIAL_ABSENT : result;
}

int trial_optimised_site(struct trial *trial)
{
	(void)trial;
#ifdef __x86_64__
	return 0;
#else
	return TRIAL_ABSENT;
#endif
}

/* ---- kernel types and functions ---- */

static int load_types(struct trial *trial)
{
	int result;

	if (trial->types)
		return 0;
	result = kernel_types_new(&trial->types);
	trial->lacks_memory |= result == -ENOMEM;
	return result;
}

int trial_btf(struct trial *trial)
{
	struct stat status;

	if (access(KERNEL_TYPES_PATH, R_OK))
		return errno == ENOENT ? TRIAL_ABSENT : -errno;
	if (stat(KERNEL_TYPES_PATH, &status) == 0)
		snprintf(trial->found, sizeof(trial->found), KERNEL_TYPES_PATH ", %lld KiB",
			 (long long)status.st_size / 1024);
	return 0;
}

bool trial_knows_uprobe_multi(struct trial *trial)
{
	const struct btf_enum *value;
	const struct btf_type *type;
	uint32_t id;

	if (load_types(trial))
		return false;
	id = kernel_types_find(trial->types, "bpf_attach_type", BTF_KIND_ENUM);
	type = kernel_types_at(trial->types, id);
	value = type ? btf_enum(type) : NULL;
	for (uint16_t i = 0; type && i < btf_vlen(type); i++, value++)
		if (strcmp(kernel_types_name(trial->types, value->name_off),
			   "BPF_TRACE_UPROBE_MULTI") == 0)
			return true;
	return false;
}

/* Of a kernel function or tracepoint type; 0: there is none. */
static int find_id(struct trial *trial, const char *name, uint32_t kind)
{
	int result = load_types(trial);

	return result ? result : (int)kernel_types_find(trial->types, name, kind);
}

/* A program that may run at sched_switch, as a file descriptor. */
static int load_at_switch(struct trial *trial, const struct bpf_insn *code, size_t size)
{
	int id = find_id(trial, "btf_trace_sched_switch", BTF_KIND_TYPEDEF);

	if (id <= 0)
		return id ? id : TRIAL_ABSENT;
	return load(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, (uint32_t)id, code, size);
}

int trial_tp_btf(struct trial *trial)
{
	const struct bpf_insn code[] = {RETURN_ZERO};
	int program = load_at_switch(trial, code, 2);
	int link;

	if (program < 0)
		return answer_of_load(program);
	link = bpf_raw_tracepoint_open(NULL, program);
	close(program);
	if (link < 0)
		return link;
	close(link);
	return 0;
}

int trial_fault_address(struct trial *trial)
{
	int id = find_id(trial, "btf_trace_page_fault_user", BTF_KIND_TYPEDEF);

	return id > 0 ? 0 : id < 0 ? id : TRIAL_ABSENT;
}

int trial_task_from_pid(struct trial *trial)
{
	int from_pid = find_id(trial, "bpf_task_from_pid", BTF_KIND_FUNC);
	int release = from_pid > 0 ? find_id(trial, "bpf_task_release", BTF_KIND_FUNC) : 0;
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = 1},
		CALL_KERNEL(from_pid),
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 2},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_0},
		CALL_KERNEL(release),
		RETURN_ZERO,
	};

	if (from_pid <= 0 || release <= 0)
		return from_pid < 0 ? from_pid : release < 0 ? release : TRIAL_ABSENT;
	return answer_of_load(load_at_switch(trial, code, sizeof(code) / sizeof(*code)));
}

/* The function's only argument, where it has one, is the program's own. It may be called from
 * programs for sessions alone, so a kernel that loads this has uprobe sessions. */
int trial_session(struct trial *trial)
{
	int is_return = find_id(trial, "bpf_session_is_return", BTF_KIND_FUNC);
	const struct bpf_insn code[] = {CALL_KERNEL(is_return), RETURN_ZERO};

	if (is_return <= 0)
		return is_return ? is_return : TRIAL_ABSENT;
	return answer_of_load(load(BPF_PROG_TYPE_KPROBE, ATTACH_TYPE_UPROBE_SESSION, 0, code, 3));
}

static bool has_member(const struct kernel_types *types, uint32_t id, const char *name)
{
	const struct btf_type *type = kernel_types_at(types, id);
	const struct btf_member *member;

	if (!type || !btf_is_composite(type))
		return false;
	member = btf_members(type);
	for (uint16_t i = 0; i < btf_vlen(type); i++, member++) {
		const char *called = kernel_types_name(types, member->name_off);

		if (strcmp(called, name) == 0)
			return true;
		/* Members may lie in an anonymous struct, as where their order is randomised. */
		if (!*called && has_member(types, kernel_types_plain(types, member->type), name))
			return true;
	}
	return false;
}

static int find_member(struct trial *trial, const char *type, const char *member)
{
	int id = find_id(trial, type, BTF_KIND_STRUCT);

	if (id < 0)
		return id;
	if (id == 0 || !has_member(trial->types, (uint32_t)id, member))
		return TRIAL_ABSENT;
	snprintf(trial->found, sizeof(trial->found), "%s.%s", type, member);
	return 0;
}

int trial_throttled(struct trial *trial)
{
	int result = find_member(trial, "task_struct", "throttled");

	if (result != TRIAL_ABSENT)
		return result;
	result = find_member(trial, "cfs_rq", "throttle_count");
	return result ? result : TRIAL_PARTLY;
}

int trial_in_iowait(struct trial *trial)
{
	return find_member(trial, "task_struct", "in_iowait");
}

/* struct sched_info is there in any case, and empty without CONFIG_SCHED_INFO. */
int trial_run_delay(struct trial *trial)
{
	int result = find_member(trial, "sched_info", "last_queued");

	return result ? result : find_member(trial, "sched_info", "run_delay");
}

int trial_breakdown(struct trial *trial)
{
	int result = trial_run_delay(trial);

	return result ? result : find_member(trial, "sched_entity", "cfs_rq");
}
