/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_SAMPLES_H
#define PROBEKIT_SAMPLES_H
/* The ring in which evidence leaves the kernel, and copying a thread's stack for it. */
#include "maps.h"

#define SAMPLES_BYTES (8u << 20)

WEAK __u32 copy_bytes = 4 * SAMPLE_PAGE_BYTES; /* at most SAMPLE_BYTES_MAX; set while running */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SAMPLES_BYTES);
} samples WEAK SEC(".maps");

#if defined(__TARGET_ARCH_x86)
/* By DWARF number. */
static __always_inline void copy_registers(struct stack_record *record, const struct pt_regs *regs)
{
	record->registers[0] = regs->ax;
	record->registers[1] = regs->dx;
	record->registers[2] = regs->cx;
	record->registers[3] = regs->bx;
	record->registers[4] = regs->si;
	record->registers[5] = regs->di;
	record->registers[6] = regs->bp;
	record->registers[7] = regs->sp;
	record->registers[8] = regs->r8;
	record->registers[9] = regs->r9;
	record->registers[10] = regs->r10;
	record->registers[11] = regs->r11;
	record->registers[12] = regs->r12;
	record->registers[13] = regs->r13;
	record->registers[14] = regs->r14;
	record->registers[15] = regs->r15;
	record->registers[16] = regs->ip;
}
#else
/* The record has no room for another architecture's: without registers nothing is unwound. */
static __always_inline void copy_registers(struct stack_record *record, const struct pt_regs *regs)
{
	__builtin_memset(record->registers, 0, sizeof(record->registers));
}
#endif

#define REGISTER_AX 0
#define REGISTER_SP 7
#define REGISTER_IP (SAMPLE_REGISTERS - 1)
#define TRAMPOLINE_BYTES 64
#define TRAMPOLINE_AX 16 /* it pushes AX, CX and R11 */
#define STEPPED_BYTES 16 /* at least the longest instruction; at most the room between two */

struct return_walk {
	struct stack_record *record;
	struct return_instance *next;
	__u64 sp;
	bool is_at_sp; /* one of them is there */
};

/* The list may be another thread's and change meanwhile: what is read then is not believed by the
 * library, which looks for the trampoline in the slot. */
static long copy_return(__u32 i, struct return_walk *walk)
{
	struct return_instance *instance = walk->next;
	struct replaced_return *replaced = &walk->record->returns[i & (SAMPLE_RETURNS - 1)];

	if (!instance || i >= SAMPLE_RETURNS)
		return 1;
	replaced->at = BPF_CORE_READ(instance, stack);
	replaced->address = BPF_CORE_READ(instance, orig_ret_vaddr);
	walk->is_at_sp |= replaced->at == walk->sp;
	walk->next = BPF_CORE_READ(instance, next);
	walk->record->return_count = i + 1;
	return 0;
}

/* What uprobes have changed in the thread, whoever attached them: return addresses on its stack, and
 * where it stands while they single-step an instruction elsewhere. After copy_registers(). Is the return
 * address that the stack pointer points to among them? */
static __always_inline bool undo_uprobes(struct stack_record *record, struct task_struct *task)
{
	struct return_walk walk = {.record = record, .sp = record->registers[REGISTER_SP]};
	struct uprobe_task *utask = NULL;
	__u64 stepped;

	record->return_count = 0;
	record->trampoline = 0;
	record->code[0] = record->code[1] = 0;
	if (bpf_core_field_exists(task->utask) &&
	    bpf_core_field_exists(walk.next->orig_ret_vaddr) &&
	    bpf_core_field_exists(task->mm->uprobes_state))
		utask = BPF_CORE_READ(task, utask);
	if (!utask)
		return false;
	stepped = BPF_CORE_READ(utask, xol_vaddr);
	if (stepped && record->registers[REGISTER_IP] - stepped < STEPPED_BYTES)
		record->registers[REGISTER_IP] += BPF_CORE_READ(utask, vaddr) - stepped;
	record->trampoline = BPF_CORE_READ(task, mm, uprobes_state.xol_area, vaddr);
	walk.next = BPF_CORE_READ(utask, return_instances);
	if (walk.next)
		bpf_loop(SAMPLE_RETURNS, copy_return, &walk, 0);
	return walk.is_at_sp;
}

