/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_EVIDENCE_H
#define PROBEKIT_EVIDENCE_H
/*
 * Stacks of threads that waited long. A stack can be copied when its thread leaves the CPU, or while it
 * is away by another of its process; whether the wait was worth it is known afterwards. So copies are
 * made on suspicion, at a limited rate, into a few slots, and leave the kernel only when the wait
 * proved long.
 */
#include "clock.h"
#include "samples.h"

#define STACK_SLOTS 128		/* a power of two */
#define COPY_SPACING_NS 1000000 /* on a CPU; each takes 3 us */
#define COPY_BURST_NS 50000000	/* in a profile */
#define OFTEN_WAITS 16		/* of a thread since its last copy: then there is one in 8 ms */
#define OFTEN_SPACING_NS 8000000
#define HOT_FOR_NS 10000000000ull
#define HOT_KINDS 256	   /* a power of two */
#define LONG_WAIT_NS 20000 /* until it is known what is slow, and of holders without a span */
#define LEAST_TOLD_NS 5000 /* less is not worth the question */

WEAK const volatile __u32 stack_slot_mask = STACK_SLOTS - 1;

struct stack_slot {
	__u32 is_busy;
	__u32 padding;
	__u64 left; /* struct thread.left_clock */
	struct record_room room;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STACK_SLOTS);
	__type(key, __u32);
	__type(value, struct stack_slot);
} stack_slots SEC(".maps");

struct copying {
	__u64 last_ns;
	__u64 last_hot_ns; /* of a wait whose kind has been long without a copy */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct copying);
} copying SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HOT_KINDS);
	__type(key, __u32);
	__type(value, __u64);
} hot_kinds SEC(".maps"); /* when a wait of the kind was long and had no copy */

/* ---- copies ---- */

/* Takes the slot of thread `tid`; NULL: it is being written. */
static __always_inline struct stack_slot *slot_take(__u32 tid)
{
	__u32 index = tid & stack_slot_mask;
	struct stack_slot *slot = bpf_map_lookup_elem(&stack_slots, &index);

	if (!slot || __sync_val_compare_and_swap(&slot->is_busy, 0, 1) != 0)
		return NULL;
	return slot;
}

static __always_inline void slot_give(struct stack_slot *slot)
{
	__sync_fetch_and_and(&slot->is_busy, 0);
}

/* Copies the user stack of a task of the current address space. */
static __always_inline bool copy_stack(struct stack_slot *slot, const struct thread *thread,
				       struct task_struct *task, __u64 left)
{
	struct stack_record *record = (struct stack_record *)&slot->room;
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	slot->left = left;
	copy_registers(record, regs);
	undo_own_uprobes(record, task);
	copy_user_stack(&slot->room, thread, REGS_SP(regs));
	record->kernel_count = 0;
	record->pid = task->tgid;
	record->tid = task->pid;
	bpf_probe_read_kernel_str(record->comm, sizeof(record->comm), task->comm);
	return record->size_bytes > 0;
}

/* The same of the current task, of whose stack nothing may be known (NULL). A function of its own, so
 * that the verifier walks it once. */
__noinline int copy_own_stack(struct stack_slot *slot, const struct thread *thread, __u64 left)
{
	if (!slot)
		return false;
	return copy_stack(slot, thread, bpf_get_current_task_btf(), left);
}

static __always_inline void copy_kernel_stack(struct stack_slot *slot, void *ctx)
{
	struct stack_record *record = (struct stack_record *)&slot->room;
	long bytes = bpf_get_stack(ctx, record->kernel, sizeof(record->kernel), 0);

	record->kernel_count = bytes > 0 ? bytes / sizeof(record->kernel[0]) : 0;
}

/* ---- whose, and at what rate ---- */

/* What the thread waits for. */
static __always_inline struct wait_identity identity_of(const struct thread *thread)
{
	struct wait_identity wait = {
		.address = thread->off_address,
		.syscall = thread->off_syscall,
		.time_class = thread->off_class,
	};

	if (counts_futexes && waits_for_futex(thread))
		wait.futex_value = thread->futex_value;
	if (waits_for_futex(thread))
		wait.pid = thread->futex_space;
	else if (wait.time_class == CLASS_IPC)
		wait.pid = thread->waker_pid;
	return wait;
}

/* Does it matter what the thread waits for? In a span, or for any futex where those are counted; or while
 * it holds what others wait for. */
