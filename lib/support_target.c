/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the rows about one process, or one file. */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "process.h"
#include "support.h"
#include "wire.h"

#define GROUP "target"
#define BIT(capability) (UINT64_C(1) << (capability))

/* ---- what it consists of ---- */

static void add_files(struct probekit_support *support, const struct objects *objects,
		      size_t skipped)
{
	struct support_row *row =
		support_add(support, GROUP, "target_elf", "program files", PROBEKIT_SUPPORT_USEFUL);

	support_found(row, skipped ? PROBEKIT_SUPPORT_LIMITED : PROBEKIT_SUPPORT_OK, "%s%s%.0zu%s",
		      objects->items[0]->path, objects->size > 1 ? " and " : "", objects->size - 1,
		      objects->size > 2	  ? " libraries"
		      : objects->size > 1 ? " library"
					  : "");
	if (!skipped)
		return;
	support_cost(row, "%zu mapped %s cannot be read: probes there are not measured", skipped,
		     skipped > 1 ? "files" : "file");
	if (privilege_allows(&support->privilege, CAP_CHECKPOINT_RESTORE) &&
	    privilege_allows(&support->privilege, CAP_DAC_READ_SEARCH))
		return;
	/* It was replaced since, or is of a mode that keeps us out. */
	support_mend_by_capabilities(support, row,
				     BIT(CAP_CHECKPOINT_RESTORE) | BIT(CAP_DAC_READ_SEARCH));
}

struct probes {
	size_t ours;
	size_t foreign;
	size_t bad;
};

static void count_probes(const struct objects *objects, struct probes *probes)
{
	for (size_t i = 0; i < objects->size; i++) {
		const struct sdt_sites *sites = &objects->items[i]->sites;

		probes->bad += sites->bad_notes + sites->bad_arguments;
		for (size_t k = 0; k < sites->size; k++) {
			probes->ours += sites->sites[k].form != SDT_FORM_FOREIGN;
			probes->foreign += sites->sites[k].form == SDT_FORM_FOREIGN;
			probes->bad += sites->sites[k].has_bad_semaphore;
		}
	}
}

static void add_probes(struct probekit_support *support, const struct objects *objects)
{
	struct support_row *row =
		support_add(support, GROUP, "target_probes", "probes", PROBEKIT_SUPPORT_REQUIRED);
	struct probes probes = {0};

	count_probes(objects, &probes);
	support_found(row, PROBEKIT_SUPPORT_OK, "sites of probe.h: %zu, of other USDT probes: %zu",
		      probes.ours, probes.foreign);
	if (!probes.ours && !probes.foreign) {
		support_found(row, PROBEKIT_SUPPORT_MISSING,
			      "it has no USDT probes (no section .note.stapsdt)");
		support_cost(row, "there is nothing to measure");
		support_advice(row, "mark spans with <probekit/probe.h>, see PROBEKIT_SPAN(3)");
	} else if (!probes.ours) {
		row->row.state = PROBEKIT_SUPPORT_LIMITED;
		support_cost(row, "only pairs of probes can be measured, and must be named");
		support_advice(row, "name a pair with -u; 'probekit list' shows them");
	} else if (probes.bad) {
		row->row.state = PROBEKIT_SUPPORT_LIMITED;
		support_cost(row, "%zu of their notes cannot be understood: those sites are lost",
			     probes.bad);
	}
}

/* ---- processes ---- */

static void add_quota(struct probekit_support *support, pid_t pid)
{
	struct support_row *row = support_add(support, GROUP, "target_quota", "CPU quota",
					      PROBEKIT_SUPPORT_INFORMATION);
	struct cpu_quota quota;
	int result = cgroup_cpu_quota(pid, &quota);

	if (result)
		support_found(row, PROBEKIT_SUPPORT_UNKNOWN, "its cgroup was not found: %s",
			      strerror(-result));
	else if (!quota.is_set)
		support_found(row, PROBEKIT_SUPPORT_OK, "none set");
	else
		support_found(row, PROBEKIT_SUPPORT_OK,
			      "%.2f CPUs by %s, which it was held back for %llu times", quota.cpus,
			      quota.folder, (unsigned long long)quota.throttled);
}

