// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What a thread runs while a span of it is open: where the kernel's tick finds it, its stack becomes
 * a record; only of spans that are on their way to be slow. And of all that a profile is of.
 *
 * The tick comes anyway, and an idle CPU has none. A perf event is an interrupt more: on a virtual
 * machine 20 us each, also where nothing runs; bound to threads it costs 5 us a context switch. Other
 * timers than the tick's are taken as well when a sample is due: nothing tells them apart. This
 * program can interrupt the others, but not itself.
 */
#include "profile.h"
#include "samples.h"

WEAK const volatile __u64 sample_period_ns; /* whole ticks */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} last_samples WEAK SEC(".maps"); /* when the CPU was sampled last */

/* Records under construction, one for each CPU: a per-CPU array's elements end at 32 KiB. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* CPUs, set by user space before the load */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct record_room));
} sample_rooms WEAK SEC(".maps");

/* The open span at `i`, if it is old enough to be taken for a slow one. One that is just being opened
 * has no begin yet. */
static __always_inline const struct frame *old_frame(const struct thread *thread, __u32 i,
						     __u64 now)
{
	const struct frame *frame = &thread->frames[i & (MAX_DEPTH - 1)];
	__s64 age_ns;

	if (i >= MAX_DEPTH || frame->kind == FRAME_HOLE || !frame->begin_ns ||
	    frame->begin_ns > now)
		return NULL;
	if (counts_futexes) /* spans are of no interest in themselves */
		return NULL;
	age_ns = (__s64)(now - frame->begin_ns -
			 left_out_since(thread, &thread->before[i & (MAX_DEPTH - 1)]));
	return age_ns >= (__s64)(slow_from(frame->probe) / 4) ? frame : NULL;
}

/* The innermost span, or the outermost, or NULL. */
static __always_inline const struct frame *sampled_frame(const struct thread *thread, __u64 now)
{
	const struct frame *frame = old_frame(thread, thread->depth - 1, now);

	return frame || !thread->depth ? frame : old_frame(thread, 0, now);
}

/* Is it time for a sample of this CPU? Ticks are not quite even. */
static __always_inline bool is_due(const __u64 *last, __u64 now)
{
	return now - *last >= sample_period_ns - sample_period_ns / 4;
}

/* A frame, or what the thread holds while others wait for it. */
static __always_inline void describe(struct stack_record *record, const struct thread *thread,
				     const struct frame *frame, __u64 now)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 pid = id >> 32;

	record->kind = RECORD_STACK;
	record->role = frame ? STACK_ONCPU : STACK_HOLDER;
	record->at_ns = now;
	record->wait_ns = sample_period_ns;
	record->wait = (struct wait_identity){
		.syscall = frame ? NO_SYSCALL : futex_syscall,
		.time_class = frame ? CLASS_ONCPU : CLASS_LOCK,
		.address = frame ? 0 : thread->watched[0].address,
		.pid = frame ? 0 : thread->watched[0].space,
	};
	record->probe = frame ? frame->probe : 0;
	record->pid = pid;
	record->tid = (__u32)id;
	record->holder_tid = 0;
	record->span_begin_ns = frame ? frame->begin_ns : 0;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
}

/* Of a system call; the innermost frames are the timer's interrupt. Outside of one there is nothing
 * but that, or a fault, which cannot be told from user space here. */
static __always_inline void copy_kernel_stack(struct stack_record *record, struct pt_regs *regs,
					      void *ctx)
{
	long bytes = 0;

	if (REGS_SYSCALL(regs) >= 0)
		bytes = bpf_get_stack(ctx, record->kernel, sizeof(record->kernel), 0);
	record->kernel_count = bytes > 0 ? bytes / sizeof(record->kernel[0]) : 0;
}

/* What else a sample is for. */
static __always_inline void describe_profiled(struct stack_record *record)
{
	record->role = STACK_PROFILED;
	record->wait = (struct wait_identity){.syscall = NO_SYSCALL, .time_class = CLASS_ONCPU};
	record->probe = 0;
}

struct purposes {
	const struct frame *frame; /* NULL: none */
	bool is_evidence;
	bool is_profile;
};

/* False: not at this moment, which is the kernel's in a probe and not the program's. */
static __always_inline bool sample(void *ctx, const struct thread *thread,
				   const struct purposes *purposes, __u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u32 cpu = bpf_get_smp_processor_id();
	struct record_room *room = bpf_map_lookup_elem(&sample_rooms, &cpu);
	struct stack_record *record = (struct stack_record *)room;
	__u32 probe = purposes->frame ? purposes->frame->probe : 0;

	if (!room) {
		COUNT(probe, samples_dropped);
		return true;
	}
	copy_registers(record, regs);
	if (!undo_own_uprobes(record, task))
		return false;
	describe(record, thread, purposes->frame, now);
	copy_kernel_stack(record, regs, ctx);
	copy_user_stack(room, thread, REGS_SP(regs));
	if (purposes->is_evidence && send_record(record))
		COUNT(probe, samples_dropped);
	if (!purposes->is_profile)
		return true;
	describe_profiled(record);
	if (send_record(record))
		COUNT(0, samples_dropped);
	return true;
}

static __always_inline bool holds_watched(const struct thread *thread)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct futex_place key = thread->watched[0];
	const struct lock_state *state;

	if (!key.address)
		return false;
	state = bpf_map_lookup_elem(&locks, &key);
	return state && state->waiters > 0 && state->holder_tid == (__u32)id;
}

SEC("?probekit.tp/hrtimer_expire_entry")
int on_sample(void *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	struct purposes purposes;
	struct thread *thread;
	__u32 zero = 0;
	__u64 *last = bpf_map_lookup_elem(&last_samples, &zero);

	if (!is_recording || !last || !is_due(last, now))
		return 0;
	thread = thread_of(bpf_get_current_task_btf());
	if (thread) {
		purposes.frame = sampled_frame(thread, now);
		purposes.is_evidence = purposes.frame || holds_watched(thread);
		purposes.is_profile = profiles_oncpu && is_profiled(thread);
		if ((purposes.is_evidence || purposes.is_profile) &&
		    !sample(ctx, thread, &purposes, now))
			return 0;
	}
	*last = now;
	return 0;
}

char program_license[] SEC("license") = "Dual BSD/GPL";
