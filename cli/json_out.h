/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_JSON_OUT_H
#define PROBEKIT_CLI_JSON_OUT_H
/* JSON that commands print piece by piece. */
#include <stdio.h>

/* A string in quotes. Names come from foreign files: what is not UTF-8 becomes U+FFFD. */
void print_string(FILE *out, const char *text);

#endif
