/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_FUNCTION_ENTRY_H
#define PROBEKIT_FUNCTION_ENTRY_H
/* Where in a function's first bytes a probe belongs, and what it costs there. Pure. */
#include <probekit/probekit.h>

struct function_placement {
	size_t skip_bytes; /* from the first instruction to the one to probe */
	enum probekit_cost cost;
	const char *refused; /* the kernel probes no such instruction; NULL: it does */
};

/* `code` is the function's begin: up to 16 bytes of it are looked at. */
struct function_placement function_entry_place(const unsigned char *code, size_t size_bytes);

/* Does it save a register on the stack, so that whatever jumps here has a stack as at the entry? */
bool function_entry_is_push(const unsigned char *code, size_t size_bytes);

/* Does the kernel probe this instruction? Known only of the common ones: true where in doubt. */
bool function_entry_is_probed(const unsigned char *code, size_t size_bytes);

#endif
