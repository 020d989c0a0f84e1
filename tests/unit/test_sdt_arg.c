/* SPDX-License-Identifier: BSD-2-Clause */
/* Operands of USDT arguments: what compilers write, and what nobody should. */
#include "sdt_arg.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One line that says all of an argument, so that a table can hold what is expected. */
static void describe(const struct sdt_arg *arg, char *text, size_t size)
{
	static const char *const kinds[] = {"bad", "constant", "register", "memory"};
	char size_text[8];

	snprintf(size_text, sizeof(size_text), "%s%d%s", arg->is_signed ? "-" : "", arg->size_bytes,
		 arg->is_float ? "f" : "");
	switch (arg->kind) {
	case SDT_ARG_BAD:
		snprintf(text, size, "bad");
		break;
	case SDT_ARG_CONSTANT:
		snprintf(text, size, "%s %s %lld", kinds[arg->kind], size_text,
			 (long long)arg->value);
		break;
	case SDT_ARG_REGISTER:
		snprintf(text, size, "%s %s %d%s%s", kinds[arg->kind], size_text, arg->reg,
			 arg->is_high_byte ? " high" : "", arg->is_vector ? " vector" : "");
		break;
	case SDT_ARG_MEMORY:
		snprintf(text, size, "%s %s %d + %d * %d + %lld", kinds[arg->kind], size_text,
			 arg->reg, arg->index, arg->scale, (long long)arg->value);
		break;
	}
}

struct example {
	const char *text;
	const char *expected;
};

static void check_examples(const struct example *examples, size_t count, uint16_t machine)
{
	for (size_t i = 0; i < count; i++) {
		struct sdt_arg args[SDT_MAX_ARGS];
		char found[128];

		if (sdt_args_parse(examples[i].text, machine, args) != 1)
			fail_msg("'%s' is not one argument", examples[i].text);
		describe(&args[0], found, sizeof(found));
		if (strcmp(found, examples[i].expected) != 0)
			fail_msg("'%s' is '%s', not '%s'", examples[i].text, found,
				 examples[i].expected);
	}
}

static void x86_operands_are_understood(void **state)
{
	static const struct example examples[] = {
		{"8@%rax", "register 8 0"},
		{"-4@%edx", "register -4 1"},
		{"2@%cx", "register 2 2"},
		{"-1@%bl", "register -1 3"},
		{"1@%sil", "register 1 4"},
		{"1@%dil", "register 1 5"},
		{"1@%bpl", "register 1 6"},
		{"1@%spl", "register 1 7"},
		{"8@%rsp", "register 8 7"},
		{"1@%ah", "register 1 0 high"},
		{"1@%dh", "register 1 1 high"},
		{"1@%ch", "register 1 2 high"},
		{"-1@%bh", "register -1 3 high"},
		{"8@%r8", "register 8 8"},
		{"4@%r8d", "register 4 8"},
		{"2@%r15w", "register 2 15"},
		{"-1@%r10b", "register -1 10"},
		{"8@%rip", "register 8 16"},
		{"8f@%xmm0", "register 8f 0 vector"},
		{"-4f@%xmm15", "register -4f 15 vector"},
		{"8@%ymm31", "register 8 31 vector"},
		{"8@$-1", "constant 8 -1"},
		{"-4@$-1", "constant -4 -1"},
		{"-4@$+7", "constant -4 7"},
		{"8@$0x10", "constant 8 16"},
		{"4@$010", "constant 4 8"},
		{"1@$0", "constant 1 0"},
		{"8@$18446744073709551615", "constant 8 -1"},
		{"-8@$-9223372036854775808", "constant -8 -9223372036854775808"},
		{"-4@-20(%rbp)", "memory -4 6 + -1 * 1 + -20"},
		{"8@(%rsp)", "memory 8 7 + -1 * 1 + 0"},
		{"8@0x18(%r12)", "memory 8 12 + -1 * 1 + 24"},
		{"8@-8+4(%rdi)", "memory 8 5 + -1 * 1 + -4"},
		{"4@(%rax,%rbx)", "memory 4 0 + 3 * 1 + 0"},
		{"4@8(%rax,%r9,4)", "memory 4 0 + 9 * 4 + 8"},
		{"4@0x10(,%rax,8)", "memory 4 -1 + 0 * 8 + 16"},
		{"4@(,%rax,2)", "memory 4 -1 + 0 * 2 + 0"},
		{"4@16(%rip)", "memory 4 16 + -1 * 1 + 16"},
		{"4@6295632", "memory 4 -1 + -1 * 1 + 6295632"},
		{"8f@-16(%rbp)", "memory 8f 6 + -1 * 1 + -16"},
		{"%rdi", "register -8 5"},
		{"$5", "constant -8 5"},
		{"8(%rsi)", "memory -8 4 + -1 * 1 + 8"},
		{"  4@8( %rax , %rbx , 2 )\t", "memory 4 0 + 3 * 2 + 8"},
	};

	(void)state;
	check_examples(examples, COUNT(examples), EM_X86_64);
}

