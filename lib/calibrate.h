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
	/* One traced call of a function, entry and return; 0: not measured. By whether its first instruction is
	 * stepped (enum probekit_cost), and whether its exits are probed and not its return. */
	uint64_t call_ns[2][2];
};

/* Uses `attachment`, whose links must be empty, and leaves the links of the library's spans in it:
 * they are of this process alone, and closing them takes long. `with_usdt` measures the plain nop
 * as well, `with_functions` calls. `refused` are links to what this kernel kills forked children with: the
 * caller closes them, soon, and need not wait for it. Never fails: what could not be measured stays 0, and the
 * point is POINT_NOP, which always works. */
void calibrate(struct attachment *attachment, const struct features *features, bool with_usdt,
	       bool with_functions, struct calibration *calibration, struct attach_links *refused);

/* ---- for its own sources ---- */

/* The file that this code is mapped from, and where. */
struct self {
	struct object *object;
	uint64_t load_offset; /* address of a file offset, less the offset */
};

/* ns of one `spans` of many, more than `untraced`. */
uint64_t calibrate_added_ns(void (*spans)(int), double untraced);
double calibrate_time(void (*spans)(int));
/* Fills call_ns. */
void calibrate_calls(struct attachment *attachment, const struct self *self,
		     struct calibration *calibration);

#endif
