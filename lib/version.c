/* SPDX-License-Identifier: BSD-2-Clause */
#include <probekit/probekit.h>

const char *probekit_version(void)
{
	return PROBEKIT_VERSION;
}
