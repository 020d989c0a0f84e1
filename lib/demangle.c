/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the calls into libiberty's demanglers. A few hundred bytes of a mangled name can stand for
 * more text than there is memory: the demanglers hand out their text in pieces, and are left as
 * soon as enough of it is there. */
#include "demangle.h"

#include <ctype.h>
#include <setjmp.h>
#include <string.h>

#include <libiberty/demangle.h>

/* Longer than any name that is worth reading; libiberty's time grows faster than its input. */
#define MANGLED_BYTES_MAX 8192

struct output {
	char *text;
	size_t size;
	size_t used;
	jmp_buf full;
};

static void cut(char *text, size_t size)
{
	memcpy(text + size - 4, "...", 4);
}

/* Jumping out is safe: libiberty's printers keep all but a decoded punycode identifier on the
 * stack, and that one piece is lost at most once for each name. */
static void append(const char *piece, size_t length, void *arg)
{
	struct output *out = arg;
	size_t room = out->size - 1 - out->used;

	if (!length) /* `piece` may be NULL */
		return;
	if (length > room) {
		memcpy(out->text + out->used, piece, room);
		cut(out->text, out->size);
		longjmp(out->full, 1);
	}
	memcpy(out->text + out->used, piece, length);
	out->used += length;
}

static bool is_mangled(const char *name)
{
	return strncmp(name, "_Z", 2) == 0 || strncmp(name, "_R", 2) == 0;
}

/* LLVM adds what the Rust demangler takes for garbage (".llvm.123", ".cold"); v0 has no dots. */
static void without_suffix(const char *name, char *copy)
{
	size_t length = strlen(name);
	const char *suffix = strstr(name, ".llvm.");

	if (!suffix && name[1] == 'R')
		suffix = strchr(name, '.');
	if (suffix)
		length = (size_t)(suffix - name);
	memcpy(copy, name, length);
	copy[length] = '\0';
}

static bool print_demangled(const char *name, int options, struct output *out)
{
	if (setjmp(out->full))
		return true;
	if (!rust_demangle_callback(name, 0, append, out)) {
		/* the Rust demangler may have written before it gave up */
		out->used = 0;
		if (!cplus_demangle_v3_callback(name, options, append, out))
			return false;
	}
	out->text[out->used] = '\0';
	return out->used > 0;
}

static void copy_name(const char *name, char *out, size_t size)
{
	size_t length = strlen(name);

	if (length < size) {
		memcpy(out, name, length + 1);
		return;
	}
	memcpy(out, name, size - 1);
	cut(out, size);
}

static bool write_name(const char *name, int options, char *out, size_t size)
{
	struct output output = {.text = out, .size = size};
	char mangled[MANGLED_BYTES_MAX];

	if (is_mangled(name) && strlen(name) < sizeof(mangled)) {
		without_suffix(name, mangled);
		if (print_demangled(mangled, options, &output))
			return true;
	}
	copy_name(name, out, size);
	return false;
}

bool demangle(const char *name, char *out, size_t size)
{
	return write_name(name, DMGL_ANSI | DMGL_RET_DROP, out, size);
}

bool demangle_with_parameters(const char *name, char *out, size_t size)
{
	return write_name(name, DMGL_ANSI | DMGL_RET_DROP | DMGL_PARAMS, out, size);
}
