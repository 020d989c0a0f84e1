/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `probekit doctor`. */
#include "cmd.h"

#include <stdlib.h>
#include <sys/utsname.h>

#include "format.h"
#include "out_doctor.h"

struct options {
	struct opt_pids pids;
	bool is_json;
	bool no_color;
};

static const struct opt option_table[] = {
	{'p', "pid", OPT_PIDS, "PID", offsetof(struct options, pids),
	 "Also what there is to know about this process."},
	{0, "json", OPT_FLAG, NULL, offsetof(struct options, is_json), "The rows as JSON."},
	{0, "no-color", OPT_FLAG, NULL, offsetof(struct options, no_color),
	 "No colour on a terminal either."},
	{0},
};

static int print_text(const struct options *options, const struct probekit_support *support)
{
	size_t size = probekit_support_size(support);
	const struct probekit_support_row **rows = malloc((size ? size : 1) * sizeof(*rows));
	struct utsname name = {0};
	char system[sizeof(name)];
	struct doctor_view view = {
		.system = system,
		.rows = rows,
		.size = size,
		.can_measure = probekit_support_can_measure(support),
		.verdict = probekit_support_verdict(support),
		.first = probekit_support_first(support),
	};

	if (!rows)
		return report_no_memory();
	uname(&name);
	snprintf(system, sizeof(system), "%s %s %s", name.sysname, name.release, name.machine);
	for (size_t i = 0; i < size; i++)
		rows[i] = probekit_support_row(support, i);
	out_doctor_text(stdout, !options->no_color && terminal_has_colour(stdout),
			terminal_width(stdout), &view);
	free(rows);
	return 0;
}

static int print_json(const struct probekit_support *support)
{
	struct probekit_error err;
	char *text;

	if (probekit_support_to_json(support, false, &text, &err))
		return report_error(&err);
	puts(text);
	free(text);
	return 0;
}

static int run(void *values, const struct opt_operands *operands)
{
	const struct options *options = values;
	struct probekit_support_options wanted = {.size = sizeof(wanted), .path = operands->target};
	struct probekit_support *support;
	struct probekit_error err;
	int code;

	if ((operands->target != NULL) + options->pids.count > 1) {
		usage_error(&err, "doctor: one target at most, a binary or library or one -p PID");
		return report_error(&err);
	}
	if (options->pids.count)
		wanted.pid = options->pids.items[0];
	if (probekit_support_new(&wanted, &support, &err))
		return report_error(&err);
	code = options->is_json ? print_json(support) : print_text(options, support);
	if (code == 0 && !probekit_support_can_measure(support))
		code = PROBEKIT_ERROR_UNAVAILABLE;
	probekit_support_free(support);
	return code;
}

const struct command command_doctor = {
	.name = "doctor",
	.summary = "what this kernel, user and target allow, and what mends the rest",
	.synopsis = (const char *const[]){"[OPTIONS] [TARGET]", "[OPTIONS] -p PID", NULL},
	.description =
		(const char *const[]){
			"Tries what measuring needs, feature by feature, and measures an empty span of "
			"probekit itself. What is missing or limited comes first, each with what that costs "
			"and what mends it; the last line is the verdict and the first thing to do.",
			"TARGET is a binary or library. With it, or with -p, doctor also tells whether that "
			"can be read, what probes it has, and whether a CPU quota holds it back.",
			"The exit status is 0 when latencies can be measured, if with limits, and 3 when they "
			"cannot.",
			NULL},
	.options = option_table,
	.examples =
		(const struct example[]){
			{"probekit doctor", "What works here:"},
			{"probekit doctor -p 4242", "Why a process cannot be measured:"},
			{"probekit doctor --json | jq .verdict", "The verdict for a script:"},
			{NULL, NULL}},
	.options_size = sizeof(struct options),
	.run = run,
};