static void a_value_is_no_wider_than_its_register_or_size(void **state)
{
	static const struct example examples[] = {
		{"8@%eax", "register 4 0"},	    {"-4@%al", "register -1 0"},
		{"8@%ah", "register 1 0 high"},	    {"%r9w", "register -2 9"},
		{"4@$-1", "constant 4 4294967295"}, {"-4@$4294967295", "constant -4 -1"},
		{"1@$-1", "constant 1 255"},	    {"-1@$255", "constant -1 -1"},
	};

	(void)state;
	check_examples(examples, COUNT(examples), EM_X86_64);
}

static void what_is_not_an_x86_operand_is_bad(void **state)
{
	static const char *const texts[] = {
		"8@sym+4(%rip)",
		"8@sym",
		"8@sym(%rip)",
		"8@$sym",
		"8@$sym+4",
		"4@sym@GOTPCREL(%rip)",
		"8@",
		"@%rax",
		"-@%rax",
		"f@%rax",
		"-",
		"$",
		"%",
		"(",
		")",
		"()",
		"4@(,)",
		"4@(,,)",
		"4@(%rax",
		"4@(%rax,",
		"4@(%rax,%rbx",
		"4@(%rax,%rbx,",
		"4@(%rax,%rbx,3)",
		"4@(%rax,%rbx,8",
		"4@(%rax,,8)",
		"4@(%rax,%rsp)",
		"4@(%rax,%rip)",
		"4@(%rip,%rax)",
		"4@(%eax)",
		"4@(%xmm0)",
		"4@8(%rax)8",
		"4@8(%rax)(%rbx)",
		"4@(8)",
		"4@(rax)",
		"0@%rax",
		"3@%rax",
		"16@%xmm0",
		"10f@%st",
		"44@%rax",
		"04@%rax",
		"1f@%al",
		"99999999999999999999@%rax",
		"--4@%rax",
		"4ff@%rax",
		"4@4@%rax",
		"8@%r7",
		"8@%r16",
		"8@%r08",
		"8@%r8x",
		"8@%r8dd",
		"8@%rax0",
		"8@%eeax",
		"8@%verylongname",
		"8@%xmm32",
		"8@%xmm",
		"8@%xmm007",
		"8@%st(0)",
		"8@%mm0",
		"8@%k1",
		"8@%cs",
		"8@%fs:40",
		"8@%gs:(%rax)",
		"8@*%rax",
		"8@%",
		"8@%RAX",
		"8@$",
		"8@$-",
		"8@$--1",
		"8@$1x",
		"8@$0x",
		"8@$08",
		"8@$1.5",
		"8f@$1",
		"8@$18446744073709551616",
		"8@$0x10000000000000000",
		"8@8+(%rax)",
		"8@+",
		"8@8-",
		"rax",
		"8@[x0]",
		"8@\x80\xff",
		"8@\x01",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct sdt_arg args[SDT_MAX_ARGS];

		if (sdt_args_parse(texts[i], EM_X86_64, args) != 1 || args[0].kind != SDT_ARG_BAD)
			fail_msg("'%s'", texts[i]);
	}
}

static void a_bad_operand_does_not_disturb_the_others(void **state)
{
	static const char *const middles[] = {"8@sym(%rip)", "4@(%rax", "4@8(%rax,%rbx",
					      "16@%xmm0",    "]",	")",
					      "@",	     "((((",	"4@["};

	(void)state;
	for (size_t i = 0; i < COUNT(middles); i++) {
		struct sdt_arg args[SDT_MAX_ARGS];
		char text[64];

		snprintf(text, sizeof(text), "-4@%%edi %s 8@$7", middles[i]);
		assert_int_equal(sdt_args_parse(text, EM_X86_64, args), 3);
		assert_int_equal(args[0].kind, SDT_ARG_REGISTER);
		assert_int_equal(args[0].reg, 5);
		assert_int_equal(args[1].kind, SDT_ARG_BAD);
		assert_int_equal(args[1].reg, SDT_NO_REGISTER);
		assert_int_equal(args[2].kind, SDT_ARG_CONSTANT);
		assert_int_equal(args[2].value, 7);
	}
}

static void no_text_is_no_argument(void **state)
{
	struct sdt_arg args[SDT_MAX_ARGS];

	(void)state;
	assert_int_equal(sdt_args_parse("", EM_X86_64, args), 0);
	assert_int_equal(sdt_args_parse(" \t ", EM_X86_64, args), 0);
}

