/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the rows about what this user may do beside loading programs. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support.h"

#define GROUP "user"
#define BIT(capability) (UINT64_C(1) << (capability))

static void add_capabilities(struct probekit_support *support)
{
	struct support_row *row = support_add(support, GROUP, "capabilities", "capabilities",
					      PROBEKIT_SUPPORT_USEFUL);
	bool may_trace = privilege_allows(&support->privilege, CAP_SYS_PTRACE);
	char list[512];

	privilege_list(support->privilege.effective, list, sizeof(list));
	support_found(row, may_trace ? PROBEKIT_SUPPORT_OK : PROBEKIT_SUPPORT_LIMITED, "%s%s%s",
		      geteuid() == 0 ? "root: " : "", list,
		      support->privilege.is_in_user_namespace ? ", in a user namespace only" : "");
	if (may_trace)
		return;
	support_cost(row, "processes of other users cannot be measured by PID");
	support_mend_by_capabilities(support, row, BIT(CAP_SYS_PTRACE));
}

/* ---- files ---- */

/* Files of programs that ask for a capability. The other users' are those of CAP_SYS_PTRACE. */
static const struct files {
	const char *name;
	const char *title;
	int capability;
	const char *can;
	const char *cannot;
	const char *cost;
} files[] = {
	{"replaced_files", "replaced files", CAP_CHECKPOINT_RESTORE,
	 "programs that were replaced while they run are read by what is mapped",
	 "no CAP_CHECKPOINT_RESTORE",
	 "programs and libraries that were replaced while they run are not measured by PID, and "
	 "their functions have no names"},
	{"unreadable_files", "unreadable files", CAP_DAC_READ_SEARCH, "files of any mode are read",
	 "no CAP_DAC_READ_SEARCH",
	 "programs and libraries that this user may not read are not measured, and their functions "
	 "have no names"},
};

static void add_file_rights(struct probekit_support *support)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const struct files *kind = &files[i];
		struct support_row *row = support_add(support, GROUP, kind->name, kind->title,
						      PROBEKIT_SUPPORT_USEFUL);

		if (privilege_allows(&support->privilege, kind->capability)) {
			support_found(row, PROBEKIT_SUPPORT_OK, "%s", kind->can);
			continue;
		}
		support_found(row, PROBEKIT_SUPPORT_LIMITED, "%s", kind->cannot);
		support_cost(row, "%s", kind->cost);
		support_mend_by_capabilities(support, row, BIT(kind->capability));
	}
}

/* ---- kernel symbols ---- */

/* Are addresses shown? Symbols of data may lie at 0, code never does. */
static int read_symbols(bool *are_shown)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long address;
	char line[256];
	char type;
	int result = -ENODATA;

	if (!file)
		return -errno;
	while (result && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx %c", &address, &type) != 2 || (type != 'T' && type != 't'))
			continue;
		*are_shown = address != 0;
		result = 0;
	}
	fclose(file);
	return result;
}

static void mend_symbols(const struct probekit_support *support, struct support_row *row,
			 const char *restriction)
{
	bool is_privileged = privilege_allows(&support->privilege, CAP_SYSLOG);

	if (strcmp(restriction, "2") != 0) {
		support_mend_by_capabilities(support, row, BIT(CAP_SYSLOG));
		return;
	}
	support_advice(row, is_privileged ? "let privileged programs see them"
					  : "let privileged programs see them, and run as root");
	support_command(row, "sudo sysctl kernel.kptr_restrict=1");
}

static void add_kernel_symbols(struct probekit_support *support)
{
	struct support_row *row = support_add(support, GROUP, "kernel_symbols", "kernel symbols",
					      PROBEKIT_SUPPORT_USEFUL);
	char restriction[16] = "?";
	bool are_shown;
	int result = read_symbols(&are_shown);

	support_read_line("/proc/sys/kernel/kptr_restrict", restriction, sizeof(restriction));
	if (result == 0 && are_shown) {
		support_found(row, PROBEKIT_SUPPORT_OK, "addresses are shown (kptr_restrict %s)",
			      restriction);
		return;
	}
	if (result && result != -ENOENT) {
		support_found(row, PROBEKIT_SUPPORT_UNKNOWN, "cannot read /proc/kallsyms: %s",
			      strerror(-result));
		return;
	}
	support_cost(row, "functions of the kernel cannot be named");
	if (result) {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "there is no /proc/kallsyms");
		support_advice(row,
			       "use a kernel built with CONFIG_KALLSYMS=y, with procfs at /proc");
		return;
	}
	support_found(row, PROBEKIT_SUPPORT_MISSING, "addresses are hidden (kptr_restrict %s%s)",
		      restriction,
		      privilege_allows(&support->privilege, CAP_SYSLOG) ? "" : ", no CAP_SYSLOG");
	mend_symbols(support, row, restriction);
}

/* ---- perf events ---- */

/* Opens a sampling clock of a CPU (for all processes), or of this thread. */
static int try_clock(pid_t pid, int cpu)
{
	struct perf_event_attr event = {
		.size = sizeof(event),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000,
		.disabled = 1,
		.exclude_kernel = pid == 0,
	};
	int fd = (int)syscall(SYS_perf_event_open, &event, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void add_perf_events(struct probekit_support *support)
{
	struct support_row *row =
		support_add(support, GROUP, "perf_events", "perf events", PROBEKIT_SUPPORT_USEFUL);
	int cpu = sched_getcpu();
	int result = try_clock(-1, cpu < 0 ? 0 : cpu);

	if (result == 0) {
		support_found(row, PROBEKIT_SUPPORT_OK, "a whole CPU can be sampled (cpu-clock)");
		return;
	}
	support_cost(row, "running code cannot be sampled: hot functions are not named");
	if (result == -ENOSYS || result == -ENOENT) {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "the kernel has none");
		support_advice(row, "use a kernel built with CONFIG_PERF_EVENTS=y");
	} else if (result == -EACCES || result == -EPERM) {
		support_found(row, PROBEKIT_SUPPORT_LIMITED, "%s: %s",
			      try_clock(0, -1) ? "not allowed" : "of own programs only",
			      strerror(-result));
		if (privilege_allows(&support->privilege, CAP_PERFMON))
			support_advice(row, "a seccomp filter or security module refuses them: run "
					    "probekit outside the container or sandbox");
		else
			support_mend_by_capabilities(support, row, BIT(CAP_PERFMON));
	} else {
		row->row.cost = NULL;
		support_found(row, PROBEKIT_SUPPORT_UNKNOWN, "could not be tried: %s",
			      strerror(-result));
	}
}

void support_add_user(struct probekit_support *support)
{
	add_capabilities(support);
	add_kernel_symbols(support);
	add_perf_events(support);
	add_file_rights(support);
}
