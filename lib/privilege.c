/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the names of capabilities, and reading what we have of them. */
#include "privilege.h"

#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))

static const char *const names[] = {
	"CHOWN",
	"DAC_OVERRIDE",
	"DAC_READ_SEARCH",
	"FOWNER",
	"FSETID",
	"KILL",
	"SETGID",
	"SETUID",
	"SETPCAP",
	"LINUX_IMMUTABLE",
	"NET_BIND_SERVICE",
	"NET_BROADCAST",
	"NET_ADMIN",
	"NET_RAW",
	"IPC_LOCK",
	"IPC_OWNER",
	"SYS_MODULE",
	"SYS_RAWIO",
	"SYS_CHROOT",
	"SYS_PTRACE",
	"SYS_PACCT",
	"SYS_ADMIN",
	"SYS_BOOT",
	"SYS_NICE",
	"SYS_RESOURCE",
	"SYS_TIME",
	"SYS_TTY_CONFIG",
	"MKNOD",
	"LEASE",
	"AUDIT_WRITE",
	"AUDIT_CONTROL",
	"SETFCAP",
	"MAC_OVERRIDE",
	"MAC_ADMIN",
	"SYSLOG",
	"WAKE_ALARM",
	"BLOCK_SUSPEND",
	"AUDIT_READ",
	"PERFMON",
	"BPF",
	"CHECKPOINT_RESTORE",
};
#define NAME_COUNT (sizeof(names) / sizeof(names[0]))
#define FEW 6 /* that many are told as what is missing */

/* Inode numbers of the namespaces that a machine boots with (include/linux/proc_ns.h). */
static const struct {
	const char *kind;
	ino_t inode;
} first_namespaces[] = {
	{"user", 0xeffffffd},
	{"pid", 0xeffffffc},
};

int privilege_has_own_namespace(const char *kind)
{
	struct stat status;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	if (stat(path, &status))
		return -errno;
	for (size_t i = 0; i < sizeof(first_namespaces) / sizeof(first_namespaces[0]); i++)
		if (strcmp(first_namespaces[i].kind, kind) == 0)
			return status.st_ino != first_namespaces[i].inode;
	return -EINVAL;
}

static bool is_filtered(void)
{
	FILE *file = fopen("/proc/thread-self/status", "re");
	char line[256];
	int mode = 0;

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Seccomp: %d", &mode) == 1)
			break;
	fclose(file);
	return mode != 0;
}

void privilege_read(struct privilege *privilege)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	*privilege = (struct privilege){
		.is_in_user_namespace = privilege_has_own_namespace("user") > 0,
		.has_no_new_privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
		.has_seccomp_filter = is_filtered(),
	};
	if (syscall(SYS_capget, &header, data) == 0)
		privilege->effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	for (unsigned long i = 0; i < NAME_COUNT; i++)
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			privilege->bounding |= BIT(i);
}

void privilege_drop_thread(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {0};

	syscall(SYS_capset, &header, none);
}

bool privilege_allows(const struct privilege *privilege, int capability)
{
	uint64_t bits = BIT(capability);

	if (capability == CAP_BPF || capability == CAP_PERFMON ||
	    capability == CAP_CHECKPOINT_RESTORE)
		bits |= BIT(CAP_SYS_ADMIN);
	if (capability == CAP_DAC_READ_SEARCH)
		bits |= BIT(CAP_DAC_OVERRIDE);
	return (privilege->effective & bits) != 0;
}

static void append(char *text, size_t size, const char *separator, const char *prefix,
		   const char *name)
{
	size_t length = strlen(text);

	snprintf(text + length, size - length, "%s%s%s", length ? separator : "", prefix, name);
}

void privilege_list(uint64_t capabilities, char *text, size_t size)
{
	const uint64_t all = BIT(NAME_COUNT) - 1;
	bool is_most = __builtin_popcountll(capabilities & all) > (int)NAME_COUNT - FEW;
	uint64_t listed = is_most ? ~capabilities & all : capabilities & all;
	char list[512] = "";

	for (size_t i = 0; i < NAME_COUNT; i++)
		if (listed & BIT(i))
			append(list, sizeof(list), " ", "CAP_", names[i]);
	if (is_most)
		snprintf(text, size, "all%s%s", listed ? " but " : "", list);
	else
		snprintf(text, size, "%s", listed ? list : "none");
}

void privilege_list_for_setcap(uint64_t capabilities, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = NAME_COUNT; i--;) /* the newest first: those are what BPF is about */
		if (capabilities & BIT(i))
			append(text, size, ",", "cap_", names[i]);
	for (char *c = text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}
