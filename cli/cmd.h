/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_CMD_H
#define PROBEKIT_CLI_CMD_H
/* The commands that exist; each stands in its own cmd_NAME.c. */
#include "opts.h"

extern const struct command command_compare;
extern const struct command command_diff;
extern const struct command command_doctor;
extern const struct command command_latency;
extern const struct command command_locks;
extern const struct command command_list;
extern const struct command command_offcpu;
extern const struct command command_record;

#endif
