/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CALIBRATE_H
#define PROBEKIT_CALIBRATE_H
/*
 * What this kernel makes of our sites and what a probe costs, found by attaching to a span of this
 * library in this process. Takes a few milliseconds.
 */
#include "attachment.h"

struct calibration {
	enum point point;  /* the cheapest instruction that works */
	uint64_t span_ns;  /* one traced span, begin and end; 0: could not be measured */
	uint64_t usdt_ns;  /* the same with both ends at a plain nop; 0: not measured */
	uint64_t floor_ns; /* median that an empty traced span reads */
};

/* Uses `attachment`, whose links must be empty, and leaves the links of the library's spans in it:
 * they are of this process alone, and closing them takes long. `with_usdt` measures the plain nop
 * as well. Never fails: what could not be measured stays 0, and the point is POINT_NOP, which
 * always works. */
void calibrate(struct attachment *attachment, const struct features *features, bool with_usdt,
	       struct calibration *calibration);

#endif
