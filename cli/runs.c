/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the way of one run: a session of its own, and the file that takes what the command prints. */
#include "runs.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"
#include "measure.h"

static int failed(struct probekit_error *err, int code, const char *what, const char *why)
{
	usage_error(err, "%s: %s", what, why);
	err->kind = PROBEKIT_ERROR_FAILED;
	return err->code = code;
}

/* ---- what the command prints ---- */

static int open_output(struct run *run, struct probekit_error *err)
{
	const char *folder = getenv("TMPDIR");
	int code;

	if (asprintf(&run->output, "%s/probekit-run-XXXXXX", folder && *folder ? folder : "/tmp") <
	    0) {
		run->output = NULL;
		return failed(err, -ENOMEM, "cannot keep what the command prints",
			      strerror(ENOMEM));
	}
	run->output_fd = mkostemp(run->output, O_CLOEXEC);
	if (run->output_fd >= 0)
		return 0;
	code = -errno;
	usage_error(err, "cannot keep what the command prints in '%s': %s", run->output,
		    strerror(-code));
	err->kind = PROBEKIT_ERROR_FAILED;
	free(run->output);
	run->output = NULL;
	return err->code = code;
}

/* The error names the file from now on, which stays. */
static int keep_output(struct run *run, struct probekit_error *err)
{
	struct stat status;
	char path[400];

	if (fstat(run->output_fd, &status) == 0 && status.st_size == 0) {
		snprintf(err->hint, sizeof(err->hint), "it printed nothing");
		return err->code;
	}
	format_escape(run->output, path, sizeof(path));
	snprintf(err->hint, sizeof(err->hint), "what it printed is in '%s'", path);
	free(run->output);
	run->output = NULL;
	return err->code;
}

/* ---- the session ---- */

static int add_all(struct run *run, struct probekit_error *err)
{
	const struct run_request *request = run->request;
	const struct opt_pids none = {0};
	const struct opt_operands no_target = {0};
	const struct measure_what what = {request->spans, request->pairs, request->functions,
					  &none};
	int ret = measure_add_what(run->session, &what, &no_target, err);

	return ret ? ret : probekit_session_add_command(run->session, request->argv, err);
}

int run_open(struct run *run, const struct run_request *request, bool is_by_turns,
	     struct probekit_error *err)
{
	struct probekit_session_options options = {
		.size = sizeof(options),
		.max_overhead = request->max_overhead,
		.follow_children = request->has_children,
		.log = measure_log,
		.log_arg = (void *)(uintptr_t)&request->is_verbose,
		.exclude_stopped = is_by_turns,
		.hold_command = is_by_turns,
	};
	int ret;

	*run = (struct run){.request = request, .output_fd = -1};
	ret = open_output(run, err);
	options.command_output_fd = run->output_fd;
	if (!ret)
		ret = probekit_session_new(&options, &run->session, err);
	if (!ret)
		ret = add_all(run, err);
	if (ret)
		run_close(run);
	return ret;
}

/* What the command came to, where that is not success. */
static int check_status(struct run *run, int status, bool has_timed_out, struct probekit_error *err)
{
	const struct run_request *request = run->request;
	char name[256];
	char why[128];

	if (!has_timed_out && status <= 0)
		return 0;
	if (has_timed_out)
		snprintf(why, sizeof(why), "it had not ended after the timeout of %s",
			 format_duration((double)request->timeout_ns).text);
	else if (status > 128)
		snprintf(why, sizeof(why), "signal %d (%s) ended it", status - 128,
			 strsignal(status - 128));
	else
		snprintf(why, sizeof(why), "it ended with status %d", status);
	snprintf(name, sizeof(name), "a run of '%.200s' failed", request->argv[0]);
	failed(err, has_timed_out ? -ETIMEDOUT : -ECHILD, name, why);
	return keep_output(run, err);
}

int run_finish(struct run *run, bool has_timed_out, struct run_result *result,
	       struct probekit_error *err)
{
	const struct probekit_snapshot_info *info;
	struct probekit_snapshot *snapshot;
	int ret = probekit_session_snapshot(run->session, &snapshot, err);

	if (ret)
		return ret;
	info = probekit_snapshot_info(snapshot);
	ret = check_status(run, info->child_status, has_timed_out, err);
	if (ret) {
		probekit_snapshot_free(snapshot);
		return ret;
	}
	result->snapshot = snapshot;
	result->cpu_share = info->child_cpu_ns && info->duration_ns
				    ? (double)info->child_cpu_ns / (double)info->duration_ns
				    : NAN;
	return 0;
}

void run_close(struct run *run)
{
	probekit_session_free(run->session);
	if (run->output_fd >= 0)
		close(run->output_fd);
	if (run->output)
		unlink(run->output);
	free(run->output);
	*run = (struct run){.output_fd = -1};
}

/* ---- a run ---- */

static int run_through(struct run *run, struct run_result *result, struct probekit_error *err)
{
	const struct measure measure = {
		.session = run->session,
		.duration_ns = run->request->timeout_ns,
		.has_command = true,
	};
	int ret = probekit_session_start(run->session, err);

	if (!ret)
		ret = measure_run(&measure, err);
	if (ret < 0)
		return ret;
	/* The same Ctrl-C may have ended the command, and that been seen first. */
	if (measure_is_interrupted())
		return failed(err, -EINTR, "the run", "interrupted");
	return run_finish(run, ret == MEASURE_ELAPSED, result, err);
}

int run_once(const struct run_request *request, struct run_result *result,
	     struct probekit_error *err)
{
	struct run run;
	int ret;

	measure_catch_signals();
	ret = run_open(&run, request, false, err);
	if (ret)
		return ret;
	ret = run_through(&run, result, err);
	run_close(&run);
	return ret;
}
