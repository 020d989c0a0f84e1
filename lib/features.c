/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the table of what can be missing, how that is found out, and what to tell the user. */
#include "features.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include "privilege.h"
#include "quiet.h"

#define NOTHING_WORKS "nothing can be measured"
#define TOO_OLD "Linux 6.1 or newer is needed"

static const struct feature_info table[FEATURE_COUNT] = {
	[FEATURE_BTF] =
		{
			.name = "btf",
			.title = "kernel types (BTF)",
			.try = trial_btf,
			.is_required = true,
			.missing =
				"the kernel has no readable type information (BTF) at /sys/kernel/btf/vmlinux",
			.cost = NOTHING_WORKS,
			.advice =
				"use a kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions' are since 2021",
		},
	[FEATURE_BPF] =
		{
			.name = "bpf",
			.title = "BPF programs",
			.try = trial_bpf,
			.is_required = true,
			.found = "may be loaded",
			.missing = "the kernel refuses to load BPF programs",
			.cost = NOTHING_WORKS,
			.advice = "run as root, or grant CAP_BPF and CAP_PERFMON",
		},
	[FEATURE_ATOMICS] =
		{
			.name = "atomics",
			.title = "BPF atomic operations",
			.try = trial_atomics,
			.is_required = true,
			.needs_bpf = true,
			.found = "compare-and-exchange in programs",
			.missing = "the kernel is too old: BPF atomic operations are missing",
			.cost = NOTHING_WORKS,
			.advice = TOO_OLD,
		},
	[FEATURE_TASK_STORAGE] =
		{
			.name = "task_storage",
			.title = "BPF task storage",
			.try = trial_task_storage,
			.is_required = true,
			.needs_bpf = true,
			.found = "per-thread memory in uprobe programs",
			.missing = "the kernel is too old: BPF task storage is missing",
			.cost = NOTHING_WORKS,
			.advice = TOO_OLD,
		},
	[FEATURE_COOKIE] =
		{
			.name = "cookie",
			.title = "BPF cookies",
			.try = trial_cookie,
			.is_required = true,
			.needs_bpf = true,
			.found = "one program serves all sites",
			.missing = "the kernel is too old: BPF cookies are missing",
			.cost = NOTHING_WORKS,
			.advice = TOO_OLD,
		},
	[FEATURE_FIND_VMA] =
		{
			.name = "find_vma",
			.title = "bpf_find_vma()",
			.try = trial_find_vma,
			.is_required = true,
			.needs_bpf = true,
			.found = "stacks are told apart",
			.missing = "the kernel is too old: bpf_find_vma() is missing",
			.cost = NOTHING_WORKS,
			.advice = TOO_OLD,
		},
	[FEATURE_LOOP] =
		{
			.name = "loop",
			.title = "bpf_loop()",
			.try = trial_loop,
			.is_required = true,
			.needs_bpf = true,
			.found = "loops in programs",
			.missing = "the kernel is too old: bpf_loop() is missing",
			.cost = NOTHING_WORKS,
			.advice = TOO_OLD,
		},
	[FEATURE_TP_BTF] =
		{
			.name = "tp_btf",
			.title = "tracepoints with types",
			.try = trial_tp_btf,
			.needs_types = true,
			.is_required = true,
			.needs_bpf = true,
			.found = "a program at sched_switch was attached",
			.missing = "no BPF program can be attached to sched_switch (tp_btf)",
			.cost = NOTHING_WORKS ": the end of threads would go unseen",
			.advice =
				"use a kernel with CONFIG_DEBUG_INFO_BTF=y and CONFIG_BPF_EVENTS=y",
		},
	[FEATURE_KERNEL_READS] =
		{
			.name = "kernel_reads",
			.title = "reads of kernel memory",
			.try = trial_kernel_reads,
			.is_required = true,
			.needs_bpf = true,
			.found = "programs may read the kernel's memory",
			.missing =
				"BPF programs may not read the kernel's memory: lockdown is at confidentiality",
			.cost = NOTHING_WORKS,
			.advice =
				"boot with lockdown=integrity or without lockdown: it cannot be lowered later",
		},
	[FEATURE_UPROBE_MULTI] =
		{
			.name = "uprobe_multi",
			.title = "uprobe_multi links",
			.try = trial_uprobe_multi,
			.needs_bpf = true,
			.found = "all sites are attached at once",
			.missing = "the kernel has no uprobe_multi links",
			.cost = "perf events stand in: only root can measure, many sites attach slowly",
			.advice = "Linux 6.6 and newer have them",
		},
	[FEATURE_UPROBE_MULTI_PID] =
		{
			.name = "uprobe_multi_pid",
			.title = "uprobe_multi by PID",
			.try = trial_uprobe_multi_pid,
			.needs_bpf = true,
			.found = "the filter takes in every thread of a process",
			.missing = "no filter that takes in every thread of a process",
			.cost = "processes given by PID are measured through perf events, by root only",
			.advice = "Linux 6.10 and newer have it; by path nothing is lost",
		},
	[FEATURE_PERF_UPROBE] =
		{
			.name = "perf_uprobe",
			.title = "perf uprobes",
			.try = trial_perf_uprobe,
			.found = "the kernel has them",
			.missing = "there is no /sys/bus/event_source/devices/uprobe",
			.cost = "nothing stands in where uprobe_multi is missing",
			.advice =
				"use a kernel built with CONFIG_UPROBE_EVENTS=y, with sysfs mounted at /sys",
		},
	[FEATURE_PERF_UPROBE_ALLOWED] =
		{
			.name = "perf_uprobe_allowed",
			.title = "right to perf uprobes",
			.try = trial_perf_uprobe_allowed,
			.needs_bpf = true,
			.found = "this user may attach them",
			.missing = "they cannot be attached",
			.cost = "nothing stands in where uprobe_multi is missing",
			.advice = "run as root",
		},
	[FEATURE_SESSION] =
		{
			.name = "session",
			.title = "uprobe sessions",
			.try = trial_session,
			.needs_types = true,
			.needs_bpf = true,
			.found = "there, and not used",
			.missing = "not there",
			.cost = "nothing: probekit does not use them",
		},
	[FEATURE_NOP5] = {.name = "nop5", .try = trial_optimised_site},
	[FEATURE_NOP10] = {.name = "nop10", .try = trial_optimised_site},
	[FEATURE_FORK_CHECK] = {.name = "fork_check", .try = trial_optimised_site},
	[FEATURE_BREAKDOWN] =
		{
			.name = "breakdown",
			.title = "where time goes",
			.try = trial_breakdown,
			.needs_types = true,
			.found = "the scheduler's statistics are there",
			.missing = "the kernel has no scheduler statistics of tasks",
			.cost = "latencies are measured, but not what the spans waited for",
			.advice =
				"use a kernel built with CONFIG_SCHED_INFO=y and CONFIG_FAIR_GROUP_SCHED=y",
		},
	[FEATURE_TASK_FROM_PID] =
		{
			.name = "task_from_pid",
			.title = "bpf_task_from_pid()",
			.try = trial_task_from_pid,
			.needs_types = true,
			.needs_bpf = true,
			.found = "tasks can be found by number",
			.missing = "the kernel has no bpf_task_from_pid()",
			.cost = "a context switch costs a hash lookup more, and the stacks of lock holders are seen less often",
			.advice = "Linux 6.2 and newer have it",
		},
	[FEATURE_FAULT_ADDRESS] =
		{
			.name = "fault_address",
			.title = "addresses of page faults",
			.try = trial_fault_address,
			.needs_types = true,
			.found = "page faults tell what they were for",
			.missing = "the kernel has no tracepoint page_fault_user",
			.cost = "waits in page faults are measured, but the mapping is not named",
			.advice = "x86-64 kernels have it",
		},
	[FEATURE_THROTTLED] =
		{
			.name = "throttled",
			.title = "CPU quota state",
			.try = trial_throttled,
			.needs_types = true,
			.missing = "the kernel tells of no task whether a quota holds it back",
			.cost = "waits for a CPU quota count as waits for a CPU",
			.partly = "some waits for a CPU are taken for waits for a quota",
			.advice = "use a kernel built with CONFIG_CFS_BANDWIDTH=y",
		},
	[FEATURE_IN_IOWAIT] =
		{
			.name = "in_iowait",
			.title = "disk wait state",
			.try = trial_in_iowait,
			.needs_types = true,
			.missing = "the kernel has no task_struct.in_iowait",
			.cost = "waits for disks cannot be told from other waits in the kernel",
		},
	[FEATURE_RUN_DELAY] =
		{
			.name = "run_delay",
			.title = "run-queue wait time",
			.try = trial_run_delay,
			.needs_types = true,
			.missing = "the kernel does not account waits for a CPU",
			.cost = "waits for a CPU cannot be told from sleeping",
			.advice =
				"use a kernel built with CONFIG_SCHED_INFO=y (by CONFIG_TASK_DELAY_ACCT or CONFIG_SCHEDSTATS)",
		},
	[FEATURE_JIT] =
		{
			.name = "bpf_jit",
			.title = "BPF compiler",
			.try = trial_jit,
			.is_required = true,
			.needs_bpf = true,
			.missing = "BPF programs are interpreted, which ours cannot be",
			.cost = NOTHING_WORKS,
			.advice = "where the kernel has a compiler (CONFIG_BPF_JIT=y), turn it on:",
			.command = "sudo sysctl net.core.bpf_jit_enable=1",
		},
	[FEATURE_MEMORY_BY_CGROUP] =
		{
			.name = "memlock",
			.title = "BPF memory by cgroup",
			.try = trial_memory_by_cgroup,
			.needs_bpf = true,
			.found = "RLIMIT_MEMLOCK does not matter",
			.missing = "BPF memory counts against RLIMIT_MEMLOCK",
			.cost = "measurements of many probes can fail for want of memory",
			.command = "ulimit -l unlimited",
		},
};

