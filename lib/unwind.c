/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns walking copied stacks by libdwfl. The copy is untrusted, as is the CFI: reads stay inside of
 * the copy, each frame must lie above the one before, and lead to code. */
#include "unwind.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "call_stub.h"
#include "uprobe_undo.h"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#define RETURN_ADDRESS 16
#define IP_REGISTER 16
#define FRAME_BYTES_MIN 8 /* the return address */
#else
#define MACHINE EM_AARCH64
#define RETURN_ADDRESS 30
#define FRAME_BYTES_MIN 0
#endif

/* One stack being walked. */
struct walk {
	struct address_space *space;
	const struct unwind_registers *registers;
	const struct unwind_stack *stack;
	struct unwind_trace *trace;
	uint64_t started_ns;
	uint64_t sp;
	uint64_t last_read;
	bool is_in_stub; /* the first frame was left without CFI */
	bool is_ended;	 /* trace->end says why */
	/* while the last frame was unwound */
	bool is_above_copy;
	bool is_in_hole;
	bool is_unreadable;
	bool has_no_frame_pointer;
};

struct unwinder {
	struct address_space *space;
	Dwfl *dwfl;
	Elf *machine; /* tells libdwfl for which machine */
	Elf64_Ehdr header;
	struct walk *walk; /* now */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- modules ---- */

/* Separate debug files are not searched: CFI for unwinding is in the file itself. */
static int no_debug_file(Dwfl_Module *dwfl_module, void **user, const char *name, Dwarf_Addr base,
			 const char *file_name, const char *link, GElf_Word crc, char **found)
{
	(void)dwfl_module;
	(void)user;
	(void)name;
	(void)base;
	(void)file_name;
	(void)link;
	(void)crc;
	(void)found;
	return -1;
}

/* Tells libdwfl of the module at `pc` before it asks. False when that is no code. */
static bool report_module(Dwfl *dwfl, struct address_space *space, uint64_t pc)
{
	struct location location = address_space_locate(space, pc);
	Dwfl_Module *dwfl_module;
	uint64_t bias;
	void **user;

	if (!location.map || !location.map->is_executable)
		return false;
	if (!location.module || dwfl_addrmodule(dwfl, pc))
		return true;
	bias = pc - location.address;
	dwfl_report_begin_add(dwfl);
	dwfl_module = dwfl_report_module(dwfl, location.module->path, bias + location.module->start,
					 bias + location.module->end);
	if (dwfl_report_end(dwfl, NULL, NULL) == 0 && dwfl_module &&
	    dwfl_module_info(dwfl_module, &user, NULL, NULL, NULL, NULL, NULL, NULL))
		*user = location.module;
	return true;
}

/* NULL: there is none. */
static Dwarf_Frame *frame_at(Dwfl *dwfl, uint64_t pc)
{
	Dwfl_Module *dwfl_module = dwfl_addrmodule(dwfl, pc);
	Dwarf_Addr bias;
	Dwarf_CFI *cfi = dwfl_module ? dwfl_module_eh_cfi(dwfl_module, &bias) : NULL;
	Dwarf_Frame *frame;

	return cfi && dwarf_cfi_addrframe(cfi, pc - bias, &frame) == 0 ? frame : NULL;
}

/* Does the frame's own CFI say that nobody called it? */
static bool is_first_function(Dwfl *dwfl, uint64_t pc)
{
	Dwarf_Frame *frame = frame_at(dwfl, pc);
	Dwarf_Op memory[3];
	Dwarf_Op *operations;
	size_t count;
	bool is_undefined;

	if (!frame)
		return false;
	is_undefined =
		dwarf_frame_register(frame, RETURN_ADDRESS, memory, &operations, &count) == 0 &&
		count == 0 && operations == memory;
	free(frame);
	return is_undefined;
}

/* ---- what libdwfl asks for ---- */

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	struct unwinder *unwinder = arg;

	(void)dwfl;
	if (*thread_arg)
		return 0;
	*thread_arg = unwinder;
	return unwinder->space->pid;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	struct unwinder *unwinder = arg;
	const struct unwind_registers *registers = unwinder->walk->registers;

	for (int i = 0; i < UNWIND_REGISTERS; i++) {
		Dwarf_Word value = registers->values[i];

		if (registers->known & (1u << i))
			dwfl_thread_state_registers(thread, i, 1, &value);
	}
	/* in CFI of linkage tables it is a register like any other */
#ifdef IP_REGISTER
	dwfl_thread_state_registers(thread, IP_REGISTER, 1, &(Dwarf_Word){registers->ip});
#endif
	dwfl_thread_state_register_pc(thread, registers->ip);
	return true;
}

/* Above the copy on the same stack? */
static bool is_above(const struct walk *walk, uint64_t address)
{
	const struct unwind_stack *stack = walk->stack;
	struct location here = address_space_locate(walk->space, stack->address);

	return here.map && address >= stack->address && address < here.map->end;
}

