/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads any bytes as a snapshot; what is accepted must read back to the same text when written, also as the
 * run of another. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *write_again(const struct probekit_snapshot *snapshot)
{
	char *text;

	return probekit_snapshot_to_json(snapshot, true, &text, NULL) ? NULL : text;
}

/* A whole that has the snapshot as its one run, or the snapshot where it has runs itself. */
static struct probekit_snapshot *wrap(struct probekit_snapshot *snapshot)
{
	struct probekit_snapshot *whole;

	if (probekit_snapshot_run_count(snapshot))
		return snapshot;
	return probekit_snapshot_join(&snapshot, 1, &whole, NULL) ? snapshot : whole;
}

static char *read_and_write(const char *text)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	char *again;

	if (snapshot_from_json(text, strlen(text), "fuzz", &snapshot, &err))
		abort();
	again = write_again(snapshot);
	probekit_snapshot_free(snapshot);
	return again;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;

	if (snapshot_from_json((const char *)data, size, "fuzz", &snapshot, &err))
		return 0;
	for (int i = 0; i < 2; i++) {
		char *written = write_again(snapshot);
		char *again = written ? read_and_write(written) : NULL;

		if (again && strcmp(written, again) != 0)
			abort();
		free(written);
		free(again);
		snapshot = wrap(snapshot);
	}
	probekit_snapshot_free(snapshot);
	return 0;
}
