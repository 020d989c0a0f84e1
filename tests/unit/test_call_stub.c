/* SPDX-License-Identifier: BSD-2-Clause */
/* Code without unwind information whose caller is at the top of the stack, in this very process. */
#include "call_stub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <probekit/probe.h>

#include "process.h"
#include "symbolize.h"

#if defined(__x86_64__)

extern char __executable_start[];
extern char etext[];

struct own {
	struct symbolizer *symbolizer;
	struct proc_maps maps;
	struct address_space space;
};

static void own_init(struct own *own)
{
	assert_int_equal(symbolizer_new(&own->symbolizer), 0);
	assert_int_equal(process_read_maps(getpid(), &own->maps, NULL), 0);
	assert_int_equal(address_space_init(&own->space, symbolizer_modules(own->symbolizer),
					    getpid(), &own->maps),
			 0);
}

static void own_done(struct own *own)
{
	address_space_done(&own->space);
	proc_maps_done(&own->maps);
	symbolizer_free(own->symbolizer);
}

static bool is_stub(struct own *own, uint64_t ip, uint64_t caller)
{
	return call_stub_is_called_from(&own->space, ip, caller);
}

static __attribute__((noinline)) uint64_t return_address(void)
{
	PROBEKIT_SPAN(call_stub, whole);
	return (uint64_t)(uintptr_t)__builtin_return_address(0);
}

static void a_call_leads_to_what_follows_its_target(void **state)
{
	uint64_t function = (uint64_t)(uintptr_t)return_address;
	uint64_t caller = return_address();
	struct own own;

	(void)state;
	own_init(&own);
	assert_true(is_stub(&own, function, caller));
	assert_true(is_stub(&own, function + 8, caller));
	assert_false(is_stub(&own, function - 1, caller));
	assert_false(is_stub(&own, function + 64, caller));
	assert_false(is_stub(&own, function, caller + 1));
	assert_false(is_stub(&own, function, (uint64_t)(uintptr_t)&own));
	assert_false(is_stub(&own, function, 0));
	assert_false(is_stub(&own, 0, caller));
	own_done(&own);
}

static void the_end_of_a_span_is_known_by_its_bytes(void **state)
{
	static const unsigned char begin[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x90, 0x66, 0x2e, 0x0f};
	const char *thunk = memmem(__executable_start, (size_t)(etext - __executable_start), begin,
				   sizeof(begin));
	struct own own;

	(void)state;
	assert_non_null(thunk);
	own_init(&own);
	for (uint64_t at = 0; at < 24; at++)
		assert_int_equal(is_stub(&own, (uint64_t)(uintptr_t)thunk + at, 0),
				 at == 0 || at == 4 || at == 5 || at == 15 || at == 20);
	own_done(&own);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
		cmocka_unit_test(a_call_leads_to_what_follows_its_target),
		cmocka_unit_test(the_end_of_a_span_is_known_by_its_bytes),
#endif
	};

	return cmocka_run_group_tests_name("call_stub", tests, NULL, NULL);
}
