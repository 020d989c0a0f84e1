/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SDT_ARG_H
#define PROBEKIT_SDT_ARG_H
/*
 * One USDT argument as an assembler operand: "N@OP" with N the size in bytes, negative when signed,
 * with a trailing "f" for floating point. x86-64 forms (AT&T): %reg of every width, $immediate,
 * disp(%base), (%base), disp(%base,%index,scale), (,%index,scale), disp(%rip), and a bare address
 * or symbol[+-offset][(%rip)]. arm64 forms: reg, sp, immediate, [base], [base, disp], [base, reg].
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SDT_MAX_ARGS 12

enum sdt_arg_kind {
	SDT_ARG_BAD, /* not understood, or needs a symbol's address */
	SDT_ARG_CONSTANT,
	SDT_ARG_REGISTER,
	SDT_ARG_MEMORY, /* base + index * scale + displacement */
};

/* General registers by DWARF number (System V psABI, AMD64 figure 3.36: 0 rax, 1 rdx, 2 rcx, 3 rbx,
 * 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8..15 r8..r15, 16 rip; AArch64: 0..30 x0..x30, 31 sp). */
#define SDT_NO_REGISTER (-1)
#define SDT_X86_RSP 7
#define SDT_X86_RIP 16

struct sdt_arg {
	enum sdt_arg_kind kind;
	uint8_t size_bytes; /* 1, 2, 4 or 8; at most what the register has */
	bool is_signed;
	bool is_float;
	bool is_high_byte; /* %ah and its like */
	bool is_vector;	   /* %xmm0..: reg is its number; not in the general registers */
	int8_t reg;	   /* register, or the base */
	int8_t index;
	uint8_t scale; /* 1, 2, 4 or 8 */
	int64_t value; /* displacement, or the constant, already cut to its size and sign */
};

/* Parses the operands in `text` (NUL-terminated) for `machine` (EM_X86_64 or EM_AARCH64) into up to
 * SDT_MAX_ARGS `args`; returns how many there are. An operand that is not understood has kind
 * SDT_ARG_BAD and does not disturb the others. Without a size prefix an operand is 8 bytes, signed.
 */
size_t sdt_args_parse(const char *text, uint16_t machine, struct sdt_arg args[static SDT_MAX_ARGS]);

#endif
