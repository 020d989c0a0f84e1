/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SNAPSHOT_H
#define PROBEKIT_SNAPSHOT_H
/* The snapshot value behind the public functions, and how a session builds one. */
#include "error.h"

/* Everything is owned by the snapshot: strings and arrays are freed with it. The char pointers in
 * `info` and `probes` are const in the public structs; they are malloc'ed here all the same. */
struct probekit_snapshot {
	struct probekit_snapshot_info info;
	struct probekit_probe *probes;
	size_t size;
	struct probekit_lock *locks;
	size_t lock_count;
	struct probekit_deadlock *deadlocks;
	size_t deadlock_count;
	struct probekit_snapshot **runs; /* which have none themselves */
	size_t run_count;
};

/* An empty snapshot with room for `size` zeroed rows. NULL: no memory. */
struct probekit_snapshot *snapshot_new(size_t size);
/* Of one probe, and of one key of it where they are of keys? */
bool snapshot_is_same_row(const struct probekit_probe *a, const struct probekit_probe *b);
/* Frees what a row owns. */
void snapshot_row_done(struct probekit_probe *probe);

/* JSON both ways without files; snapshot_write/read add those. `name` is what errors call the text.
 */
int snapshot_from_json(const char *text, size_t size_bytes, const char *name,
		       struct probekit_snapshot **snapshot, struct probekit_error *err);

#endif
