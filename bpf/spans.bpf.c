// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * One program per kind of site. Which probe and site it is travels in the cookie, so the same
 * program serves every span of every process. Ends take the time first and begins last, so that as
 * little of our own work as possible is inside the span.
 */
#include "arguments.h"
#include "cookies.h"
#include "frames.h"
#include "namespaces.h"
#include "rows.h"

#include <asm-generic/errno-base.h>

static __always_inline __u64 site_sp(struct pt_regs *ctx, __u64 cookie)
{
	return REGS_SP(ctx) + (cookie_flags(cookie) & COOKIE_SP_SHIFTED ? SITE_SP_SHIFT_BYTES : 0);
}

/* The compiler may split a function, which then calls its part: that is the same call. */
static __always_inline bool is_inside_part(const struct thread *thread, __u64 cookie)
{
	__u32 top = thread->depth - 1;

	return cookie_flags(cookie) & COOKIE_IS_PART && top < MAX_DEPTH &&
	       thread->frames[top].kind == FRAME_FUNCTION &&
	       thread->frames[top].probe == cookie_probe(cookie);
}

/* ---- spans on one thread ---- */

static __always_inline int begin(struct pt_regs *ctx, __u64 cookie, __u8 kind)
{
	struct thread *thread;
	struct frame frame = {
		.sp = site_sp(ctx, cookie),
		.site = cookie_operand(cookie),
		.probe = cookie_probe(cookie),
		.kind = kind,
	};

	if (is_silent(cookie))
		return 0;
	thread = thread_current(true);
	if (!thread) {
		COUNT(frame.probe, state_unavailable);
		return 0;
	}
	if (kind == FRAME_FUNCTION && is_taken(&thread->taken, cookie, frame.sp, TAKEN_ENTRY))
		return 0;
	frame.stack = stack_of(thread, frame.sp);
	if (kind == FRAME_FUNCTION && is_inside_part(thread, cookie))
		return 0;
	if (kind == FRAME_FUNCTION)
		frame.key = !!(cookie_flags(cookie) & COOKIE_IS_PART);
	if (kind == FRAME_SCOPED && cookie_flags(cookie) & COOKIE_HAS_KEY) {
		frame.has_key = true;
		if (read_argument(ctx, frame.site, &frame.key)) {
			frame.has_key = false;
			COUNT(frame.probe, unreadable_argument);
		}
	}
	push(thread, &frame);
	return 0;
}

SEC("?probekit.probe")
int span_begin(struct pt_regs *ctx)
{
	keep_own_stack(ctx);
	return begin(ctx, bpf_get_attach_cookie(ctx), FRAME_SCOPED);
}

SEC("?probekit.probe")
int span_end(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 cookie = bpf_get_attach_cookie(ctx);
	struct end end = {
		.sp = site_sp(ctx, cookie),
		.probe = cookie_probe(cookie),
		.kind = FRAME_SCOPED,
		.is_late = !!(cookie_flags(cookie) & COOKIE_LATE),
		.is_found = !!(cookie_flags(cookie) & COOKIE_FOUND),
	};
	struct thread *thread;
	__u32 at;

	keep_own_stack(ctx);
	if (is_silent(cookie))
		return 0;
	thread = thread_current(true);
	at = pop(thread, &end);
	if (thread && at < MAX_DEPTH) {
		record_span(cookie_operand(cookie), end.probe, thread, at, now);
		profile_end(thread, now);
	}
	return 0;
}

/* ---- functions: from the entry to the return ---- */

SEC("?probekit.probe")
int function_entry(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	keep_own_stack(ctx);
	if (is_silent(cookie)) {
		COUNT(cookie_probe(cookie), trial_calls);
		return 0;
	}
	return begin(ctx, cookie, FRAME_FUNCTION);
}

/* Is the jump at this exit taken? */
static __always_inline bool is_left(struct pt_regs *ctx, __u64 cookie)
{
	__u32 condition = cookie >> COOKIE_CONDITION_SHIFT & COOKIE_CONDITION_MASK;

	return !condition || probekit_holds(REGS_FLAGS(ctx), condition);
}

/* A perf event of one process sees its entries alone, but returns of all that somebody probes. (Our own, of
 * probe 0, calibrate.) */
static __always_inline bool is_stray(__u32 probe)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	return has_strays && probe && !bpf_map_lookup_elem(&followed, &pid);
}

