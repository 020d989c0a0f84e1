/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_INFLATED_SIZE_H
#define PROBEKIT_INFLATED_SIZE_H
/* Compressed sections, which libelf and libdw unpack as a whole: a small file can stand for more than
 * there is memory. */
#include <libelf.h>
#include <stdint.h>

/* What debug information takes, all together. */
uint64_t inflated_debug_size(Elf *elf);
/* What the symbols of .gnu_debugdata may take at most. */
uint64_t inflated_symbols_size(Elf *elf);

#endif
