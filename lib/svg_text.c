/* SPDX-License-Identifier: BSD-2-Clause */
#include "svg_text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "error.h"

#define RAW_MAX 400
#define COLUMNS_MIN 3

/* XML has no U+FFFE and U+FFFF, not even as references. */
static bool is_no_character(const char *s)
{
	return strncmp(s, "\xef\xbf\xbe", 3) == 0 || strncmp(s, "\xef\xbf\xbf", 3) == 0;
}

static const char *reference(char c)
{
	return c == '&'	   ? "&amp;"
	       : c == '<'  ? "&lt;"
	       : c == '>'  ? "&gt;"
	       : c == '"'  ? "&quot;"
	       : c == '\'' ? "&#39;"
			   : NULL;
}

static void put(FILE *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		const char *name = reference(text[i]);

		if (name)
			fputs(name, out);
		else if (size - i >= 3 && is_no_character(text + i))
			i += 2;
		else
			putc_unlocked(text[i], out);
	}
}

void svg_text(FILE *out, const char *text)
{
	put(out, text, strlen(text));
}

void svg_text_raw(FILE *out, const char *text)
{
	char escaped[RAW_MAX];

	escape_text(text, escaped, sizeof(escaped));
	svg_text(out, escaped);
}

static size_t character_size(const char *s)
{
	size_t size = 1;

	while (((unsigned char)s[size] & 0xc0) == 0x80)
		size++;
	return size;
}

/* Many characters beyond ASCII are two columns wide, and none is wider. */
static unsigned int columns_of(const char *s)
{
	return (unsigned char)*s < 0x80 ? 1 : 2;
}

void svg_text_cut(FILE *out, const char *text, unsigned int columns)
{
	unsigned int used = 0;
	size_t fits = 0; /* with ".." after it */
	size_t size = 0;

	if (columns < COLUMNS_MIN)
		return;
	while (text[size] && used + columns_of(text + size) <= columns) {
		used += columns_of(text + size);
		size += character_size(text + size);
		if (used + 2 <= columns)
			fits = size;
	}
	if (!text[size]) {
		put(out, text, size);
		return;
	}
	put(out, text, fits);
	fputs("..", out);
}

void svg_hundredths(FILE *out, uint64_t hundredths)
{
	fprintf(out, "%" PRIu64 ".%02u", hundredths / 100, (unsigned int)(hundredths % 100));
}

void svg_time(FILE *out, uint64_t time_ns)
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "us"}};
	size_t i = 0;
	uint64_t hundredths;

	if (time_ns < units[2].ns) {
		fprintf(out, "%" PRIu64 " ns", time_ns);
		return;
	}
	while (time_ns < units[i].ns)
		i++;
	hundredths = time_ns / (units[i].ns / 100);
	if (time_ns % (units[i].ns / 100) >= units[i].ns / 200)
		hundredths++;
	if (hundredths < 1000)
		svg_hundredths(out, hundredths);
	else if (hundredths < 10000)
		fprintf(out, "%" PRIu64 ".%u", hundredths / 100,
			(unsigned int)(hundredths / 10 % 10));
	else
		fprintf(out, "%" PRIu64, hundredths / 100);
	fprintf(out, " %s", units[i].name);
}

void svg_share(FILE *out, uint64_t part, uint64_t whole)
{
	svg_hundredths(out, whole ? (uint64_t)llround(1e4 * (double)part / (double)whole) : 0);
	fputs(" %", out);
}
