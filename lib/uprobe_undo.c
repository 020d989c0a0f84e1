/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns telling how far the kernel was. What it goes by is untrusted. */
#include "uprobe_undo.h"

#include <string.h>

#if defined(__x86_64__)

#define WORD_BYTES 8

/* What the copy has at `address` of the stack. */
static bool read_stack(const struct unwind_stack *stack, uint64_t address, void *word)
{
	uint64_t offset = address - stack->address;

	if (stack->size_bytes < WORD_BYTES || offset > stack->size_bytes - WORD_BYTES)
		return false;
	memcpy(word, (const char *)stack->bytes + offset, WORD_BYTES);
	return true;
}

/* ---- returns ---- */

/* The trampoline is the begin of a page. It pushes up to three registers, the first over the slot that
 * the return address was in, and tells the kernel (since Linux 6.11, by a system call). Then the return
 * address is in that slot, and it pops the others. */
#define TRAMPOLINE_BYTES 64
#define TRAMPOLINE_PUSHES_BYTES 24
#define TRAMPOLINE_POPS 13 /* where it does */

struct trampoline_pop {
	uint64_t ip;	     /* in the trampoline */
	uint64_t slot_bytes; /* from the stack pointer to the return address */
};

static const struct trampoline_pop trampoline_pops[] = {
	{TRAMPOLINE_POPS, 16},
	{TRAMPOLINE_POPS + 2, 8},
	{TRAMPOLINE_POPS + 3, 0},
};

static bool is_code(struct address_space *space, uint64_t address)
{
	const struct proc_map *map = address_space_locate(space, address).map;

	return map && map->is_executable;
}

/* By the kernel's list, from which it takes a call before it stores its return address. */
static bool find_listed(const struct unwind_stack *stack, uint64_t sp, uint64_t offset,
			struct replaced_return *found)
{
	if (offset > TRAMPOLINE_POPS)
		return false; /* what is so near is the caller's */
	for (size_t i = 0; i < stack->return_count; i++) {
		*found = stack->returns[i];
		if (found->at + WORD_BYTES - sp <= TRAMPOLINE_PUSHES_BYTES)
			return true;
	}
	return false;
}

static bool find_stored(const struct unwind_stack *stack, uint64_t sp, uint64_t offset,
			struct replaced_return *found)
{
	for (size_t i = 0; i < sizeof(trampoline_pops) / sizeof(trampoline_pops[0]); i++) {
		found->at = sp + trampoline_pops[i].slot_bytes;
		if (offset == trampoline_pops[i].ip)
			return read_stack(stack, found->at, &found->address);
	}
	return false;
}

/* A thread that has left a probed function by the trampoline is put behind the call. */
static void leave_trampoline(struct address_space *space, struct unwind_registers *registers,
			     const struct unwind_stack *stack)
{
	uint64_t sp = registers->values[UNWIND_STACK_POINTER];
	uint64_t offset = registers->ip - stack->trampoline;
	struct replaced_return left;

	if (!find_listed(stack, sp, offset, &left) && !find_stored(stack, sp, offset, &left))
		return;
	if (!is_code(space, left.address))
		return;
	registers->ip = left.address;
	registers->values[UNWIND_STACK_POINTER] = left.at + WORD_BYTES;
}

/* ---- entries, and exits ---- */

#define BREAKPOINT 0xcc
#define RETURN 0xc3
#define PUSH_FIRST 0x50
#define PUSH_COUNT 8
#define PUSH_UPPER 0x41 /* before a push: of the registers 8 to 15 */

/* By the number that instructions have for them. */
static const unsigned char dwarf_numbers[2 * PUSH_COUNT] = {0, 2, 1,  3,  7,  6,  4,  5,
							    8, 9, 10, 11, 12, 13, 14, 15};

/* Of a file in which a breakpoint was built nothing can be told. */
static bool read_instruction(struct address_space *space, uint64_t address, unsigned char code[8])
{
	return address_space_read_code(space, address, code) && code[0] != BREAKPOINT;
}

/* The length of an instruction that pushes a register, and which; 0: it is another. */
static uint64_t push_bytes(const unsigned char code[8], unsigned int *dwarf_number)
{
	bool is_upper = code[0] == PUSH_UPPER;
	unsigned int number = (unsigned int)code[is_upper] - PUSH_FIRST;

	if (number >= PUSH_COUNT)
		return 0;
	*dwarf_number = dwarf_numbers[number + (is_upper ? PUSH_COUNT : 0)];
	return 1 + is_upper;
}

/* The breakpoint was met, and the instruction pointer is behind it. */
static void undo_breakpoint(struct address_space *space, struct unwind_registers *registers,
			    uint64_t top)
{
	unsigned char code[8];
	unsigned int number;

	if (!read_instruction(space, registers->ip - 1, code))
		return;
	if (push_bytes(code, &number) == 1 ? registers->values[number] != top
					   : code[0] == RETURN && is_code(space, top))
		registers->ip--;
}

/* The kernel has run the push, and not moved the instruction pointer yet. */
static void finish_push(struct address_space *space, struct unwind_registers *registers,
			uint64_t top)
{
	unsigned char code[8];
	unsigned int number;
	uint64_t length;

	if (!read_instruction(space, registers->ip, code))
		return;
	length = push_bytes(code, &number);
	if (length && registers->values[number] == top)
		registers->ip += length;
}

void uprobe_undo(struct address_space *space, struct unwind_registers *registers,
		 const struct unwind_stack *stack)
{
	uint64_t top;

	if (stack->trampoline && registers->ip - stack->trampoline < TRAMPOLINE_BYTES)
		leave_trampoline(space, registers, stack);
	else if (!read_stack(stack, registers->values[UNWIND_STACK_POINTER], &top))
		return;
	else if (stack->code[0] == BREAKPOINT)
		undo_breakpoint(space, registers, top);
	else if (stack->code[1] == BREAKPOINT)
		finish_push(space, registers, top);
}

#else

void uprobe_undo(struct address_space *space, struct unwind_registers *registers,
		 const struct unwind_stack *stack)
{
	(void)space;
	(void)registers;
	(void)stack;
}

#endif
