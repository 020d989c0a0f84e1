/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_FUNCTION_FRAMES_H
#define PROBEKIT_FUNCTION_FRAMES_H
/* The pieces of code that .eh_frame tells of, which stripped files keep: also those without a
 * symbol. */
#include "elf_file.h"

struct function_frame {
	uint64_t address;
	uint64_t size_bytes;
	/* The stack is not as a call leaves it: a part of a function that has been split off, and
	 * is jumped to. */
	bool begins_inside;
};

struct function_frames {
	struct function_frame *items; /* by address */
	size_t size;
	size_t capacity;
};

/* None where the section is missing or not understood. -ENOMEM. */
int function_frames_load(struct elf_file *elf, struct function_frames *frames)
	__attribute__((warn_unused_result));
void function_frames_done(struct function_frames *frames);
/* The piece that `address` lies in, or NULL. */
const struct function_frame *function_frames_find(const struct function_frames *frames,
						  uint64_t address);

#endif
