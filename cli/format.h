/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_FORMAT_H
#define PROBEKIT_CLI_FORMAT_H
/* How numbers and foreign names read on a terminal. Numbers come back as values, for printf's "%s":
 * `format_count(n).text`. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct format {
	char text[56];
};

/* "1.9 us", "18.2 ms", "12.3 s", "10.5 min": two to three digits, never below a nanosecond. */
struct format format_duration(double ns);
/* "12 043" */
struct format format_count(uint64_t n);
/* A quantity without unit: "7", "-3", "1 024", "2.5". */
struct format format_value(double value);
/* "97 %", "3.1 %", "<0.1 %"; 0 and 100 only when exact. */
struct format format_share(double share);
/* "12 043/s", "0.2/s" */
struct format format_rate(double per_second);

/* "+3.1 ms", "-80 us" */
struct format format_difference(double ns);
/* The ratio of a value to an earlier one: "+17 %", "-3.1 %", "x 12" from tenfold on; "new" where it is infinite, "-"
 * where it is not known. */
struct format format_change(double ratio);
/* "+12 to +22 %"; "-" where it is not known. */
struct format format_change_interval(double low, double high);
/* "0.012", "<0.001"; "-" where it is not known. */
struct format format_probability(double p);

/* Edges of the power-of-two band `k`: (2^k s, 2^(k+1) s] as "0.95 - 1.9 us". */
struct format format_time_band(int32_t k);
/* The integers in (2^k, 2^(k+1)]: "1", "5 - 8". */
struct format format_value_band(int32_t k);

/* "1 site", "3 sites". */
struct format format_plural(uint64_t n, const char *singular, const char *plural);

/* Copies `in` with everything that could steer a terminal escaped (\x1b) and UTF-8 left alone;
 * too long ends in "...". Always terminated. */
void format_escape(const char *in, char *out, size_t size);
/* Length in bytes of the UTF-8 character that `text` begins with; 0 when it is none. */
size_t format_character(const char *text, uint32_t *code);
/* No control character, and neither invisible nor one that turns the direction of text. */
bool format_is_printable(uint32_t code);
/* Columns that UTF-8 text takes, at one for each character. */
size_t format_width(const char *text);

/* Columns of `stream`: COLUMNS, else the terminal's own, else 80; between 40 and 200. */
unsigned int terminal_width(FILE *stream);
/* Whether colour is wanted there: a terminal that is not dumb, and no NO_COLOR. */
bool terminal_has_colour(FILE *stream);

/* "1.5", "500ms", "2m", "1h": positive, at most a year. Plain numbers are seconds. */
bool parse_duration(const char *text, uint64_t *ns);
/* A whole decimal number, all of the text. */
bool parse_integer(const char *text, int64_t *value);

#endif
