/* SPDX-License-Identifier: BSD-2-Clause */
/* First bytes of functions, and what a probe there costs. */
#include "function_entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#if defined(__x86_64__)

#define EMULATED PROBEKIT_COST_EMULATED
#define STEPPED PROBEKIT_COST_STEPPED
#define ENDBR64 "\xf3\x0f\x1e\xfa"

struct example {
	const char *code;
	size_t size_bytes;
	size_t skip_bytes;
	enum probekit_cost cost;
};
#define CODE(code) code, sizeof(code) - 1

static void probes_are_placed_where_they_are_cheap(void **state)
{
	static const struct example examples[] = {
		{CODE("\x55\x48\x89\xe5"), 0, EMULATED},	    /* push %rbp */
		{CODE("\x41\x57\x41\x56"), 0, EMULATED},	    /* push %r15 */
		{CODE("\x40\x55\xc3"), 0, STEPPED},		    /* rex push %rbp */
		{CODE("\x90\xc3"), 0, EMULATED},		    /* nop */
		{CODE("\xf3\x90\xc3"), 0, STEPPED},		    /* pause */
		{CODE("\xe9\x00\x00\x00\x00"), 0, EMULATED},	    /* jmp */
		{CODE("\xeb\x00"), 0, EMULATED},		    /* jmp */
		{CODE("\xe8\x00\x00\x00\x00"), 0, EMULATED},	    /* call */
		{CODE("\x74\x00\xc3"), 0, EMULATED},		    /* je */
		{CODE("\x0f\x85\x00\x00\x00\x00"), 0, EMULATED},    /* jne */
		{CODE("\x0f\x1f\x44\x00\x00\x55"), 5, EMULATED},    /* nop of 5 bytes, push */
		{CODE("\x0f\x1f\x44\x00\x00\x31\xc0"), 5, STEPPED}, /* the same, xor */
		{CODE("\x0f\x1f\x40\x00\x55"), 4, EMULATED},	    /* nop of 4 bytes, push */
		{CODE("\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00\x55"), 10, EMULATED},
		{CODE("\x48\x83\xec\x08"), 0, STEPPED},			 /* sub $8, %rsp */
		{CODE("\x31\xc0\xc3"), 0, STEPPED},			 /* xor %eax, %eax */
		{CODE("\xc3"), 0, STEPPED},				 /* ret */
		{CODE(ENDBR64 "\x55"), 4, EMULATED},			 /* endbr64, push */
		{CODE(ENDBR64 "\x41\x54"), 4, EMULATED},		 /* endbr64, push %r12 */
		{CODE(ENDBR64 "\x0f\x1f\x44\x00\x00\x55"), 9, EMULATED}, /* endbr64, nop, push */
		{CODE(ENDBR64 "\x48\x83\xec\x08"), 0, STEPPED},		 /* endbr64, sub */
		{CODE(ENDBR64), 0, STEPPED},
		{CODE("\x0f\x0b"), 0, STEPPED}, /* ud2 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		struct function_placement placement = function_entry_place(
			(const unsigned char *)examples[i].code, examples[i].size_bytes);

		assert_int_equal(placement.skip_bytes, examples[i].skip_bytes);
		assert_int_equal(placement.cost, examples[i].cost);
		assert_null(placement.refused);
	}
}

static void what_the_kernel_does_not_probe_is_refused(void **state)
{
	static const struct example examples[] = {
		{CODE("\xf0\xff\x07"), 0, STEPPED},		/* lock incl (%rdi) */
		{CODE("\x2e\x0f\x1f\x40\x00"), 0, STEPPED},	/* cs nop */
		{CODE("\x66\x2e\x0f\x1f\x84\x00"), 0, STEPPED}, /* data16 cs nop */
		{CODE("\xcc\xc3"), 0, STEPPED},			/* int3 */
		{CODE("\xf4"), 0, STEPPED},			/* hlt */
		{CODE("\x9c\x58\xc3"), 0, STEPPED},		/* pushf */
		{CODE("\x0f\x1f\x44\x00\x00\x9c"), 0, STEPPED},
		{CODE("\x0f\x30"), 0, STEPPED},		    /* wrmsr */
		{CODE("\x62\xf1\x7c\x48\x28"), 0, STEPPED}, /* an AVX-512 one */
		{CODE("\x66"), 0, STEPPED},
		{CODE(""), 0, STEPPED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		assert_non_null(function_entry_place((const unsigned char *)examples[i].code,
						     examples[i].size_bytes)
					.refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probes_are_placed_where_they_are_cheap),
		cmocka_unit_test(what_the_kernel_does_not_probe_is_refused),
	};

	return cmocka_run_group_tests_name("function_entry", tests, NULL, NULL);
}

#else

int main(void)
{
	return 0;
}

#endif
