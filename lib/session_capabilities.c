/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what a session asks of its process once it has started. Everything that the measuring itself needs,
 * it has as descriptors by then: programs, maps, links, sampling clocks. */
#include <linux/capability.h>

#include "session.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* Links for processes that come: one of uprobe_multi asks for no capability, a perf event asks for all. */
static const uint64_t to_attach_perf = BIT(CAP_SYS_ADMIN);
/* Loading programs. */
static const uint64_t to_start = BIT(CAP_BPF) | BIT(CAP_PERFMON);

uint64_t probekit_session_capabilities(const struct probekit_session *session, bool is_last)
{
	/* /proc/PID of others; their files; those that were replaced; /proc/kallsyms */
	uint64_t needed = BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH) |
			  BIT(CAP_CHECKPOINT_RESTORE) | BIT(CAP_SYSLOG);

	if (session->command.argv)
		needed |= BIT(CAP_KILL);
	if (!is_last)
		needed |= to_start;
	if (!session->attachment.use_multi && (!is_last || session_follows(session)))
		needed |= to_attach_perf;
	return needed;
}
