/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_WIRE_H
#define PROBEKIT_WIRE_H
/* What the name of a site says: the suffixes that probe.h writes, and the pairs that other
 * projects' probes form by custom. Pure. */
#include "sdt_note.h"

enum wire_role {
	WIRE_EVENT, /* a single probe */
	WIRE_SPAN_BEGIN,
	WIRE_SPAN_END,
	WIRE_EXPLICIT_BEGIN,
	WIRE_EXPLICIT_END,
	WIRE_ASYNC_BEGIN,
	WIRE_ASYNC_END,
	WIRE_VALUE,
	WIRE_LOCK_WAIT,
	WIRE_LOCK_ACQUIRED,
	WIRE_LOCK_RELEASED,
};

/* Role of a site, and how long its span's name is without the suffix. Foreign sites are events,
 * whatever they are called. */
enum wire_role wire_role(const struct sdt_site *site, size_t *name_length);

/* Does a foreign probe named `end` end what one named `begin` begins? By custom: the same stem with
 * start/done, begin/end, entry/return and their like; `begin`'s stem with commit or abort after
 * "start". */
bool wire_is_pair(const char *begin, const char *end);

#endif
