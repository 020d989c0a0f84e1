/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the way of one run: a session of its own, and the file that takes what the command prints. */
#include "runs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"
#include "group.h"
#include "measure.h"
#include "rights.h"
#include "watchdog.h"

enum { LAST_TEXT = 160 };

/* ---- what the command prints ---- */

static const char *output_folder(void)
{
	const char *folder = getenv("TMPDIR");

	return folder && *folder ? folder : "/tmp";
}

static int cannot_keep(int code, struct probekit_error *err)
{
	return failure_error(err, code, "cannot keep what the command prints in '%s': %s",
			     output_folder(), strerror(-code));
}

/* A new file, "probekit-run-" and what is unique, whose name is in `path`. */
static int new_file(char *path, size_t size)
{
	int length = snprintf(path, size, "%s/probekit-run-XXXXXX", output_folder());
	int moved;
	int fd;

	if (length < 0 || (size_t)length >= size)
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC | O_APPEND);
	if (fd < 0 || fd > STDERR_FILENO)
		return fd < 0 ? -errno : fd;
	/* Without a standard stream its number would be taken for the stream, and 0 for no file. */
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (moved < 0) {
		moved = -errno;
		unlink(path);
	}
	close(fd);
	return moved;
}

/* A file without a name, so that nothing is left behind whatever becomes of us. */
static int open_output(struct run *run, struct probekit_error *err)
{
	char path[PATH_MAX];

	run->output_fd = new_file(path, sizeof(path));
	if (run->output_fd < 0)
		return cannot_keep(run->output_fd, err);
	unlink(path);
	return 0;
}

static int copy_all(int from, int to)
{
	char buffer[65536];
	off_t at = 0;
	ssize_t got;

	while ((got = pread(from, buffer, sizeof(buffer), at)) > 0) {
		if (write(to, buffer, (size_t)got) != got)
			return errno ? -errno : -ENOSPC;
		at += got;
	}
	return got < 0 ? -errno : 0;
}

/* Appends the last line that says anything: most often it is why the command failed. */
static void tell_last_line(int fd, off_t size, struct probekit_error *err)
{
	char text[LAST_TEXT + 1];
	char line[4 * LAST_TEXT + 1];
	size_t told = strlen(err->hint);
	ssize_t got = pread(fd, text, LAST_TEXT, size > LAST_TEXT ? size - LAST_TEXT : 0);
	const char *last;

	while (got > 0 && isspace((unsigned char)text[got - 1]))
		got--;
	if (got <= 0)
		return;
	text[got] = '\0';
	last = strrchr(text, '\n');
	format_escape(last ? last + 1 : text, line, sizeof(line));
	snprintf(err->hint + told, sizeof(err->hint) - told, ", and ends: %s", line);
}

/* In a file with a name, which the error tells. */
static int keep_output(struct run *run, struct probekit_error *err)
{
	struct stat status;
	char path[PATH_MAX];
	char name[400];
	int result;
	int fd;

	if (fstat(run->output_fd, &status) == 0 && status.st_size == 0) {
		snprintf(err->hint, sizeof(err->hint), "it printed nothing");
		return err->code;
	}
	result = fd = new_file(path, sizeof(path));
	if (fd >= 0) {
		result = copy_all(run->output_fd, fd);
		close(fd);
		if (result)
			unlink(path);
	}
	format_escape(result < 0 ? output_folder() : path, name, sizeof(name));
	if (result)
		snprintf(err->hint, sizeof(err->hint), "what it printed cannot be kept in '%s': %s",
			 name, strerror(-result));
	else
		snprintf(err->hint, sizeof(err->hint), "what it printed is in '%s'", name);
	if (!result)
		tell_last_line(run->output_fd, status.st_size, err);
	return err->code;
}

/* ---- the session ---- */

static int add_all(struct run *run, struct probekit_error *err)
{
	const struct run_request *request = run->request;
	const struct opt_pids none = {0};
	const struct opt_operands no_target = {0};
	int ret = measure_add_what(run->session, request->what, &none, &no_target, err);

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

	signal(SIGCHLD, SIG_DFL); /* ignored, the command would vanish without a status */
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

void run_give_up_rights(const struct run *run)
{
	const struct run_request *request = run->request;
	uint64_t needed = probekit_session_capabilities(run->session, request->is_last) |
			  request->outputs | rights_of_commands() |
			  rights_to_write_in(output_folder());

	if (request->is_last)
		rights_keep(needed);
	else
		rights_keep_for_now(needed);
}

/* What the command came to, where that is not success. */
static int check_status(struct run *run, int status, bool has_timed_out, struct probekit_error *err)
{
	const struct run_request *request = run->request;
	char why[128];

	if (!has_timed_out && status == 0)
		return 0;
	if (has_timed_out)
		snprintf(why, sizeof(why), "it had not ended after the timeout of %s",
			 format_duration((double)request->timeout_ns).text);
	else if (status < 0)
		snprintf(why, sizeof(why), "its status is not known");
	else if (status > 128)
		snprintf(why, sizeof(why), "signal %d (%s) ended it", status - 128,
			 strsignal(status - 128));
	else
		snprintf(why, sizeof(why), "it ended with status %d", status);
	failure_error(err, has_timed_out ? -ETIMEDOUT : -ECHILD, "a run of '%.200s' failed: %s",
		      request->argv[0], why);
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
	*run = (struct run){.output_fd = -1};
}

/* ---- a run ---- */

/* What run_through() sees on its way. */
struct watch {
	pid_t leader;
	bool has_left_group;
};

static void look_at_group(void *arg)
{
	struct watch *watch = arg;

	if (!watch->has_left_group)
		watch->has_left_group = group_find_stray(watch->leader) != 0;
}

/* The watchdog is for the group, which no terminal's signal reaches when it ends us. */
static int start_guarded(struct run *run, struct watchdog *watchdog, struct probekit_error *err)
{
	int ret = watchdog_start(watchdog, err);

	if (!ret)
		ret = probekit_session_start(run->session, err);
	return ret ? ret
		   : watchdog_guard(watchdog, probekit_session_command_pid(run->session), err);
}

static int run_through(struct run *run, struct watchdog *watchdog, struct run_result *result,
		       struct probekit_error *err)
{
	struct watch watch = {0};
	const struct measure measure = {
		.session = run->session,
		.look = look_at_group,
		.arg = &watch,
		.duration_ns = run->request->timeout_ns,
		.has_command = true,
	};
	int ret = start_guarded(run, watchdog, err);

	watch.leader = probekit_session_command_pid(run->session);
	if (!ret)
		run_give_up_rights(run);
	if (!ret)
		ret = measure_run(&measure, err);
	result->has_left_group = watch.has_left_group;
	if (ret < 0)
		return ret;
	/* The same Ctrl-C may have ended the command, and that been seen first. */
	if (measure_is_interrupted())
		return failure_error(err, -EINTR, "the run: interrupted");
	return run_finish(run, ret == MEASURE_ELAPSED, result, err);
}

int run_once(const struct run_request *request, struct run_result *result,
	     struct probekit_error *err)
{
	struct watchdog watchdog = {.fd = -1};
	struct run run;
	int ret;

	measure_catch_signals();
	ret = run_open(&run, request, false, err);
	if (ret)
		return ret;
	ret = run_through(&run, &watchdog, result, err);
	watchdog_stop(&watchdog); /* the group's number is its own until here */
	run_close(&run);
	return ret;
}
