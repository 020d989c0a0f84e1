/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `probekit record`: what it may be asked, and which runs are written. */
#include "cmd.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "format.h"
#include "out_record.h"
#include "output_check.h"
#include "report.h"
#include "rights.h"
#include "runs.h"

enum { MAX_RUNS = 1000 };

struct options {
	struct report_options report;
	struct opt_integer runs;
	uint64_t timeout_ns;
	double max_overhead;
	bool is_forced;
};

static const struct opt option_table[] = {
	{'o', "output", OPT_FILE, "FILE", offsetof(struct options, report.output),
	 "Write the snapshot to FILE at the end, whole or not at all."},
	{0, "runs", OPT_INTEGER, "N", offsetof(struct options, runs),
	 "Run the command N times, one after the other (1)."},
	{0, "timeout", OPT_DURATION, "SECONDS", offsetof(struct options, timeout_ns),
	 "End a run that takes longer, which is an error. Without it a run may take any time."},
	{'p', "pid", OPT_PIDS, "PID", offsetof(struct options, report.pids),
	 "Measure this process; repeat for more. With TARGET: only these processes."},
	MEASURE_WHOM_OPTIONS(struct options, report.whom),
	{'d', "duration", OPT_DURATION, "SECONDS", offsetof(struct options, report.duration_ns),
	 "How long live processes are measured. Without it: until every PID has ended, or Ctrl-C."},
	MEASURE_WHAT_OPTIONS(struct options, report.what),
	{0, "max-overhead", OPT_SHARE, "SHARE", offsetof(struct options, max_overhead),
	 "How much of one CPU probing functions may take (5%): the hottest are dropped until it takes "
	 "less, which is said."},
	{0, "force", OPT_FLAG, NULL, offsetof(struct options, is_forced),
	 "Drop no function, whatever it costs the target."},
	{'v', "verbose", OPT_FLAG, NULL, offsetof(struct options, report.is_verbose),
	 "Say what is attached, and how."},
	{0},
};

static int check_usage(const struct options *options, const struct opt_operands *operands,
		       struct probekit_error *err)
{
	int ret = report_check_usage(&options->report, operands, "record", "", false, err);

	if (ret)
		return ret;
	if (!options->report.output)
		return usage_error(err,
				   "record: -o FILE is missing: it is where the snapshot goes");
	if (!operands->command && (options->runs.is_given || options->timeout_ns))
		return usage_error(err, "--runs and --timeout are of a command, after '--'");
	if (operands->command && options->report.duration_ns)
		return usage_error(err,
				   "-d has no meaning with a command, which is measured to its "
				   "end; --timeout bounds it");
	if (options->runs.is_given && (options->runs.value < 1 || options->runs.value > MAX_RUNS))
		return usage_error(err, "--runs takes a number from 1 to %d", MAX_RUNS);
	return 0;
}

/* ---- a live process ---- */

static int print_live(void *arg, FILE *out, const struct text_style *style,
		      const struct probekit_snapshot *snapshot, const char *clock,
		      struct probekit_error *err)
{
	(void)arg;
	(void)style;
	(void)clock;
	(void)err;
	out_record(out, snapshot);
	return 0;
}

static int record_live(const struct options *options, const struct opt_operands *operands)
{
	struct probekit_session_options session_options = {
		.max_overhead = options->is_forced ? -1 : options->max_overhead,
	};
	const struct report report = {.options = &options->report, .print = print_live};

	return report_live(&report, &session_options, operands);
}

/* ---- runs of a command ---- */

struct recording {
	size_t wanted;
	size_t count;
	struct probekit_snapshot **runs;
};

/* The cursor stays at the line's begin, where what else is said overwrites it. */
static void show_progress(const struct recording *recording)
{
	if (isatty(STDERR_FILENO) && recording->count < recording->wanted)
		fprintf(stderr, "run %zu of %zu   Ctrl-C ends it and writes those before\033[K\r",
			recording->count + 1, recording->wanted);
	else if (isatty(STDERR_FILENO))
		fputs("\033[K", stderr);
	fflush(stderr);
}

/* -EINTR where Ctrl-C ended it; the runs until then are there. */
static int run_all(struct run_request *request, struct recording *recording,
		   struct probekit_error *err)
{
	int ret = 0;

