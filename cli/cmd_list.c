/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `probekit list`. */
#include "cmd.h"

#include <stdlib.h>

#include "format.h"
#include "out_list.h"

struct options {
	struct opt_pids pids;
	bool is_json;
	bool no_color;
};

static const struct opt option_table[] = {
	{'p', "pid", OPT_PIDS, "PID", offsetof(struct options, pids),
	 "A running process: its executable and every library that it maps."},
	{0, "json", OPT_FLAG, NULL, offsetof(struct options, is_json), "The list as JSON."},
	{0, "no-color", OPT_FLAG, NULL, offsetof(struct options, no_color),
	 "No colour on a terminal either."},
	{0},
};

static int print_catalog(const struct options *options, const struct probekit_catalog *catalog,
			 const char *target)
{
	size_t size = probekit_catalog_size(catalog);
	const struct probekit_catalog_entry **entries =
		malloc((size ? size : 1) * sizeof(*entries));
	struct list_view view = {
		.target = target,
		.entries = entries,
		.size = size,
		.bad_notes = probekit_catalog_bad_notes(catalog),
	};

	if (!entries)
		return report_no_memory();
	for (size_t i = 0; i < size; i++)
		entries[i] = probekit_catalog_entry(catalog, i);
	if (options->is_json)
		out_list_json(stdout, &view);
	else
		out_list_text(stdout, !options->no_color && terminal_has_colour(stdout), &view);
	free(entries);
	return 0;
}

static int run(void *values, const struct opt_operands *operands)
{
	const struct options *options = values;
	struct probekit_catalog *catalog;
	struct probekit_error err;
	const char *target = operands->target;
	char pid[32];
	int code;

	if ((target != NULL) + options->pids.count != 1) {
		usage_error(&err, "list: give one binary or library, or one -p PID");
		return report_error(&err);
	}
	if (!target) {
		snprintf(pid, sizeof(pid), "pid %d", (int)options->pids.items[0]);
		target = pid;
	}
	if (operands->target ? probekit_catalog_open_path(target, &catalog, &err)
			     : probekit_catalog_open_pid(options->pids.items[0], &catalog, &err))
		return report_error(&err);
	code = print_catalog(options, catalog, target);
	probekit_catalog_free(catalog);
	return code;
}

const struct command command_list = {
	.name = "list",
	.summary = "what could be measured in a binary, library or process",
	.synopsis = (const char *const[]){"[OPTIONS] TARGET", "[OPTIONS] -p PID", NULL},
	.description =
		(const char *const[]){
			"Lists the spans, async spans, locks and values of <probekit/probe.h> with the number "
			"of their sites, then pairs of other USDT probes found by their names, ready to paste "
			"as an option of probekit latency, and single USDT probes.",
			"\"fast\" says that the kernel may attach at an optimised instruction, \"plain\" that "
			"some site only has the ordinary one.",
			NULL},
	.options = option_table,
	.examples =
		(const struct example[]){{"probekit list ./server", "What a binary offers:"},
					 {"probekit list -p 4242 --json",
					  "The same for a process with its libraries, as JSON:"},
					 {NULL, NULL}},
	.options_size = sizeof(struct options),
	.run = run,
};
