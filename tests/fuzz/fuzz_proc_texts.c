/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's texts about cgroups, mounts and the machine, of any bytes. */
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "environment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* /proc/PID/cgroup up to an empty line, /proc/self/mountinfo behind it. */
static void find_cgroup(char *text)
{
	char *mounts = strstr(text, "\n\n");
	size_t mount_length;
	char folder[256];
	char path[128];
	bool is_v2;

	if (mounts)
		mounts[1] = '\0';
	if (cgroup_find_path(text, path, sizeof(path), &is_v2))
		return;
	if (strlen(path) >= sizeof(path) || strchr(path, '\n'))
		__builtin_trap();
	if (mounts &&
	    cgroup_find_folder(mounts + 2, is_v2, path, folder, sizeof(folder), &mount_length) ==
		    0 &&
	    (strlen(folder) >= sizeof(folder) || mount_length > strlen(folder)))
		__builtin_trap();
}

static void read_machine(const char *text, size_t size)
{
	struct cpu_ticks none = {0};
	struct cpu_ticks ticks;
	size_t length;
	const char *value = environment_find_cpu(text, "model name", &length);

	if (value && (value < text || length > size || value + length > text + size))
		__builtin_trap();
	environment_parse_ticks(text, &ticks);
	environment_steal(&none, &ticks);
	environment_is_virtual(text, text, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	read_machine(text, strlen(text));
	find_cgroup(text);
	free(text);
	return 0;
}
