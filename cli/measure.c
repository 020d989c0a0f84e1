/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the clock of a measurement and what ends it. */
#include "measure.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "clock.h"
#include "format.h"
#include "progress.h"

enum {
	/* A signal that arrives just before the library waits is seen this much later at worst. */
	MAX_WAIT_MS = 200,
	PROGRESS_MS = 500,
	/* A command that Ctrl-C ended along with us gets this long to leave its status. */
	COMMAND_END_MS = 100,
};

/* ---- whom ---- */

int measure_check_whom(const struct measure_whom *whom, const struct opt_operands *operands,
		       const struct opt_pids *pids, struct probekit_error *err)
{
	if (whom->cgroup && (operands->command || pids->count))
		return usage_error(
			err, "--cgroup stands alone or with TARGET: no PID or command beside it");
	return 0;
}

/* Every process takes some descriptors. A command would inherit the limit. */
static void allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int measure_add_whom(struct probekit_session *session, const struct measure_whom *whom,
		     const struct opt_operands *operands, struct probekit_error *err)
{
	if ((whom->cgroup || whom->has_children) && !operands->command)
		allow_many_files();
	return whom->cgroup ? probekit_session_add_cgroup(session, whom->cgroup, err) : 0;
}

void measure_say_waiting(const struct probekit_session *session, const struct measure_whom *whom,
			 const struct opt_operands *operands)
{
	char target[512] = "";
	char cgroup[512] = "";

	if ((!operands->target && !whom->cgroup) || probekit_session_process_count(session))
		return;
	if (operands->target)
		format_escape(operands->target, target, sizeof(target));
	if (whom->cgroup)
		format_escape(whom->cgroup, cgroup, sizeof(cgroup));
	if (!operands->target)
		fprintf(stderr, "probekit: no process is in cgroup '%s' yet: waiting for one\n",
			cgroup);
	else
		fprintf(stderr, "probekit: no process%s%s%s runs '%s' yet: waiting for one\n",
			*cgroup ? " of cgroup '" : "", cgroup, *cgroup ? "'" : "", target);
}

int measure_add_what(struct probekit_session *session, const struct measure_what *what,
		     const struct opt_pids *pids, const struct opt_operands *operands,
		     struct probekit_error *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < what->spans.count; i++)
		ret = probekit_session_add_span(session, what->spans.items[i], err);
	for (size_t i = 0; ret == 0 && i < what->pairs.count; i++)
		ret = probekit_session_add_pair(session, what->pairs.items[i], err);
	for (size_t i = 0; ret == 0 && i < what->functions.count; i++)
		ret = probekit_session_add_function(session, what->functions.items[i], err);
	if (ret == 0 && operands->target)
		ret = probekit_session_add_path(session, operands->target, err);
	for (size_t i = 0; ret == 0 && i < pids->count; i++)
		ret = probekit_session_add_pid(session, pids->items[i], err);
	return ret;
}

void measure_log(void *is_verbose, enum probekit_log_level level, const char *line)
{
	if (level == PROBEKIT_LOG_WARNING || *(const bool *)is_verbose)
		fprintf(stderr, "probekit: %s\n", line);
}

/* ---- the clock ---- */

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
	(void)number;
	is_interrupted = 1;
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
}

void measure_catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM};
	struct sigaction action = {.sa_handler = on_signal};

	/* Also where a shell has them ignored, as for a background job of a script: kill -INT must
	 * end a measurement there too. */
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

bool measure_is_interrupted(void)
{
	return is_interrupted;
}

static int wait_ms(uint64_t now, uint64_t until)
{
	uint64_t ms = until > now ? (until - now + 999999) / 1000000 : 0;

	return ms < MAX_WAIT_MS ? (int)ms : MAX_WAIT_MS;
}

