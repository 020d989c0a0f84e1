/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PUBLIC_PROGRAM_H
#define PROBEKIT_PUBLIC_PROGRAM_H
/* Programs of the caller's own, which use <probekit/bpf.h>, and the sites they are attached to. */
#include <stddef.h>
#include <stdint.h>

#include <probekit/error.h>
#include <probekit/kinds.h>
#include <probekit/session.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What happens at a site; a mask where several are asked for. */
enum probekit_role {
	PROBEKIT_AT_BEGIN = 1, /* a span of any kind begins */
	PROBEKIT_AT_END = 2,
	PROBEKIT_AT_VALUE = 4, /* a quantity is sampled */
	PROBEKIT_AT_EVENT = 8, /* a USDT probe by itself, as `events` has it */
};

/* A loaded BPF program; set `size` to sizeof(struct probekit_program). */
struct probekit_program {
	size_t size;
	int fd;	      /* duplicated, as is the next: the caller may close both */
	int sites_fd; /* of its map `probekit_sites`; -1: it reads no arguments */
	unsigned int roles;
	const char *probes; /* of those that are measured, by a glob(7) pattern; NULL: all */
	/* USDT probes "provider:name" by a glob(7) pattern: PROBEKIT_EVENT(), or anybody's. They are not
	 * measured. NULL: none. */
	const char *events;
};

/* The expected_attach_type to load such programs with, once the targets were added:
 * BPF_TRACE_UPROBE_MULTI where the session will use these links, else 0. Or a negative errno. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_attach_type(
	const struct probekit_session *session, struct probekit_error *err);

/* Attaches the program at the start to every site that has one of the roles, and to those of objects that
 * a command maps later. It runs until the session stops or this process ends, from before the begins of spans
 * are measured and after the ends are. -EINVAL at the start: it was loaded for another kind of attachment, or
 * the map has too little room. Repeat for more. */
PROBEKIT_API PROBEKIT_MUST_CHECK int probekit_session_add_program(
	struct probekit_session *session, const struct probekit_program *program,
	struct probekit_error *err);

/* What the numbers that programs see stand for. */
struct probekit_site {
	uint32_t probe;	  /* number of the probe, the same for all its sites */
	const char *name; /* the probe's */
	enum probekit_kind kind;
	enum probekit_role role;
	const char *object;    /* path of the file */
	uint64_t offset;       /* in it, of the instruction that the programs are attached to */
	const char *arguments; /* as the note has them; "" when none */
};

/* Those that programs may be attached to: none without programs. More can come in each poll. */
PROBEKIT_API size_t probekit_session_site_count(const struct probekit_session *session);
/* By probekit_site()'s number; NULL beyond the count. Valid until the next poll, the strings as long as
 * the session. */
PROBEKIT_API const struct probekit_site *probekit_session_site(
	const struct probekit_session *session, size_t i);

#ifdef __cplusplus
}
#endif
#endif
