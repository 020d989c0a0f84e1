/* SPDX-License-Identifier: BSD-2-Clause */
#include "folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

int folder_enter(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/probekit-unit-XXXXXX");
	return mkdtemp(folder) ? chdir(folder) : -1;
}

int folder_leave(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return chdir("/") || system(command);
}
