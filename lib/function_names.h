/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_FUNCTION_NAMES_H
#define PROBEKIT_FUNCTION_NAMES_H
/* What symbols say about the functions of the source: of which one each is a piece, and which of
 * them a pattern means. */
#include <stdbool.h>
#include <stddef.h>

#include "demangle.h"

enum function_piece {
	FUNCTION_BODY, /* the function, or a clone of it */
	FUNCTION_PART, /* .part: split off, and called */
	FUNCTION_COLD, /* .cold: split off, and jumped to */
};

/* The length of `symbol` without "@VERSION" and what compilers add to the names of clones. */
size_t function_name_base(const char *symbol, enum function_piece *piece);

/* For people, and the same for all clones: demangled with its parameters, or the symbol without its
 * suffixes. The forms of a constructor or destructor are told apart by " [base]", " [deleting]". */
void function_name_display(const char *symbol, char name[DEMANGLED_BYTES_MAX]);

/* Does the glob name the function: by its symbol without suffixes, or demangled, with its
 * parameters or without? */
bool function_name_matches(const char *symbol, const char *pattern);

#endif
