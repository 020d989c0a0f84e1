/* SPDX-License-Identifier: BSD-2-Clause */
/* What a start takes of the kernel: most of its time goes into what the verifier walks, about 1 us an instruction. */
#include <string.h>

#include "support_victim.h"

/* It was 39,900 on Linux 6.18, which walks more than older kernels. Loops in programs, and functions that are
 * inlined in more places, multiply it unseen. */
#define VERIFIED_MAX 46000

static void the_verifier_walks_no_more_than_it_has_to(void **state)
{
	struct support_child program;
	struct support_child probekit;
	uint64_t verified;

	(void)state;
	support_require_tracing();
	support_start_victim(&program, NULL, support_program("victim"));
	support_start_measuring(&probekit, program.pid);
	verified = support_read_usage(probekit.pid).verified;
	support_interrupt(&probekit);
	support_done(&probekit);
	support_done(&program);
	if (!verified) /* before Linux 5.16 */
		skip();
	print_message("  the verifier walked %llu instructions\n", (unsigned long long)verified);
	assert_in_range(verified, 1, VERIFIED_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verifier_walks_no_more_than_it_has_to),
	};

	return cmocka_run_group_tests_name("start", tests, NULL, NULL);
}
