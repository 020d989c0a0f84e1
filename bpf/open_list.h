/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_OPEN_LIST_H
#define PROBEKIT_OPEN_LIST_H
/* What is open now: spans, what their threads wait for, and where they stand. The last part of spans.bpf.c. */
#include "frames.h"
#include "samples.h"

struct listing {
	struct thread *thread;
	struct seq_file *seq;
	__u64 sp; /* where the thread stands */
	struct open_record record;
};

/* Has the function returned, though nobody was there to see it, since recording has stopped? Then the stack goes
 * no longer as deep as its entry. */
static __always_inline bool has_returned(const struct listing *listing, const struct frame *frame)
{
	return frame->kind == FRAME_FUNCTION && listing->sp > frame->sp &&
	       listing->sp < (frame->stack & ~STACK_NATIVE);
}

static long list_one(__u32 i, struct listing *listing)
{
	struct frame *frame = frame_at(listing->thread, i);
	struct open_record *record = &listing->record;

	if (!frame)
		return 1;
	if (frame->kind == FRAME_HOLE || has_returned(listing, frame) || is_dropped(frame->probe))
		return 0;
	record->begin_ns =
		frame->begin_ns +
		left_out_since(listing->thread, &listing->thread->before[i & (MAX_DEPTH - 1)]);
	record->key = frame->key;
	record->has_key = frame->has_key;
	record->probe = frame->probe;
	bpf_seq_write(listing->seq, record, sizeof(*record));
	return 0;
}

SEC("?probekit.iter")
int list_open(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct listing listing = {.seq = ctx->meta->seq};

	if (!task)
		return 0;
	listing.thread = thread_of(task);
	if (!listing.thread)
		return 0;
	listing.sp = REGS_SP((struct pt_regs *)bpf_task_pt_regs(task));
	listing.record.pid = task->tgid;
	listing.record.tid = task->pid;
	if (listing.thread->left_clock) {
		listing.record.is_blocked = true;
		listing.record.blocked_since_ns =
			listing.thread->left_clock + listing.thread->clock_lag;
		if (waits_for_futex(listing.thread))
			listing.record.place = off_place(listing.thread);
		listing.record.owner_pid = listing.thread->owner_pid;
		listing.record.owner_tid = listing.thread->owner_tid;
		listing.record.syscall = listing.thread->off_syscall;
		listing.record.time_class = listing.thread->off_class;
	}
	bpf_probe_read_kernel_str(listing.record.comm, sizeof(listing.record.comm), task->comm);
	bpf_loop(MAX_DEPTH, list_one, &listing, 0);
	/* Without a span, but what it holds another may wait for. */
	if (!listing.thread->depth && listing.record.owner_tid)
		bpf_seq_write(listing.seq, &listing.record, sizeof(listing.record));
	return 0;
}

#define OPEN_STACK_BYTES 16384 /* with the record no more than half of what an iterator can write */

/* A stack_record under construction; one iterator runs at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct record_room));
} open_room SEC(".maps");

struct open_copy {
	struct stack_record *record;
	struct task_struct *task;
	__u64 from;
	__u32 size;
};

static long copy_open_page(__u32 i, struct open_copy *copy)
{
	__u32 size = copy->size;
	__u64 at = copy->from + size;
	__u32 bytes = SAMPLE_PAGE_BYTES - (at & (SAMPLE_PAGE_BYTES - 1));

	barrier_var(bytes);
	barrier_var(size);
	if (bytes == 0 || bytes > SAMPLE_PAGE_BYTES ||
	    size > OPEN_STACK_BYTES - SAMPLE_PAGE_BYTES ||
	    bpf_copy_from_user_task(copy->record->bytes + size, bytes, (void *)at, copy->task, 0))
		return 1;
	copy->size = size + bytes;
	return 0;
}

static __always_inline bool is_listed(const struct thread *thread)
{
	return thread->depth || thread->owner_tid || follows_whole();
}

/* One that has run since has left the wait that is told of. */
static __always_inline bool is_away(const struct thread *thread, const struct task_struct *task)
{
	if (!thread->left_clock)
		return follows_whole() && thread->is_unseen && !task->on_cpu;
	return task->sched_info.last_arrival <= thread->left_clock;
}

static __always_inline void copy_open_kernel(struct stack_record *record, struct task_struct *task)
{
	long bytes = bpf_get_task_stack(task, record->kernel, sizeof(record->kernel), 0);

	record->kernel_count = bytes > 0 ? bytes / sizeof(record->kernel[0]) : 0;
}

/* The stacks of threads that have a span open, or may hold what one waits for, or are part of a profile. */
SEC("?probekit.iter.s")
int list_stacks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct thread *thread = task ? thread_of(task) : NULL;
	struct open_copy open = {.task = task};
	__u32 zero = 0;
	struct stack_record *record = bpf_map_lookup_elem(&open_room, &zero);
	struct pt_regs *regs;

	if (!thread || !is_listed(thread) || !record || !is_away(thread, task))
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	record->kind = RECORD_STACK;
	record->role = STACK_OPEN;
	record->at_ns = bpf_ktime_get_ns();
	record->wait = (struct wait_identity){
		.syscall = REGS_SYSCALL(regs) < 0 ? NO_SYSCALL : REGS_SYSCALL(regs),
		.time_class = CLASS_OTHER,
	};
	record->pid = task->tgid;
	record->tid = task->pid;
	copy_registers(record, regs);
	undo_uprobes(record, task);
	if (profile_scope)
		copy_open_kernel(record, task);
	open.record = record;
	open.from = REGS_SP(regs) - SAMPLE_POPPED_BYTES;
	bpf_loop(OPEN_STACK_BYTES / SAMPLE_PAGE_BYTES + 1, copy_open_page, &open, 0);
	record->size_bytes = open.size;
	if (open.size <= OPEN_STACK_BYTES)
		bpf_seq_write(ctx->meta->seq, record, sizeof(*record) + open.size);
	return 0;
}

#endif
