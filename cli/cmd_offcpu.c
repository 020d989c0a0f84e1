/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `probekit offcpu`: whom it profiles, and where the profile goes. */
#include "cmd.h"

#include <errno.h>
#include <stdlib.h>

#include "format.h"
#include "measure.h"
#include "out_profile.h"
#include "output_check.h"
#include "rights.h"

struct options {
	struct opt_pids pids;
	uint64_t duration_ns;
	struct measure_what what;
	const char *folded;
	const char *pprof;
	const char *svg;
	bool has_oncpu;
	bool is_json;
	bool no_color;
	bool is_verbose;
};

static const struct opt option_table[] = {
	{'p', "pid", OPT_PIDS, "PID", offsetof(struct options, pids),
	 "Profile this process; repeat for more. With TARGET: only these processes."},
	{'d', "duration", OPT_DURATION, "SECONDS", offsetof(struct options, duration_ns),
	 "How long. Without it: until the command or every PID has ended, or Ctrl-C."},
	MEASURE_WHAT_ROWS(
		struct options, what,
		"Only threads while they are inside a span whose \"provider:name\" matches; repeat for more.",
		"Only threads that have passed one USDT probe and not yet another; repeat for more.",
		"Only threads while they are inside a function that matches; repeat for more."),
	{0, "oncpu", OPT_FLAG, NULL, offsetof(struct options, has_oncpu),
	 "Also where threads run, by samples at the kernel's tick."},
	{0, "folded", OPT_FILE, "FILE", offsetof(struct options, folded),
	 "Write folded stacks to FILE, a line each, for any flame graph tool."},
	{0, "pprof", OPT_FILE, "FILE", offsetof(struct options, pprof),
	 "Write a profile for pprof to FILE."},
	{0, "svg", OPT_FILE, "FILE", offsetof(struct options, svg),
	 "Write a flame graph to FILE, which any browser shows."},
	{0, "json", OPT_FLAG, NULL, offsetof(struct options, is_json),
	 "The profile as JSON on standard output. Text for people and the command's own output go to "
	 "standard error."},
	{0, "no-color", OPT_FLAG, NULL, offsetof(struct options, no_color),
	 "No colour on a terminal either."},
	{'v', "verbose", OPT_FLAG, NULL, offsetof(struct options, is_verbose),
	 "Say what is attached, and how."},
	{0},
};

static bool is_inside_alone(const struct options *options)
{
	return options->what.spans.count || options->what.pairs.count ||
	       options->what.functions.count;
}

/* ---- output ---- */

static int write_files(const struct options *options, const struct probekit_profile *profile)
{
	const struct {
		enum probekit_profile_format format;
		const char *path;
	} files[] = {
		{PROBEKIT_PROFILE_FOLDED, options->folded},
		{PROBEKIT_PROFILE_PPROF, options->pprof},
		{PROBEKIT_PROFILE_SVG, options->svg},
	};
	struct probekit_error err;
	int code = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i].path &&
		    probekit_profile_write(profile, files[i].format, files[i].path, &err))
			code = report_error(&err);
	return code;
}

/* The files first: text into a closed pipe ends the process. */
static int give_out(const struct options *options, const struct probekit_profile *profile)
{
	FILE *out = options->is_json ? stderr : stdout;
	struct text_style style = {
		.width = terminal_width(out),
		.has_colour = !options->no_color && terminal_has_colour(out),
	};
	int code = write_files(options, profile);

	if (options->is_json) {
		out_profile_json(stdout, profile);
		fflush(stdout);
	}
	if (out_profile_text(out, &style, profile))
		return report_no_memory();
	fflush(out);
	return code;
}

/* How the command ended stands in a snapshot. */
static int say_status(struct probekit_session *session, const struct options *options)
{
	FILE *out = options->is_json ? stderr : stdout;
	struct probekit_snapshot *snapshot;
	struct probekit_error err;

	if (probekit_session_snapshot(session, &snapshot, &err))
		return report_error(&err);
	fprintf(out, "the command ended with status %d\n",
		probekit_snapshot_info(snapshot)->child_status);
	probekit_snapshot_free(snapshot);
	return 0;
}

/* ---- the measurement ---- */

static int check_usage(const struct options *options, const struct opt_operands *operands,
		       struct probekit_error *err)
{
	const char *const paths[] = {options->folded, options->pprof, options->svg};

