/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_FRAMES_H
#define PROBEKIT_FRAMES_H
/*
 * The open spans of a thread, and the rules by which begins and ends find each other.
 *
 * Scoped spans carry the user stack pointer at their begin. On the thread's native stack a frame
 * below the sp of a later begin belongs to a function that is gone (longjmp, missed end): it is
 * abandoned. On any other stack (coroutine, sigaltstack) nothing follows from the order of stack
 * pointers, as several such stacks may share one mapping. An end belongs to the nearest frame of
 * its probe at or above its sp; probe.h promises that the two differ by the call of the thunk and
 * alloca() alone. Pairs may begin and end in different functions: the newest of the probe ends.
 *
 * A function's sp at its entry is that at its return, so they belong together for certain. Two have the
 * same when the outer one has jumped to the inner one as its last act (a tail call).
 */
#include "clock_read.h"

#define CALL_BYTES 8 /* a begin inline and its end in a called thunk differ by the return address */

/* ---- stacks ---- */

struct stack {
	__u64 sp;
	__u64 start;
	__u64 end;
	__u64 flags;
};

/* A thread's own stack ends at its thread pointer, where C libraries put the thread's block, though
 * the mapping may go on: the kernel merges neighbours, such as stacks of coroutines. The first
 * thread's is the mapping where the kernel put the program's arguments; its thread pointer is
 * elsewhere. */
static long note_stack(struct task_struct *task, struct vm_area_struct *vma, void *arg)
{
	struct stack *stack = arg;
	bool is_first = task->pid == task->tgid;
	__u64 mark = is_first ? BPF_CORE_READ(task, mm, start_stack) : THREAD_POINTER(task);

	stack->start = vma->vm_start;
	stack->end = vma->vm_end;
	if (mark < stack->start || mark >= stack->end)
		return 0;
	if (is_first) {
		stack->flags = STACK_NATIVE;
	} else if (stack->sp < mark) {
		stack->end = mark;
		stack->flags = STACK_NATIVE;
	} else {
		stack->start = mark;
	}
	return 0;
}

/* The stack that `sp` is on; 0 when it cannot be told: the address space is locked, as by who attaches to
 * a file that is mapped there. */
__noinline __u64 find_stack(struct thread *thread, __u64 sp)
{
	struct stack stack = {.sp = sp};

	if (!thread)
		return 0;
	if (bpf_find_vma(bpf_get_current_task_btf(), sp, note_stack, &stack, 0))
		return 0;
	thread->stack_start = stack.start;
	thread->stack_end = stack.end;
	thread->stack = (stack.end & ~STACK_NATIVE) | stack.flags;
	return thread->stack;
}

static __always_inline __u64 stack_of(struct thread *thread, __u64 sp)
{
	if (sp >= thread->stack_start && sp < thread->stack_end)
		return thread->stack;
	return find_stack(thread, sp);
}

/* ---- frames ---- */

/* Does it end in the function that began it? */
static __always_inline bool has_sp(__u32 kind)
{
	return kind == FRAME_SCOPED || kind == FRAME_FUNCTION;
}

static __always_inline bool is_below(const struct frame *frame, __u64 stack, __u64 sp)
{
	return has_sp(frame->kind) && (stack & STACK_NATIVE) && frame->stack == stack &&
	       frame->sp < sp;
}

/* Is it a function that is measured no longer? Its probes go one by one, and what they miss meanwhile is no
 * loss. */
static __always_inline bool is_dropped(__u32 probe)
{
	struct probe_counters *counted = bpf_map_lookup_elem(&counters, &probe);

	return counted && counted->is_dropped;
}

static __always_inline void count_abandoned(const struct frame *frame)
{
	if (!is_dropped(frame->probe))
		COUNT(frame->probe, abandoned);
}

static __always_inline void drop(struct thread *thread, struct frame *frame)
{
	count_abandoned(frame);
	frame->kind = FRAME_HOLE;
	thread->holes++;
}

/* Loops over frames are bpf_loop() callbacks: the verifier walks a body with this many branches
 * once, instead of once for each frame and path. They run on slow paths only. */
static __always_inline struct frame *frame_at(struct thread *thread, __u32 i)
{
	if (i >= thread->depth)
		return NULL;
	/* Else the compiler multiplies first and compares after, which hides the bound. */
	barrier_var(i);
	return i < MAX_DEPTH ? &thread->frames[i & (MAX_DEPTH - 1)] : NULL;
}

