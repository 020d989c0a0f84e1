// SPDX-License-Identifier: BSD-2-Clause
/* Owns the functions that are measured empty: what a call costs while it is probed, by how. */
#include <unistd.h>

#include "calibrate.h"

#if defined(__x86_64__)
/* Known to the byte: a push and a two-byte move to begin with, and one return each. */
__asm__(".pushsection .text\n"
	".balign 16\n"
	".type probekit_call_push, @function\n"
	"probekit_call_push: push %rbp\n"
	"pop %rbp\n"
	"ret\n"
	".size probekit_call_push, . - probekit_call_push\n"
	".balign 16\n"
	".type probekit_call_move, @function\n"
	"probekit_call_move: mov %edi, %eax\n"
	"ret\n"
	".size probekit_call_move, . - probekit_call_move\n"
	".balign 16\n"
	".type probekit_call_exit, @function\n"
	"probekit_call_exit: push %rbp\n"
	"pop %rbp\n"
	"ret\n"
	".size probekit_call_exit, . - probekit_call_exit\n"
	".popsection\n");
#define EXIT_OFFSET 2 /* of the return in the last */
extern char probekit_call_push[] __attribute__((visibility("hidden")));
extern char probekit_call_move[] __attribute__((visibility("hidden")));
extern char probekit_call_exit[] __attribute__((visibility("hidden")));

#define CALLS(name)                                                                            \
	static __attribute__((noinline)) void name##_calls(int count)                          \
	{                                                                                      \
		void (*volatile call)(void) = (void (*)(void))(uintptr_t)probekit_call_##name; \
                                                                                               \
		for (int i = 0; i < count; i++)                                                \
			call();                                                                \
	}
CALLS(push)
CALLS(move)
CALLS(exit)

static int attach(struct attachment *attachment, const struct self *self, const char *code,
		  uint64_t exit_offset)
{
	uint64_t offset = (uint64_t)(uintptr_t)code - self->load_offset;
	struct placement entry = {.offset = offset};
	struct placement leave = {.offset = offset + exit_offset};
	int result;

	result = attachment_add_site(attachment, self->object, &leave, 0,
				     exit_offset ? PROGRAM_FUNCTION_EXIT : PROGRAM_FUNCTION_RETURN,
				     cookie_make(0, 0, exit_offset ? COOKIE_AT_EXIT : 0), getpid());
	return result ? result
		      : attachment_add_site(attachment, self->object, &entry, 0,
					    PROGRAM_FUNCTION_ENTRY, cookie_make(0, 0, 0), getpid());
}

void calibrate_calls(struct attachment *attachment, const struct self *self,
		     struct calibration *calibration)
{
	double untraced = calibrate_time(push_calls);

	if (attach(attachment, self, probekit_call_push, 0) ||
	    attach(attachment, self, probekit_call_move, 0) ||
	    attach(attachment, self, probekit_call_exit, EXIT_OFFSET))
		return;
	calibration->call_ns[0][0] = calibrate_added_ns(push_calls, untraced);
	calibration->call_ns[1][0] = calibrate_added_ns(move_calls, untraced);
	calibration->call_ns[0][1] = calibrate_added_ns(exit_calls, untraced);
	calibration->call_ns[1][1] = calibration->call_ns[1][0] + calibration->call_ns[0][1] -
				     calibration->call_ns[0][0];
}
#else
void calibrate_calls(struct attachment *attachment, const struct self *self,
		     struct calibration *calibration)
{
	(void)attachment, (void)self, (void)calibration;
}
#endif
