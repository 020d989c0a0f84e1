/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `probekit list`. */
#include "cmd.h"

#include <stdlib.h>

#include "format.h"
#include "out_list.h"
#include "rights.h"

struct options {
	struct opt_pids pids;
	struct opt_texts functions;
	bool is_json;
	bool no_color;
};

static const struct opt option_table[] = {
	{'p', "pid", OPT_PIDS, "PID", offsetof(struct options, pids),
	 "A running process: its executable and every library that it maps."},
	{'f', "function", OPT_TEXTS, "GLOB", offsetof(struct options, functions),
	 "Instead the functions whose symbol or demangled name matches; LIB:GLOB: those of a library of the process. May repeat."},
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
		.bad_notes = options->functions.count ? 0 : probekit_catalog_bad_notes(catalog),
	};

	if (!entries)
		return report_no_memory();
	for (size_t i = 0; i < size; i++) {
		const struct probekit_catalog_entry *entry = probekit_catalog_entry(catalog, i);

		if (!options->functions.count || entry->kind == PROBEKIT_CATALOG_FUNCTION)
			entries[view.size++] = entry;
	}
	if (options->is_json)
		out_list_json(stdout, &view);
	else
		out_list_text(stdout, !options->no_color && terminal_has_colour(stdout), &view);
	free(entries);
	return 0;
}

/* What there is, or the functions that were asked for. */
static int fill(const struct options *options, struct probekit_catalog *catalog,
		struct probekit_error *err)
{
	int result = options->functions.count ? 0 : probekit_catalog_require(catalog, err);

	for (size_t i = 0; i < options->functions.count && !result; i++)
		result = probekit_catalog_add_functions(catalog, options->functions.items[i], err);
	return result;
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
	rights_keep(rights_to_look);
	if (!target) {
		snprintf(pid, sizeof(pid), "pid %d", (int)options->pids.items[0]);
		target = pid;
	}
	if (operands->target ? probekit_catalog_open_path(target, &catalog, &err)
			     : probekit_catalog_open_pid(options->pids.items[0], &catalog, &err))
		return report_error(&err);
	code = fill(options, catalog, &err) ? report_error(&err)
					    : print_catalog(options, catalog, target);
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
			"With -f it lists functions: what a call of each costs when it is probed (\"emulated\": one "
			"trap; \"stepped\": two, as the kernel executes the first instruction elsewhere; "
			"\"optimised\": none, by kernels that replace a nop of 5 bytes), how many entries it has with "
			"the clones that the compiler made, its size in bytes, in how many places it has been put "
			"into other functions, which no probe sees, and how its returns are seen: by a uretprobe, or, "
			"where exceptions or switched stacks could pass it, by probes at each of its exits. A function "
			"that cannot be probed has the reason.",
			NULL},
	.options = option_table,
	.examples =
		(const struct example[]){{"probekit list ./server", "What a binary offers:"},
					 {"probekit list -p 4242 --json",
					  "The same for a process with its libraries, as JSON:"},
					 {"probekit list -p 4242 -f 'handle_*' -f 'libc:mem*'",
					  "Functions of the program, and of its C library:"},
					 {NULL, NULL}},
	.options_size = sizeof(struct options),
	.run = run,
};
