/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns recognising that code by its bytes and by the call that leads to it. Both are untrusted. */
#include "call_stub.h"

#include <string.h>

#if defined(__x86_64__)

#define CALL_BYTES 5  /* call TARGET */
#define STUB_BYTES 64 /* from its begin to where a thread may stand */

static bool is_called_directly(struct address_space *space, uint64_t ip, uint64_t caller)
{
	unsigned char code[8];
	int32_t distance;

	if (!address_space_read_code(space, caller - CALL_BYTES, code))
		return false;
	memcpy(&distance, code + 1, sizeof(distance));
	return code[0] == 0xe8 && ip - (caller + (uint64_t)(int64_t)distance) < STUB_BYTES;
}

/* endbr64, nop, nop10, nop5, ret: called by pointer. The file has it as it was built. */
static bool is_end_of_span(struct address_space *space, uint64_t ip)
{
	static const unsigned char nops[] = {0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0,
					     0,	   0,	 0x0f, 0x1f, 0x44, 0, 0, 0xc3};
	static const uint64_t instructions[] = {0, 4, 5, 15, 20};
	unsigned char code[sizeof(nops)];

	for (size_t i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++) {
		uint64_t at = ip - instructions[i] + instructions[2];

		if (address_space_read_code(space, at, code) &&
		    address_space_read_code(space, at + 8, code + 8) &&
		    memcmp(code, nops, sizeof(nops)) == 0)
			return true;
	}
	return false;
}

bool call_stub_is_called_from(struct address_space *space, uint64_t ip, uint64_t caller)
{
	return is_called_directly(space, ip, caller) || is_end_of_span(space, ip);
}

#else

bool call_stub_is_called_from(struct address_space *space, uint64_t ip, uint64_t caller)
{
	(void)space;
	(void)ip;
	(void)caller;
	return false;
}

#endif