static long trim_one(__u32 i, struct thread **context)
{
	struct thread *thread = *context;
	struct frame *top = frame_at(thread, thread->depth - 1);

	if (!top || top->kind != FRAME_HOLE)
		return 1;
	thread->depth--;
	thread->holes--;
	return 0;
}

/* Takes the holes off the top. */
static __always_inline void trim(struct thread *thread)
{
	if (thread->holes)
		bpf_loop(MAX_DEPTH, trim_one, &thread, 0);
}

static __always_inline bool is_same_begin(const struct frame *a, const struct frame *b)
{
	return a->site == b->site && a->probe == b->probe && a->kind == b->kind && a->sp == b->sp &&
	       (a->kind != FRAME_LOCK || a->key == b->key);
}

struct sweep {
	struct thread *thread;
	struct frame *begin;
	bool is_again;
	bool is_call; /* of a function, and not a tail call */
};

static long drop_if_dead(__u32 i, struct sweep *sweep)
{
	struct frame *frame = frame_at(sweep->thread, i);
	struct frame *begin = sweep->begin;
	bool is_dead = false;

	if (!frame)
		return 1;
	if (begin->kind == FRAME_FUNCTION) {
		is_dead = sweep->is_call && frame->kind == FRAME_FUNCTION && frame->sp == begin->sp;
	} else if (is_same_begin(frame, begin)) {
		sweep->is_again = true;
		is_dead = true;
	} else if (begin->kind == FRAME_SCOPED) {
		is_dead = sweep->is_again && frame->kind == FRAME_SCOPED && frame->sp == begin->sp;
	}
	if (is_dead || (has_sp(begin->kind) && is_below(frame, begin->stack, begin->sp)))
		drop(sweep->thread, frame);
	return 0;
}

/* Does the function that is entered return to where a uretprobe catches returns? Then another function
 * that had its return probed has jumped to it. */
static __always_inline bool is_tail_call(__u64 sp)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct xol_area *area = NULL;
	__u64 address = 0;

	if (bpf_core_field_exists(area->vaddr))
		area = BPF_CORE_READ(task, mm, uprobes_state.xol_area);
	return area && !bpf_probe_read_user(&address, sizeof(address), (void *)sp) &&
	       address == BPF_CORE_READ(area, vaddr);
}

/* Removes what `begin` proves dead: frames below it, and a frame of the very site at this sp with
 * what has begun since in the same function; a call, each function whose return address it has
 * overwritten. */
__noinline int drop_dead(struct thread *thread, struct frame *begin)
{
	struct sweep sweep = {.thread = thread, .begin = begin};

	if (!thread || !begin)
		return 0;
	sweep.is_call = begin->kind == FRAME_FUNCTION && !is_tail_call(begin->sp);
	bpf_loop(MAX_DEPTH, drop_if_dead, &sweep, 0);
	trim(thread);
	return 0;
}

/* Where the next goes stands in the thread: of a local the verifier would walk each value. */
static long move_down(__u32 i, struct thread **context)
{
	struct thread *thread = *context;
	struct frame *from = frame_at(thread, i);
	struct frame *to = frame_at(thread, thread->moved);

	if (!from || !to)
		return 1;
	if (from->kind == FRAME_HOLE)
		return 0;
	*to = *from;
	thread->before[thread->moved & (MAX_DEPTH - 1)] = thread->before[i & (MAX_DEPTH - 1)];
	thread->moved++;
	return 0;
}

/* Takes the holes out from below frames that are still open, in their order. */
__noinline int compact(struct thread *thread)
{
	if (!thread)
		return 0;
	thread->moved = 0;
	bpf_loop(MAX_DEPTH, move_down, &thread, 0);
	thread->depth = thread->moved;
	thread->holes = 0;
	return 0;
}

/* Nothing open can be dead: there is nothing, or the newest is the caller's, on the same stack. */
static __always_inline bool is_plainly_nested(const struct thread *thread,
					      const struct frame *begin)
{
	__u32 top = thread->depth - 1;

	if (thread->depth == 0)
		return true;
	return has_sp(begin->kind) && top < MAX_DEPTH && has_sp(thread->frames[top].kind) &&
	       (begin->stack & STACK_NATIVE) && thread->frames[top].stack == begin->stack &&
	       thread->frames[top].sp > begin->sp;
}

