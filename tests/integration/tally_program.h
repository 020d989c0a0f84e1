/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TALLY_PROGRAM_H
#define TALLY_PROGRAM_H
/* The programs of tally.bpf.c, loaded for a session. */
#include "measure.h"

#include <bpf/bpf.h>

#include <probekit/bpf.h>

#include "../bpf/tally.h"
#include "tally.skel.h"

#define EVERY_ROLE (PROBEKIT_AT_BEGIN | PROBEKIT_AT_END | PROBEKIT_AT_VALUE)

/* `room` of the map of sites; 0: the default. */
static inline struct tally_bpf *tally_load(const struct probekit_session *session, uint32_t room)
{
	struct tally_bpf *bpf = tally_bpf__open();
	struct probekit_error err;
	int type = probekit_session_attach_type(session, &err);

	if (type < 0 && err.kind == PROBEKIT_ERROR_UNAVAILABLE) {
		tally_bpf__destroy(bpf);
		print_message("skipped: needs tracing: %s\n", err.text);
		skip();
	}
	assert_non_null(bpf);
	assert_true(type >= 0);
	bpf_program__set_expected_attach_type(bpf->progs.tally, (enum bpf_attach_type)type);
	bpf_program__set_expected_attach_type(bpf->progs.count, (enum bpf_attach_type)type);
	bpf_program__set_expected_attach_type(bpf->progs.linger, (enum bpf_attach_type)type);
	if (room)
		bpf_map__set_max_entries(bpf->maps.probekit_sites, room);
	if (tally_bpf__load(bpf))
		fail_msg("the programs cannot be loaded");
	return bpf;
}

static inline struct probekit_program tally_program(const struct tally_bpf *bpf)
{
	return (struct probekit_program){
		.size = sizeof(struct probekit_program),
		.fd = bpf_program__fd(bpf->progs.tally),
		.sites_fd = bpf_map__fd(bpf->maps.probekit_sites),
		.roles = EVERY_ROLE,
	};
}

#endif
