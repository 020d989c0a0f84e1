/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `probekit locks`: what it may be asked. */
#include "cmd.h"

#include "out_locks.h"
#include "report.h"

struct options {
	struct report_options report;
	bool has_holds;
	double max_overhead;
	bool is_forced;
};

static const struct opt option_table[] = {
	REPORT_WHOM_OPTIONS(struct options),
	MEASURE_WHAT_ROWS(
		struct options, report.what,
		"Say how much of the waiting was inside spans whose \"provider:name\" matches, of all "
		"that the target has; repeat for more.",
		"The same of the time from one USDT probe to another on the same thread; repeat for more.",
		"The same of functions that match; repeat for more."),
	{0, "hold", OPT_FLAG, NULL, offsetof(struct options, has_holds),
	 "Measure how long locks are held too, by probes in the C library's functions that take and release them: "
	 "each time costs a microsecond or two. Of processes that are given, or the command."},
	{0, "max-overhead", OPT_SHARE, "SHARE", offsetof(struct options, max_overhead),
	 "How much of one CPU probes of --hold and -f may take (5%): beyond, they are dropped, which is said."},
	{0, "force", OPT_FLAG, NULL, offsetof(struct options, is_forced),
	 "Drop none, whatever they cost the target."},
	REPORT_OUTPUT_OPTIONS(struct options),
	{'v', "verbose", OPT_FLAG, NULL, offsetof(struct options, report.is_verbose),
	 "Say what is attached, and how."},
	{0},
};

static int print(void *arg, FILE *out, const struct text_style *style,
		 const struct probekit_snapshot *snapshot, const char *clock,
		 struct probekit_error *err)
{
	const struct probekit_snapshot_info *info = probekit_snapshot_info(snapshot);

	(void)arg;
	(void)err;
	if (clock) {
		out_locks_interval(out, style, snapshot, clock);
		return 0;
	}
	out_locks_report(out, style, snapshot);
	if (info->child_status >= 0)
		fprintf(out, "the command ended with status %d\n", info->child_status);
	return 0;
}

static void print_deadlock(void *arg, FILE *out, const struct text_style *style,
			   const struct probekit_snapshot *snapshot)
{
	(void)arg;
	out_locks_deadlocks(out, style, snapshot);
}

static int run(void *values, const struct opt_operands *operands)
{
	struct options *options = values;
	struct probekit_session_options session_options = {
		.measure_locks = true,
		.measure_holds = options->has_holds,
		.max_overhead = options->is_forced ? -1 : options->max_overhead,
	};
	const struct report report = {
		.options = &options->report,
		.has_no_spans = true,
		.needs_locks = true,
		.print = print,
		.print_deadlock = print_deadlock,
	};
	struct probekit_error err;

	if (report_check_usage(&options->report, operands, "locks",
			       "-d, -i, -s, -u, -f, -o, --children and --hold",
			       options->report.what.spans.count > 0 || options->has_holds, &err))
		return report_error(&err);
	return options->report.from ? report_stored(&report)
				    : report_live(&report, &session_options, operands);
}

const struct command command_locks = {
	.name = "locks",
	.summary = "who waits for which lock, who holds it meanwhile, and what that one does",
	.synopsis = (const char *const[]){"[OPTIONS] TARGET", "[OPTIONS] [TARGET] -p PID...",
					  "[OPTIONS] [TARGET] --cgroup PATH",
					  "[OPTIONS] -- CMD [ARGS]", "[OPTIONS] --from FILE", NULL},
	.description =
		(const char *const[]){
			"Counts every wait of the target's threads for a futex: mutexes, reader-writer locks, "
			"condition variables, semaphores and whatever else is built on them. Nothing is "
			"attached to the locks: one that is free when it is taken costs nothing. For each it "
			"tells how long threads waited, from where, who held it, and in what the holder was "
			"blocked meanwhile; which lock it waited for itself; and who woke the waiters.",
			"TARGET is the path of a binary or library: every process that runs it, now or later. "
			"With -p the target is a running process; with -- a command that is started.",
			"A deadlock is printed as soon as it is seen, also one that is older than the "
			"measurement.",
			"A holder is named where the lock's own memory names it: mutexes, and reader-writer "
			"locks that a writer holds. Of others it is told who ended the waits. Times are exact; "
			"counts too, but that of a thread which was woken, found the lock taken again and "
			"waited on, it cannot always be told that this was one wait. Stacks are sampled. Locks "
			"of files, and locks that only spin, are not seen.",
			NULL},
	.options = option_table,
	.examples =
		(const struct example[]){{"probekit locks -p 4242 -d 10",
					  "The locks of a process, for ten seconds:"},
					 {"probekit locks ./server -i 1",
					  "Those of all servers, each second:"},
					 {"probekit locks -p 4242 -d 1", "Is it deadlocked?"},
					 {"probekit locks -p 4242 -d 10 --hold",
					  "How long are they held, also when nobody waits?"},
					 {"probekit locks -p 4242 -d 30 -o before.json",
					  "Keep what was measured, to show it again with --from:"},
					 {NULL, NULL}},
	.takes_command = true,
	.options_size = sizeof(struct options),
	.run = run,
};