/* Behind the return, or at an instruction that leaves the function. */
SEC("?probekit.probe")
int function_return(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 cookie = bpf_get_attach_cookie(ctx);
	struct end end = {
		.sp = REGS_SP(ctx) - (cookie_flags(cookie) & COOKIE_AT_EXIT ? 0 : RETURN_POPS),
		.probe = cookie_probe(cookie),
		.kind = FRAME_FUNCTION,
		.is_late = !!(cookie_flags(cookie) & COOKIE_LATE),
		.is_found = !!(cookie_flags(cookie) & COOKIE_FOUND),
		.is_part = !!(cookie_flags(cookie) & COOKIE_IS_PART),
		.is_exit = !!(cookie_flags(cookie) & COOKIE_AT_EXIT),
	};
	struct thread *thread;
	__u32 at;

	keep_own_stack(ctx);
	if (is_silent(cookie) || !is_left(ctx, cookie) || is_stray(end.probe))
		return 0;
	thread = thread_current(true);
	if (thread && is_taken(&thread->taken, cookie, end.sp, TAKEN_END))
		return 0;
	at = pop(thread, &end);
	if (!thread || at >= MAX_DEPTH)
		return 0;
	/* Of one that goes this may be the end of a later call, which began unseen. */
	if (!renewal || !is_dropped(end.probe))
		record_span(cookie_operand(cookie), end.probe, thread, at, now);
	profile_end(thread, now);
	return 0;
}

/* ---- pairs and locks: what ends is known by its name ---- */

static __always_inline void begin_named(struct pt_regs *ctx, __u64 cookie, __u8 kind, __u32 probe)
{
	struct thread *thread = thread_current(true);
	struct frame frame = {
		.sp = site_sp(ctx, cookie),
		.site = cookie_operand(cookie),
		.probe = probe,
		.kind = kind,
	};

	if (!thread)
		COUNT(probe, state_unavailable);
	else if (kind == FRAME_LOCK && read_argument(ctx, frame.site, &frame.key))
		COUNT(probe, unreadable_argument);
	else
		push(thread, &frame);
}

static __always_inline void end_named(struct pt_regs *ctx, __u64 cookie, __u8 kind, __u32 probe,
				      __u64 now)
{
	struct end end = {
		.sp = site_sp(ctx, cookie),
		.probe = probe,
		.kind = kind,
		.is_late = !!(cookie_flags(cookie) & COOKIE_LATE),
		.is_found = !!(cookie_flags(cookie) & COOKIE_FOUND),
	};
	struct thread *thread;
	__u32 at;

	if (kind == FRAME_LOCK && read_argument(ctx, cookie_operand(cookie), &end.key)) {
		COUNT(probe, unreadable_argument);
		return;
	}
	thread = thread_current(true);
	at = pop(thread, &end);
	if (!thread || at >= MAX_DEPTH)
		return;
	record_span(probe_row(probe), probe, thread, at, now);
	profile_end(thread, now);
}

/* One program for all of them, as each takes the verifier milliseconds. Of a lock the wait is one span, and
 * the hold the next probe's. */
SEC("?probekit.probe")
int named_site(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 what = cookie >> COOKIE_NAMED_SHIFT & COOKIE_NAMED_MASK;
	__u8 kind = what & NAMED_LOCK ? FRAME_LOCK : FRAME_PAIR;
	__u32 probe = cookie_probe(cookie);

	keep_own_stack(ctx);
	if (is_silent(cookie))
		return 0;
	if (what & NAMED_ENDS)
		end_named(ctx, cookie, kind, probe + (what == NAMED_RELEASED), now);
	if (what & NAMED_BEGINS)
		begin_named(ctx, cookie, kind, probe + (what == NAMED_ACQUIRED));
	return 0;
}

/* ---- spans across threads, joined by id ---- */

SEC("?probekit.probe")
int async_begin(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u64 task = bpf_get_current_pid_tgid();
	struct async_key key = {.pid = task >> 32, .probe = cookie_probe(cookie)};
	struct async_span span = {.pid = task >> 32, .tid = (__u32)task};
	struct thread *thread;
	int result; /* before Linux 6.4 the upper half of what updates return is undefined */

	keep_own_stack(ctx);
	if (is_silent(cookie))
		return 0;
	if (read_argument(ctx, cookie_operand(cookie), (__s64 *)&key.id)) {
		COUNT(key.probe, unreadable_argument);
		return 0;
	}
	bpf_get_current_comm(span.comm, sizeof(span.comm));
	thread = has_breakdown ? thread_current(true) : NULL;
	if (thread) {
		span.is_timed = true;
		span.begin_ns = clock_read(thread, bpf_ktime_get_ns(), &span.before);
	} else {
		span.begin_ns = bpf_ktime_get_ns();
	}
	result = bpf_map_update_elem(&async_spans, &key, &span, BPF_NOEXIST);
	if (result == -EEXIST) {
		/* What began with this id first can no longer be told apart. */
		COUNT(key.probe, abandoned);
		result = bpf_map_update_elem(&async_spans, &key, &span, BPF_ANY);
	}
	if (result)
		COUNT(key.probe, map_full);
	return 0;
}

