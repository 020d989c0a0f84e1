/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how numbers, names and the terminal's size are read and written. */
#include "format.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct unit {
	const char *name;
	double ns;
};

/* Ascending; a duration takes the first unit in which it is below `below_ns`. */
static const struct {
	double below_ns;
	struct unit unit;
} time_units[] = {
	{99.5, {"ns", 1}},   {999.5e3, {"us", 1e3}},	  {999.5e6, {"ms", 1e6}},
	{600e9, {"s", 1e9}}, {300 * 60e9, {"min", 60e9}}, {INFINITY, {"h", 3600e9}},
};

static const struct unit *unit_of(double ns)
{
	size_t i = 0;

	while (i + 1 < sizeof(time_units) / sizeof(time_units[0]) && ns >= time_units[i].below_ns)
		i++;
	return &time_units[i].unit;
}

static struct format formatted(const char *format, ...) __attribute__((format(printf, 1, 2)));
static struct format formatted(const char *format, ...)
{
	struct format f;
	va_list args;

	va_start(args, format);
	vsnprintf(f.text, sizeof(f.text), format, args);
	va_end(args);
	return f;
}

/* 0.95, 1.9, 18.2, 412: no more than the reader needs, without a tail of zeros. */
static struct format short_number(double value)
{
	struct format f;
	int decimals = value < 0.995 ? 2 : value < 99.95 ? 1 : 0;
	size_t length = (size_t)snprintf(f.text, sizeof(f.text), "%.*f", decimals, value);

	if (decimals) {
		while (length > 1 && f.text[length - 1] == '0')
			f.text[--length] = '\0';
		if (f.text[length - 1] == '.')
			f.text[--length] = '\0';
	}
	return f;
}

struct format format_duration(double ns)
{
	const struct unit *unit = unit_of(ns);

	if (unit->ns == 1)
		return formatted("%.0f ns", ns);
	return formatted("%s %s", short_number(ns / unit->ns).text, unit->name);
}

struct format format_count(uint64_t n)
{
	char digits[24];
	size_t length = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	struct format f;
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			f.text[used++] = ' ';
		f.text[used++] = digits[i];
	}
	f.text[used] = '\0';
	return f;
}

struct format format_value(double value)
{
	double magnitude = fabs(value);
	struct format f;

	if (magnitude < 99.95)
		f = short_number(magnitude);
	else if (magnitude < 1.8e19)
		f = format_count((uint64_t)llround(magnitude < 9.2e18 ? magnitude : 9.2e18));
	else
		snprintf(f.text, sizeof(f.text), "%.3g", magnitude);
	if (value < 0 && strcmp(f.text, "0") != 0) {
		memmove(f.text + 1, f.text, sizeof(f.text) - 1);
		f.text[0] = '-';
		f.text[sizeof(f.text) - 1] = '\0';
	}
	return f;
}

struct format format_share(double share)
{
	double percent = share * 100;

	if (percent <= 0)
		return formatted("0 %%");
	if (percent < 0.1)
		return formatted("<0.1 %%");
	if (percent < 0.995)
		return formatted("%s %%", short_number(round(percent * 10) / 10).text);
	if (percent < 9.95)
		return formatted("%s %%", short_number(percent).text);
	if (percent >= 99.5 && percent < 100)
		return formatted(">99 %%");
	return formatted("%.0f %%", percent);
}

struct format format_rate(double per_second)
{
	struct format f;

	if (per_second < 99.95)
		f = short_number(per_second);
	else
		f = format_count((uint64_t)llround(fmin(per_second, 9e18)));
	strcat(f.text, "/s");
	return f;
}

struct format format_time_band(int32_t k)
{
	double lower = ldexp(1e9, k);
	const struct unit *unit = unit_of(2 * lower);

	return formatted("%s - %s %s", short_number(lower / unit->ns).text,
			 short_number(2 * lower / unit->ns).text, unit->name);
}

struct format format_value_band(int32_t k)
{
	if (k < 1)
		return formatted("%d", k < 0 ? 1 : 2);
	if (k >= 63)
		return formatted("over 2^%d", k);
	return formatted("%s - %s", format_count((1ULL << k) + 1).text,
			 format_count(1ULL << (k + 1)).text);
}

struct format format_plural(uint64_t n, const char *singular, const char *plural)
{
	return formatted("%s %s", format_count(n).text, n == 1 ? singular : plural);
}

struct format format_difference(double ns)
{
	struct format f = format_duration(fabs(ns));

	return formatted("%c%.*s", ns < 0 ? '-' : '+', (int)sizeof(f.text) - 2, f.text);
}