/* Opens a span; `begin` is complete but for the time, which is taken last. */
static __always_inline void push(struct thread *thread, struct frame *begin)
{
	__u32 depth;

	if (!is_plainly_nested(thread, begin))
		drop_dead(thread, begin);
	thread->seen |= 1ull << (begin->probe & 63);
	if (begin->stack & STACK_NATIVE && begin->sp > thread->outermost_sp)
		thread->outermost_sp = begin->sp;
	if (thread->depth >= MAX_DEPTH && thread->holes)
		compact(thread);
	depth = thread->depth;
	if (depth >= MAX_DEPTH) {
		COUNT(begin->probe, depth_overflow);
		if (!has_sp(begin->kind)) {
			thread->pair_overflow++;
		} else if (thread->overflow++ == 0 || begin->sp > thread->overflow_sp) {
			thread->overflow_sp = begin->sp;
		}
		return;
	}
	thread->overflow = 0; /* they were deeper than anything that is left */
	thread->pair_overflow = 0;
	if (depth == 0)
		thread->wait_count = 0;
	thread->depth = depth + 1;
	thread->frames[depth] = *begin;
	barrier(); /* waits are listed from here on */
	thread->frames[depth].begin_ns =
		has_breakdown ? clock_read(thread, bpf_ktime_get_ns(), &thread->before[depth])
			      : bpf_ktime_get_ns();
}

/* ---- ends ---- */

/* What an end knows. */
struct end {
	__u64 sp;
	__u64 stack; /* of sp; filled in where it matters */
	__s64 key;
	__u32 probe;
	__u8 kind;
	__u8 is_late;
	__u8 is_found; /* late, as all else in the process */
	__u8 is_part;  /* of a function that began before it: needs no begin of its own */
	__u8 is_exit; /* at an instruction that may leave a function: it does where the sp is the entry's */
};

/* An end without begin: was the span open before we came? On the native stack, and most likely where
 * the stack cannot be told, it was when the thread has never been as far out since. In the same function,
 * or elsewhere, when no span of its probe has begun on this thread since. */
static __always_inline bool was_open(const struct end *end, struct thread *thread)
{
	bool may_be_native = end->stack & STACK_NATIVE || !end->stack;

	if (has_sp(end->kind) && may_be_native && (!end->is_late || end->is_found)) {
		__u64 begin_sp = end->sp + (end->kind == FRAME_SCOPED ? CALL_BYTES : 0);

		if (begin_sp < thread->outermost_sp)
			return false;
		if (begin_sp > thread->outermost_sp) {
			thread->outermost_sp = begin_sp;
			return true;
		}
	}
	return !(thread->seen >> (end->probe & 63) & 1);
}

__noinline int count_unmatched(const struct end *end, struct thread *thread)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool is_older;

	if (!end || !thread || is_dropped(end->probe))
		return 0;
	is_older = !thread->is_fresh && BPF_CORE_READ(task, start_time) < measure_start_ns;
	if ((is_older || end->is_late) && was_open(end, thread))
		COUNT(end->probe, in_flight_at_start);
	else
		COUNT(end->probe, unmatched_end);
	return 0;
}

/* A function may jump to a part of itself, and both return at once: the first return is that of the part,
 * which has no frame. */
static __always_inline bool is_of_part_only(const struct frame *frame, const struct end *end)
{
	return end->is_part && !end->is_exit && !frame->key;
}

struct match {
	struct thread *thread;
	const struct end *end;
	__u64 nearest;
	__u32 found;	/* index, or MAX_DEPTH */
	bool is_inside; /* of a function that has more on its stack than at its entry */
};

static long match_one(__u32 i, struct match *match)
{
	const struct frame *frame = frame_at(match->thread, i);
	const struct end *end = match->end;
	__u64 distance = 0;

	if (!frame)
		return 1;
	if (frame->probe != end->probe || frame->kind != end->kind ||
	    (end->kind == FRAME_LOCK && frame->key != end->key))
		return 0;
	if (has_sp(end->kind)) {
		if (frame->sp < end->sp ||
		    (frame->stack && end->stack && frame->stack != end->stack))
			return 0;
		distance = frame->sp - end->sp;
	}
	if (end->kind == FRAME_FUNCTION && distance) {
		match->is_inside = true;
		return 0;
	}
	if (end->kind == FRAME_FUNCTION && is_of_part_only(frame, end))
		return 0;
	if (distance <= match->nearest) { /* the newest of equals */
		match->nearest = distance;
		match->found = i;
	}
	return 0;
}

struct removal {
	struct thread *thread;
	__u64 stack;
	__u32 at;
};

