/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_JSON_OUT_H
#define PROBEKIT_CLI_JSON_OUT_H
/* JSON that commands print piece by piece. */
#include <stdio.h>

#include <probekit/probekit.h>

/* A string in quotes. Names come from foreign files: what is not UTF-8 becomes U+FFFD. */
void print_string(FILE *out, const char *text);
/* The same; NULL is null. */
void print_text(FILE *out, const char *text);
/* What is not finite is null. */
void print_number(FILE *out, double number);
void print_frame(FILE *out, const struct probekit_frame *frame);

#endif