const struct feature_info *features_info(enum feature feature)
{
	return &table[feature];
}

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

bool features_is_disabled(enum feature feature)
{
	return is_listed(secure_getenv("PROBEKIT_DISABLE_FEATURES"), table[feature].name);
}

void features_detect(struct features *features, struct kernel_types **types)
{
	libbpf_print_fn_t print = quiet_begin();
	struct trial trial;

	trial_init(&trial);
	*features = (struct features){0};
	for (int i = 0; i < FEATURE_START_COUNT; i++)
		features->has[i] =
			!features_is_disabled((enum feature)i) && table[i].try(&trial) >= 0;
	if (types) {
		*types = trial.types;
		trial.types = NULL;
	}
	features->lacks_memory = trial.lacks_memory;
	trial_done(&trial);
	libbpf_set_print(print);
}

static int missing_privilege(struct probekit_error *err)
{
	struct privilege privilege;
	bool bpf, perfmon;

	privilege_read(&privilege);
	bpf = privilege_allows(&privilege, CAP_BPF);
	perfmon = privilege_allows(&privilege, CAP_PERFMON);
	if (bpf && perfmon)
		return error_unavailable(
			err, -EPERM,
			"%s, although the capabilities are there (a container or kernel lockdown?)",
			table[FEATURE_BPF].missing);
	error_unavailable(err, -EPERM, "not enough privilege: %s%s%s missing", bpf ? "" : "CAP_BPF",
			  bpf || perfmon ? "" : " and ", perfmon ? "" : "CAP_PERFMON");
	return error_hint(err, -EPERM, "%s", table[FEATURE_BPF].advice);
}

int features_require(const struct features *features, struct probekit_error *err)
{
	if (features->lacks_memory)
		return error_no_memory(err);
	for (int i = 0; i < FEATURE_START_COUNT; i++) {
		if (features->has[i] || !table[i].is_required)
			continue;
		if (i == FEATURE_BPF)
			return missing_privilege(err);
		error_unavailable(err, -EOPNOTSUPP, "%s", table[i].missing);
		return error_hint(err, -EOPNOTSUPP, "%s", table[i].advice);
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
	return error_hint(err, -EOPNOTSUPP, "%s", table[FEATURE_PERF_UPROBE].advice);
}
