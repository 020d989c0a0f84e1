/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SVG_TEXT_H
#define PROBEKIT_SVG_TEXT_H
/* Texts and numbers as an SVG file has them, whatever the locale. A stream that failed stays so. */
#include <stdint.h>
#include <stdio.h>

/* For text and attribute values. `text` is clean UTF-8, as escape_text() gives it. */
void svg_text(FILE *out, const char *text);
/* The same of any bytes; cut to a length that a reader can bear. */
void svg_text_raw(FILE *out, const char *text);
/* What of it fits into so many columns of a fixed-width font, ".." at the end where it was cut;
 * nothing where that would say nothing. */
void svg_text_cut(FILE *out, const char *text, unsigned int columns);

/* "12.34" */
void svg_hundredths(FILE *out, uint64_t hundredths);
/* "1.23 ms" */
void svg_time(FILE *out, uint64_t time_ns);
/* "12.34 %"; of nothing, 0. */
void svg_share(FILE *out, uint64_t part, uint64_t whole);

#endif
