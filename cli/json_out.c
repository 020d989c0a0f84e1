/* SPDX-License-Identifier: BSD-2-Clause */
#include "json_out.h"

#include "format.h"

void print_string(FILE *out, const char *text)
{
	fputc('"', out);
	while (*text) {
		size_t length = format_character(text);

		if (length == 0)
			fputs("\\ufffd", out);
		else if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			fprintf(out, "\\u%04x", (unsigned int)*text);
		else
			fwrite(text, 1, length, out);
		text += length ? length : 1;
	}
	fputc('"', out);
}
