/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns which processes the kernel follows: their executions and children are told, engine_poll_events(). */
#include <bpf/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine_state.h"

static int followed(const struct engine *engine)
{
	return bpf_map__fd(engine->bpf->maps.followed);
}

static void set_state(struct engine *engine, pid_t pid, enum follow_state state, uint64_t flags)
{
	uint32_t key = engine_kernel_pid(engine, pid);
	uint32_t value = state;

	bpf_map_update_elem(followed(engine), &key, &value, flags);
}

void engine_follow(struct engine *engine, pid_t pid)
{
	set_state(engine, pid, FOLLOW_KNOWN, BPF_ANY);
}

/* The kernel forgets those that have ended: they must not come back. */
void engine_note_known(struct engine *engine, pid_t pid)
{
	set_state(engine, pid, FOLLOW_KNOWN, BPF_EXIST);
}

void engine_unfollow(struct engine *engine, pid_t pid)
{
	uint32_t key = engine_kernel_pid(engine, pid);

	bpf_map_delete_elem(followed(engine), &key);
}

void engine_follow_child(struct engine *engine, pid_t pid, bool borrows)
{
	set_state(engine, pid, borrows ? FOLLOW_BORROWING : FOLLOW_NEW, BPF_NOEXIST);
}

void engine_note_executed(struct engine *engine, pid_t pid)
{
	set_state(engine, pid, FOLLOW_NEW, BPF_EXIST);
}

bool engine_is_followed(const struct engine *engine, pid_t pid)
{
	uint32_t key = engine_kernel_pid(engine, pid);
	uint32_t state;

	return bpf_map_lookup_elem(followed(engine), &key, &state) == 0;
}

size_t engine_followed(const struct engine *engine, enum follow_state state, pid_t *pids,
		       size_t capacity)
{
	uint32_t *at = NULL;
	size_t count = 0;
	uint32_t found;
	uint32_t pid;

	/* Where the last one has been deleted meanwhile, the kernel begins anew. */
	for (int i = 0; i < MAX_FOLLOWED && count < capacity; i++) {
		uint32_t own;

		if (bpf_map_get_next_key(followed(engine), at, &pid))
			break;
		at = &pid;
		if (bpf_map_lookup_elem(followed(engine), &pid, &found) || found != state)
			continue;
		own = pid;
		engine_own_process(engine, &own);
		if (own)
			pids[count++] = (pid_t)own;
	}
	return count;
}

void engine_forget_caller(struct engine *engine)
{
	const struct probekit_bpf *bpf = engine->bpf;
	uint32_t pid = (uint32_t)getpid();
	uint64_t spare = (uint64_t)pid << 32 | (uint32_t)gettid();
	int pidfd =
		(int)syscall(SYS_pidfd_open, gettid(), 0); /* of a process's first thread alone */

	bpf_map_delete_elem(bpf_map__fd(bpf->maps.processes), &pid);
	bpf_map_delete_elem(bpf_map__fd(bpf->maps.spare_threads), &spare);
	if (pidfd < 0)
		return;
	bpf_map_delete_elem(bpf_map__fd(bpf->maps.threads), &pidfd);
	close(pidfd);
}

static uint64_t skipped_runs(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size)
		       ? 0
		       : info.recursion_misses;
}

uint64_t engine_missed_tasks(const struct engine *engine)
{
	const struct probekit_bpf *bpf = engine->bpf;

	return skipped_runs(bpf->progs.on_exec) + skipped_runs(bpf->progs.on_child) +
	       __atomic_load_n(&bpf->bss->lost_tasks, __ATOMIC_RELAXED);
}

uint64_t engine_missed_threads(const struct engine *engine)
{
	const struct probekit_bpf *bpf = engine->bpf;

	return skipped_runs(bpf->progs.on_exit) + skipped_runs(bpf->progs.on_thread) +
	       __atomic_load_n(&bpf->bss->lost_ends, __ATOMIC_RELAXED);
}

uint64_t engine_missed_children(const struct engine *engine)
{
	return __atomic_load_n(&engine->bpf->bss->missed_children, __ATOMIC_RELAXED);
}

void engine_hush(struct engine *engine, pid_t pid, uint8_t arrival)
{
	__atomic_store_n(&engine->bpf->bss->hushed_arrival, arrival, __ATOMIC_RELEASE);
	__atomic_store_n(&engine->bpf->bss->hushed_pid, pid ? engine_kernel_pid(engine, pid) : 0,
			 __ATOMIC_RELEASE);
}
