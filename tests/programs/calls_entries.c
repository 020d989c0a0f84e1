/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Functions by their first and their last instruction, which decide how the kernel runs what a probe
 * has displaced, and what counts as an exit. They cannot count themselves: their callers do.
 */
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "calls.h"

#ifdef __x86_64__
#define FUNCTION(name, body)                                 \
	COUNTER(name);                                       \
	__asm__(".pushsection .text\n"                       \
		".p2align 4\n"                               \
		".globl " #name "\n"                         \
		".type " #name ", @function\n" #name ":\n"   \
		"\t.cfi_startproc\n" body "\t.cfi_endproc\n" \
		".size " #name ", . - " #name "\n"           \
		".popsection\n");                            \
	uint64_t name(uint64_t a, uint64_t b)

#define VALUE "\tlea 3(%rdi,%rsi,2), %rax\n"
#define NOP5 "\t.byte 0x0f, 0x1f, 0x44, 0, 0\n"

/* ---- first instructions ---- */

FUNCTION(by_push, "\tpush %rbp\n\tmov %rsp, %rbp\n" VALUE "\tpop %rbp\n\tret\n");
FUNCTION(by_push_r12, "\tpush %r12\n" VALUE "\tpop %r12\n\tret\n");
FUNCTION(by_push_number, "\tpushq $7\n" VALUE "\tlea 8(%rsp), %rsp\n\tret\n");
FUNCTION(by_endbr_push, "\tendbr64\n\tpush %rbp\n" VALUE "\tpop %rbp\n\tret\n");
FUNCTION(by_endbr_sub, "\tendbr64\n\tsub $24, %rsp\n" VALUE "\tadd $24, %rsp\n\tret\n");
FUNCTION(by_endbr_nop5, "\tendbr64\n" NOP5 VALUE "\tret\n");
FUNCTION(by_endbr_alone, "\tendbr64\n" VALUE "\tret\n");
FUNCTION(by_sub, "\tsub $40, %rsp\n" VALUE "\tadd $40, %rsp\n\tret\n");
FUNCTION(by_mov, "\tmov %rdi, %rax\n\tlea 3(%rax,%rsi,2), %rax\n\tret\n");
FUNCTION(by_lea, VALUE "\tret\n");
FUNCTION(by_test, "\ttest %rdi, %rdi\n" VALUE "\tret\n");
FUNCTION(by_xor, "\txor %eax, %eax\n" VALUE "\tret\n");
FUNCTION(by_relative, "\tmov checksum(%rip), %r8\n" VALUE "\tret\n");
FUNCTION(by_nop, "\tnop\n" VALUE "\tret\n");
FUNCTION(by_nops, "\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tpush %rbx\n" VALUE "\tpop %rbx\n\tret\n");
FUNCTION(by_nop5, NOP5 "\tpush %rbx\n" VALUE "\tpop %rbx\n\tret\n");
FUNCTION(by_nop5_alone, NOP5 VALUE "\tret\n");
FUNCTION(by_call, "\tcall by_lea\n\tret\n");
FUNCTION(by_jump, "\tjmp by_lea\n");
FUNCTION(by_short_jump, "\tjmp 1f\n\tud2\n1:" VALUE "\tret\n");
/* What kernels refuse to probe, some by never calling the probe; and the flags as they are while the kernel
 * steps, with which the program traps once it restores them. */
FUNCTION(by_pushf, "\tpushf\n" VALUE "\tpopf\n\tret\n");
FUNCTION(by_nop10, "\t.byte 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0\n" VALUE "\tret\n");
FUNCTION(by_lock, "\tlock addq $1, locked_count(%rip)\n" VALUE "\tret\n");
/* Each turn comes by the entry, as a call does. */
FUNCTION(by_loop, "1:\tdec %rdi\n\tjns 1b\n" VALUE "\tret\n");
FUNCTION(by_return, "\tret\n");
FUNCTION(by_endbr_return, "\tendbr64\n\tret\n");
FUNCTION(by_rep_return, "\trep ret\n");
FUNCTION(by_bnd_return, VALUE "\t.byte 0xf2\n\tret\n");
FUNCTION(by_return_0, VALUE "\tret $0\n");
FUNCTION(by_register, "\tlea by_lea(%rip), %rax\n\tjmp *%rax\n");
FUNCTION(by_memory, "\tmov %rsi, %rax\n\tjmp *lea_address(%rip)\n");

/* ---- conditional tail calls ---- */

FUNCTION(taken, "\tmov $2, %eax\n\tret\n");