	while (recording->count < recording->wanted && !ret) {
		struct run_result result;

		show_progress(recording);
		request->is_last = recording->count + 1 == recording->wanted;
		ret = run_once(request, &result, err);
		if (!ret)
			recording->runs[recording->count++] = result.snapshot;
	}
	show_progress(recording);
	return ret;
}

static int join(struct recording *recording, struct probekit_snapshot **joined,
		struct probekit_error *err)
{
	int ret = 0;

	if (recording->wanted == 1)
		*joined = recording->runs[0];
	else
		ret = probekit_snapshot_join(recording->runs, recording->count, joined, err);
	if (!ret)
		recording->count = 0; /* they belong to the whole */
	return ret;
}

static int give_out(struct recording *recording, const char *path)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	int code = 0;

	if (recording->count < recording->wanted)
		fprintf(stderr, "probekit: interrupted: %zu of %zu runs were complete\n",
			recording->count, recording->wanted);
	if (join(recording, &snapshot, &err))
		return report_error(&err);
	if (probekit_snapshot_write(snapshot, path, &err))
		code = report_error(&err);
	else
		out_record(stdout, snapshot);
	probekit_snapshot_free(snapshot);
	return code;
}

static int record_runs(const struct options *options, char *const argv[])
{
	const struct report_options *report = &options->report;
	struct run_request request = {
		.argv = argv,
		.what = &report->what,
		.max_overhead = options->is_forced ? -1 : options->max_overhead,
		.has_children = report->whom.has_children,
		.is_verbose = report->is_verbose,
		.timeout_ns = options->timeout_ns,
		.outputs = rights_to_write(report->output),
	};
	struct recording recording = {
		.wanted = options->runs.is_given ? (size_t)options->runs.value : 1,
	};
	struct probekit_error err;
	int code;
	int ret;

	if (check_output(report->output, &err))
		return report_error(&err);
	recording.runs = calloc(recording.wanted, sizeof(*recording.runs));
	if (!recording.runs)
		return report_no_memory();
	ret = run_all(&request, &recording, &err);
	if (ret && (ret != -EINTR || !recording.count))
		code = report_error(&err);
	else
		code = give_out(&recording, report->output);
	for (size_t i = 0; i < recording.count; i++)
		probekit_snapshot_free(recording.runs[i]);
	free(recording.runs);
	return code;
}

static int run(void *values, const struct opt_operands *operands)
{
	const struct options *options = values;
	struct probekit_error err;

	if (check_usage(options, operands, &err))
		return report_error(&err);
	return operands->command ? record_runs(options, operands->command)
				 : record_live(options, operands);
}

const struct command command_record = {
	.name = "record",
	.summary = "measure for later: runs of a command, or live processes, to a file",
	.synopsis = (const char *const[]){"-o FILE [OPTIONS] TARGET",
					  "-o FILE [OPTIONS] [TARGET] -p PID...",
					  "-o FILE [OPTIONS] [TARGET] --cgroup PATH",
					  "-o FILE [--runs N] [OPTIONS] -- CMD [ARGS]", NULL},
	.description =
		(const char *const[]){
			"Measures as probekit latency does, and writes a snapshot that 'probekit latency "
			"--from FILE' shows. Without -s, -u and -f every probekit span of the target is "
			"measured.",
			"A command is run from its first instruction to its end, --runs times: each run is "
			"kept apart in the file, as one differs from the next. It reads nothing; what it "
			"prints is not shown. A run that fails, with a status other than 0 or by a signal, is "
			"an error that names the file with what it printed; nothing is written then. Ctrl-C "
			"ends the runs, and writes those that were complete.",
			"What is printed: in how many runs each probe had spans, how many, their median and "
			"99th percentile over all runs, and the standard deviation of these from run to run.",
			NULL},
	.options = option_table,
	.examples =
		(const struct example[]){
			{"probekit record --runs 10 -o base.json -- ./job --once",
			 "Ten runs of a command:"},
			{"probekit record --runs 10 -f 'parse_*' -o base.json -- ./job --once",
			 "The same of functions:"},
			{"probekit record -d 60 -o now.json -p 4242", "A minute of a process:"},
			{NULL, NULL}},
	.takes_command = true,
	.options_size = sizeof(struct options),
	.run = run,
};