/* Is a return address on its way between the stack and the kernel, so that nobody can tell it? At entry it is
 * replaced before it is noted; by the trampoline's system call, which restores AX, noted no longer before it is
 * stored in the place of the AX that the trampoline has pushed. */
static __always_inline bool is_return_on_its_way(const struct stack_record *record, bool is_noted)
{
	bool is_leaving = record->registers[REGISTER_IP] - record->trampoline < TRAMPOLINE_BYTES;
	__u64 at = record->registers[REGISTER_SP] + (is_leaving ? TRAMPOLINE_AX : 0);
	__u64 word;

	if (bpf_probe_read_user(&word, sizeof(word), (void *)at))
		return false;
	return is_leaving ? word == record->registers[REGISTER_AX]
			  : !is_noted && word == record->trampoline;
}

/* The same of a thread of the current address space, whose memory can be read. False: not at this moment. */
static __always_inline bool undo_own_uprobes(struct stack_record *record, struct task_struct *task)
{
	bool is_noted = undo_uprobes(record, task);

	if (!record->trampoline)
		return true;
	bpf_probe_read_user(record->code, sizeof(record->code),
			    (void *)(record->registers[REGISTER_IP] - 1));
	return !is_return_on_its_way(record, is_noted);
}

/* For a record under construction. */
struct record_room {
	__u8 data[sizeof(struct stack_record) + SAMPLE_BYTES_MAX + SAMPLE_PAGE_BYTES];
};

/* What does not change from page to page: what does is in the record, where the verifier does not follow it. */
struct stack_copy {
	struct stack_record *record;
	__u64 from;
	__u32 limit;
	bool is_known; /* how far the stack goes */
};

/* Up to the end of one page, in a callback, as those in frames.h are. */
static long copy_page(__u32 i, struct stack_copy *copy)
{
	__u32 lead = copy->from & (SAMPLE_PAGE_BYTES - 1);
	__u32 size = i ? i * SAMPLE_PAGE_BYTES - lead : 0;
	__u32 bytes = (i + 1) * SAMPLE_PAGE_BYTES - lead - size;
	__u32 has_failed;

	if (size >= copy->limit)
		return 1;
	if (bytes > copy->limit - size)
		bytes = copy->limit - size;
	barrier_var(bytes);
	barrier_var(size);
	/* The record has room for a chunk more than the most, which the verifier wants to see. */
	if (bytes == 0 || bytes > SAMPLE_PAGE_BYTES || size >= SAMPLE_BYTES_MAX)
		return 1;
	has_failed = (__u32)bpf_probe_read_user(copy->record->bytes + size, bytes,
						(void *)(copy->from + size)) >>
		     31;
	copy->record->holes |= has_failed << (i & 15);
	if (copy->is_known || !has_failed)
		copy->record->size_bytes = size + bytes;
	return 0;
}

/* Copies the user stack of a thread of the current address space, up to its end, or `copy_bytes`. Pages
 * that cannot be read are passed over: room that a function has on the stack may never have been
 * touched. Where it is not known how far the stack goes, the last of them are no part of the copy. A function of
 * its own, so that the verifier walks it once. */
WEAK __noinline int copy_user_stack(struct record_room *room, const struct thread *thread, __u64 sp)
{
	struct stack_copy copy = {
		.from = sp - SAMPLE_POPPED_BYTES,
		.limit = *(volatile __u32 *)&copy_bytes,
	};

	if (!room)
		return 0;
	copy.record = (struct stack_record *)room;
	copy.record->size_bytes = 0;
	copy.record->holes = 0;
	if (copy.limit > SAMPLE_BYTES_MAX)
		copy.limit = SAMPLE_BYTES_MAX;
	copy.is_known = thread && sp >= thread->stack_start && sp < thread->stack_end;
	if (copy.is_known && thread->stack_end - copy.from < copy.limit)
		copy.limit = thread->stack_end - copy.from;
	bpf_loop(SAMPLE_BYTES_MAX / SAMPLE_PAGE_BYTES + 1, copy_page, &copy, 0);
	return 0;
}

/* Not zero when the ring is full. Waking the reader takes an interrupt, which costs twice what the
 * sample does: the reader has to come by itself. */
static __always_inline long send_record(struct stack_record *record)
{
	__u32 size = record->size_bytes;

	if (size > SAMPLE_BYTES_MAX)
		return -1;
	return bpf_ringbuf_output(&samples, record, sizeof(*record) + size, BPF_RB_NO_WAKEUP);
}

#endif