#define CONDITION(jump) \
	FUNCTION(jump##_away, "\tcmp %rsi, %rdi\n\t" #jump " taken\n\tmov $1, %eax\n\tret\n")
CONDITION(jo);
CONDITION(jno);
CONDITION(jb);
CONDITION(jae);
CONDITION(je);
CONDITION(jne);
CONDITION(jbe);
CONDITION(ja);
CONDITION(js);
CONDITION(jns);
CONDITION(jp);
CONDITION(jnp);
CONDITION(jl);
CONDITION(jge);
CONDITION(jle);
CONDITION(jg);

uint64_t locked_count;
uint64_t (*lea_address)(uint64_t a, uint64_t b) = by_lea;

/* ---- calling them ---- */

struct probed {
	uint64_t (*call)(uint64_t a, uint64_t b);
	struct call_count *count;
};

#define PROBED(name)                   \
	{                              \
		name, &calls_of_##name \
	}

static uint64_t call_counted(const struct probed *probed, uint64_t a, uint64_t b)
{
	uint64_t result;

	probed->count->entered++;
	result = probed->call(a, b);
	probed->count->done++;
	return result;
}

static const struct probed plain[] = {
	PROBED(by_push),       PROBED(by_push_r12),   PROBED(by_push_number), PROBED(by_endbr_push),
	PROBED(by_endbr_sub),  PROBED(by_endbr_nop5), PROBED(by_endbr_alone), PROBED(by_sub),
	PROBED(by_mov),	       PROBED(by_lea),	      PROBED(by_test),	      PROBED(by_xor),
	PROBED(by_relative),   PROBED(by_nop),	      PROBED(by_nops),	      PROBED(by_nop5),
	PROBED(by_nop5_alone), PROBED(by_short_jump), PROBED(by_bnd_return),  PROBED(by_return_0),
};

static const struct probed unwilling[] = {
	PROBED(by_pushf),
	PROBED(by_nop10),
	PROBED(by_lock),
	PROBED(by_loop),
};

/* These call by_lea(), or end there. */
static const struct probed to_lea[] = {
	PROBED(by_call),
	PROBED(by_jump),
	PROBED(by_register),
	PROBED(by_memory),
};

/* No result. */
static const struct probed nothing[] = {
	PROBED(by_return),
	PROBED(by_endbr_return),
	PROBED(by_rep_return),
};

static const struct probed conditional[] = {
	PROBED(jo_away), PROBED(jno_away), PROBED(jb_away),  PROBED(jae_away),
	PROBED(je_away), PROBED(jne_away), PROBED(jbe_away), PROBED(ja_away),
	PROBED(js_away), PROBED(jns_away), PROBED(jp_away),  PROBED(jnp_away),
	PROBED(jl_away), PROBED(jge_away), PROBED(jle_away), PROBED(jg_away),
};

#define EACH(probed, list)                                                                       \
	for (const struct probed *probed = list; probed < list + sizeof(list) / sizeof(*(list)); \
	     probed++)

static void call_all(uint64_t a, uint64_t b)
{
	EACH(probed, plain)
	note(call_counted(probed, a, b));
	EACH(probed, to_lea)
	{
		note(call_counted(probed, a, b));
		calls_of_by_lea.entered++;
		calls_of_by_lea.done++;
	}
	EACH(probed, nothing)
	call_counted(probed, a, b);
}

static void entries(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		call_all(i % 50, i * 3);
}

static void refused(unsigned long count)
{
	EACH(probed, unwilling)
	for (unsigned long i = 0; i < count; i++)
		note(call_counted(probed, i, i));
	note(locked_count);
}

static void conditions(unsigned long count)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 5, 0x7f, 0x80, ~0ull, 1ull << 63, ~(1ull << 63),
	};
	const size_t size = sizeof(values) / sizeof(*values);

	for (unsigned long i = 0; i < count; i++) {
		uint64_t a = values[i % size];
		uint64_t b = values[i / size % size];

		EACH(probed, conditional)
		{
			uint64_t result = call_counted(probed, a, b);

			note(result * (i + 1));
			calls_of_taken.entered += result == 2;
			calls_of_taken.done += result == 2;
		}
	}
}

/* Children inherit the code as it is while probed, and must run it. */
static void forked_entries(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		int status;
		pid_t pid;

		call_all(i, i);
		pid = fork();
		if (pid == 0) {
			call_all(i, 1);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			abort();
		note((uint64_t)status);
		call_all(i, i);
	}
}

/* A program that may switch stacks: its functions' exits are probed, not their returns. */
#ifdef BY_EXITS
int (*volatile may_switch)(ucontext_t *, const ucontext_t *) = swapcontext;
#endif

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"entries", entries},
		{"refused", refused},
		{"conditions", conditions},
		{"forked_entries", forked_entries},
		{NULL, NULL},
	};

	return calls_main(argc, argv, modes);
}
#else
int main(void)
{
	return 77;
}
#endif