struct format format_change(double ratio)
{
	double percent = (ratio - 1) * 100;

	if (isnan(ratio))
		return formatted("-");
	if (isinf(ratio))
		return formatted("new");
	if (ratio > 1e5)
		return formatted(">x 100000");
	if (ratio >= 9.995)
		return formatted("x %s", short_number(ratio).text);
	if (fabs(percent) < 0.05)
		return formatted("0 %%");
	return formatted(fabs(percent) < 9.95 ? "%+.1f %%" : "%+.0f %%", percent);
}

struct format format_change_interval(double low, double high)
{
	struct format from = format_change(low);
	struct format to = format_change(high);
	size_t length = strlen(from.text);

	if (!isfinite(low) || !isfinite(high))
		return formatted("-");
	/* One unit is enough for both. */
	if (from.text[length - 1] == '%' && to.text[strlen(to.text) - 1] == '%')
		length -= 2;
	return formatted("%.*s to %.*s", (int)length, from.text, 24, to.text);
}

struct format format_probability(double p)
{
	if (isnan(p))
		return formatted("-");
	if (p < 0.001)
		return formatted("<0.001");
	return p >= 0.9995 ? formatted("1") : formatted("%.3f", p);
}

/* RFC 3629 */
size_t format_character(const char *text, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *s = (const unsigned char *)text;
	size_t length = s[0] < 0x80	  ? 1
			: s[0] >> 5 == 6  ? 2
			: s[0] >> 4 == 14 ? 3
			: s[0] >> 3 == 30 ? 4
					  : 0;

	if (length == 0)
		return 0;
	*code = length == 1 ? s[0] : s[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	if (*code < least[length] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return length;
}

/* Control characters, and what is invisible, or turns the direction of text, as lib/error.c has them. */
bool format_is_printable(uint32_t code)
{
	static const struct {
		uint32_t first;
		uint32_t last;
	} hidden[] = {
		{0, 0x1f},	  {0x7f, 0x9f},	    {0x61c, 0x61c},   {0x200b, 0x200f},
		{0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return false;
	return true;
}

void format_escape(const char *in, char *out, size_t size)
{
	const unsigned char *s = (const unsigned char *)in;
	size_t used = 0;
	size_t fits = 0; /* what stays when "..." must follow */

	while (*s) {
		uint32_t code = 0;
		size_t length = format_character((const char *)s, &code);
		bool plain = length && format_is_printable(code);
		size_t bytes = length ? length : 1;
		size_t needed = plain ? bytes : 4 * bytes;

		if (used + needed >= size) {
			snprintf(out + fits, size - fits, "...");
			return;
		}
		for (size_t i = 0; i < bytes; i++) {
			if (plain)
				out[used++] = (char)s[i];
			else
				used += (size_t)snprintf(out + used, size - used, "\\x%02x", s[i]);
		}
		s += bytes;
		if (used + 4 <= size)
			fits = used;
	}
	out[used] = '\0';
}

size_t format_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

unsigned int terminal_width(FILE *stream)
{
	const char *columns = getenv("COLUMNS");
	int64_t width = 0;
	struct winsize size;

	if (!columns || !parse_integer(columns, &width) || width <= 0)
		width = ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col
										     : 80;
	return (unsigned int)(width < 40 ? 40 : width > 200 ? 200 : width);
}

bool terminal_has_colour(FILE *stream)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(fileno(stream)) && !(no_colour && *no_colour) && term &&
	       strcmp(term, "dumb") != 0;
}

bool parse_duration(const char *text, uint64_t *ns)
{
	static const struct unit suffixes[] = {{"", 1e9},     {"s", 1e9},   {"ms", 1e6},
					       {"us", 1e3},   {"ns", 1},    {"m", 60e9},
					       {"min", 60e9}, {"h", 3600e9}};
	char *end;
	double number;

	/* Also refuses what strtod knows beside decimals: signs, blanks, inf, nan, hexadecimal. */
	if (!isdigit((unsigned char)text[0]) && text[0] != '.')
		return false;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		return false;
	number = strtod(text, &end);
	if (end == text)
		return false;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (strcmp(end, suffixes[i].name) != 0)
			continue;
		number *= suffixes[i].ns;
		if (!(number >= 1 && number <= 366 * 24 * 3600e9))
			return false;
		*ns = (uint64_t)number;
		return true;
	}
	return false;
}

bool parse_integer(const char *text, int64_t *value)
{
	char *end;
	long long number;

	if (!isdigit((unsigned char)text[0]) &&
	    !(text[0] == '-' && isdigit((unsigned char)text[1])))
		return false;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno || *end)
		return false;
	*value = number;
	return true;
}
