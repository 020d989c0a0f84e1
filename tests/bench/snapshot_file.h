/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BENCH_SNAPSHOT_FILE_H
#define PROBEKIT_BENCH_SNAPSHOT_FILE_H
/* A file as `probekit record` writes it of a program with many functions. */
#include <probekit/probekit.h>

/* `seed` tells builds apart: another one has other latencies. */
int snapshot_file_make(const char *path, size_t functions, size_t runs, uint64_t seed,
		       struct probekit_error *err);

#endif