/* What a call has left at `address` of the stack, where `word` stands now. */
static uint64_t original(const struct unwind_stack *stack, uint64_t address, uint64_t word)
{
	if (!stack->trampoline || word != stack->trampoline)
		return word;
	for (size_t i = 0; i < stack->return_count; i++)
		if (stack->returns[i].at == address)
			return stack->returns[i].address;
	return word;
}

static bool is_in_hole(const struct unwind_stack *stack, uint64_t address)
{
	uint64_t page = address / SAMPLE_PAGE_BYTES - stack->address / SAMPLE_PAGE_BYTES;

	return page < 32 && stack->holes >> page & 1;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *value, void *arg)
{
	struct walk *walk = ((struct unwinder *)arg)->walk;
	const struct unwind_stack *stack = walk->stack;
	uint64_t offset = address - stack->address;
	struct location location;
	uint64_t word = 0;

	(void)dwfl;
	if (address >= stack->address && stack->size_bytes >= sizeof(word) &&
	    offset <= stack->size_bytes - sizeof(word)) {
		walk->is_in_hole =
			is_in_hole(stack, address) || is_in_hole(stack, address + sizeof(word) - 1);
		if (walk->is_in_hole)
			return false;
		memcpy(&word, (const char *)stack->bytes + offset, sizeof(word));
		*value = walk->last_read = original(stack, address, word);
		return true;
	}
	if (is_above(walk, address)) {
		walk->is_above_copy = true;
		return false;
	}
	location = address_space_locate(walk->space, address);
	if (location.module && !location.map->is_writable &&
	    module_read(location.module, location.address, &word)) {
		*value = walk->last_read = word;
		return true;
	}
	walk->is_unreadable = true;
	return false;
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.memory_read = read_memory,
	.set_initial_registers = set_registers,
};

/* ---- frames ---- */

static int end_walk(struct walk *walk, enum probekit_stack_end end)
{
	walk->trace->end = end;
	walk->is_ended = true;
	return DWARF_CB_ABORT;
}

/* In memory that a thread may have for a stack, and other than this one's? */
static bool is_on_other_stack(const struct walk *walk, uint64_t sp)
{
	const struct proc_map *here = address_space_locate(walk->space, walk->stack->address).map;
	const struct proc_map *there = address_space_locate(walk->space, sp).map;

	return there && there != here && there->is_writable;
}

/* A frame is no deeper than the one it was called from. Signal handlers may run on a stack of their
 * own: what they interrupted is not in the copy then. */
static bool is_in_order(struct walk *walk, Dwfl_Frame *frame)
{
	bool is_above_last;
	Dwarf_Word sp;

	if (dwfl_frame_reg(frame, UNWIND_STACK_POINTER, &sp))
		return true;
	is_above_last = !walk->trace->size || sp >= walk->sp + FRAME_BYTES_MIN;
	walk->sp = sp;
	if (!is_above_last || !walk->trace->size) /* the first is where the thread stands */
		return is_above_last;
	return sp >= walk->stack->address &&
	       (sp <= walk->stack->address + walk->stack->size_bytes || is_above(walk, sp));
}

static int on_frame(Dwfl_Frame *frame, void *arg)
{
	struct unwinder *unwinder = arg;
	struct walk *walk = unwinder->walk;
	struct unwind_trace *trace = walk->trace;
	Dwarf_Word frame_pointer;
	Dwarf_Addr pc;
	bool is_activation;

	if (!dwfl_frame_pc(frame, &pc, NULL))
		return end_walk(walk, PROBEKIT_STACK_FAILED);
	if (trace->size == UNWIND_FRAMES_MAX)
		return end_walk(walk, PROBEKIT_STACK_TOO_DEEP);
	if (now_ns() - walk->started_ns > UNWIND_TIME_NS_MAX)
		return end_walk(walk, PROBEKIT_STACK_TOO_SLOW);
	if (!is_in_order(walk, frame))
		return end_walk(walk, is_on_other_stack(walk, walk->sp) ? PROBEKIT_STACK_SWITCHED
									: PROBEKIT_STACK_LOST);
	if (!report_module(unwinder->dwfl, walk->space, trace->size ? pc - 1 : pc) &&
	    trace->size > 0)
		return end_walk(walk, PROBEKIT_STACK_LOST);
	walk->is_above_copy = false;
	walk->is_in_hole = false;
	walk->is_unreadable = false;
	walk->has_no_frame_pointer =
		dwfl_frame_reg(frame, UNWIND_FRAME_POINTER, &frame_pointer) == 0 && !frame_pointer;
	/* this unwinds the frame */
	if (!dwfl_frame_pc(frame, &pc, &is_activation))
		return end_walk(walk, PROBEKIT_STACK_FAILED);
	trace->is_return[trace->size] = !is_activation || (walk->is_in_stub && trace->size == 1);
	trace->addresses[trace->size++] = pc;
	return DWARF_CB_OK;
}

