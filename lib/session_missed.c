/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns what programs would have told that the kernel did not run. Since Linux 7.0 those at most tracepoints
 * can be preempted, and one that is to run meanwhile on the same processor is skipped, as it might be a
 * recursion (__bpf_trace_run()). The kernel counts them; what they were for is looked up then.
 */
#include <dirent.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "session.h"

#define BORROWERS_AT_ONCE 256
#define GENERATIONS_AT_ONCE 64

/* 0: not known. */
static pid_t parent_of(pid_t pid)
{
	char text[512];
	char path[64];
	char *name_end;
	size_t length;
	FILE *file;
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = '\0';
	fclose(file);
	name_end = strrchr(text, ')'); /* the name itself may have some, and line feeds */
	return name_end && sscanf(name_end, ") %*c %d", &parent) == 1 ? parent : 0;
}

static bool shares_memory(pid_t pid, pid_t other)
{
	return syscall(SYS_kcmp, pid, other, KCMP_VM, 0, 0) == 0;
}

/* Have those that had their parent's memory executed a file meanwhile? */
static void find_executions(struct probekit_session *session)
{
	pid_t pids[BORROWERS_AT_ONCE];
	size_t count = engine_followed(session->engine, FOLLOW_BORROWING, pids, BORROWERS_AT_ONCE);

	for (size_t i = 0; i < count; i++)
		if (!shares_memory(pids[i], parent_of(pids[i])))
			engine_note_executed(session->engine, pids[i]);
	for (size_t i = 0; i < session->pid_count; i++)
		session->watched[i].has_executed = true; /* perhaps */
}

/* False: none is found. */
static bool find_children(struct probekit_session *session)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool is_found = false;

	if (!proc)
		return false;
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)atoi(entry->d_name);
		pid_t parent;

		if (pid <= 0 || pid == getpid() || engine_is_followed(session->engine, pid))
			continue;
		parent = parent_of(pid);
		if (!engine_is_followed(session->engine, parent))
			continue;
		engine_follow_child(session->engine, pid, shares_memory(pid, parent));
		is_found = true;
	}
	closedir(proc);
	return is_found;
}

void session_find_missed(struct probekit_session *session)
{
	uint64_t missed = engine_missed_tasks(session->engine);

	if (missed == session->missed_tasks)
		return;
	session->missed_tasks = missed;
	find_executions(session);
	if (!session->options.follow_children)
		return;
	/* What one has created before it was found is told by nobody, and may have come after the list. */
	for (int i = 0; i < GENERATIONS_AT_ONCE && find_children(session); i++)
		;
}
