/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how texts and numbers are parsed, the same in every locale. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json_parser.h"

/* ---- texts ---- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* The four digits behind "\u". */
static bool parse_unit(struct json_parser *p, uint32_t *unit)
{
	*unit = 0;
	for (int i = 0; i < 4; i++, p->at++) {
		int digit = p->at < p->end ? hex_digit(*p->at) : -1;

		if (digit < 0)
			return json_parser_invalid(p, "an escape without four hexadecimal digits");
		*unit = *unit << 4 | (uint32_t)digit;
	}
	return true;
}

static size_t put_character(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* Behind "\u"; what is beyond 16 bits is two of them. */
static bool parse_character(struct json_parser *p, char *out, size_t *length)
{
	uint32_t low;
	uint32_t c;

	if (!parse_unit(p, &c))
		return false;
	if (c >= 0xd800 && c < 0xdc00) {
		if (!json_parser_take(p, '\\') || !json_parser_take(p, 'u'))
			return json_parser_invalid(p, "half a surrogate pair");
		if (!parse_unit(p, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return json_parser_invalid(p, "half a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c >= 0xdc00 && c < 0xe000) {
		return json_parser_invalid(p, "half a surrogate pair");
	} else if (c == 0) {
		return json_parser_invalid(p, "a NUL character");
	}
	*length = put_character(c, out);
	return true;
}

static bool parse_escape(struct json_parser *p, char *out, size_t *length)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char bytes[] = "\"\\/\b\f\n\r\t";
	const char *found;

	p->at++;
	if (json_parser_take(p, 'u'))
		return parse_character(p, out, length);
	found = p->at < p->end && *p->at ? strchr(letters, *p->at) : NULL;
	if (!found)
		return json_parser_invalid(p, "an escape that is none");
	p->at++;
	*out = bytes[found - letters];
	*length = 1;
	return true;
}

/* ASCII that stands for itself. */
static bool is_plain(char c)
{
	return (signed char)c >= 0x20 && c != '"' && c != '\\';
}

/* One that is not ASCII. */
static bool parse_utf8(struct json_parser *p, char *out, size_t *length)
{
	unsigned char bytes[5] = {0};
	size_t left = (size_t)(p->end - p->at);

	memcpy(bytes, p->at, left < 4 ? left : 4);
	*length = text_utf8_length(bytes);
	if (*length == 0) {
		if (left < 4 && !memchr(p->at, '"', left))
			p->at = p->end; /* cut short */
		return json_parser_invalid(p, "bytes that are not UTF-8");
	}
	memcpy(out, p->at, *length);
	p->at += *length;
	return true;
}

const char *json_find_quote(const struct json_parser *p)
{
	const char *s = p->at;

	while (s < p->end && *s != '"')
		s += *s == '\\' && s + 1 < p->end ? 2 : 1;
	return s < p->end ? s : p->end;
}

/* What it stands for is never longer than what stands there. */
static bool parse_rest_of_text(struct json_parser *p, char *out, size_t size, uint32_t *length)
{
	size_t used = size;

	memcpy(out, p->at - size, size);
	while (!json_parser_take(p, '"')) {
		size_t added = 1;

		if (p->at == p->end)
			return json_parser_invalid(p, NULL);
		if (is_plain(*p->at))
			out[used] = *p->at++;
		else if (*p->at == '\\'	 ? !parse_escape(p, out + used, &added)
			 : *p->at & 0x80 ? !parse_utf8(p, out + used, &added)
					 : !json_parser_invalid(p, "a control character"))
			return false;
		used += added;
	}
	out[used] = '\0';
	*length = (uint32_t)used;
	return true;
}

bool json_parse_text(struct json_parser *p, const char **text, uint32_t *length)
{
	const char *begin = p->at;
	const char *s = begin;
	size_t plain;
	char *out;

	while (s < p->end && is_plain(*s))
		s++;
	plain = (size_t)(s - begin);
	p->at = s;
	if (s < p->end && *s == '"') {
		out = json_tree_take(p->tree, plain + 1);
		if (!out)
			return json_parser_fail(p, FAULT_NO_MEMORY, NULL);
		memcpy(out, begin, plain);
		out[plain] = '\0';
		*length = (uint32_t)plain;
		*text = out;
		p->at++;
		return true;
	}
	out = json_tree_take(p->tree, (size_t)(json_find_quote(p) - begin) + 1);
	if (!out)
		return json_parser_fail(p, FAULT_NO_MEMORY, NULL);
	*text = out;
	return parse_rest_of_text(p, out, plain, length);
}

/* ---- numbers ---- */

static bool is_digit(const struct json_parser *p)
{
	return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

static bool skip_digits(struct json_parser *p)
{
	if (!is_digit(p))
		return json_parser_invalid(p, "a number without a digit where one belongs");
	while (is_digit(p))
		p->at++;
	return true;
}

/* Whatever the locale's decimal point is. */
static bool convert(const char *begin, const char *end, double *number)
{
	locale_t plain = newlocale(LC_ALL_MASK, "C", NULL);
	char *copy = strndup(begin, (size_t)(end - begin));

	if (plain && copy)
		*number = strtod_l(copy, NULL, plain);
	if (plain)
		freelocale(plain);
	free(copy);
	return plain && copy;
}

static bool parse_real(struct json_parser *p, const char *begin, struct json_value *value)
{
	static const double powers[] = {1e0, 1e1, 1e2,	1e3,  1e4,  1e5,  1e6,	1e7,
					1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
	const char *point = p->at;
	bool has_exponent;

	if (json_parser_take(p, '.') && !skip_digits(p))
		return false;
	has_exponent = p->at < p->end && (*p->at == 'e' || *p->at == 'E');
	if (has_exponent) {
		p->at++;
		if (!json_parser_take(p, '-'))
			json_parser_take(p, '+');
		if (!skip_digits(p))
			return false;
	}
	value->type = VALUE_REAL;
	/* Digits that a double holds exactly, divided by a power that it does too, are right. */
	if (!has_exponent && p->at - begin <= 16) {
		int64_t digits = 0;

		for (const char *s = begin; s < p->at; s++)
			if (*s >= '0' && *s <= '9')
				digits = digits * 10 + (*s - '0');
		value->real = (double)digits / powers[p->at - point - 1];
		if (*begin == '-')
			value->real = -value->real;
		return true;
	}
	if (!convert(begin, p->at, &value->real))
		return json_parser_fail(p, FAULT_NO_MEMORY, NULL);
	if (isfinite(value->real))
		return true;
	p->at = begin;
	return json_parser_invalid(p, "a number that is too large");
}

bool json_parse_number(struct json_parser *p, struct json_value *value)
{
	const char *begin = p->at;
	bool is_negative = json_parser_take(p, '-');
	const char *digits = p->at;
	const char *s = digits;
	int64_t number = 0; /* below 0, where there is room for one more */
	bool is_beyond = false;

	for (; s < p->end && *s >= '0' && *s <= '9'; s++)
		is_beyond |= __builtin_mul_overflow(number, 10, &number) ||
			     __builtin_sub_overflow(number, *s - '0', &number);
	p->at = s;
	if (s == digits)
		return json_parser_invalid(p, NULL);
	if (*digits == '0' && s - digits > 1)
		return json_parser_invalid(p, "a number that begins with 0");
	if (s < p->end && (*s == '.' || *s == 'e' || *s == 'E'))
		return parse_real(p, begin, value);
	if (is_beyond || (!is_negative && number == INT64_MIN)) {
		p->at = begin;
		return json_parser_invalid(p, "an integer beyond 64 bits");
	}
	value->type = VALUE_INTEGER;
	value->integer = is_negative ? number : -number;
	return true;
}

bool json_parse_word(struct json_parser *p, struct json_value *value)
{
	static const struct {
		const char *word;
		enum json_value_type type;
	} words[] = {{"null", VALUE_NULL}, {"true", VALUE_TRUE}, {"false", VALUE_FALSE}};
	size_t left = (size_t)(p->end - p->at);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t length = strlen(words[i].word);

		if (memcmp(p->at, words[i].word, left < length ? left : length) != 0)
			continue;
		p->at += left < length ? left : length;
		value->type = words[i].type;
		return left >= length || json_parser_invalid(p, NULL);
	}
	return json_parser_invalid(p, NULL);
}
