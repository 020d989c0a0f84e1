/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PRIVILEGE_H
#define PROBEKIT_PRIVILEGE_H
/* What this thread may do. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct privilege {
	uint64_t effective; /* capabilities, by bit */
	uint64_t bounding;
	bool has_no_new_privileges; /* neither sudo nor file capabilities add any */
	bool has_seccomp_filter;
	bool is_in_user_namespace; /* capabilities of such do not count for BPF */
};

void privilege_read(struct privilege *privilege);
/* Has it the capability (CAP_BPF ... of <linux/capability.h>)? CAP_SYS_ADMIN stands for CAP_BPF,
 * CAP_PERFMON and CAP_CHECKPOINT_RESTORE, which were split off it, CAP_DAC_OVERRIDE for
 * CAP_DAC_READ_SEARCH. */
bool privilege_allows(const struct privilege *privilege, int capability);
/* "CAP_BPF CAP_PERFMON", "none", "all", "all but CAP_SYS_RESOURCE". */
void privilege_list(uint64_t capabilities, char *text, size_t size);
/* "cap_bpf,cap_perfmon", as setcap(8) takes it. */
void privilege_list_for_setcap(uint64_t capabilities, char *text, size_t size);

/* For a thread of the library's own: gives up every capability, as none is needed to close files. */
void privilege_drop_thread(void);

/* Is the process's namespace of this kind ("pid", "user") another than the first one of the machine?
 * -errno when it cannot be told. */
int privilege_has_own_namespace(const char *kind);

#endif
