/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `probekit latency`: what it may be asked, and what it gives back in which order. */
#include "cmd.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format.h"
#include "measure.h"
#include "output_check.h"
#include "out_text.h"

struct options {
	struct opt_pids pids;
	struct measure_whom whom;
	struct opt_texts spans;
	struct opt_texts pairs;
	struct opt_texts functions;
	double max_overhead;
	bool is_forced;
	struct opt_integer key;
	uint64_t duration_ns;
	uint64_t interval_ns;
	uint64_t slow_over_ns;
	struct opt_integer until_slow;
	const char *from;
	const char *output;
	bool is_json;
	bool no_color;
	bool is_verbose;
};

static const struct opt option_table[] = {
	{'p', "pid", OPT_PIDS, "PID", offsetof(struct options, pids),
	 "Measure this process; repeat for more. With TARGET: only these processes."},
	MEASURE_WHOM_OPTIONS(struct options, whom),
	{'d', "duration", OPT_DURATION, "SECONDS", offsetof(struct options, duration_ns),
	 "How long, from attachment. Without it: until the command or every PID has ended, or "
	 "Ctrl-C."},
	{'i', "interval", OPT_DURATION, "SECONDS", offsetof(struct options, interval_ns),
	 "Print what was added each interval, and the whole at the end."},
	{'s', "span", OPT_TEXTS, "GLOB", offsetof(struct options, spans),
	 "Spans whose \"provider:name\" matches; repeat for more."},
	{'u', "usdt", OPT_TEXTS, "PROVIDER:BEGIN,END", offsetof(struct options, pairs),
	 "The time from one USDT probe to another on the same thread; \"A|B\" ends at the first. "
	 "Repeat for more."},
	{'f', "function", OPT_TEXTS, "[LIB:]GLOB", offsetof(struct options, functions),
	 "Functions, from their entry to their return: the program's own, or those of a library "
	 "that it maps (\"libc:fsync\"). Repeat for more."},
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
	{0, "from", OPT_FILE, "FILE", offsetof(struct options, from),
	 "Show a stored snapshot instead of measuring; \"-\" is standard input."},
	{'o', "output", OPT_FILE, "FILE", offsetof(struct options, output),
	 "Write the snapshot to FILE at the end, whole or not at all."},
	{0, "json", OPT_FLAG, NULL, offsetof(struct options, is_json),
	 "The snapshot as JSON on standard output, one a line with -i, the whole last. Text for "
	 "people and the command's own output go to standard error."},
	{0, "no-color", OPT_FLAG, NULL, offsetof(struct options, no_color),
	 "No colour on a terminal either."},
	{'v', "verbose", OPT_FLAG, NULL, offsetof(struct options, is_verbose),
	 "Say what is attached, and how; list the slowest spans, as --slow-over does too."},
	{0},
};

/* ---- output ---- */

/* Where text for people goes, and how. */
static FILE *text_stream(const struct options *options, struct text_style *style)
{
	FILE *out = options->is_json ? stderr : stdout;

	style->width = terminal_width(out);
	style->has_colour = !options->no_color && terminal_has_colour(out);
	return out;
}

static int no_memory(struct probekit_error *err)
{
	*err = (struct probekit_error){-ENOMEM, PROBEKIT_ERROR_FAILED, "cannot allocate memory",
				       ""};
	return -ENOMEM;
}

static bool matches(const struct options *options, const char *name)
{
	for (size_t i = 0; i < options->spans.count; i++)
		if (fnmatch(options->spans.items[i], name, 0) == 0)
			return true;
	return options->spans.count == 0;
}

/* A text for people: the interval's when `clock` is given, else the whole report. */
static int print_text(const struct options *options, const struct probekit_snapshot *snapshot,
		      const char *clock, struct probekit_error *err)
{
	size_t size = probekit_snapshot_size(snapshot);
	const struct probekit_probe **rows = malloc((size ? size : 1) * sizeof(*rows));
	struct text_view view = {
		.info = probekit_snapshot_info(snapshot),
		.rows = rows,
		.has_key = options->key.is_given,
		.key = options->key.value,
		.is_verbose = options->is_verbose,
	};
	struct text_style style;
	FILE *out = text_stream(options, &style);
	int ret;

	if (!rows)
		return no_memory(err);
	for (size_t i = 0; i < size; i++) {
		const struct probekit_probe *row = probekit_snapshot_probe(snapshot, i);

		/* A live session has chosen already; -s and -u together are more than the globs. */
		if (!options->from || matches(options, row->name))
			rows[view.size++] = row;
	}
	ret = clock ? out_text_interval(out, &style, &view, clock)
		    : out_text_report(out, &style, &view);
	free(rows);
	fflush(out);
	return ret ? no_memory(err) : 0;
}

static int print_json(const struct probekit_snapshot *snapshot, bool compact,
		      struct probekit_error *err)
{
	char *text;
	int ret = probekit_snapshot_to_json(snapshot, compact, &text, err);

	if (ret)
		return ret;
	puts(text);
	free(text);
	/* A failed write is told once, at the end of main(). */
	fflush(stdout);
	return 0;
}