static void arguments_beyond_the_twelfth_are_ignored(void **state)
{
	struct sdt_arg args[SDT_MAX_ARGS + 1];
	char text[256] = "";

	(void)state;
	for (int i = 0; i < 20; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s4@$%d", i ? " " : "",
			 i);
	args[SDT_MAX_ARGS].value = 4711;
	assert_int_equal(sdt_args_parse(text, EM_X86_64, args), SDT_MAX_ARGS);
	for (int i = 0; i < SDT_MAX_ARGS; i++)
		assert_int_equal(args[i].value, i);
	assert_int_equal(args[SDT_MAX_ARGS].value, 4711);
}

static void arm64_operands_are_understood(void **state)
{
	static const struct example examples[] = {
		{"8@x0", "register 8 0"},
		{"-4@w30", "register -4 30"},
		{"8@w1", "register 4 1"},
		{"8@sp", "register 8 31"},
		{"8@fp", "register 8 29"},
		{"8@lr", "register 8 30"},
		{"8@xzr", "constant 8 0"},
		{"-4@wzr", "constant -4 0"},
		{"8f@d0", "register 8f 0 vector"},
		{"4f@s31", "register 4f 31 vector"},
		{"-4@5", "constant -4 5"},
		{"-4@-1", "constant -4 -1"},
		{"8@#0x10", "constant 8 16"},
		{"8@[x0]", "memory 8 0 + -1 * 1 + 0"},
		{"-4@[sp, 60]", "memory -4 31 + -1 * 1 + 60"},
		{"-4@[x29,#-20]", "memory -4 29 + -1 * 1 + -20"},
		{"8@[x1, x2]", "memory 8 1 + 2 * 1 + 0"},
		{"8@[x1, x2, lsl #3]", "memory 8 1 + 2 * 8 + 0"},
		{"8@[x1,x2,lsl 2]", "memory 8 1 + 2 * 4 + 0"},
	};
	static const struct example bad[] = {
		{"8@x31", "bad"},
		{"8@x", "bad"},
		{"8@x01", "bad"},
		{"8@y0", "bad"},
		{"8@sym", "bad"},
		{"8@[w0]", "bad"},
		{"8@[xzr]", "bad"},
		{"8@[d0]", "bad"},
		{"8@[x0", "bad"},
		{"8@[x0,", "bad"},
		{"8@[x0, 8]!", "bad"},
		{"8@[x0], 8", "bad"},
		{"8@[x0, sp]", "bad"},
		{"8@[x0, x1, lsl 4]", "bad"},
		{"8@[x0, w1, sxtw 2]", "bad"},
		{"8@[x0, :lo12:sym]", "bad"},
		{"8@[]", "bad"},
		{"8@%rax", "bad"},
		{"8@$1", "bad"},
		{"8@#", "bad"},
		{"8@x0x", "bad"},
		{"8@d32", "bad"},
	};

	(void)state;
	check_examples(examples, COUNT(examples), EM_AARCH64);
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct sdt_arg args[SDT_MAX_ARGS];

		/* "[x0], 8" has an operand of its own behind the blank. */
		assert_in_range(sdt_args_parse(bad[i].text, EM_AARCH64, args), 1, 2);
		if (args[0].kind != SDT_ARG_BAD)
			fail_msg("'%s'", bad[i].text);
	}
}

static void blanks_in_brackets_do_not_part_operands(void **state)
{
	struct sdt_arg args[SDT_MAX_ARGS];

	(void)state;
	assert_int_equal(sdt_args_parse("8@[sp, 16] -4@w1 4@[x3, x4]", EM_AARCH64, args), 3);
	assert_int_equal(args[0].value, 16);
	assert_int_equal(args[1].reg, 1);
	assert_int_equal(args[2].index, 4);
}

static void every_operand_is_bad_on_an_unknown_machine(void **state)
{
	struct sdt_arg args[SDT_MAX_ARGS];

	(void)state;
	assert_int_equal(sdt_args_parse("8@%rax 8@x0", EM_S390, args), 2);
	assert_int_equal(args[0].kind, SDT_ARG_BAD);
	assert_int_equal(args[1].kind, SDT_ARG_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(x86_operands_are_understood),
		cmocka_unit_test(a_value_is_no_wider_than_its_register_or_size),
		cmocka_unit_test(what_is_not_an_x86_operand_is_bad),
		cmocka_unit_test(a_bad_operand_does_not_disturb_the_others),
		cmocka_unit_test(no_text_is_no_argument),
		cmocka_unit_test(arguments_beyond_the_twelfth_are_ignored),
		cmocka_unit_test(arm64_operands_are_understood),
		cmocka_unit_test(blanks_in_brackets_do_not_part_operands),
		cmocka_unit_test(every_operand_is_bad_on_an_unknown_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
