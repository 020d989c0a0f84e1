/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the rows about settings of the system, and what walls stand around this process. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "support.h"

#define GROUP "system"

/* Settings that other rows have tried the effect of: told as they are. */
static const struct setting {
	const char *name;
	const char *path;
	const char *meaning;
} settings[] = {
	{"perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid",
	 "CAP_PERFMON stands above it"},
	{"unprivileged_bpf_disabled", "/proc/sys/kernel/unprivileged_bpf_disabled",
	 "CAP_BPF stands above it"},
	{"bpf_jit_enable", "/proc/sys/net/core/bpf_jit_enable", "1 compiles BPF programs"},
};

static void add_settings(struct probekit_support *support)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const struct setting *setting = &settings[i];
		struct support_row *row = support_add(support, GROUP, setting->name, setting->name,
						      PROBEKIT_SUPPORT_INFORMATION);
		char value[64];
		int result = support_read_line(setting->path, value, sizeof(value));

		if (result)
			support_found(row, PROBEKIT_SUPPORT_UNKNOWN, "cannot read %s: %s",
				      setting->path, strerror(-result));
		else
			support_found(row, PROBEKIT_SUPPORT_OK, "%s (%s)", value, setting->meaning);
	}
}

static void add_lockdown(struct probekit_support *support)
{
	struct support_row *row = support_add(support, GROUP, "lockdown", "kernel lockdown",
					      PROBEKIT_SUPPORT_INFORMATION);
	char line[128];
	int result = support_read_line("/sys/kernel/security/lockdown", line, sizeof(line));
	char *begin = result ? NULL : strchr(line, '[');

	if (result == -ENOENT) {
		support_found(row, PROBEKIT_SUPPORT_OK,
			      "no /sys/kernel/security/lockdown: none, or it is not mounted");
		return;
	}
	if (!begin) {
		support_found(row, PROBEKIT_SUPPORT_UNKNOWN,
			      "cannot read /sys/kernel/security/lockdown: %s",
			      strerror(result ? -result : EINVAL));
		return;
	}
	begin++;
	begin[strcspn(begin, "]")] = '\0';
	support_found(row, PROBEKIT_SUPPORT_OK, "%s", begin);
	if (strcmp(begin, "confidentiality") == 0) {
		row->row.state = PROBEKIT_SUPPORT_LIMITED;
		support_cost(row, "BPF programs may not read the kernel's memory");
		support_advice(row, "boot with lockdown=integrity: it cannot be lowered later");
	}
}

static void add_statistics(struct probekit_support *support)
{
	struct support_row *row =
		support_add(support, GROUP, "bpf_stats", "BPF statistics", PROBEKIT_SUPPORT_USEFUL);
	char value[16];
	int result = support_read_line("/proc/sys/kernel/bpf_stats_enabled", value, sizeof(value));

	if (result) {
		row->row.need = PROBEKIT_SUPPORT_INFORMATION;
		support_found(row, PROBEKIT_SUPPORT_UNKNOWN,
			      "cannot read /proc/sys/kernel/bpf_stats_enabled: %s",
			      strerror(-result));
	} else if (strcmp(value, "0") == 0) {
		support_found(row, PROBEKIT_SUPPORT_OK, "off");
	} else {
		support_found(row, PROBEKIT_SUPPORT_LIMITED, "on (bpf_stats_enabled %s)", value);
		support_cost(row, "each probe costs two readings of the clock more");
		support_command(row, "sudo sysctl kernel.bpf_stats_enabled=0");
	}
}

/* ---- containers ---- */

static void add_container(struct probekit_support *support)
{
	struct support_row *row =
		support_add(support, GROUP, "container", "container", PROBEKIT_SUPPORT_USEFUL);
	int pid = privilege_has_own_namespace("pid");
	int user = privilege_has_own_namespace("user");

	if (pid < 0 || user < 0) {
		support_found(row, PROBEKIT_SUPPORT_UNKNOWN, "cannot read /proc/self/ns: %s",
			      strerror(pid < 0 ? -pid : -user));
		return;
	}
	if (!pid && !user) {
		support_found(row, PROBEKIT_SUPPORT_OK, "no: first PID and user namespace");
		return;
	}
	support_found(row, PROBEKIT_SUPPORT_LIMITED, "yes: own %s namespace%s",
		      pid && user ? "PID and user"
		      : pid	  ? "PID"
				  : "user",
		      pid && user ? "s" : "");
	if (user) {
		support_cost(row, "capabilities do not count: nothing can be measured");
		support_advice(row, "run probekit outside the user namespace (rootless container)");
	} else {
		support_cost(row, "processes outside of it cannot be given by PID, and are told "
				  "without their numbers and names");
		support_advice(row,
			       "run probekit on the host, or start the container with --pid=host");
	}
}

static void add_sysfs(struct probekit_support *support)
{
	struct support_row *row = support_add(support, GROUP, "sysfs", "/sys and tracefs",
					      PROBEKIT_SUPPORT_INFORMATION);
	struct statvfs status;

	if (statvfs("/sys", &status))
		support_found(row, PROBEKIT_SUPPORT_UNKNOWN, "cannot examine /sys: %s",
			      strerror(errno));
	else
		support_found(row, PROBEKIT_SUPPORT_OK,
			      "/sys is %s, which suffices; tracefs is not needed",
			      status.f_flag & ST_RDONLY ? "read-only" : "writable");
}

void support_add_system(struct probekit_support *support)
{
	add_container(support);
	add_statistics(support);
	add_lockdown(support);
	add_settings(support);
	add_sysfs(support);
}