static int print_interval(void *arg, const struct probekit_snapshot *delta,
			  struct probekit_error *err)
{
	const struct options *options = arg;
	time_t now = time(NULL);
	struct tm tm;
	char clock[16];

	if (options->is_json) {
		int ret = print_json(delta, true, err);

		if (ret)
			return ret;
	}
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
	return print_text(options, delta, clock, err);
}

/* The file first: text into a closed pipe ends the process. */
static int give_out(const struct options *options, const struct probekit_snapshot *snapshot)
{
	struct probekit_error err;
	int code = 0;

	if (options->output && probekit_snapshot_write(snapshot, options->output, &err))
		code = report_error(&err);
	if (options->is_json && print_json(snapshot, options->interval_ns != 0, &err))
		return report_error(&err);
	if (print_text(options, snapshot, NULL, &err))
		return report_error(&err);
	return code;
}

/* ---- checks that come before anything is attached ---- */

static int check_usage(const struct options *options, const struct opt_operands *operands,
		       struct probekit_error *err)
{
	bool has_live = operands->target || operands->command || options->pids.count ||
			options->whom.cgroup;

	if (options->from) {
		if (has_live)
			return usage_error(
				err, "--from shows a file: no TARGET, PID, cgroup or command");
		if (options->duration_ns || options->interval_ns || options->pairs.count ||
		    options->functions.count || options->whom.has_children || options->output ||
		    options->slow_over_ns || options->until_slow.is_given)
			return usage_error(err, "-d, -i, -u, -f, -o, --children, --slow-over and "
						"--until-slow have no meaning with --from");
		if (options->is_json && (options->spans.count || options->key.is_given))
			return usage_error(err, "--json gives the file's whole: no -s, no --key");
		return 0;
	}
	if (options->until_slow.is_given && !options->slow_over_ns)
		return usage_error(err, "--until-slow needs --slow-over, which says what is slow");
	if (options->until_slow.is_given && options->until_slow.value <= 0)
		return usage_error(err, "--until-slow takes a number above 0");
	if (!has_live) {
		usage_error(err, "latency: no target");
		snprintf(err->hint, sizeof(err->hint),
			 "give a binary, a library, -p PID, --cgroup PATH, or -- CMD ARGS");
		return err->code;
	}
	if (operands->command && (operands->target || options->pids.count))
		return usage_error(err, "a command stands alone: no TARGET or PID beside it");
	return measure_check_whom(&options->whom, operands, &options->pids, err);
}

/* ---- live ---- */

static int add_all(struct probekit_session *session, const struct options *options,
		   const struct opt_operands *operands, struct probekit_error *err)
{
	const struct measure_what what = {&options->spans, &options->pairs, &options->functions,
					  &options->pids};
	int ret = measure_add_what(session, &what, operands, err);

	if (ret == 0)
		ret = measure_add_whom(session, &options->whom, operands, err);
	return ret;
}

static int measure(struct probekit_session *session, struct options *options,
		   const struct opt_operands *operands)
{
	struct measure measure = {
		.session = session,
		.duration_ns = options->duration_ns,
		.interval_ns = options->interval_ns,
		.until_slow = (uint64_t)options->until_slow.value,
		.has_command = operands->command != NULL,
		.interval = print_interval,
		.arg = options,
	};
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	int code = 0;
	int last;

	measure_catch_signals();
	if (probekit_session_start(session, &err))
		return report_error(&err);
	measure_say_waiting(session, &options->whom, operands);
	if (measure_run(&measure, &err))
		code = report_error(&err);
	if (probekit_session_snapshot(session, &snapshot, &err))
		return code ? code : report_error(&err);
	last = give_out(options, snapshot);
	probekit_snapshot_free(snapshot);
	return code ? code : last;
}

static int run_live(struct options *options, const struct opt_operands *operands)
{
	struct probekit_session_options session_options = {
		.size = sizeof(session_options),
		.key_only = options->key.is_given,
		.key = options->key.value,
		.slow_over_ns = options->slow_over_ns,
		.max_overhead = options->is_forced ? -1 : options->max_overhead,
		.follow_children = options->whom.has_children,
		.command_stdout_to_stderr = options->is_json,
		.log = measure_log,
		.log_arg = &options->is_verbose,
	};
	struct probekit_session *session;
	struct probekit_error err;
	int code = 0;

	if (options->output && check_output(options->output, &err))
		return report_error(&err);
	if (probekit_session_new(&session_options, &session, &err))
		return report_error(&err);
	if (add_all(session, options, operands, &err))
		code = report_error(&err);
	if (code == 0 && operands->command &&
	    probekit_session_add_command(session, operands->command, &err))
		code = report_error(&err);
	if (code == 0)
		code = measure(session, options, operands);
	probekit_session_free(session);
	return code;
}

static int run_from(const struct options *options)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	int code;

	if (probekit_snapshot_read(options->from, &snapshot, &err))
		return report_error(&err);
	code = give_out(options, snapshot);
	probekit_snapshot_free(snapshot);
	return code;
}

static int run(void *values, const struct opt_operands *operands)
{
	struct options *options = values;
	struct probekit_error err;

	if (check_usage(options, operands, &err))
		return report_error(&err);
	return options->from ? run_from(options) : run_live(options, operands);
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