/* Is its namespace of this kind another than ours? */
static int differs(pid_t pid, const char *kind)
{
	struct stat its, ours;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	if (stat(path, &ours))
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, kind);
	if (stat(path, &its))
		return -errno;
	return its.st_ino != ours.st_ino;
}

static void add_namespaces(struct probekit_support *support, pid_t pid)
{
	static const char *const kinds[] = {"mnt", "pid", "user"};
	struct support_row *row = support_add(support, GROUP, "target_namespaces", "namespaces",
					      PROBEKIT_SUPPORT_INFORMATION);
	char list[64] = "";

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int result = differs(pid, kinds[i]);
		size_t length = strlen(list);

		if (result < 0) {
			support_found(row, PROBEKIT_SUPPORT_UNKNOWN, "cannot be read: %s",
				      strerror(-result));
			return;
		}
		if (result)
			snprintf(list + length, sizeof(list) - length, "%s%s", length ? ", " : "",
				 kinds[i]);
	}
	if (list[0])
		support_found(row, PROBEKIT_SUPPORT_OK,
			      "its own: %s (its files are opened inside them)", list);
	else
		support_found(row, PROBEKIT_SUPPORT_OK, "the same as ours");
}

static void describe_process(struct support_row *row, pid_t pid)
{
	char comm[32] = "?";
	struct stat status;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	support_read_line(path, comm, sizeof(comm));
	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (stat(path, &status))
		support_found(row, PROBEKIT_SUPPORT_OK, "%s", comm);
	else
		support_found(row, PROBEKIT_SUPPORT_OK, "%s, of %s %u", comm,
			      status.st_uid == geteuid() ? "our own user" : "user",
			      (unsigned int)status.st_uid);
}

static int add_process(struct probekit_support *support, pid_t pid, struct probekit_error *err)
{
	struct support_row *row =
		support_add(support, GROUP, "target_access", "access", PROBEKIT_SUPPORT_REQUIRED);
	struct objects objects = {0};
	struct probekit_error refusal;
	size_t skipped;
	int pidfd;
	int result = process_open(pid, &pidfd, err);

	if (result)
		return result;
	close(pidfd);
	describe_process(row, pid);
	result = process_objects(pid, &objects, &skipped, &refusal);
	if (!result) {
		add_files(support, &objects, skipped);
		add_probes(support, &objects);
	} else if (refusal.kind == PROBEKIT_ERROR_UNAVAILABLE) {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "%s", refusal.text);
		support_cost(row, "it cannot be measured by PID");
		support_mend_by_capabilities(support, row, BIT(CAP_SYS_PTRACE));
	} else if (err) {
		*err = refusal;
	}
	objects_done(&objects);
	if (result && refusal.kind != PROBEKIT_ERROR_UNAVAILABLE)
		return result;
	add_namespaces(support, pid);
	add_quota(support, pid);
	return 0;
}

/* ---- files ---- */

static int add_file(struct probekit_support *support, const char *path, struct probekit_error *err)
{
	struct support_row *row =
		support_add(support, GROUP, "target_access", "access", PROBEKIT_SUPPORT_REQUIRED);
	struct objects objects = {0};
	struct object *object;
	size_t users;
	int result = object_open(path, -1, &object, err);

	if (result == -EACCES || result == -EPERM) {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "cannot open '%s': %s", path,
			      strerror(-result));
		support_cost(row, "it cannot be measured");
		support_mend_by_capabilities(support, row, BIT(CAP_DAC_READ_SEARCH));
		return 0;
	}
	if (result)
		return result;
	if (objects_add(&objects, object) < 0)
		return error_no_memory(err);
	users = process_count_users(objects.items[0]);
	support_found(row, PROBEKIT_SUPPORT_OK, "readable; run by %zu %s that we may see", users,
		      users == 1 ? "process" : "processes");
	add_probes(support, &objects);
	objects_done(&objects);
	return 0;
}

int support_add_target(struct probekit_support *support, pid_t pid, const char *path,
		       struct probekit_error *err)
{
	char name[32];

	snprintf(name, sizeof(name), "pid %d", pid);
	support->target = strdup(path ? path : name);
	support->is_by_pid = !path;
	if (!support->target)
		return error_no_memory(err);
	return path ? add_file(support, path, err) : add_process(support, pid, err);
}
