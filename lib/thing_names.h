/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_THING_NAMES_H
#define PROBEKIT_THING_NAMES_H
/* What the files and peers that threads waited for are called. */
#include <stddef.h>
#include <sys/types.h>

#include "../bpf/shared.h"

/* A file's path: where one of `pids` has it open, that of its descriptor; else as much as the kernel
 * noted, "logs/app.log". A peer: "127.0.0.1:5432", "[::1]:80", or of those that came to us
 * "10.0.0.7 at our port 8080". malloc'ed. -ENOMEM. */
int thing_name(const struct thing *thing, const pid_t *pids, size_t pid_count, char **name);

#endif
