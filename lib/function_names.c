/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how functions are named: in symbols, to people, and in patterns. */
#include "function_names.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include <libiberty/demangle.h>

#include "functions.h"

/* ---- suffixes ---- */

static const struct suffix {
	const char *text;
	enum function_piece piece;
} suffixes[] = {
	{".isra", FUNCTION_BODY},    {".constprop", FUNCTION_BODY}, {".part", FUNCTION_PART},
	{".cold", FUNCTION_COLD},    {".lto_priv", FUNCTION_BODY},  {".localalias", FUNCTION_BODY},
	{".llvm", FUNCTION_BODY},    {".__uniq", FUNCTION_BODY},    {".specialized", FUNCTION_BODY},
	{".argprom", FUNCTION_BODY}, {".argelim", FUNCTION_BODY},   {".retelim", FUNCTION_BODY},
};

/* The length of one suffix and the numbers behind it, ".part.0"; 0: there is none. */
static size_t suffix_length(const char *text, size_t size, enum function_piece *piece)
{
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t length = strlen(suffixes[i].text);

		if (length > size || strncmp(text, suffixes[i].text, length) != 0 ||
		    (length < size && text[length] != '.'))
			continue;
		while (length + 1 < size && text[length] == '.' &&
		       isdigit((unsigned char)text[length + 1])) {
			length++;
			while (length < size && isdigit((unsigned char)text[length]))
				length++;
		}
		if (suffixes[i].piece > *piece)
			*piece = suffixes[i].piece;
		return length;
	}
	return 0;
}

size_t function_name_base(const char *symbol, enum function_piece *piece)
{
	size_t size = strcspn(symbol, "@");
	const char *dot = memchr(symbol, '.', size);

	for (; dot; dot = memchr(dot + 1, '.', size - (size_t)(dot + 1 - symbol))) {
		size_t at = (size_t)(dot - symbol);
		size_t length = 1;

		*piece = FUNCTION_BODY;
		while (at && at < size && length) {
			length = suffix_length(symbol + at, size - at, piece);
			at += length;
		}
		if (at == size)
			return (size_t)(dot - symbol);
	}
	*piece = FUNCTION_BODY;
	return size;
}

/* ---- names ---- */

/* Copies the symbol without suffixes; one that is too long for any mangled name is cut. */
static void copy_base(const char *symbol, char base[DEMANGLED_BYTES_MAX])
{
	enum function_piece piece;
	size_t length = function_name_base(symbol, &piece);

	if (length >= DEMANGLED_BYTES_MAX)
		length = DEMANGLED_BYTES_MAX - 1;
	memcpy(base, symbol, length);
	base[length] = '\0';
}

static bool is_mangled(const char *base)
{
	return base[0] == '_' && (base[1] == 'Z' || base[1] == 'R');
}

/* Their symbols differ, and what is read does not. */
static const char *form(const char *base)
{
	if (is_gnu_v3_mangled_ctor(base) == gnu_v3_base_object_ctor ||
	    is_gnu_v3_mangled_dtor(base) == gnu_v3_base_object_dtor)
		return " [base]";
	return is_gnu_v3_mangled_dtor(base) == gnu_v3_deleting_dtor ? " [deleting]" : "";
}

void function_name_display(const char *symbol, char name[DEMANGLED_BYTES_MAX])
{
	char base[DEMANGLED_BYTES_MAX];
	size_t length;

	copy_base(symbol, base);
	if (!is_mangled(base) || !demangle_with_parameters(base, name, DEMANGLED_BYTES_MAX)) {
		strcpy(name, base);
		return;
	}
	length = strlen(name);
	if (length + sizeof(" [deleting]") > DEMANGLED_BYTES_MAX)
		strcpy(name, base); /* cut, it might be another's too */
	else if (base[1] == 'Z')
		strcpy(name + length, form(base));
}

bool function_name_matches(const char *symbol, const char *pattern)
{
	char base[DEMANGLED_BYTES_MAX];
	char name[DEMANGLED_BYTES_MAX];

	copy_base(symbol, base);
	if (fnmatch(pattern, base, 0) == 0)
		return true;
	if (!is_mangled(base))
		return false;
	return (demangle(base, name, sizeof(name)) && fnmatch(pattern, name, 0) == 0) ||
	       (demangle_with_parameters(base, name, sizeof(name)) &&
		fnmatch(pattern, name, 0) == 0);
}

/* ---- patterns ---- */

/* The first colon that is neither of "::" nor of "[:alpha:]". */
static const char *single_colon(const char *pattern)
{
	for (const char *at = strchr(pattern, ':'); at; at = strchr(at, ':')) {
		size_t colons = strspn(at, ":");

		if (colons == 1 && at[1] != ']' && (at == pattern || at[-1] != '['))
			return at;
		at += colons;
	}
	return NULL;
}

int functions_split(const char *pattern, char *library, size_t size_bytes, const char **glob)
{
	const char *colon = single_colon(pattern);
	size_t length = colon ? (size_t)(colon - pattern) : 0;
	if (length >= size_bytes)
		return -ENAMETOOLONG;
	memcpy(library, pattern, length);
	library[length] = '\0';
	*glob = colon ? colon + 1 : pattern;
	return 0;
}

bool functions_is_library(const char *library, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *end = strstr(name, ".so");
	bool is_match;
	char *stem;

	if (strchr(library, '/'))
		return fnmatch(library, path, 0) == 0;
	if (fnmatch(library, name, 0) == 0)
		return true;
	/* libc.so of libc.so.6; then libc, and c */
	stem = end ? strndup(name, (size_t)(end - name) + 3) : strdup(name);
	if (!stem)
		return false;
	is_match = fnmatch(library, stem, 0) == 0;
	if (end)
		stem[end - name] = '\0';
	is_match |= fnmatch(library, stem, 0) == 0;
	is_match |= strncmp(stem, "lib", 3) == 0 && fnmatch(library, stem + 3, 0) == 0;
	free(stem);
	return is_match;
}
