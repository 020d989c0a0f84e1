/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads any bytes as a snapshot; what is accepted must read back to the same text when written. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct probekit_snapshot *first;
	struct probekit_snapshot *second;
	struct probekit_error err;
	char *written;
	char *again;

	if (snapshot_from_json((const char *)data, size, "fuzz", &first, &err))
		return 0;
	written = write_again(first);
	probekit_snapshot_free(first);
	if (!written)
		return 0;
	if (snapshot_from_json(written, strlen(written), "fuzz", &second, &err))
		abort();
	again = write_again(second);
	if (again && strcmp(written, again) != 0)
		abort();
	probekit_snapshot_free(second);
	free(written);
	free(again);
	return 0;
}
