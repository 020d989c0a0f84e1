/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns becoming an ordinary user, and what that one can run. */
#include "support_user.h"

#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void copy_file(const char *from, const char *to)
{
	size_t size_bytes;
	char *data = support_read_file(from, &size_bytes);

	support_write_file(to, data, size_bytes);
	assert_int_equal(chmod(to, 0755), 0);
	free(data);
}

void support_copy(struct support_copies *copies, const char *program)
{
	char *library;
	char *built;

	copies->folder = support_new_folder();
	copies->probekit = support_join(copies->folder, "probekit");
	copies->program = support_join(copies->folder, program);
	library = support_join(copies->folder, "libprobekit.so.0");
	assert_true(asprintf(&built, "%s/libprobekit.so.0", getenv("PROBEKIT_BUILD")) > 0);
	copy_file(built, library);
	copy_file(support_probekit(), copies->probekit);
	copy_file(support_program(program), copies->program);
	setenv("LD_LIBRARY_PATH", copies->folder, 1);
	free(built);
	free(library);
}

void support_copy_done(struct support_copies *copies)
{
	support_remove_folder(copies->folder);
	free(copies->probekit);
	free(copies->program);
}

int support_set_up_copies(void **state)
{
	struct support_copies *copies = calloc(1, sizeof(*copies));

	assert_non_null(copies);
	support_copy(copies, "victim");
	*state = copies;
	return 0;
}

int support_tear_down_copies(void **state)
{
	support_copy_done(*state);
	free(*state);
	return 0;
}

void support_require_capable_kernel(void)
{
	if (strcmp(support_require_tracing(), "uprobe_multi") != 0) {
		print_message("skipped: needs uprobe_multi: only root can measure without\n");
		skip();
	}
	if (geteuid() != 0) {
		print_message("skipped: needs root: to become other users\n");
		skip();
	}
}

void support_become_user(const unsigned int *capabilities, size_t count)
{
	const unsigned int user = SUPPORT_ORDINARY_USER;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	for (size_t i = 0; i < count; i++) {
		data[capabilities[i] / 32].permitted |= 1u << capabilities[i] % 32;
		data[capabilities[i] / 32].inheritable |= 1u << capabilities[i] % 32;
	}
	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) || setresgid(user, user, user) ||
	    setresuid(user, user, user) || syscall(SYS_capset, &header, data))
		_exit(124);
	for (size_t i = 0; i < count; i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capabilities[i], 0, 0))
			_exit(124);
}

void support_become_other(unsigned int user)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) || setresgid(user, user, user) ||
	    setresuid(user, user, user) || syscall(SYS_capget, &header, data))
		_exit(124);
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].inheritable = data[i].permitted;
	if (syscall(SYS_capset, &header, data))
		_exit(124);
	for (unsigned int i = 0; i < 64; i++)
		if (data[i / 32].permitted & 1u << i % 32 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
			_exit(124);
}

static void become_tracer(void *arg)
{
	static const unsigned int capabilities[] = {CAP_BPF, CAP_PERFMON};

	(void)arg;
	support_become_user(capabilities, 2);
}

static void become_nobody(void *arg)
{
	(void)arg;
	support_become_user(NULL, 0);
}

const struct support_how support_tracer = {.prepare = become_tracer};
const struct support_how support_nobody = {.prepare = become_nobody};
