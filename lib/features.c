/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the table of what can be missing, how that is found out, and what to tell the user. */
#include "features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "quiet.h"

#define CAP_SYS_ADMIN_BIT 21
#define CAP_PERFMON_BIT 38
#define CAP_BPF_BIT 39

static int load_return_zero(uint32_t expected_attach_type)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = expected_attach_type);

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "probekit_test", "Dual BSD/GPL", code, 2,
			     &options);
}

static bool try_btf(void)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) == 0;
}

static bool try_bpf(void)
{
	int fd = load_return_zero(0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Atomic exchange (Linux 5.12, commit 5ffa25502b5a): the programs cannot be loaded without. */
static bool try_atomics(void)
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
	int fd =
		bpf_prog_load(BPF_PROG_TYPE_KPROBE, "probekit_test", "Dual BSD/GPL", code, 4, NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool has_helper(enum bpf_func_id helper)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, helper, NULL) == 1;
}

static bool try_task_storage(void)
{
	return has_helper(BPF_FUNC_task_storage_get) && has_helper(BPF_FUNC_get_current_task_btf);
}

static bool try_cookie(void)
{
	return has_helper(BPF_FUNC_get_attach_cookie);
}

static bool try_find_vma(void)
{
	return has_helper(BPF_FUNC_find_vma);
}

static bool try_loop(void)
{
	return has_helper(BPF_FUNC_loop);
}

/* A link on "/" can be no uprobe; what the kernel objects to tells how far it understood. Kernels
 * whose PID filter took in only one thread (before 46ba0e49b642) look for the process first; fixed
 * ones refuse the PID -1 before they look at the path. */
static int try_multi_link(pid_t pid)
{
	const uint64_t zero = 0;
	const struct attach_sites sites = {
		.path = "/",
		.count = 1,
		.offsets = &zero,
		.semaphore_offsets = &zero,
		.cookies = &zero,
		.pid = pid,
	};
	int program = load_return_zero(ATTACH_TYPE_UPROBE_MULTI);
	int fd = -1;
	int result;

	if (program < 0)
		return program;
	result = attach_multi(program, &sites, &fd);
	if (fd >= 0)
		close(fd);
	close(program);
	return result;
}

static bool try_uprobe_multi(void)
{
	return try_multi_link(0) == -EBADF;
}

static bool try_uprobe_multi_pid(void)
{
	return try_multi_link(-1) == -EINVAL;
}

static bool try_perf_uprobe(void)
{
	return attach_perf_type() >= 0;
}

static bool is_worth_trying(void)
{
#ifdef __x86_64__
	return true;
#else
	return false;
#endif
}

static const struct {
	const char *name;
	bool (*try)(void);
	const char *missing; /* NULL: there is another way */
	const char *hint;
} table[FEATURE_COUNT] = {
	[FEATURE_BTF] =
		{"btf", try_btf,
		 "the kernel has no readable type information (BTF) at /sys/kernel/btf/vmlinux",
		 "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions' are since 2021"},
	[FEATURE_BPF] = {"bpf", try_bpf, "the kernel refuses to load BPF programs",
			 "run as root, or grant CAP_BPF and CAP_PERFMON"},
	[FEATURE_ATOMICS] = {"atomics", try_atomics,
			     "the kernel is too old: BPF atomic operations are missing",
			     "Linux 6.1 or newer is needed"},
	[FEATURE_TASK_STORAGE] = {"task_storage", try_task_storage,
				  "the kernel is too old: BPF task storage is missing",
				  "Linux 6.1 or newer is needed"},
	[FEATURE_COOKIE] = {"cookie", try_cookie, "the kernel is too old: BPF cookies are missing",
			    "Linux 6.1 or newer is needed"},
	[FEATURE_FIND_VMA] = {"find_vma", try_find_vma,
			      "the kernel is too old: bpf_find_vma() is missing",
			      "Linux 6.1 or newer is needed"},
	[FEATURE_LOOP] = {"loop", try_loop, "the kernel is too old: bpf_loop() is missing",
			  "Linux 6.1 or newer is needed"},
	[FEATURE_UPROBE_MULTI] = {"uprobe_multi", try_uprobe_multi, NULL, NULL},
	[FEATURE_UPROBE_MULTI_PID] = {"uprobe_multi_pid", try_uprobe_multi_pid, NULL, NULL},
	[FEATURE_PERF_UPROBE] = {"perf_uprobe", try_perf_uprobe, NULL, NULL},
	[FEATURE_NOP5] = {"nop5", is_worth_trying, NULL, NULL},
	[FEATURE_NOP10] = {"nop10", is_worth_trying, NULL, NULL},
	[FEATURE_FORK_CHECK] = {"fork_check", is_worth_trying, NULL, NULL},
};

static bool is_listed(const char *list, const char *name)
{
	size_t length = strlen(name);

	while (list && *list) {
		size_t item = strcspn(list, ",");

		if (item == length && memcmp(list, name, length) == 0)
			return true;
		list += item + (list[item] == ',');
	}
	return false;
}

static bool has_capability(int bit)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long effective = 0;
	char line[256];

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %llx", &effective) == 1)
			break;
	fclose(file);
	return effective >> bit & 1;
}

void features_detect(struct features *features)
{
	const char *disabled = getenv("PROBEKIT_DISABLE_FEATURES");
	libbpf_print_fn_t print = quiet_begin();

	for (int i = 0; i < FEATURE_COUNT; i++)
		features->has[i] = !is_listed(disabled, table[i].name) && table[i].try();
	libbpf_set_print(print);
}

static int missing_privilege(struct probekit_error *err)
{
	bool admin = has_capability(CAP_SYS_ADMIN_BIT);
	bool bpf = admin || has_capability(CAP_BPF_BIT);
	bool perfmon = admin || has_capability(CAP_PERFMON_BIT);

	if (bpf && perfmon)
		return error_unavailable(
			err, -EPERM,
			"%s, although the capabilities are there (a container or kernel lockdown?)",
			table[FEATURE_BPF].missing);
	error_unavailable(err, -EPERM, "not enough privilege: %s%s%s missing", bpf ? "" : "CAP_BPF",
			  bpf || perfmon ? "" : " and ", perfmon ? "" : "CAP_PERFMON");
	return error_hint(err, -EPERM, "%s", table[FEATURE_BPF].hint);
}

int features_require(const struct features *features, struct probekit_error *err)
{
	for (int i = 0; i < FEATURE_COUNT; i++) {
		if (features->has[i] || !table[i].missing)
			continue;
		if (i == FEATURE_BPF)
			return missing_privilege(err);
		error_unavailable(err, -EOPNOTSUPP, "%s", table[i].missing);
		return error_hint(err, -EOPNOTSUPP, "%s", table[i].hint);
	}
	return 0;
}

int features_choose_attach(const struct features *features, bool with_pid, bool *use_multi,
			   struct probekit_error *err)
{
	*use_multi = features->has[FEATURE_UPROBE_MULTI] &&
		     (!with_pid || features->has[FEATURE_UPROBE_MULTI_PID]);
	if (*use_multi || features->has[FEATURE_PERF_UPROBE])
		return 0;
	error_unavailable(err, -EOPNOTSUPP,
			  "the kernel has neither uprobe_multi links%s nor perf uprobes",
			  with_pid ? " that can be limited to a process" : "");
	return error_hint(
		err, -EOPNOTSUPP,
		"use a kernel built with CONFIG_UPROBE_EVENTS=y, with sysfs mounted at /sys");
}
