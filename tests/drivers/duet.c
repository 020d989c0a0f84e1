/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * duet FOLDER SEED TIMEOUT_MS FUNCTION COMMAND... -- COMMAND...: measures the two by turns, all spans or, unless it
 * is "-", a function, and writes base.json and head.json there. The exit status is the errno of what failed.
 */
#include "duet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int write_snapshot(const char *folder, const char *name, const struct run_result *result,
			  struct probekit_error *err)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return probekit_snapshot_write(result->snapshot, path, err);
}

int main(int argc, char **argv)
{
	const char *pattern = argc > 4 ? argv[4] : "-";
	const struct measure_what what = {.functions = {&pattern, strcmp(pattern, "-") != 0}};
	struct run_request base = {.what = &what, .max_overhead = -1};
	struct run_result base_result, head_result;
	struct run_request head;
	struct probekit_error err;
	int between = 5;
	int ret;

	while (between < argc && strcmp(argv[between], "--") != 0)
		between++;
	if (between + 1 >= argc)
		return 2;
	argv[between] = NULL;
	base.timeout_ns = strtoull(argv[3], NULL, 10) * 1000000;
	head = base;
	base.argv = argv + 5;
	head.argv = argv + between + 1;
	ret = duet_run(&base, &head, strtoull(argv[2], NULL, 10), &base_result, &head_result, &err);
	if (ret) {
		fprintf(stderr, "kind %d %s; %s\n", (int)err.kind, err.text, err.hint);
		return -ret;
	}
	ret = write_snapshot(argv[1], "base.json", &base_result, &err);
	if (!ret)
		ret = write_snapshot(argv[1], "head.json", &head_result, &err);
	if (ret)
		fprintf(stderr, "%s\n", err.text);
	probekit_snapshot_free(base_result.snapshot);
	probekit_snapshot_free(head_result.snapshot);
	return -ret;
}