/* Where nothing tells how to go on from `pc`. */
static enum probekit_stack_end without_cfi(const struct walk *walk, uint64_t pc)
{
	return address_space_locate(walk->space, pc).module ? PROBEKIT_STACK_NO_CFI
							    : PROBEKIT_STACK_GENERATED;
}

/* Why libdwfl found no further frame. */
static enum probekit_stack_end reason(const struct unwinder *unwinder, int result)
{
	const struct walk *walk = unwinder->walk;
	size_t last = walk->trace->size - 1;
	uint64_t pc;

	if (!walk->trace->size)
		return PROBEKIT_STACK_FAILED;
	pc = walk->trace->addresses[last] - walk->trace->is_return[last];
	if (is_first_function(unwinder->dwfl, pc))
		return PROBEKIT_STACK_COMPLETE;
	if (walk->is_in_hole)
		return PROBEKIT_STACK_UNREADABLE;
	if (walk->is_above_copy)
		return walk->stack->is_torn ? PROBEKIT_STACK_UNREADABLE : PROBEKIT_STACK_COPY_SHORT;
	if (walk->is_unreadable)
		return result < 0 ? without_cfi(walk, pc) : PROBEKIT_STACK_LOST;
	/* by the ABI the first function may also have a return address, or a frame pointer, of 0 */
	if (result < 0)
		return walk->has_no_frame_pointer ? PROBEKIT_STACK_COMPLETE : without_cfi(walk, pc);
	return walk->last_read ? PROBEKIT_STACK_LOST : PROBEKIT_STACK_COMPLETE;
}

static void leave_stub(struct unwinder *unwinder, struct unwind_registers *registers)
{
	struct walk *walk = unwinder->walk;
	uint64_t sp = registers->values[UNWIND_STACK_POINTER];
	Dwarf_Word caller;
	Dwarf_Frame *frame;

	if (!report_module(unwinder->dwfl, walk->space, registers->ip))
		return;
	frame = frame_at(unwinder->dwfl, registers->ip);
	free(frame);
	if (frame || !read_memory(unwinder->dwfl, sp, &caller, unwinder) ||
	    !call_stub_is_called_from(walk->space, registers->ip, caller))
		return;
	walk->is_in_stub = true;
	walk->trace->is_return[0] = false;
	walk->trace->addresses[walk->trace->size++] = registers->ip;
	registers->ip = caller;
	registers->values[UNWIND_STACK_POINTER] = sp + FRAME_BYTES_MIN;
}

void unwind_copied(struct unwinder *unwinder, const struct unwind_registers *registers,
		   const struct unwind_stack *stack, struct unwind_trace *trace)
{
	struct unwind_registers first = *registers;
	struct walk walk = {
		.space = unwinder->space,
		.registers = &first,
		.stack = stack,
		.trace = trace,
		.started_ns = now_ns(),
		.last_read = 1,
	};
	int result;

	trace->size = 0;
	unwinder->walk = &walk;
	uprobe_undo(unwinder->space, &first, stack);
	leave_stub(unwinder, &first);
	result = dwfl_getthread_frames(unwinder->dwfl, unwinder->space->pid, on_frame, unwinder);
	if (!walk.is_ended)
		trace->end = reason(unwinder, result);
	unwinder->walk = NULL;
}

/* ---- unwinders ---- */

static bool attach(struct unwinder *unwinder)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = module_find_elf,
		.find_debuginfo = no_debug_file,
		.section_address = dwfl_offline_section_address,
	};

	unwinder->header = (Elf64_Ehdr){
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB,
			    EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = MACHINE,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(Elf64_Ehdr),
	};
	elf_version(EV_CURRENT);
	unwinder->machine = elf_memory((char *)&unwinder->header, sizeof(unwinder->header));
	unwinder->dwfl = dwfl_begin(&callbacks);
	return unwinder->machine && unwinder->dwfl &&
	       dwfl_attach_state(unwinder->dwfl, unwinder->machine, unwinder->space->pid,
				 &thread_callbacks, unwinder);
}

int unwinder_new(struct address_space *space, struct unwinder **out)
{
	struct unwinder *unwinder = calloc(1, sizeof(*unwinder));

	if (!unwinder)
		return -ENOMEM;
	unwinder->space = space;
	if (!attach(unwinder)) {
		unwinder_free(unwinder);
		return -ENOMEM;
	}
	*out = unwinder;
	return 0;
}

void unwinder_free(struct unwinder *unwinder)
{
	if (!unwinder)
		return;
	if (unwinder->dwfl)
		dwfl_end(unwinder->dwfl);
	elf_end(unwinder->machine);
	free(unwinder);
}
