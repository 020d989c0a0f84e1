/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SVG_SCAN_H
#define SVG_SCAN_H
/* Holds an SVG file of ours to the few elements and attributes that it is made of. Whatever else
 * there is came from a name. */
#include <stddef.h>

struct svg_scan {
	size_t frames; /* drawn */
	size_t scripts;
	size_t graphs;
};

/* Fails the test at anything else than well-formed elements of ours and clean text. */
struct svg_scan svg_scan(const char *text, size_t size);

#endif
