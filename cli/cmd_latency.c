/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `probekit latency`: what it may be asked, and which rows it shows. */
#include "cmd.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>

#include "out_text.h"
#include "report.h"

struct options {
	struct report_options report;
	double max_overhead;
	bool is_forced;
	struct opt_integer key;
	uint64_t slow_over_ns;
	struct opt_integer until_slow;
};

static const struct opt option_table[] = {
	REPORT_WHOM_OPTIONS(struct options),
	MEASURE_WHAT_OPTIONS(struct options, report.what),
	{0, "max-overhead", OPT_SHARE, "SHARE", offsetof(struct options, max_overhead),
	 "How much of one CPU probing functions may take (5%): the hottest are dropped until it takes "
	 "less, which is said."},
	{0, "force", OPT_FLAG, NULL, offsetof(struct options, is_forced),
	 "Drop no function, whatever it costs the target."},
	{0, "key", OPT_INTEGER, "N", offsetof(struct options, key), "Only spans with this key."},
	{0, "slow-over", OPT_DURATION, "DURATION", offsetof(struct options, slow_over_ns),
	 "Explain the spans that take longer than this (100ms, 2s, 500us) instead of those that the "
	 "distribution shows to be the slow ones."},
	{0, "until-slow", OPT_INTEGER, "N", offsetof(struct options, until_slow),
	 "With --slow-over: stop once N slow spans were seen."},
	REPORT_OUTPUT_OPTIONS(struct options),
	{'v', "verbose", OPT_FLAG, NULL, offsetof(struct options, report.is_verbose),
	 "Say what is attached, and how; list the slowest spans, as --slow-over does too."},
	{0},
};

/* ---- output ---- */

static int no_memory(struct probekit_error *err)
{
	*err = (struct probekit_error){-ENOMEM, PROBEKIT_ERROR_FAILED, "cannot allocate memory",
				       ""};
	return -ENOMEM;
}

static bool matches(const struct opt_texts *globs, const char *name)
{
	for (size_t i = 0; i < globs->count; i++)
		if (fnmatch(globs->items[i], name, 0) == 0)
			return true;
	return globs->count == 0;
}

static int print(void *arg, FILE *out, const struct text_style *style,
		 const struct probekit_snapshot *snapshot, const char *clock,
		 struct probekit_error *err)
{
	const struct options *options = arg;
	size_t size = probekit_snapshot_size(snapshot);
	const struct probekit_probe **rows = malloc((size ? size : 1) * sizeof(*rows));
	struct text_view view = {
		.info = probekit_snapshot_info(snapshot),
		.runs = probekit_snapshot_run_count(snapshot),
		.rows = rows,
		.has_key = options->key.is_given,
		.key = options->key.value,
		.is_verbose = options->report.is_verbose,
	};
	int ret;

	if (!rows)
		return no_memory(err);
	for (size_t i = 0; i < size; i++) {
		const struct probekit_probe *row = probekit_snapshot_probe(snapshot, i);

		/* A live session has chosen already; -s and -u together are more than the globs. */
		if (!options->report.from || matches(&options->report.what.spans, row->name))
			rows[view.size++] = row;
	}
	ret = clock ? out_text_interval(out, style, &view, clock)
		    : out_text_report(out, style, &view);
	free(rows);
	return ret ? no_memory(err) : 0;
}

/* ---- running ---- */

static int check_usage(const struct options *options, const struct opt_operands *operands,
		       struct probekit_error *err)
{
	const struct report_options *report = &options->report;
	int ret = report_check_usage(report, operands, "latency",
				     "-d, -i, -u, -f, -o, --children, --slow-over and --until-slow",
				     options->slow_over_ns || options->until_slow.is_given, err);

	if (ret)
		return ret;
	if (report->from && report->is_json && (report->what.spans.count || options->key.is_given))
		return usage_error(err, "--json gives the file's whole: no -s, no --key");
	if (options->until_slow.is_given && !options->slow_over_ns)
		return usage_error(err, "--until-slow needs --slow-over, which says what is slow");
	if (options->until_slow.is_given && options->until_slow.value <= 0)
		return usage_error(err, "--until-slow takes a number above 0");
	return 0;
}

static int run(void *values, const struct opt_operands *operands)
{
	struct options *options = values;
	struct probekit_session_options session_options = {
		.key_only = options->key.is_given,
		.key = options->key.value,
		.slow_over_ns = options->slow_over_ns,
		.max_overhead = options->is_forced ? -1 : options->max_overhead,
	};
	const struct report report = {
		.options = &options->report,
		.until_slow = (uint64_t)options->until_slow.value,
		.print = print,
		.arg = options,
	};
	struct probekit_error err;

	if (check_usage(options, operands, &err))
		return report_error(&err);
	return options->report.from ? report_stored(&report)
				    : report_live(&report, &session_options, operands);
}

const struct command command_latency = {
	.name = "latency",
	.summary = "how long spans take in live processes: counts, quantiles, histograms",
	.synopsis = (const char *const[]){"[OPTIONS] TARGET", "[OPTIONS] [TARGET] -p PID...",
					  "[OPTIONS] [TARGET] --cgroup PATH",
					  "[OPTIONS] -- CMD [ARGS]", "[OPTIONS] --from FILE", NULL},
	.description =
		(const char *const[]){
			"Measures the latency of spans: those that an application marks with "
			"<probekit/probe.h>, pairs of USDT probes named with -u, and calls of functions named "
			"with -f. Without -s, -u and -f every probekit span of the target is measured.",
			"TARGET is the path of a binary or library: every process that runs it, now or later. "
			"With -p the target is a running process; with -- a command that is started and "
			"measured from its first instruction. Processes that are not measured run as fast as "
			"before.",
			"--children adds the processes that a PID or the command creates from then on, each "
			"from some milliseconds after its creation; those that end sooner are counted. The "
			"measurement ends with the PIDs or the command all the same. --cgroup adds a cgroup's, "
			"and waits where it is empty.",
			"Ctrl-C ends the measurement and prints it. A latency contains the probe itself: its "
			"floor is measured at the start and printed, and what is near it is marked.",
			NULL},
	.options = option_table,
	.examples =
		(const struct example[]){
			{"probekit latency -p 4242 -d 10",
			 "Every span of a process, for ten seconds:"},
			{"probekit latency ./server -s 'web:*' -i 1",
			 "Some spans of all servers, each second:"},
			{"probekit latency -p 4242 --slow-over 100ms --until-slow 5",
			 "Wait for five requests of more than 100 ms, and explain them:"},
			{"probekit latency -p 4242 -f 'handle_*' -f libc:fsync",
			 "Functions of a program that was not modified:"},
			{"probekit latency -- ./job --once",
			 "A command, from its first instruction to its end:"},
			{"probekit latency --cgroup system.slice/shop.service -d 10",
			 "Every process of a service:"},
			{"probekit latency /usr/lib/postgresql/15/bin/postgres -u "
			 "postgresql:query__start,query__done",
			 "Queries of a PostgreSQL that was not modified:"},
			{NULL, NULL}},
	.takes_command = true,
	.options_size = sizeof(struct options),
	.run = run,
};