static int show_progress(const struct measure *measure, struct progress *progress,
			 uint64_t elapsed_ns, struct probekit_error *err)
{
	struct probekit_snapshot *snapshot;
	uint64_t count = 0;
	int ret;

	if (!progress->is_wanted || elapsed_ns - progress->last_ns < PROGRESS_MS * 1000000ull)
		return 0;
	ret = probekit_session_snapshot(measure->session, &snapshot, err);
	if (ret)
		return ret;
	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++) {
		const struct probekit_probe *probe = probekit_snapshot_probe(snapshot, i);

		if (!probe->has_key && probe->kind != PROBEKIT_KIND_VALUE)
			count += probe->count;
	}
	probekit_snapshot_free(snapshot);
	progress_show(progress, elapsed_ns, count);
	return 0;
}

static int emit_interval(const struct measure *measure, struct progress *progress,
			 struct probekit_error *err)
{
	struct probekit_snapshot *delta;
	int ret = probekit_session_interval(measure->session, &delta, err);

	if (ret)
		return ret;
	progress_clear(progress);
	ret = measure->interval(measure->arg, delta, err);
	probekit_snapshot_free(delta);
	return ret;
}

static int tell_deadlock(const struct measure *measure, struct progress *progress,
			 struct probekit_error *err)
{
	struct probekit_snapshot *snapshot;
	int ret = probekit_session_snapshot(measure->session, &snapshot, err);

	if (ret)
		return ret;
	progress_clear(progress);
	measure->deadlock(measure->arg, snapshot);
	probekit_snapshot_free(snapshot);
	return 0;
}

static int poll_session(const struct measure *measure, int timeout_ms, struct probekit_error *err)
{
	int ret = probekit_session_poll(measure->session, timeout_ms, err);

	return ret == -EINTR ? 0 : ret;
}

static bool has_seen_slow(const struct measure *measure)
{
	return measure->until_slow &&
	       probekit_session_slow_count(measure->session) >= measure->until_slow;
}

/* What ended it. */
static int run(const struct measure *measure, struct progress *progress, struct probekit_error *err)
{
	uint64_t start = clock_now_ns();
	uint64_t end = measure->duration_ns ? start + measure->duration_ns : UINT64_MAX;
	uint64_t next = measure->interval_ns ? start + measure->interval_ns : UINT64_MAX;

	while (!is_interrupted) {
		uint64_t now = clock_now_ns();
		int ret;

		if (has_seen_slow(measure))
			return MEASURE_ENDED;
		if (now >= end)
			return MEASURE_ELAPSED;
		if (now >= next) {
			ret = emit_interval(measure, progress, err);
			if (ret)
				return ret;
			/* Late by more than an interval: the missed ones are in the delta just
			 * shown. */
			next += (now - next) / measure->interval_ns * measure->interval_ns +
				measure->interval_ns;
		}
		ret = show_progress(measure, progress, now - start, err);
		if (ret)
			return ret;
		ret = poll_session(measure, wait_ms(now, end < next ? end : next), err);
		if (ret < 0)
			return ret;
		if (ret & PROBEKIT_EVENT_DEADLOCK && measure->deadlock) {
			int told = tell_deadlock(measure, progress, err);

			if (told)
				return told;
		}
		if (ret & PROBEKIT_EVENT_TARGETS_ENDED)
			return MEASURE_ENDED;
		if (measure->look)
			measure->look(measure->arg);
	}
	if (measure->has_command) {
		int ret = poll_session(measure, COMMAND_END_MS, err);

		if (ret < 0)
			return ret;
	}
	return MEASURE_INTERRUPTED;
}

int measure_run(const struct measure *measure, struct probekit_error *err)
{
	struct probekit_error stop_err;
	struct progress progress;
	int stopped;
	int ret;

	/* A command shares the terminal: the line would be drawn into its output. */
	progress_init(&progress, !measure->has_command && !measure->has_no_spans,
		      measure->duration_ns);
	ret = run(measure, &progress, err);
	progress_clear(&progress);
	stopped = probekit_session_stop(measure->session, &stop_err);
	if (stopped && ret >= 0) {
		*err = stop_err;
		ret = stopped;
	}
	if (ret >= 0 && measure->interval_ns) {
		int last = emit_interval(measure, &progress, err);

		ret = last ? last : ret;
	}
	return ret;
}
