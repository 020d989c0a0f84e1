/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_DEMANGLE_H
#define PROBEKIT_DEMANGLE_H
/* Names of symbols as their authors wrote them. */
#include <stdbool.h>
#include <stddef.h>

/* Room for what demangle() writes; longer names are cut. */
#define DEMANGLED_BYTES_MAX 2048

/* Writes the readable form of a C++ (Itanium) or Rust (legacy and v0) symbol to `out`, without the
 * parameters' types, the return type, Rust's hash and a compiler's clone suffix (.isra.0, .cold);
 * any other name as it is. Always terminated; a name that does not fit ends in "...". Names are
 * untrusted: time and stack are bounded whatever they say. `size` is at least 4. True when the name
 * was a mangled one. */
bool demangle(const char *name, char *out, size_t size);

/* The same with the parameters' types, of which Rust's names have none. */
bool demangle_with_parameters(const char *name, char *out, size_t size);

#endif
