/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns what the kernel does with a probed instruction (arch/x86/kernel/uprobes.c, since 4.19: it
 * emulates near calls and jumps, `push` of a 64-bit register, and the one-byte nop). All else is
 * stepped, and some of it refused.
 */
#include "function_entry.h"

#include <stdint.h>
#include <string.h>

#define REFUSED "it begins with an instruction that cannot be probed"

#if defined(__x86_64__)

static bool begins(const unsigned char *code, size_t size_bytes, const void *with, size_t length)
{
	return size_bytes >= length && memcmp(code, with, length) == 0;
}

bool function_entry_is_push(const unsigned char *code, size_t size_bytes)
{
	return (size_bytes > 0 && (code[0] & 0xf8) == 0x50) ||
	       (size_bytes > 1 && code[0] == 0x41 && (code[1] & 0xf8) == 0x50);
}

static enum probekit_cost cost_of(const unsigned char *code, size_t size_bytes)
{
	unsigned char first = size_bytes > 0 ? code[0] : 0;
	unsigned char second = size_bytes > 1 ? code[1] : 0;

	if (function_entry_is_push(code, size_bytes))
		return PROBEKIT_COST_EMULATED;
	if (first == 0xe8 || first == 0xe9 || first == 0xeb) /* call, jmp */
		return PROBEKIT_COST_EMULATED;
	if ((first & 0xf0) == 0x70 || (first == 0x0f && (second & 0xf0) == 0x80)) /* jcc */
		return PROBEKIT_COST_EMULATED;
	return first == 0x90 ? PROBEKIT_COST_EMULATED : PROBEKIT_COST_STEPPED;
}

bool function_entry_is_probed(const unsigned char *code, size_t size_bytes)
{
	static const unsigned char prefixes[] = {0x66, 0x67, 0x64, 0x65, 0xf2, 0xf3};
	/* es, cs, ss, ds, lock; int3, int, into, iret, int1, hlt, cli, sti; in, out; EVEX; none */
	static const unsigned char bad[] = {0x26, 0x2e, 0x36, 0x3e, 0xf0, 0xcc, 0xcd, 0xce, 0xcf,
					    0xf1, 0xf4, 0xfa, 0xfb, 0xe4, 0xe5, 0xe6, 0xe7, 0xec,
					    0xed, 0xee, 0xef, 0x62, 0x06, 0x07, 0x0e, 0x16, 0x17,
					    0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x82,
					    0x9a, 0xd4, 0xd5, 0xd6, 0xea, 0x6c, 0x6d, 0x6e, 0x6f};
	static const unsigned char bad_second[] = {0x06, 0x07, 0x30}; /* clts, sysret, wrmsr */
	size_t at = 0;

	while (at < size_bytes && memchr(prefixes, code[at], sizeof(prefixes)))
		at++;
	if (at < size_bytes && (code[at] & 0xf0) == 0x40) /* rex */
		at++;
	if (at >= size_bytes || memchr(bad, code[at], sizeof(bad)))
		return false;
	return code[at] != 0x0f ||
	       (at + 1 < size_bytes && !memchr(bad_second, code[at + 1], sizeof(bad_second)));
}

/* The nops of several bytes that compilers and tools leave room with (Intel SDM, volume 2, NOP). */
static size_t nop_bytes(const unsigned char *code, size_t size_bytes)
{
	static const struct {
		unsigned char bytes[6];
		unsigned char length; /* of them */
		unsigned char total;
	} nops[] = {
		{{0x66, 0x90}, 2, 2},
		{{0x0f, 0x1f, 0x00}, 3, 3},
		{{0x0f, 0x1f, 0x40}, 3, 4},
		{{0x0f, 0x1f, 0x44}, 3, 5},
		{{0x66, 0x0f, 0x1f, 0x44}, 4, 6},
		{{0x0f, 0x1f, 0x80}, 3, 7},
		{{0x0f, 0x1f, 0x84}, 3, 8},
		{{0x66, 0x0f, 0x1f, 0x84}, 4, 9},
		{{0x66, 0x2e, 0x0f, 0x1f, 0x84}, 5, 10},
	};

	for (size_t i = 0; i < sizeof(nops) / sizeof(nops[0]); i++)
		if (size_bytes >= nops[i].total &&
		    begins(code, size_bytes, nops[i].bytes, nops[i].length))
			return nops[i].total;
	return 0;
}

/* Single-stepped, it saves the flag that says so, and the program dies where it restores that. */
#define PUSHF 0x9c

struct function_placement function_entry_place(const unsigned char *code, size_t size_bytes)
{
	static const unsigned char endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	struct function_placement placement = {0};
	bool has_nop = false;
	size_t skip = 0;

	/* Neither changes a register: behind them the function is still all ahead. Linux 6.18 turns a probed
	 * nop of 5 bytes into a call that forked children die of, and never runs a probe at one of 10. */
	for (;;) {
		size_t nop = nop_bytes(code + skip, size_bytes - skip);

		if (nop)
			has_nop = true;
		else if (begins(code + skip, size_bytes - skip, endbr64, sizeof(endbr64)))
			nop = sizeof(endbr64);
		else
			break;
		skip += nop;
	}
	placement.cost = cost_of(code + skip, size_bytes - skip);
	if (has_nop || placement.cost != PROBEKIT_COST_STEPPED) {
		placement.skip_bytes = skip;
	} else {
		skip = 0;
		placement.cost = cost_of(code, size_bytes);
	}
	if (!function_entry_is_probed(code + skip, size_bytes - skip) ||
	    (skip < size_bytes && code[skip] == PUSHF))
		placement.refused = REFUSED;
	return placement;
}

#else

/* arm64 simulates what depends on the program counter; see arch/arm64/kernel/probes. */
static bool is_simulated(uint32_t code)
{
	return (code & 0x7c000000) == 0x14000000 || /* b, bl */
	       (code & 0xff000010) == 0x54000000 || /* b.cond */
	       (code & 0x7c000000) == 0x34000000 || /* cbz, cbnz, tbz, tbnz */
	       (code & 0x1f000000) == 0x10000000;   /* adr, adrp */
}

bool function_entry_is_push(const unsigned char *code, size_t size_bytes)
{
	uint32_t word = 0;

	if (size_bytes >= sizeof(word))
		memcpy(&word, code, sizeof(word));
	return (word & 0xffc07fff) == 0xa9807bfd; /* stp x29, x30, [sp, #-N]! */
}

bool function_entry_is_probed(const unsigned char *code, size_t size_bytes)
{
	(void)code;
	return size_bytes >= sizeof(uint32_t);
}

struct function_placement function_entry_place(const unsigned char *code, size_t size_bytes)
{
	struct function_placement placement = {.cost = PROBEKIT_COST_STEPPED};
	uint32_t word;

	if (!function_entry_is_probed(code, size_bytes)) {
		placement.refused = REFUSED;
		return placement;
	}
	memcpy(&word, code, sizeof(word));
	if (is_simulated(word))
		placement.cost = PROBEKIT_COST_EMULATED;
	return placement;
}

#endif