/* What a span waited for is known where it ends on the thread that began it. */
static __noinline int record_async(const struct async_key *key, struct async_span *span, __u64 now)
{
	struct thread *thread = NULL;
	__u64 begin_ns = span->begin_ns;
	struct off_time off;
	bool is_off = false;
	__u64 ns;

	if (span->is_timed && span->tid == (__u32)bpf_get_current_pid_tgid())
		thread = thread_current(false);
	if (thread)
		is_off = was_off(thread, &span->before, &now, &off);
	ns = now - begin_ns;
	if (is_off)
		ns = less_stopped(ns, &off);
	/* Of two ends at once only the one that deletes counts. */
	if (bpf_map_delete_elem(&async_spans, key))
		COUNT(key->probe, unmatched_end);
	else
		row_add_ns(probe_row(key->probe), ns, is_off ? &off : NULL, thread != NULL);
	return 0;
}

SEC("?probekit.probe")
int async_end(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 cookie = bpf_get_attach_cookie(ctx);
	struct async_key key = {
		.pid = bpf_get_current_pid_tgid() >> 32,
		.probe = cookie_probe(cookie),
	};
	struct async_span *span;

	keep_own_stack(ctx);
	if (is_silent(cookie))
		return 0;
	if (read_argument(ctx, cookie_operand(cookie), (__s64 *)&key.id)) {
		COUNT(key.probe, unreadable_argument);
		return 0;
	}
	span = bpf_map_lookup_elem(&async_spans, &key);
	if (span)
		record_async(&key, span, now);
	else
		COUNT(key.probe, unmatched_end);
	return 0;
}

/* ---- quantities ---- */

SEC("?probekit.probe")
int value(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 probe = cookie_probe(cookie);
	__s64 amount;

	keep_own_stack(ctx);
	if (is_silent(cookie))
		return 0;
	if (read_argument(ctx, cookie_operand(cookie), &amount))
		COUNT(probe, unreadable_argument);
	else
		row_add_value(probe_row(probe), amount);
	return 0;
}

/* ---- threads that end, programs that are replaced ---- */

#define CLONE_VM 0x100
#define CLONE_THREAD 0x10000

/* UNSEEN_OLD: it may be running, on another CPU, and have made and used its state itself since it was looked for. */
static __always_inline void adopt_thread(struct task_struct *task, __u8 unseen)
{
	struct thread *thread = thread_create(task, unseen == UNSEEN_OLD);

	if (!thread) {
		COUNT(0, state_unavailable);
		return;
	}
	if (thread->arrived_ns || thread->left_clock || thread->depth)
		return;
	thread->arrived_ns = bpf_ktime_get_ns();
	thread->is_unseen = unseen;
}

/* What the last thread of a process leaves. */
static __always_inline void drop_followed(__u32 pid)
{
	__u32 *state = bpf_map_lookup_elem(&followed, &pid);

	if (!state)
		return;
	if (*state == FOLLOW_NEW)
		__sync_fetch_and_add(&missed_children, 1);
	bpf_map_delete_elem(&followed, &pid);
}

/* As when the kernel skips a program at a tracepoint. */
static __always_inline bool is_lost(__u64 *count)
{
	if (!lose_tasks || bpf_get_prandom_u32() % lose_tasks)
		return false;
	__sync_fetch_and_add(count, 1);
	return true;
}

SEC("probekit.tp/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct thread *thread = thread_current(false);
	__u64 key = spare_key(task);
	__u32 pid = task->tgid;

	if (is_lost(&lost_ends))
		return 0;
	if (is_recording)
		drop_all(thread);
	if (may_be_spare(pid))
		bpf_map_delete_elem(&spare_threads, &key);
	if (task->pid == task->tgid)
		bpf_map_delete_elem(&processes, &pid);
	if (thread && thread->is_own_tid_noted)
		forget_own_tid(task);
	if (follows_children && task->signal->live.counter == 0)
		drop_followed(pid);
	return 0;
}

