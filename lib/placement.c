/* SPDX-License-Identifier: BSD-2-Clause */
#include "placement.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/user.h>

#define PAGE_BYTES 4096 /* of x86-64, which alone has these instructions */
#define NOP10_BYTES 10

const char *point_name(enum point point)
{
	static const char *const names[POINT_COUNT] = {
		[POINT_NOP] = "nop",
		[POINT_NOP5] = "nop5",
		[POINT_NOP10] = "nop10",
	};

	return names[point];
}

#if defined(__x86_64__)
#define STACK_REGISTER SDT_X86_RSP

/* Offsets into the kernel's struct pt_regs, which has the layout of user_regs_struct up to ss. */
static int16_t register_offset(int8_t reg)
{
	static const uint16_t offsets[] = {
		offsetof(struct user_regs_struct, rax), offsetof(struct user_regs_struct, rdx),
		offsetof(struct user_regs_struct, rcx), offsetof(struct user_regs_struct, rbx),
		offsetof(struct user_regs_struct, rsi), offsetof(struct user_regs_struct, rdi),
		offsetof(struct user_regs_struct, rbp), offsetof(struct user_regs_struct, rsp),
		offsetof(struct user_regs_struct, r8),	offsetof(struct user_regs_struct, r9),
		offsetof(struct user_regs_struct, r10), offsetof(struct user_regs_struct, r11),
		offsetof(struct user_regs_struct, r12), offsetof(struct user_regs_struct, r13),
		offsetof(struct user_regs_struct, r14), offsetof(struct user_regs_struct, r15),
	};

	if (reg < 0 || (size_t)reg >= sizeof(offsets) / sizeof(*offsets))
		return -1; /* rip among them: what it is at the site depends on the instruction */
	return (int16_t)offsets[reg];
}
#elif defined(__aarch64__)
#define STACK_REGISTER 31

static int16_t register_offset(int8_t reg)
{
	return reg < 0 || reg > 31 ? -1 : (int16_t)(reg * 8);
}
#endif

static struct probekit_argument argument_of(const struct sdt_arg *arg)
{
	struct probekit_argument none = {.kind = PROBEKIT_ARGUMENT_NONE, .reg = -1, .index = -1};
	struct probekit_argument a = {
		.value = arg->value,
		.reg = register_offset(arg->reg),
		.index = register_offset(arg->index),
		.shift = (uint8_t)(64 - 8 * arg->size_bytes),
		.is_signed = arg->is_signed,
	};

	if (arg->is_float || arg->is_vector || arg->is_high_byte)
		return none;
	switch (arg->kind) {
	case SDT_ARG_CONSTANT:
		a.kind = PROBEKIT_ARGUMENT_CONSTANT;
		return a;
	case SDT_ARG_REGISTER:
		a.kind = PROBEKIT_ARGUMENT_REGISTER;
		return a.reg < 0 ? none : a;
	case SDT_ARG_MEMORY:
		a.kind = PROBEKIT_ARGUMENT_MEMORY;
		a.scale_shift = arg->scale == 8 ? 3 : arg->scale == 4 ? 2 : arg->scale == 2 ? 1 : 0;
		if ((a.reg < 0 && arg->reg != SDT_NO_REGISTER) ||
		    (a.index < 0 && arg->index != SDT_NO_REGISTER))
			return none;
		return a;
	default:
		return none;
	}
}

/* The kernel optimises no instruction that crosses a page. A nop5 then is an ordinary probe, but a
 * nop10 is refused, for its prefix: silently where nobody runs the file yet. */
static bool crosses_page(uint64_t offset, uint64_t size_bytes)
{
	return offset % PAGE_BYTES + size_bytes > PAGE_BYTES;
}

struct probekit_argument placement_argument(const struct sdt_site *site,
					    const struct placement *placement, unsigned int n)
{
	struct probekit_argument argument = {
		.kind = PROBEKIT_ARGUMENT_NONE, .reg = -1, .index = -1};

	if (n >= site->arg_count)
		return argument;
	argument = argument_of(&site->args[n]);
	/* As an address, and just as well as a value. */
	if (placement->flags & COOKIE_SP_SHIFTED && site->args[n].reg == STACK_REGISTER)
		argument.value += SITE_SP_SHIFT_BYTES;
	return argument;
}

uint32_t placement_function_arguments(bool is_end,
				      struct probekit_argument arguments[PROBEKIT_MAX_ARGUMENTS])
{
#if defined(__x86_64__)
	/* System V ABI for AMD64, 3.2.3: rdi, rsi, rdx, rcx, r8, r9; rax. By DWARF number. */
	static const int8_t given[] = {5, 4, 1, 2, 8, 9};
#elif defined(__aarch64__)
	static const int8_t given[] = {0, 1, 2, 3, 4, 5, 6, 7};
#endif
	uint32_t count = is_end ? 1 : sizeof(given);

	for (uint32_t i = 0; i < count; i++)
		arguments[i] = (struct probekit_argument){
			.kind = PROBEKIT_ARGUMENT_REGISTER,
			.reg = register_offset(is_end ? 0 : given[i]),
			.index = -1,
			.is_signed = 1,
		};
	return count;
}

static void choose_point(const struct sdt_site *site, enum point point, struct placement *placement)
{
	if (site->form == SDT_FORM_FOREIGN || point == POINT_NOP)
		return;
	if (point == POINT_NOP10) {
		if (!crosses_page(site->offset + SDT_NOP10_OFFSET, NOP10_BYTES))
			placement->offset += SDT_NOP10_OFFSET;
	} else if (site->form == SDT_FORM_THUNK) {
		placement->offset += SDT_THUNK_NOP5_OFFSET;
	} else {
		placement->offset += SDT_INLINE_NOP5_OFFSET;
		placement->flags = COOKIE_SP_SHIFTED;
	}
}

void placement_choose(const struct sdt_site *site, enum point point, struct placement *placement)
{
	*placement = (struct placement){.offset = site->offset};
	choose_point(site, point, placement);
	placement->argument = placement_argument(site, placement, 0);
}
