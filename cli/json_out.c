/* SPDX-License-Identifier: BSD-2-Clause */
#include "json_out.h"

#include <math.h>

#include "format.h"

/* As JSON has it: in two halves where it needs more than 16 bits (RFC 8259, 7). */
static void print_escaped(FILE *out, uint32_t code)
{
	if (code > 0xffff) {
		fprintf(out, "\\u%04x", 0xd800 + ((code - 0x10000) >> 10));
		code = 0xdc00 + ((code - 0x10000) & 0x3ff);
	}
	fprintf(out, "\\u%04x", code);
}

void print_string(FILE *out, const char *text)
{
	fputc('"', out);
	while (*text) {
		uint32_t code;
		size_t length = format_character(text, &code);

		if (length == 0)
			print_escaped(out, 0xfffd);
		else if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if (!format_is_printable(code))
			print_escaped(out, code);
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
