/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_FUNCTION_EXITS_H
#define PROBEKIT_FUNCTION_EXITS_H
/* Where functions are left, from their code, which is untrusted. */
#include "function_frames.h"
#include "function_symbols.h"
#include "functions.h"

/* Fills the exits of the function's entries. Those of a cold part are of the entry that jumps to
 * it. Where they cannot all be told, `refused` says why, and there are none. -ENOMEM. */
int function_exits_find(const struct object *object, const struct function_symbols *symbols,
			const struct function_frames *frames, struct function *function)
	__attribute__((warn_unused_result));

/* Refuses a function whose code jumps to the place of its entry probe, as each such jump would
 * count as a call. For functions whose returns need no exits. -ENOMEM. */
int function_exits_check_entry(const struct object *object, struct function *function)
	__attribute__((warn_unused_result));

#endif
