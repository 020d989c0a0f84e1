/* SPDX-License-Identifier: BSD-2-Clause */
#include "json_out.h"

#include <math.h>

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

void print_text(FILE *out, const char *text)
{
	if (text)
		print_string(out, text);
	else
		fputs("null", out);
}

void print_number(FILE *out, double number)
{
	if (isfinite(number))
		fprintf(out, "%.10g", number);
	else
		fputs("null", out);
}

void print_frame(FILE *out, const struct probekit_frame *frame)
{
	fputs("{ \"function\": ", out);
	print_text(out, frame->function);
	fputs(", \"file\": ", out);
	print_text(out, frame->file);
	fputs(", \"line\": ", out);
	if (frame->line)
		fprintf(out, "%u", frame->line);
	else
		fputs("null", out);
	fputs(", \"module\": ", out);
	print_text(out, frame->module);
	fprintf(out, ", \"module_offset\": \"0x%llx\", \"is_inlined\": %s }",
		(unsigned long long)frame->module_offset, frame->is_inlined ? "true" : "false");
}
