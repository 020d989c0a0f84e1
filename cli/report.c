/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns a command's way from its options to a snapshot that is given out. */
#include "report.h"

#include <stdlib.h>
#include <time.h>

#include "format.h"
#include "output_check.h"
#include "rights.h"

/* ---- output ---- */

/* Where text for people goes, and how. */
static FILE *text_stream(const struct report_options *options, struct text_style *style)
{
	FILE *out = options->is_json ? stderr : stdout;

	style->width = terminal_width(out);
	style->has_colour = !options->no_color && terminal_has_colour(out);
	return out;
}

static int print_text(const struct report *report, const struct probekit_snapshot *snapshot,
		      const char *clock, struct probekit_error *err)
{
	struct text_style style;
	FILE *out = text_stream(report->options, &style);
	int ret = report->print(report->arg, out, &style, snapshot, clock, err);

	fflush(out);
	return ret;
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
	const struct report *report = arg;
	time_t now = time(NULL);
	struct tm tm;
	char clock[16];

	if (report->options->is_json) {
		int ret = print_json(delta, true, err);

		if (ret)
			return ret;
	}
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
	return print_text(report, delta, clock, err);
}

/* At once: who waits for this measurement to end may have to wait long. */
static void print_deadlock(void *arg, const struct probekit_snapshot *snapshot)
{
	const struct report *report = arg;
	struct text_style style;
	FILE *out = text_stream(report->options, &style);

	report->print_deadlock(report->arg, out, &style, snapshot);
	fflush(out);
}

/* The file first: text into a closed pipe ends the process. */
static int give_out(const struct report *report, const struct probekit_snapshot *snapshot)
{
	const struct report_options *options = report->options;
	struct probekit_error err;
	int code = 0;

	if (options->output && probekit_snapshot_write(snapshot, options->output, &err))
		code = report_error(&err);
	if (options->is_json && print_json(snapshot, options->interval_ns != 0, &err))
		return report_error(&err);
	if (print_text(report, snapshot, NULL, &err))
		return report_error(&err);
	return code;
}

/* ---- checks ---- */

static int live_with_from(struct probekit_error *err)
{
	snprintf(err->hint, sizeof(err->hint), "leave out --from to measure");
	return err->code;
}

int report_check_usage(const struct report_options *options, const struct opt_operands *operands,
		       const char *command, const char *live_only, bool has_live_only,
		       struct probekit_error *err)
{
	bool has_live = operands->target || operands->command || options->pids.count ||
			options->whom.cgroup;

	if (options->from) {
		if (has_live) {
			usage_error(err, "--from shows a file: no TARGET, PID, cgroup or command");
			return live_with_from(err);
		}
		if (has_live_only || options->duration_ns || options->interval_ns ||
		    options->what.pairs.count || options->what.functions.count ||
		    options->whom.has_children || options->output) {
			usage_error(err, "%s have no meaning with --from", live_only);
			return live_with_from(err);
		}
		return 0;
	}
	if (!has_live) {
		usage_error(err, "%s: no target", command);
		snprintf(err->hint, sizeof(err->hint),
			 "give a binary, a library, -p PID, --cgroup PATH, or -- CMD ARGS");
		return err->code;
	}
	if (operands->command && (operands->target || options->pids.count))
		return usage_error(err, "a command stands alone: no TARGET or PID beside it");
	return measure_check_whom(&options->whom, operands, &options->pids, err);
}

/* ---- live ---- */

static int add_all(struct probekit_session *session, const struct report_options *options,
		   const struct opt_operands *operands, struct probekit_error *err)
{
	int ret = measure_add_what(session, &options->what, &options->pids, operands, err);

	if (ret == 0)
		ret = measure_add_whom(session, &options->whom, operands, err);
	if (ret == 0 && operands->command)
		ret = probekit_session_add_command(session, operands->command, err);
	return ret;
}

static int measure(struct probekit_session *session, const struct report *report,
		   const struct opt_operands *operands)
{
	const struct report_options *options = report->options;
	struct measure measure = {
		.session = session,
		.duration_ns = options->duration_ns,
		.interval_ns = options->interval_ns,
		.until_slow = report->until_slow,
		.has_command = operands->command != NULL,
		.has_no_spans = report->has_no_spans,
		.interval = print_interval,
		.deadlock = report->print_deadlock ? print_deadlock : NULL,
		.arg = (void *)(uintptr_t)report,
	};
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	int code = 0;
	int last;

	measure_catch_signals();
	if (probekit_session_start(session, &err))
		return report_error(&err);
	rights_keep(probekit_session_capabilities(session, true) |
		    (operands->command ? rights_of_commands() : 0) |
		    rights_to_write(options->output));
	measure_say_waiting(session, &options->whom, operands);
	if (measure_run(&measure, &err) < 0)
		code = report_error(&err);
	if (probekit_session_snapshot(session, &snapshot, &err))
		return code ? code : report_error(&err);
	last = give_out(report, snapshot);
	probekit_snapshot_free(snapshot);
	return code ? code : last;
}

int report_live(const struct report *report, struct probekit_session_options *session_options,
		const struct opt_operands *operands)
{
	const struct report_options *options = report->options;
	struct probekit_session *session;
	struct probekit_error err;
	int code;

	session_options->size = sizeof(*session_options);
	session_options->follow_children = options->whom.has_children;
	session_options->command_stdout_to_stderr = options->is_json;
	session_options->log = measure_log;
	session_options->log_arg = (void *)(uintptr_t)&options->is_verbose;
	if (options->output && check_output(options->output, &err))
		return report_error(&err);
	if (probekit_session_new(session_options, &session, &err))
		return report_error(&err);
	if (add_all(session, options, operands, &err))
		code = report_error(&err);
	else
		code = measure(session, report, operands);
	probekit_session_free(session);
	return code;
}

/* ---- stored ---- */

int report_stored(const struct report *report)
{
	const char *from = report->options->from;
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	int code;

	rights_keep(rights_to_read);
	if (probekit_snapshot_read(from, &snapshot, &err))
		return report_error(&err);
	if (report->needs_locks && !probekit_snapshot_info(snapshot)->has_locks) {
		char name[256];

		format_escape(from, name, sizeof(name));
		err = (struct probekit_error){.kind = PROBEKIT_ERROR_FAILED};
		snprintf(err.text, sizeof(err.text),
			 "cannot show the locks of '%s': they were not measured", name);
		snprintf(err.hint, sizeof(err.hint),
			 "measure them with: probekit locks -o FILE TARGET");
		code = report_error(&err);
	} else {
		code = give_out(report, snapshot);
	}
	probekit_snapshot_free(snapshot);
	return code;
}
