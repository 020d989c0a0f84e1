/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PLACEMENT_H
#define PROBEKIT_PLACEMENT_H
/* Where in a site to attach, and what its program must know: offset, cookie flags, argument. Pure. */
#include "engine.h"
#include "features.h"
#include "sdt_note.h"

/* The instruction of our own sites to attach at; foreign sites have only the first. */
enum point {
	POINT_NOP,
	POINT_NOP5,
	POINT_NOP10,
	POINT_COUNT,
};

const char *point_name(enum point point);

struct placement {
	uint64_t offset;		   /* in the file */
	uint32_t flags;			   /* COOKIE_SP_SHIFTED */
	struct probekit_argument argument; /* of argument 1; PROBEKIT_ARGUMENT_NONE without */
};

void placement_choose(const struct sdt_site *site, enum point point, struct placement *placement);
/* Argument `n`, from 0, of the site as it is to be read there. */
struct probekit_argument placement_argument(const struct sdt_site *site,
					    const struct placement *placement, unsigned int n);
/* Fills what a function is given in registers, or at its end what it returns, as whole registers; how many. */
uint32_t placement_function_arguments(bool is_end,
				      struct probekit_argument arguments[PROBEKIT_MAX_ARGUMENTS]);

#endif
