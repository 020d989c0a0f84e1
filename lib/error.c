/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how an error reads: one line, with foreign bytes escaped. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* RFC 3629 */
size_t text_utf8_length(const unsigned char *s)
{
	size_t n = 0;

	if (s[0] < 0x80)
		n = 1;
	else if (s[0] >= 0xc2 && s[0] < 0xf5)
		n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* C0 and C1 control characters, DEL, and what is invisible or turns the direction of text: U+061C,
 * U+200B to 200F, U+2028 to 202E, U+2060 to 206F, U+FEFF, and the tags U+E0000 to E007F. */
static bool is_unsafe(const unsigned char *s, size_t n)
{
	if (n == 0)
		return true;
	if (n == 1)
		return s[0] < 0x20 || s[0] == 0x7f;
	if (n == 2)
		return (s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xd8 && s[1] == 0x9c);
	if (n == 4)
		return s[0] == 0xf3 && s[1] == 0xa0 && (s[2] == 0x80 || s[2] == 0x81);
	if (s[0] == 0xe2 && s[1] == 0x80)
		return (s[2] >= 0x8b && s[2] <= 0x8f) || (s[2] >= 0xa8 && s[2] <= 0xae);
	return (s[0] == 0xe2 && s[1] == 0x81 && s[2] >= 0xa0 && s[2] <= 0xaf) ||
	       (s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf);
}

void escape_text(const char *in, char *out, size_t size)
{
	const unsigned char *s = (const unsigned char *)in;
	size_t used = 0;
	size_t fits = 0; /* longest prefix that leaves room for "..." */

	if (size == 0)
		return;
	while (*s) {
		size_t n = text_utf8_length(s);
		char piece[20];
		size_t length = 0;

		if (!is_unsafe(s, n)) {
			memcpy(piece, s, n);
			length = n;
		} else if (*s == '\n' || *s == '\t') {
			length = (size_t)snprintf(piece, sizeof(piece), "\\%c",
						  *s == '\n' ? 'n' : 't');
		} else {
			n = n ? n : 1;
			for (size_t i = 0; i < n; i++)
				length += (size_t)snprintf(piece + length, sizeof(piece) - length,
							   "\\x%02x", s[i]);
		}
		if (used + length >= size) {
			used = fits;
			for (int i = 0; i < 3 && used + 1 < size; i++)
				out[used++] = '.';
			break;
		}
		memcpy(out + used, piece, length);
		used += length;
		s += n;
		if (used + 3 < size)
			fits = used;
	}
	out[used] = '\0';
}

static void fill(struct probekit_error *err, int code, enum probekit_error_kind kind,
		 bool with_errno, const char *format, va_list args) ERROR_PRINTF(5, 0);
static void fill(struct probekit_error *err, int code, enum probekit_error_kind kind,
		 bool with_errno, const char *format, va_list args)
{
	/* Larger than the text: what does not fit is then seen, and marked, by escape_text(). */
	char raw[sizeof(err->text) + 1];
	char reason[128] = "";
	int saved = errno;

	if (!err)
		return;
	if (vsnprintf(raw, sizeof(raw), format, args) < 0)
		raw[0] = '\0';
	if (with_errno) {
		errno = -code;
		snprintf(reason, sizeof(reason), ": %m");
		errno = saved;
	}
	err->code = code;
	err->kind = kind;
	err->hint[0] = '\0';
	/* A long path may be cut, its reason not. */
	escape_text(raw, err->text, sizeof(err->text) - strlen(reason));
	strcat(err->text, reason);
}

int error_failed(struct probekit_error *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, code, PROBEKIT_ERROR_FAILED, false, format, args);
	va_end(args);
	return code;
}

int error_errno(struct probekit_error *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, code, PROBEKIT_ERROR_FAILED, true, format, args);
	va_end(args);
	return code;
}

int error_usage(struct probekit_error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, -EINVAL, PROBEKIT_ERROR_USAGE, false, format, args);
	va_end(args);
	return -EINVAL;
}

int error_unavailable(struct probekit_error *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill(err, code, PROBEKIT_ERROR_UNAVAILABLE, false, format, args);
	va_end(args);
	return code;
}

int error_no_memory(struct probekit_error *err)
{
	return error_errno(err, -ENOMEM, "cannot allocate memory");
}

int error_hint(struct probekit_error *err, int code, const char *format, ...)
{
	char raw[sizeof(err->hint) + 1];
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	if (vsnprintf(raw, sizeof(raw), format, args) < 0)
		raw[0] = '\0';
	va_end(args);
	escape_text(raw, err->hint, sizeof(err->hint));
	return code;
}
