/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns which processes the kernel follows: their executions and children are told, engine_poll_events(). */
#include <bpf/bpf.h>

#include "engine_state.h"

static int followed(const struct engine *engine)
{
	return bpf_map__fd(engine->bpf->maps.followed);
}

static void set_state(struct engine *engine, pid_t pid, enum follow_state state, uint64_t flags)
{
	uint32_t key = (uint32_t)pid;
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
	uint32_t key = (uint32_t)pid;

	bpf_map_delete_elem(followed(engine), &key);
}

size_t engine_new_children(const struct engine *engine, pid_t *pids, size_t capacity)
{
	uint32_t *at = NULL;
	size_t count = 0;
	uint32_t state;
	uint32_t pid;

	/* Where the last one has been deleted meanwhile, the kernel begins anew. */
	for (int i = 0; i < MAX_FOLLOWED && count < capacity; i++) {
		if (bpf_map_get_next_key(followed(engine), at, &pid))
			break;
		at = &pid;
		if (bpf_map_lookup_elem(followed(engine), &pid, &state) == 0 && state == FOLLOW_NEW)
			pids[count++] = (pid_t)pid;
	}
	return count;
}

uint64_t engine_missed_children(const struct engine *engine)
{
	return __atomic_load_n(&engine->bpf->bss->missed_children, __ATOMIC_RELAXED);
}

void engine_hush(struct engine *engine, pid_t pid)
{
	__atomic_store_n(&engine->bpf->bss->hushed_pid, (uint32_t)pid, __ATOMIC_RELEASE);
}
