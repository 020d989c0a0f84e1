/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns the syntax of USDT operands. Whatever the text is, each operand gives one argument:
 * understood as a whole, or SDT_ARG_BAD.
 */
#include "sdt_arg.h"

#include <elf.h>
#include <string.h>

#include "digits.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define AARCH64_SP 31

static const struct sdt_arg BAD = {
	.kind = SDT_ARG_BAD,
	.size_bytes = 8,
	.is_signed = true,
	.reg = SDT_NO_REGISTER,
	.index = SDT_NO_REGISTER,
	.scale = 1,
};

/* What is left of an operand. */
struct cursor {
	const char *at;
	const char *end;
};

struct reg {
	int8_t number;
	uint8_t size_bytes;
	bool is_high_byte;
	bool is_vector;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The takers skip blanks first: an operand has them within brackets only. */
static void skip_blanks(struct cursor *text)
{
	while (text->at < text->end && is_blank(*text->at))
		text->at++;
}

static bool take_char(struct cursor *text, char wanted)
{
	skip_blanks(text);
	if (text->at == text->end || *text->at != wanted)
		return false;
	text->at++;
	return true;
}

static bool at_end(struct cursor *text)
{
	skip_blanks(text);
	return text->at == text->end;
}

/* Takes letters, digits and underscores into `word`; false when there are none or too many. */
static bool take_word(struct cursor *text, char *word, size_t size)
{
	size_t length = 0;

	skip_blanks(text);
	while (text->at < text->end && is_word(*text->at)) {
		if (length + 1 == size)
			return false;
		word[length++] = *text->at++;
	}
	word[length] = '\0';
	return length > 0;
}

/* Decimal, 0x and, as assemblers read it, octal after a 0; at most 64 bits. */
static bool take_number(struct cursor *text, uint64_t *number)
{
	unsigned int base = 10;
	const char *end;

	skip_blanks(text);
	if (text->end - text->at > 1 && text->at[0] == '0') {
		bool is_hex = text->at[1] == 'x' || text->at[1] == 'X';

		base = is_hex ? 16 : 8;
		text->at += is_hex ? 2 : 0;
	}
	end = digits_read(text->at, text->end, base, number);
	if (!end || end == text->at)
		return false;
	text->at = end;
	return end == text->end || !is_word(*end);
}

/* Numbers with signs between them, as in "-8+4"; wraps around at 64 bits as addresses do. */
static bool take_sum(struct cursor *text, int64_t *sum)
{
	bool is_minus = take_char(text, '-');
	uint64_t total = 0;

	if (!is_minus)
		take_char(text, '+');
	for (;;) {
		uint64_t term;

		if (!take_number(text, &term))
			return false;
		total += is_minus ? -term : term;
		is_minus = take_char(text, '-');
		if (!is_minus && !take_char(text, '+'))
			break;
	}
	*sum = (int64_t)total;
	return true;
}

/* A decimal number without leading zeros, up to `max`, which `text` begins with; SDT_NO_REGISTER
 * when there is none. */
static int8_t take_register_number(const char **text, int max)
{
	int number = 0;

	if (!is_digit(**text) || (**text == '0' && is_digit((*text)[1])))
		return SDT_NO_REGISTER;
	while (is_digit(**text) && number <= max)
		number = number * 10 + *(*text)++ - '0';
	return number <= max ? (int8_t)number : SDT_NO_REGISTER;
}

/* ---- x86-64 ---- */

/* By DWARF number: names of 8, 4, 2 and 1 bytes. */
static const char X86_NAMES[][4][5] = {
	{"rax", "eax", "ax", "al"},  {"rdx", "edx", "dx", "dl"},  {"rcx", "ecx", "cx", "cl"},
	{"rbx", "ebx", "bx", "bl"},  {"rsi", "esi", "si", "sil"}, {"rdi", "edi", "di", "dil"},
	{"rbp", "ebp", "bp", "bpl"}, {"rsp", "esp", "sp", "spl"},
};
static const char X86_HIGH_NAMES[][3] = {"ah", "dh", "ch", "bh"};

static bool x86_named(const char *name, struct reg *reg)
{
	for (size_t i = 0; i < COUNT(X86_NAMES); i++) {
		for (size_t j = 0; j < COUNT(X86_NAMES[i]); j++) {
			if (strcmp(name, X86_NAMES[i][j]) == 0) {
				*reg = (struct reg){.number = (int8_t)i, .size_bytes = 8 >> j};
				return true;
			}
		}
	}
	for (size_t i = 0; i < COUNT(X86_HIGH_NAMES); i++) {
		if (strcmp(name, X86_HIGH_NAMES[i]) == 0) {
			*reg = (struct reg){
				.number = (int8_t)i, .size_bytes = 1, .is_high_byte = true};
			return true;
		}
	}
	return false;
}

/* r8 to r15 with the suffix of their width, rip, and the vectors. */
static bool x86_numbered(const char *name, struct reg *reg)
{
	static const struct {
		char suffix[2];
		uint8_t size_bytes;
	} widths[] = {{"", 8}, {"d", 4}, {"w", 2}, {"b", 1}};

	*reg = (struct reg){.number = SDT_X86_RIP, .size_bytes = 8};
	if (strcmp(name, "rip") == 0)
		return true;
	if (name[0] && strchr("xyz", name[0]) && name[1] == 'm' && name[2] == 'm') {
		name += 3;
		reg->is_vector = true;
		reg->number = take_register_number(&name, 31);
		return reg->number >= 0 && *name == '\0';
	}
	if (*name++ != 'r')
		return false;
	reg->number = take_register_number(&name, 15);
	if (reg->number < 8)
		return false;
	for (size_t i = 0; i < COUNT(widths); i++) {
		reg->size_bytes = widths[i].size_bytes;
		if (strcmp(name, widths[i].suffix) == 0)
			return true;
	}
	return false;
}

static bool x86_register(struct cursor *text, struct reg *reg)
{
	char name[8];

	return take_char(text, '%') && take_word(text, name, sizeof(name)) &&
	       (x86_named(name, reg) || x86_numbered(name, reg));
}

/* A base or index: other widths are addresses of another size, which compilers do not make. */
static bool x86_address_register(struct cursor *text, int8_t *number)
{
	struct reg reg;

	if (!x86_register(text, &reg) || reg.is_vector || reg.size_bytes != 8)
		return false;
	*number = reg.number;
	return true;
}

static bool x86_scale(struct cursor *text, uint8_t *scale)
{
	uint64_t number;

	if (!take_number(text, &number) ||
	    (number != 1 && number != 2 && number != 4 && number != 8))
		return false;
	*scale = (uint8_t)number;
	return true;
}

/* [displacement](base,index,scale), or a bare address. */
static bool x86_memory(struct cursor *text, struct sdt_arg *arg)
{
	arg->kind = SDT_ARG_MEMORY;
	if (!take_char(text, '(')) {
		if (!take_sum(text, &arg->value))
			return false;
		if (!take_char(text, '('))
			return true;
	}
	if (!take_char(text, ',')) {
		if (!x86_address_register(text, &arg->reg))
			return false;
		if (take_char(text, ')'))
			return true;
		if (arg->reg == SDT_X86_RIP || !take_char(text, ','))
			return false;
	}
	if (!x86_address_register(text, &arg->index) || arg->index == SDT_X86_RSP ||
	    arg->index == SDT_X86_RIP)
		return false;
	if (take_char(text, ',') && !x86_scale(text, &arg->scale))
		return false;
	return take_char(text, ')');
}

static bool use_register(const struct reg *reg, struct sdt_arg *arg)
{
	arg->kind = SDT_ARG_REGISTER;
	arg->reg = reg->number;
	arg->is_high_byte = reg->is_high_byte;
	arg->is_vector = reg->is_vector;
	if (arg->size_bytes > reg->size_bytes)
		arg->size_bytes = reg->size_bytes;
	return true;
}

static bool use_constant(int64_t value, struct sdt_arg *arg)
{
	unsigned int spare = 64 - 8u * arg->size_bytes;
	uint64_t shifted = (uint64_t)value << spare;

	arg->kind = SDT_ARG_CONSTANT;
	arg->value = arg->is_signed ? (int64_t)shifted >> spare : (int64_t)(shifted >> spare);
	/* What a floating-point immediate would mean is not specified. */
	return !arg->is_float;
}

static bool x86_operand(struct cursor *text, struct sdt_arg *arg)
{
	struct reg reg;
	int64_t value;

	if (take_char(text, '$'))
		return take_sum(text, &value) && use_constant(value, arg);
	if (text->at < text->end && *text->at == '%')
		return x86_register(text, &reg) && use_register(&reg, arg);
	return x86_memory(text, arg);
}

/* ---- AArch64 ---- */

/* `is_zero` for xzr and wzr, which share their number with sp. */
static bool arm64_register(struct cursor *text, struct reg *reg, bool *is_zero)
{
	static const struct {
		char name[4];
		struct reg reg;
	} named[] = {
		{"sp", {AARCH64_SP, 8, false, false}},	{"wsp", {AARCH64_SP, 4, false, false}},
		{"xzr", {AARCH64_SP, 8, false, false}}, {"wzr", {AARCH64_SP, 4, false, false}},
		{"fp", {29, 8, false, false}},		{"lr", {30, 8, false, false}},
	};
	char word[8];
	const char *name = word;

	if (!take_word(text, word, sizeof(word)))
		return false;
	*is_zero = strcmp(word + 1, "zr") == 0;
	for (size_t i = 0; i < COUNT(named); i++) {
		*reg = named[i].reg;
		if (strcmp(word, named[i].name) == 0)
			return true;
	}
	*reg = (struct reg){.size_bytes = word[0] == 'w' ? 4 : 8,
			    .is_vector = strchr("bhsdqv", word[0])};
	if (!reg->is_vector && word[0] != 'x' && word[0] != 'w')
		return false;
	name++;
	reg->number = take_register_number(&name, reg->is_vector ? 31 : 30);
	return reg->number >= 0 && *name == '\0';
}

static bool arm64_address_register(struct cursor *text, int8_t *number)
{
	struct reg reg;
	bool is_zero;

	if (!arm64_register(text, &reg, &is_zero) || reg.is_vector || reg.size_bytes != 8 ||
	    is_zero)
		return false;
	*number = reg.number;
	return true;
}

/* ", lsl #N" behind an index, or nothing. */
static bool arm64_shift(struct cursor *text, uint8_t *scale)
{
	char word[4];
	uint64_t shift;

	if (!take_char(text, ','))
		return true;
	if (!take_word(text, word, sizeof(word)) || strcmp(word, "lsl") != 0)
		return false;
	take_char(text, '#');
	if (!take_number(text, &shift) || shift > 3)
		return false;
	*scale = (uint8_t)(1u << shift);
	return true;
}

/* What follows "[". */
static bool arm64_memory(struct cursor *text, struct sdt_arg *arg)
{
	arg->kind = SDT_ARG_MEMORY;
	if (!arm64_address_register(text, &arg->reg))
		return false;
	if (take_char(text, ']'))
		return true;
	if (!take_char(text, ','))
		return false;
	skip_blanks(text);
	if (text->at < text->end && is_word(*text->at) && !is_digit(*text->at)) {
		if (!arm64_address_register(text, &arg->index) || arg->index == AARCH64_SP ||
		    !arm64_shift(text, &arg->scale))
			return false;
	} else {
		take_char(text, '#');
		if (!take_sum(text, &arg->value))
			return false;
	}
	return take_char(text, ']');
}

static bool arm64_operand(struct cursor *text, struct sdt_arg *arg)
{
	struct reg reg;
	bool is_zero;
	int64_t value;

	if (take_char(text, '['))
		return arm64_memory(text, arg);
	if (text->at < text->end && is_word(*text->at) && !is_digit(*text->at)) {
		if (!arm64_register(text, &reg, &is_zero))
			return false;
		return is_zero ? use_constant(0, arg) : use_register(&reg, arg);
	}
	take_char(text, '#');
	return take_sum(text, &value) && use_constant(value, arg);
}

/* ---- arguments ---- */

/* Length of "-4f@" and the like at `text`, with any number; 0 when there is none. */
static size_t prefix_length(const char *text)
{
	size_t i = text[0] == '-';
	size_t digits = i;

	while (is_digit(text[i]))
		i++;
	if (i == digits)
		return 0;
	i += text[i] == 'f';
	return text[i] == '@' ? i + 1 : 0;
}

/* Up to a blank outside brackets; also to a blank within them that another operand's size follows,
 * so that a bracket left open costs one operand only. */
static size_t operand_length(const char *text)
{
	int depth = 0;
	size_t i;

	for (i = 0; text[i]; i++) {
		if (text[i] == '(' || text[i] == '[')
			depth++;
		else if ((text[i] == ')' || text[i] == ']') && depth > 0)
			depth--;
		else if (is_blank(text[i]) && (depth == 0 || prefix_length(text + i + 1)))
			break;
	}
	return i;
}

static bool take_size(struct cursor *text, struct sdt_arg *arg)
{
	size_t length = prefix_length(text->at);
	uint64_t size;

	if (length == 0)
		return true;
	arg->is_signed = *text->at == '-';
	text->at += arg->is_signed;
	arg->is_float = text->at[length - arg->is_signed - 2] == 'f';
	/* One digit; then its 'f' and '@'. */
	if (length != 2u + arg->is_signed + arg->is_float)
		return false;
	size = (uint64_t)(*text->at - '0');
	if ((size != 1 && size != 2 && size != 4 && size != 8) || (arg->is_float && size == 1))
		return false;
	arg->size_bytes = (uint8_t)size;
	text->at += length - arg->is_signed;
	return true;
}

static struct sdt_arg parse_operand(struct cursor text, uint16_t machine)
{
	struct sdt_arg arg = BAD;
	bool is_good = take_size(&text, &arg) && text.at < text.end && !is_blank(*text.at);

	if (is_good && machine == EM_X86_64)
		is_good = x86_operand(&text, &arg);
	else if (is_good && machine == EM_AARCH64)
		is_good = arm64_operand(&text, &arg);
	else
		is_good = false;
	return is_good && at_end(&text) ? arg : BAD;
}

size_t sdt_args_parse(const char *text, uint16_t machine, struct sdt_arg args[static SDT_MAX_ARGS])
{
	size_t count = 0;

	for (;;) {
		size_t length;

		while (is_blank(*text))
			text++;
		if (*text == '\0' || count == SDT_MAX_ARGS)
			return count;
		length = operand_length(text);
		args[count++] = parse_operand((struct cursor){text, text + length}, machine);
		text += length;
	}
}
