/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_OUT_RECORD_H
#define PROBEKIT_CLI_OUT_RECORD_H
/* What was recorded, in short. */
#include <stdio.h>

#include <probekit/probekit.h>

/* A line for each probe, most total time first: in how many runs it has spans, how many, and its quantiles,
 * with how much those differ from run to run. */
void out_record(FILE *out, const struct probekit_snapshot *snapshot);

#endif
