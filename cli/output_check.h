/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_OUTPUT_CHECK_H
#define PROBEKIT_CLI_OUTPUT_CHECK_H
#include <probekit/probekit.h>

/* Can a file be written at `path`? To be asked before a measurement, which would be lost. Leaves no file. */
int check_output(const char *path, struct probekit_error *err);

#endif