static __always_inline bool is_of_interest(const struct thread *thread)
{
	bool is_subject = counts_futexes ? waits_for_futex(thread) : thread->depth;

	return (is_subject || thread->watched[0].address || thread->watched[1].address) &&
	       thread->off_class != CLASS_STOPPED;
}

static __always_inline __u64 *hot_kind(const struct thread *thread)
{
	__u64 hash = (thread->off_address ^ (__u64)thread->off_syscall << 48 ^ thread->off_class) *
		     0x9e3779b97f4a7c15ull;
	__u32 index = hash >> 56;

	return bpf_map_lookup_elem(&hot_kinds, &index);
}

/* Has the thread waited so often since its stack was copied, and that lately, that another copy would tell the same?
 * Of a profile each sample counts. */
static __always_inline bool waits_often(const struct thread *thread, __u64 now)
{
	return !profile_scope && now - thread->copied_clock < OFTEN_SPACING_NS &&
	       thread->off.ns[OFF_ARRIVALS] - thread->copied_arrivals > OFTEN_WAITS;
}

/* Where it stands when a stack was last copied, for waits such as the thread's; NULL: so lately that
 * none may be at `now`. To be set when one is. */
static __always_inline __u64 *copy_allowance(const struct thread *thread, __u64 now)
{
	__u32 zero = 0;
	struct copying *last;
	__u64 *hot;

	if (waits_often(thread, now))
		return NULL;
	last = bpf_map_lookup_elem(&copying, &zero);
	if (!last)
		return NULL;
	if (!profile_scope && now - last->last_ns >= COPY_SPACING_NS)
		return &last->last_ns;
	if (now - last->last_hot_ns < COPY_SPACING_NS)
		return NULL;
	hot = hot_kind(thread);
	return hot && *hot && now - *hot <= HOT_FOR_NS ? &last->last_hot_ns : NULL;
}

/* In a profile: at the same rate, but what comes at once after a pause is copied too, as a wait may be the only
 * one of its kind. */
static __always_inline bool may_copy_profiled(__u64 now)
{
	__u32 zero = 0;
	struct copying *last = bpf_map_lookup_elem(&copying, &zero);
	__u64 due;

	if (!last)
		return false;
	due = last->last_ns > now ? last->last_ns : now;
	if (due - now >= COPY_BURST_NS)
		return false;
	last->last_ns = due + COPY_SPACING_NS;
	return true;
}

/* May a wait such as the thread's, which begins at `now`, have its stack copied? */
static __always_inline bool may_copy(struct thread *thread, __u64 now)
{
	__u64 *last;

	if (profile_scope && may_copy_profiled(now))
		return true;
	last = copy_allowance(thread, now);
	if (!last)
		return false;
	*last = now;
	thread->copied_clock = now;
	thread->copied_arrivals = thread->off.ns[OFF_ARRIVALS];
	return true;
}

/* ---- what leaves the kernel ---- */

/* The waits worth a sample: a quarter of what makes a span slow, of the outermost or the innermost
 * that is open. A function of its own, so that the verifier walks it once. */
__noinline __u64 long_wait_ns(const struct thread *thread)
{
	__u64 inner, outer;
	__u32 top;

	if (!thread)
		return LONG_WAIT_NS;
	top = thread->depth - 1;
	if (top >= MAX_DEPTH || counts_futexes)
		return LONG_WAIT_NS;
	inner = slow_from(thread->frames[top].probe);
	outer = top ? slow_from(thread->frames[0].probe) : inner;
	if (outer < inner)
		inner = outer;
	return inner ? inner / 4 : LONG_WAIT_NS;
}

static __always_inline __u32 innermost_probe(const struct thread *thread)
{
	__u32 top = thread->depth - 1;

	return top < MAX_DEPTH ? thread->frames[top].probe : 0;
}

static __always_inline void emit(struct stack_slot *slot, __u32 role, __u32 probe,
				 const struct wait_identity *wait, __u64 wait_ns)
{
	struct stack_record *record = (struct stack_record *)&slot->room;

	record->kind = RECORD_STACK;
	record->role = role;
	record->at_ns = bpf_ktime_get_ns();
	record->wait_ns = wait_ns;
	record->wait = *wait;
	record->probe = probe;
	if (send_record(record))
		COUNT(probe, samples_dropped);
}

#endif
