/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_FUNCTION_CODE_H
#define PROBEKIT_FUNCTION_CODE_H
/* A stretch of code, instruction by instruction, as far as it matters where control goes. Pure. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum function_step {
	STEP_ON,	/* to the next instruction; calls too */
	STEP_RETURN,	/* to the caller */
	STEP_JUMP,	/* to `target` */
	STEP_BRANCH,	/* to `target`, or on */
	STEP_LEAVE,	/* to another function whose address is loaded or was passed */
	STEP_SWITCH,	/* to a place within the function */
	STEP_TABLE,	/* to one of the addresses that stand at `target` */
	STEP_SOMEWHERE, /* cannot be told */
};

struct function_instruction {
	enum function_step step;
	uint64_t target;
	bool is_padding;   /* does nothing */
	uint8_t condition; /* of STEP_BRANCH: 16 plus it in x86's encoding; 0: has none (loop,
			      jrcxz) */
};

struct function_code {
	const unsigned char *bytes;
	uint64_t address;
	uint32_t size_bytes;
	uint32_t *starts; /* of every instruction, from the first byte */
	struct function_instruction *instructions;
	size_t count;
};

#define FUNCTION_CODE_MAX (16u << 20)

/* `bytes` must stay. -ENOTSUP: of a machine that is not understood; -EILSEQ: what stands there is
 * no code; -ENOMEM. */
int function_code_decode(const void *bytes, uint32_t size_bytes, uint64_t address,
			 struct function_code *code) __attribute__((warn_unused_result));
void function_code_done(struct function_code *code);
/* Does instruction number `i` leave the stack pointer alone, and the register in which a function gets its first
 * argument? False where in doubt. */
bool function_code_keeps_argument(const struct function_code *code, size_t i);
/* Does an instruction begin at `address`? */
bool function_code_has(const struct function_code *code, uint64_t address);

#endif