	if (!operands->target && !operands->command && !options->pids.count) {
		usage_error(err, "offcpu: no target");
		snprintf(err->hint, sizeof(err->hint), "give a binary, -p PID, or -- CMD ARGS");
		return err->code;
	}
	if (operands->command && (operands->target || options->pids.count))
		return usage_error(err, "a command stands alone: no TARGET or PID beside it");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (paths[i] && check_output(paths[i], err))
			return err->code;
	return 0;
}

static int add_all(struct probekit_session *session, const struct options *options,
		   const struct opt_operands *operands, struct probekit_error *err)
{
	int ret = measure_add_what(session, &options->what, &options->pids, operands, err);

	if (ret == 0 && operands->command)
		ret = probekit_session_add_command(session, operands->command, err);
	return ret;
}

static int measure(struct probekit_session *session, struct options *options,
		   const struct opt_operands *operands)
{
	struct measure measure = {
		.session = session,
		.duration_ns = options->duration_ns,
		.has_command = operands->command != NULL,
		.has_no_spans = true,
	};
	const struct measure_whom nothing_else = {0};
	struct probekit_profile *profile;
	struct probekit_error err;
	int code = 0;
	int last;

	measure_catch_signals();
	if (probekit_session_start(session, &err))
		return report_error(&err);
	rights_keep(probekit_session_capabilities(session, true) |
		    (operands->command ? rights_of_commands() : 0) |
		    rights_to_write(options->folded) | rights_to_write(options->pprof) |
		    rights_to_write(options->svg));
	measure_say_waiting(session, &nothing_else, operands);
	if (measure_run(&measure, &err) < 0)
		code = report_error(&err);
	if (probekit_session_profile(session, &profile, &err))
		return code ? code : report_error(&err);
	last = give_out(options, profile);
	probekit_profile_free(profile);
	if (!last && operands->command)
		last = say_status(session, options);
	return code ? code : last;
}

static int run(void *values, const struct opt_operands *operands)
{
	struct options *options = values;
	struct probekit_session_options session_options = {
		.size = sizeof(session_options),
		.profiling = is_inside_alone(options) ? PROBEKIT_PROFILING_SPANS
						      : PROBEKIT_PROFILING_WHOLE,
		.profiling_oncpu = options->has_oncpu,
		.command_stdout_to_stderr = options->is_json,
		.log = measure_log,
		.log_arg = &options->is_verbose,
	};
	struct probekit_session *session;
	struct probekit_error err;
	int code;

	if (check_usage(options, operands, &err) ||
	    probekit_session_new(&session_options, &session, &err))
		return report_error(&err);
	if (add_all(session, options, operands, &err))
		code = report_error(&err);
	else
		code = measure(session, options, operands);
	probekit_session_free(session);
	return code;
}

const struct command command_offcpu = {
	.name = "offcpu",
	.summary = "where threads wait, by stack: class, system call, user and kernel frames",
	.synopsis = (const char *const[]){"[OPTIONS] TARGET", "[OPTIONS] [TARGET] -p PID...",
					  "[OPTIONS] -- CMD [ARGS]", NULL},
	.description =
		(const char *const[]){
			"Profiles what threads do while they are not on a CPU: what they wait for, in which "
			"system call, and from where. Without -s, -u and -f that is all threads of the "
			"processes, and of the children that they start; with them it is threads while they "
			"are inside such a span, pair or function.",
			"TARGET is the path of a binary or library: every process that runs it, now or later. "
			"With -p the target is a running process; with -- a command that is started.",
			"All time is counted, also of waits that had begun before, or have not ended. Stacks "
			"are sampled, long waits always and short ones in proportion to their length: each "
			"stack has its share of the time that its process spent in that class and system call.",
			NULL},
	.options = option_table,
	.examples =
		(const struct example[]){{"probekit offcpu -p 4242 -d 10",
					  "Where a process spends ten seconds without running:"},
					 {"probekit offcpu -p 4242 -d 30 --oncpu --svg profile.svg",
					  "All of its time, running and waiting, as flame graphs:"},
					 {"probekit offcpu ./server -s 'web:*' -d 10",
					  "Only while requests are being served:"},
					 {"probekit offcpu --folded stacks.txt -- ./job --once",
					  "A command, from its first instruction to its end:"},
					 {NULL, NULL}},
	.takes_command = true,
	.options_size = sizeof(struct options),
	.run = run,
};
