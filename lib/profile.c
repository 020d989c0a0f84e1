/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns profiles as values, and in files. */
#include "profile.h"

#include <errno.h>
#include <stdlib.h>

#include "output_file.h"
#include "stack.h"
#include "syscalls.h"

void probekit_profile_free(struct probekit_profile *profile)
{
	if (!profile)
		return;
	for (size_t i = 0; i < profile->size; i++) {
		stack_done(&profile->entries[i].stack);
		stack_done(&profile->entries[i].kernel_stack);
		free((char *)profile->entries[i].comm);
	}
	for (size_t i = 0; i < profile->syscall_count; i++)
		free(profile->syscalls[i].name);
	free(profile->syscalls);
	free(profile->entries);
	free((char *)profile->info.target);
	free(profile);
}

const struct probekit_profile_info *probekit_profile_info(const struct probekit_profile *profile)
{
	return &profile->info;
}

size_t probekit_profile_size(const struct probekit_profile *profile)
{
	return profile->size;
}

const struct probekit_profile_entry *probekit_profile_entry(const struct probekit_profile *profile,
							    size_t i)
{
	return i < profile->size ? &profile->entries[i] : NULL;
}

int profile_name_syscall(struct probekit_profile *profile, unsigned int number, const char **name)
{
	struct profile_syscall *grown;

	for (size_t i = 0; i < profile->syscall_count; i++)
		if (profile->syscalls[i].number == number) {
			*name = profile->syscalls[i].name;
			return 0;
		}
	grown = reallocarray(profile->syscalls, profile->syscall_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	profile->syscalls = grown;
	grown += profile->syscall_count;
	*grown = (struct profile_syscall){.number = number, .name = syscalls_name(number)};
	if (!grown->name)
		return -ENOMEM;
	profile->syscall_count++;
	*name = grown->name;
	return 0;
}

int probekit_profile_write(const struct probekit_profile *profile,
			   enum probekit_profile_format format, const char *path,
			   struct probekit_error *err)
{
	int (*const formats[])(const struct probekit_profile *profile, char **bytes,
			       size_t *size_bytes) = {
		[PROBEKIT_PROFILE_FOLDED] = profile_to_folded,
		[PROBEKIT_PROFILE_PPROF] = profile_to_pprof,
		[PROBEKIT_PROFILE_SVG] = profile_to_svg,
	};
	size_t size;
	char *bytes;
	int result;

	if ((unsigned int)format >= sizeof(formats) / sizeof(formats[0]))
		return error_usage(err, "there is no such format of profiles: %d", (int)format);
	result = formats[format](profile, &bytes, &size);
	if (result)
		return error_errno(err, result, "cannot write '%s'", path);
	result = output_file_write_here(path, bytes, size, err);
	free(bytes);
	return result;
}
