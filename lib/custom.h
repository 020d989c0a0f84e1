/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CUSTOM_H
#define PROBEKIT_CUSTOM_H
/*
 * Programs of the caller's own: the sites that they see, by numbers that never change, what their maps
 * are told of the sites, and their links. Which sites there are follows from the plan; single USDT
 * probes, which the plan leaves out, are added here.
 */
#include "plan.h"

struct attachment;
struct attach_links;

struct custom_program {
	char name[16];
	int fd;
	int map_fd; /* -1: none */
	uint32_t map_room;
	unsigned int roles;
	char *probes; /* may be NULL */
	char *events; /* may be NULL */
	bool has_site;
};

struct custom_site {
	struct probekit_site shown;
	uint32_t object;	     /* index */
	const struct sdt_site *note; /* NULL: of a function */
	uint32_t planned;	     /* the function's probe in the plan */
	bool has_key;
	bool is_return;	    /* of a function, by uretprobe */
	uint32_t condition; /* of an exit, as in a cookie; 0: none */
};

struct custom {
	struct custom_program *programs;
	size_t program_count;
	struct custom_site *sites;
	uint32_t site_count;
	struct custom_probe {
		char *name;
		enum probekit_kind kind;
	} * probes;
	uint32_t probe_count;
	uint32_t planned; /* sites of the plan that were taken over, those of functions apart: */
	uint32_t planned_functions;
	uint32_t scanned; /* objects whose single probes were */
};

int custom_add(struct custom *custom, const struct probekit_program *program,
	       struct probekit_error *err);
void custom_done(struct custom *custom);

/* Are programs to be attached to single USDT probes? */
bool custom_has_events(const struct custom *custom);
/* -EINVAL unless all programs can be attached in this way. */
int custom_check(const struct custom *custom, bool use_multi, struct probekit_error *err);

/* Takes over what the plan and the objects have got since the last call, all but functions or only those that
 * are probed. */
int custom_take_over(struct custom *custom, const struct attachment *attachment, bool of_functions,
		     struct probekit_error *err);
/* Attaches the programs to those of the sites from number `from` on whose probe is of this batch (0: all but
 * functions), begins before ends, for the attachment's processes. */
int custom_attach(struct custom *custom, struct attachment *attachment, uint32_t from,
		  uint32_t batch, struct attach_links *links, struct probekit_error *err);
/* Is a program attached to this function of the plan while it is probed? */
bool custom_is_at(const struct custom *custom, uint32_t planned);
/* -ENOENT unless every program has found a site. */
int custom_require(const struct custom *custom, struct probekit_error *err);

#endif
