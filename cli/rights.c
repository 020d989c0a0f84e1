/* SPDX-License-Identifier: BSD-2-Clause */
#include "rights.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))

const uint64_t rights_to_read = BIT(CAP_DAC_READ_SEARCH);
const uint64_t rights_to_look =
	BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_CHECKPOINT_RESTORE);
const uint64_t rights_to_end = BIT(CAP_KILL);

struct sets {
	uint64_t effective;
	uint64_t permitted;
	uint64_t inheritable;
};

static int read_sets(struct sets *sets)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data))
		return -errno;
	*sets = (struct sets){
		.effective = (uint64_t)data[1].effective << 32 | data[0].effective,
		.permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted,
		.inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable,
	};
	return 0;
}

static int write_sets(const struct sets *sets)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(sets->effective >> 32 * i),
			.permitted = (uint32_t)(sets->permitted >> 32 * i),
			.inheritable = (uint32_t)(sets->inheritable >> 32 * i),
		};
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* ---- outputs ---- */

static bool may_create_in(const char *folder)
{
	return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;
}

/* In a sticky folder only the file's owner, or the folder's. */
static bool may_replace(const char *folder, const char *path)
{
	struct stat of_folder;
	struct stat of_file;

	return stat(folder, &of_folder) == 0 &&
	       (!(of_folder.st_mode & S_ISVTX) || of_folder.st_uid == geteuid() ||
		lstat(path, &of_file) || of_file.st_uid == geteuid());
}

static bool may_write(const char *path)
{
	char *real = realpath(path, NULL);
	char *copy = strdup(real ? real : path);
	const char *folder = copy ? dirname(copy) : NULL;
	bool may = folder && may_create_in(folder) && may_replace(folder, real ? real : path);

	free(copy);
	free(real);
	return may;
}

/* Asked as the user that we are, with no capability in force. */
static uint64_t missing_for(const char *path, bool (*may)(const char *path))
{
	struct sets sets;
	struct sets none;
	bool suffices;

	if (!path || read_sets(&sets))
		return 0;
	none = sets;
	none.effective = 0;
	if (write_sets(&none))
		return 0;
	suffices = may(path);
	(void)!write_sets(&sets);
	return suffices ? 0 : BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER);
}

uint64_t rights_to_write(const char *path)
{
	return missing_for(path, may_write);
}

uint64_t rights_to_write_in(const char *folder)
{
	return missing_for(folder, may_create_in);
}

/* Ambient ones are what it inherits. */
uint64_t rights_of_commands(void)
{
	uint64_t ambient = 0;

	for (int i = 0; i < 64; i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1)
			ambient |= BIT(i);
	return ambient;
}

/* ---- giving up ---- */

static void tell(int result)
{
	if (result)
		fprintf(stderr, "probekit: cannot give up capabilities: %s\n", strerror(-result));
}

/* Root's programs get what is left in it, others' files theirs. Only who has CAP_SETPCAP may. */
static void narrow_bounding_set(uint64_t needed)
{
	for (int i = 0; i < 64 && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if (!(needed & BIT(i)))
			prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

void rights_keep(uint64_t needed)
{
	struct sets sets = {0};
	int result = read_sets(&sets);

	narrow_bounding_set(needed);
	sets.permitted &= needed;
	sets.effective &= needed;
	sets.inheritable = 0; /* and with it the ambient ones */
	if (!result)
		result = write_sets(&sets);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !result)
		result = -errno;
	tell(result);
}

void rights_keep_for_now(uint64_t needed)
{
	struct sets sets = {0};
	int result = read_sets(&sets);

	needed |= rights_of_commands();
	sets.permitted &= needed;
	sets.effective &= needed;
	if (!result)
		result = write_sets(&sets);
	tell(result);
}
