/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_FUTEX_SPACE_H
#define PROBEKIT_FUTEX_SPACE_H
/*
 * Where a futex is: in the memory of one process, or in memory that processes share and may each see at
 * another address. The latter has a number of its own instead of the process's, and its place in what is
 * mapped instead of the address. (futex(2): so the kernel tells them apart too.)
 */
#include "threads.h"

#include <asm-generic/errno-base.h>

#define VM_MAYSHARE 0x80 /* include/linux/mm.h */

#define FUTEX_WAIT 0
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAIT_REQUEUE_PI 11

static __always_inline bool is_futex_wait(__u32 operation)
{
	__u32 command = operation & FUTEX_COMMAND_BITS;

	return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET ||
	       command == FUTEX_WAIT_REQUEUE_PI || futex_is_pi(operation);
}

static __always_inline bool is_same_place(const struct futex_place *a, const struct futex_place *b)
{
	return a->address == b->address && a->space == b->space;
}

/* One process that sees it, and where: for its name. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SHARED_WORDS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct futex_place);
	__type(value, struct futex_place);
} shared_words WEAK SEC(".maps");

static long find_space(struct task_struct *task, struct vm_area_struct *vma,
		       struct futex_place *place)
{
	__u64 inode;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return 0;
	inode = (__u64)BPF_CORE_READ(vma, vm_file, f_inode);
	place->address += vma->vm_pgoff * page_bytes - vma->vm_start;
	place->address |= SHARED_ADDRESS;
	place->space = SHARED_MEMORY | (__u32)(inode * 0x9e3779b97f4a7c15ull >> 33);
	return 0;
}

/* The place of a futex at `address` of the task, which calls it one that processes may share. False: the kernel
 * cannot tell, as the process maps something now. */
static __always_inline bool find_shared_place(struct task_struct *task, __u64 address,
					      struct futex_place *place)
{
	struct futex_place own = {.address = address, .space = task->tgid};
	long result; /* before Linux 6.4 the upper half of what updates return is undefined */

	*place = own;
	result = bpf_find_vma(task, address, find_space, place, 0);
	if (result)
		return result == -ENOENT;
	if (place->space == own.space || bpf_map_lookup_elem(&shared_words, place))
		return true;
	result = (int)bpf_map_update_elem(&shared_words, place, &own, BPF_NOEXIST);
	if (result && result != -EEXIST)
		COUNT(0, map_full);
	return true;
}

#define PLACE_FOR_NS 100000000 /* something else may be mapped there then */

/* Where the futex is that the thread has been told to wait for, and left its CPU for. When the kernel cannot tell it
 * is asked again as the thread comes back. */
static __always_inline void place_futex(struct thread *thread, struct task_struct *task,
					__u32 operation)
{
	struct futex_place place;

	thread->futex_space = task->tgid;
	thread->is_unplaced = false;
	if (operation & FUTEX_PRIVATE_BIT)
		return;
	if (thread->shared_at != thread->call_address ||
	    thread->left_clock - thread->shared_since > PLACE_FOR_NS) {
		if (find_shared_place(task, thread->call_address, &place)) {
			thread->shared_at = thread->call_address;
			thread->shared_since = thread->left_clock;
			thread->shared_place = place;
		} else if (thread->shared_at != thread->call_address) {
			thread->is_unplaced = true;
			return;
		}
	}
	thread->futex_space = thread->shared_place.space;
	thread->call_address = thread->off_address = thread->shared_place.address;
}

/* It comes back. */
static __always_inline void place_again(struct thread *thread, struct task_struct *task)
{
	if (thread->is_unplaced && thread->off_syscall == futex_syscall)
		place_futex(thread, task, 0);
	thread->is_unplaced = false;
}

#endif