static long drop_if_newer(__u32 i, struct removal *removal)
{
	struct frame *frame = frame_at(removal->thread, i);

	if (!frame)
		return 1;
	if (i > removal->at && has_sp(frame->kind) && frame->stack == removal->stack)
		drop(removal->thread, frame);
	return 0;
}

/* Takes the frame out. What a scoped end proves dead is dropped: frames that began later on its
 * native stack. */
__noinline int take_out(struct thread *thread, __u32 at)
{
	struct frame *frame = thread ? frame_at(thread, at) : NULL;
	struct removal removal = {.thread = thread, .at = at};
	bool is_scoped;

	if (!frame)
		return 0;
	removal.stack = frame->stack;
	is_scoped = has_sp(frame->kind);

	frame->kind = FRAME_HOLE;
	thread->holes++;
	if (is_scoped && frame->stack & STACK_NATIVE && at + 1 < thread->depth)
		bpf_loop(MAX_DEPTH, drop_if_newer, &removal, 0);
	trim(thread);
	return 0;
}

/* An end of a begin that was too deep to be recorded. */
static __always_inline bool is_of_overflow(struct thread *thread, const struct end *end)
{
	if (has_sp(end->kind) && thread->overflow) {
		if (end->sp <= thread->overflow_sp) {
			/* an exit may be passed within, and a part need not have begun by itself */
			if (!end->is_exit && !end->is_part)
				thread->overflow--;
			return true;
		}
		thread->overflow = 0; /* an outer span ends: they are gone */
	}
	if (!has_sp(end->kind) && thread->pair_overflow) {
		thread->pair_overflow--;
		return true;
	}
	return false;
}

/* Of the newest frame: is the end its, without a doubt? */
static __always_inline bool is_plain_end(const struct frame *frame, const struct end *end)
{
	return frame->probe == end->probe && frame->kind == end->kind && has_sp(end->kind) &&
	       frame->sp - end->sp <= (end->kind == FRAME_SCOPED ? CALL_BYTES : 0) &&
	       !is_of_part_only(frame, end);
}

/* Closes the span that `end` belongs to and returns its frame's index, at which it can be read until
 * the next begin; MAX_DEPTH when there is none, which is counted. A function of its own, so that the
 * verifier walks it once. */
__noinline __u32 pop(struct thread *thread, struct end *end)
{
	struct match match = {.end = end, .nearest = ~0ull, .found = MAX_DEPTH};
	struct frame *frame;
	bool is_plain;

	/* Ends create the state too, so this is not "nothing has begun here": it was refused. So was
	 * the begin, which has been counted, or its frame will be, as abandoned. */
	if (!thread || !end)
		return MAX_DEPTH;
	if (thread->left_clock)
		clock_catch_up(thread); /* while the frames that were open still are */
	frame = frame_at(thread, thread->depth - 1);
	is_plain = frame && is_plain_end(frame, end) && !thread->holes;
	/* A tail call may be too deep at the sp of one that is not. What is recorded is found by its sp. */
	if (is_plain && end->kind == FRAME_FUNCTION)
		return --thread->depth;
	if (end->kind != FRAME_FUNCTION && (thread->overflow || thread->pair_overflow) &&
	    is_of_overflow(thread, end))
		return MAX_DEPTH;
	if (is_plain)
		return --thread->depth;
	if (has_sp(end->kind))
		end->stack = stack_of(thread, end->sp);
	match.thread = thread;
	bpf_loop(MAX_DEPTH, match_one, &match, 0);
	frame = frame_at(thread, match.found);
	if (!frame) {
		if (end->kind == FRAME_FUNCTION && thread->overflow && is_of_overflow(thread, end))
			return MAX_DEPTH;
		if (!end->is_part && !(end->is_exit && match.is_inside))
			count_unmatched(end, thread);
		return MAX_DEPTH;
	}
	take_out(thread, match.found);
	return match.found;
}

static long abandon_one(__u32 i, struct thread **context)
{
	struct frame *frame = frame_at(*context, i);

	if (!frame)
		return 1;
	if (frame->kind != FRAME_HOLE)
		count_abandoned(frame);
	return 0;
}

/* Every frame of a thread that exits or executes another program. */
static __always_inline void drop_all(struct thread *thread)
{
	if (!thread)
		return;
	if (thread->depth)
		bpf_loop(MAX_DEPTH, abandon_one, &thread, 0);
	thread->depth = 0;
	thread->holes = 0;
	thread->overflow = 0;
	thread->pair_overflow = 0;
	thread->stack_start = 0;
	thread->stack_end = 0;
}

#endif