/* A short program may have ended before its first sample comes: who it is has to be read at once. */
static __always_inline void tell_program(const struct thread *thread, __u32 pid)
{
	if ((profile_scope || counts_futexes) && thread)
		tell(EVENT_PROGRAM, pid);
}

/* A thread of a process that had a span may hold what the others wait for. Children are part of a
 * profile of whole processes. */
SEC("?probekit.tp/task_newtask")
int BPF_PROG(on_thread, struct task_struct *task, unsigned long clone_flags)
{
	if ((clone_flags & CLONE_THREAD || follows_whole()) && thread_current(false))
		adopt_thread(task, UNSEEN_NEW);
	if (!(clone_flags & CLONE_THREAD))
		tell_program(thread_of(task), task->tgid);
	return 0;
}

/* A child that borrows its parent's memory would count the parent's threads twice if it was attached to:
 * it is told when it executes a file. */
SEC("?probekit.tp/task_newtask")
int BPF_PROG(on_child, struct task_struct *task, unsigned long clone_flags)
{
	__u32 state = clone_flags & CLONE_VM ? FOLLOW_BORROWING : FOLLOW_NEW;
	__u32 parent = bpf_get_current_pid_tgid() >> 32;
	__u32 child = task->tgid;

	if (clone_flags & CLONE_THREAD || !bpf_map_lookup_elem(&followed, &parent) ||
	    is_lost(&lost_tasks))
		return 0;
	if (has_own_numbers)
		note_numbers(task);
	if ((int)bpf_map_update_elem(&followed, &child, &state, BPF_ANY))
		__sync_fetch_and_add(&missed_children, 1);
	else if (state == FOLLOW_NEW)
		tell(EVENT_CHILD, child);
	return 0;
}

/* Run when processes have come that were not noted. */
SEC("?probekit.iter")
int list_numbers(struct bpf_iter__task *ctx)
{
	struct pid *own = BPF_CORE_READ(bpf_get_current_task_btf(), thread_pid);
	struct task_struct *task = ctx->task;

	own_level = BPF_CORE_READ(own, level);
	own_space = (__u64)BPF_CORE_READ(number_at(own, own_level), ns);
	if (task)
		note_numbers(task);
	return 0;
}

/* Run when processes had their first span. */
SEC("?probekit.iter")
int adopt(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	__u32 pid = task ? task->tgid : 0;

	if (task && bpf_map_lookup_elem(&processes, &pid) && !thread_of(task))
		adopt_thread(task, UNSEEN_OLD);
	return 0;
}

/* A thread that executes a file gets the number of its process's first: spare state has the old one. */
static __always_inline void drop_spare(struct task_struct *task, int old_tid)
{
	__u64 key = (__u64)task->tgid << 32 | (__u32)old_tid;

	if (!may_be_spare(task->tgid) || old_tid == task->pid)
		return;
	drop_all(bpf_map_lookup_elem(&spare_threads, &key));
	bpf_map_delete_elem(&spare_threads, &key);
}

/* Is the process followed? Then that it executes a file is told. */
static __always_inline bool tell_exec(__u32 pid)
{
	__u32 *state = bpf_map_lookup_elem(&followed, &pid);

	if (!state)
		return false;
	if (*state == FOLLOW_BORROWING)
		*state = FOLLOW_NEW;
	tell(EVENT_EXEC, pid);
	return true;
}

SEC("probekit.tp/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_tid)
{
	struct thread *thread;

	if (is_lost(&lost_tasks))
		return 0;
	thread = thread_current(tell_exec(task->tgid));
	if (!is_recording)
		return 0;
	drop_all(thread);
	drop_spare(task, old_tid);
	if (thread) {
		thread->seen = 0;
		thread->outermost_sp = 0;
		thread->is_fresh = true;
		thread->fault_address = 0;
		thread->shared_at = 0;
		thread->futex_address = 0;
		thread->watched[0].address = 0;
		thread->watched[1].address = 0;
	}
	tell_program(thread, task->tgid);
	return 0;
}

/* ---- tests of the kernel ---- */

/* Does an attach point fire? Also the empty program that costs are compared with. */
SEC("?probekit.probe")
int count_hit(struct pt_regs *ctx)
{
	__sync_fetch_and_add(&hits, 1);
	return 0;
}

#include "hold_sites.h"
#include "open_list.h"

char program_license[] SEC("license") = "Dual BSD/GPL";
