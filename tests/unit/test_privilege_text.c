/* SPDX-License-Identifier: BSD-2-Clause */
/* Capabilities by name. */
#include "privilege.h"

#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BIT(capability) (UINT64_C(1) << (capability))
#define ALL (BIT(CAP_LAST_CAP + 1) - 1)

static void capabilities_are_named_as_the_kernel_does(void **state)
{
	char text[512];

	(void)state;
	privilege_list(BIT(CAP_BPF) | BIT(CAP_PERFMON), text, sizeof(text));
	assert_string_equal(text, "CAP_PERFMON CAP_BPF");
	privilege_list(BIT(CAP_CHOWN) | BIT(CAP_CHECKPOINT_RESTORE), text, sizeof(text));
	assert_string_equal(text, "CAP_CHOWN CAP_CHECKPOINT_RESTORE");
	privilege_list(BIT(CAP_SYS_PTRACE) | BIT(CAP_SYSLOG), text, sizeof(text));
	assert_string_equal(text, "CAP_SYS_PTRACE CAP_SYSLOG");
}

static void none_and_all_are_words(void **state)
{
	char text[512];

	(void)state;
	privilege_list(0, text, sizeof(text));
	assert_string_equal(text, "none");
	privilege_list(ALL, text, sizeof(text));
	assert_string_equal(text, "all");
	privilege_list(~UINT64_C(0), text, sizeof(text));
	assert_string_equal(text, "all");
}

static void what_few_are_missing_is_told_instead(void **state)
{
	char text[512];

	(void)state;
	privilege_list(ALL & ~BIT(CAP_SYS_RESOURCE), text, sizeof(text));
	assert_string_equal(text, "all but CAP_SYS_RESOURCE");
}

static void a_list_ends_where_the_text_does(void **state)
{
	char text[16];

	(void)state;
	privilege_list(BIT(CAP_CHECKPOINT_RESTORE) | BIT(CAP_BPF), text, sizeof(text));
	assert_int_equal(strlen(text), sizeof(text) - 1);
	privilege_list_for_setcap(BIT(CAP_CHECKPOINT_RESTORE) | BIT(CAP_BPF), text, sizeof(text));
	assert_int_equal(strlen(text), sizeof(text) - 1);
}

static void setcap_takes_them_in_small_letters(void **state)
{
	char text[128];

	(void)state;
	privilege_list_for_setcap(BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_SYS_PTRACE), text,
				  sizeof(text));
	assert_string_equal(text, "cap_bpf,cap_perfmon,cap_sys_ptrace");
}

static void sys_admin_stands_for_what_was_split_off_it(void **state)
{
	const struct privilege admin = {.effective = BIT(CAP_SYS_ADMIN)};

	(void)state;
	assert_true(privilege_allows(&admin, CAP_BPF));
	assert_true(privilege_allows(&admin, CAP_PERFMON));
	assert_false(privilege_allows(&admin, CAP_SYS_PTRACE));
	assert_false(privilege_allows(&admin, CAP_SYSLOG));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities_are_named_as_the_kernel_does),
		cmocka_unit_test(none_and_all_are_words),
		cmocka_unit_test(what_few_are_missing_is_told_instead),
		cmocka_unit_test(a_list_ends_where_the_text_does),
		cmocka_unit_test(setcap_takes_them_in_small_letters),
		cmocka_unit_test(sys_admin_stands_for_what_was_split_off_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
