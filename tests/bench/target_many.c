// SPDX-License-Identifier: BSD-2-Clause
/* Two thousand functions with a probe site each, for attaching to: one named many:one, 99 named
 * many:hundred and 1900 named many:rest. Runs until its standard input ends. */
#include <probekit/probe.h>
#include <stdio.h>

#define SITE(function, name)                           \
	__attribute__((noinline)) void function(void); \
	void function(void)                            \
	{                                              \
		PROBEKIT_VALUE(many, name, 1);         \
	}
/* clang-format off */
#define TEN(base, name) \
	SITE(base##0, name) \
	SITE(base##1, name) \
	SITE(base##2, name) \
	SITE(base##3, name) \
	SITE(base##4, name) \
	SITE(base##5, name) \
	SITE(base##6, name) \
	SITE(base##7, name) \
	SITE(base##8, name) \
	SITE(base##9, name)
#define HUNDRED(base, name) \
	TEN(base##0, name) \
	TEN(base##1, name) \
	TEN(base##2, name) \
	TEN(base##3, name) \
	TEN(base##4, name) \
	TEN(base##5, name) \
	TEN(base##6, name) \
	TEN(base##7, name) \
	TEN(base##8, name) \
	TEN(base##9, name)

SITE(site_x_0, one)
TEN(site_xb_0, hundred)
TEN(site_xb_1, hundred)
TEN(site_xb_2, hundred)
TEN(site_xb_3, hundred)
TEN(site_xb_4, hundred)
TEN(site_xb_5, hundred)
TEN(site_xb_6, hundred)
TEN(site_xb_7, hundred)
TEN(site_xb_8, hundred)
SITE(site_xb_90, hundred)
SITE(site_xb_91, hundred)
SITE(site_xb_92, hundred)
SITE(site_xb_93, hundred)
SITE(site_xb_94, hundred)
SITE(site_xb_95, hundred)
SITE(site_xb_96, hundred)
SITE(site_xb_97, hundred)
SITE(site_xb_98, hundred)
HUNDRED(site_y_0, rest)
HUNDRED(site_y_1, rest)
HUNDRED(site_y_2, rest)
HUNDRED(site_y_3, rest)
HUNDRED(site_y_4, rest)
HUNDRED(site_y_5, rest)
HUNDRED(site_y_6, rest)
HUNDRED(site_y_7, rest)
HUNDRED(site_y_8, rest)
HUNDRED(site_y_9, rest)
HUNDRED(site_z_0, rest)
HUNDRED(site_z_1, rest)
HUNDRED(site_z_2, rest)
HUNDRED(site_z_3, rest)
HUNDRED(site_z_4, rest)
HUNDRED(site_z_5, rest)
HUNDRED(site_z_6, rest)
HUNDRED(site_z_7, rest)
HUNDRED(site_z_8, rest)
/* clang-format on */

int main(void)
{
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
