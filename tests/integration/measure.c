/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how the tests measure, and what every row must satisfy. */
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void note_line(void *arg, enum probekit_log_level level, const char *line)
{
	(void)arg;
	if (level == PROBEKIT_LOG_WARNING)
		print_error("probekit: %s\n", line); /* stdout may be a command's */
}

/* skip() leaves by longjmp: no way back. */
static void refuse(const struct probekit_error *err)
{
	if (err->kind == PROBEKIT_ERROR_UNAVAILABLE) {
		print_message("skipped: needs tracing: %s; %s\n", err->text, err->hint);
		skip();
	}
	fail_msg("%s; %s", err->text, err->hint);
}

static int add_target(struct probekit_session *session, const struct measure *what,
		      struct probekit_error *err)
{
	int result = 0;

	if (what->path)
		result = probekit_session_add_path(session, what->path, err);
	if (what->pid && !result)
		result = probekit_session_add_pid(session, what->pid, err);
	if (what->cgroup && !result)
		result = probekit_session_add_cgroup(session, what->cgroup, err);
	if (what->command && !result)
		result = probekit_session_add_command(session, (char *const *)what->command, err);
	if (what->pair && !result)
		result = probekit_session_add_pair(session, what->pair, err);
	for (size_t i = 0; what->globs && what->globs[i] && !result; i++)
		result = probekit_session_add_span(session, what->globs[i], err);
	for (size_t i = 0; what->functions && what->functions[i] && !result; i++)
		result = probekit_session_add_function(session, what->functions[i], err);
	return result;
}

static struct probekit_session *try_start(const struct measure *what, struct probekit_error *err)
{
	struct probekit_session_options options = what->options;
	struct probekit_session *session;

	options.size = sizeof(options);
	if (!options.log)
		options.log = note_line;
	if (what->functions && options.max_overhead == 0)
		options.max_overhead = -1;
	if (probekit_session_new(&options, &session, err))
		return NULL;
	if (add_target(session, what, err) ||
	    (what->prepare && what->prepare(session, what->prepare_arg, err)) ||
	    probekit_session_start(session, err)) {
		probekit_session_free(session);
		return NULL;
	}
	return session;
}

struct probekit_session *measure_start(const struct measure *what)
{
	struct probekit_error err;
	struct probekit_session *session = try_start(what, &err);

	if (!session)
		refuse(&err);
	return session;
}

void require_measurable(pid_t pid)
{
	static bool is_measurable;

	if (!is_measurable)
		probekit_snapshot_free(measure_stop(measure_start(&(struct measure){.pid = pid})));
	is_measurable = true;
}

void require_tracing(void)
{
	static bool can_measure;
	struct probekit_support *support;
	struct probekit_error err;

	if (can_measure)
		return;
	if (probekit_support_new(NULL, &support, &err))
		fail_msg("%s", err.text);
	can_measure = probekit_support_can_measure(support);
	if (!can_measure)
		print_message("skipped: needs tracing: %s\n", probekit_support_verdict(support));
	probekit_support_free(support);
	if (!can_measure)
		skip();
}

void measure_wait(struct probekit_session *session)
{
	struct probekit_error err;
	int event;

	do {
		event = probekit_session_poll(session, -1, &err);
		if (event < 0)
			fail_msg("%s", err.text);
	} while (!(event & PROBEKIT_EVENT_TARGETS_ENDED));
}

struct probekit_snapshot *measure_stop(struct probekit_session *session)
{
	struct probekit_snapshot *snapshot = NULL;
	struct probekit_error err;

	if (probekit_session_stop(session, &err) ||
	    probekit_session_snapshot(session, &snapshot, &err))
		fail_msg("%s", err.text);
	probekit_session_free(session);
	check_rows(snapshot);
	return snapshot;
}

uint64_t measure_count(struct probekit_session *session, const char *name)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	uint64_t count;

	if (probekit_session_snapshot(session, &snapshot, &err))
		fail_msg("%s", err.text);
	count = find_row(snapshot, name)->count;
	probekit_snapshot_free(snapshot);
	return count;
}

/* ---- commands ---- */

static char *read_text(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);

	if (!text || pread(fd, text, (size_t)size, 0) != size)
		fail_msg("cannot read what the command printed");
	close(fd);
	return text;
}

/* Our stdin and stdout while the session starts a command, which inherits them. */
struct redirection {
	int kept[2];
	int captured; /* the command's stdout */
	int commands; /* the other end of its stdin */
};

static void redirect(struct redirection *redirection)
{
	int in[2];

	fflush(stdout);
	redirection->kept[0] = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	redirection->kept[1] = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	redirection->captured = memfd_create("stdout", MFD_CLOEXEC);
	if (redirection->captured < 0 || pipe2(in, O_CLOEXEC))
		fail_msg("cannot capture output: %s", strerror(errno));
	redirection->commands = in[1];
	dup2(in[0], STDIN_FILENO);
	close(in[0]);
	dup2(redirection->captured, STDOUT_FILENO);
}

static void restore(const struct redirection *redirection)
{
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		dup2(redirection->kept[i], i);
		close(redirection->kept[i]);
	}
}

static bool has_row(const struct probekit_snapshot *snapshot, const void *name)
{
	return find_row(snapshot, name) != NULL;
}

static bool has_processes(const struct probekit_snapshot *snapshot, const void *count)
{
	return probekit_snapshot_info(snapshot)->pid_count == *(const size_t *)count;
}

/* False: it does not come. */
static bool await(struct probekit_session *session,
		  bool (*is_there)(const struct probekit_snapshot *snapshot, const void *arg),
		  const void *arg)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	uint64_t since = 0;

	for (;;) {
		bool found;

		if (probekit_session_poll(session, 10, &err) < 0 ||
		    probekit_session_snapshot(session, &snapshot, &err))
			fail_msg("%s", err.text);
		found = is_there(snapshot, arg);
		probekit_snapshot_free(snapshot);
		if (found)
			return true;
		if (!keep_waiting(&since, 60))
			return false;
	}
}

void measure_await_row(struct probekit_session *session, const char *name)
{
	if (!await(session, has_row, name))
		fail_msg("'%s' is not found", name);
}

void measure_await_processes(struct probekit_session *session, size_t count)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;

	if (await(session, has_processes, &count))
		return;
	if (probekit_session_snapshot(session, &snapshot, &err))
		fail_msg("%s", err.text);
	fail_msg("it does not come to %zu processes, but to %zu", count,
		 probekit_snapshot_info(snapshot)->pid_count);
}

void measure_run(const struct measure *what, struct run *run)
{
	struct redirection redirection;
	struct probekit_session *session;
	struct probekit_error err;

	redirect(&redirection);
	session = try_start(what, &err);
	restore(&redirection);
	if (!session) {
		close(redirection.captured);
		close(redirection.commands);
		refuse(&err);
	}
	if (what->awaited)
		measure_await_row(session, what->awaited);
	if (what->awaited_processes)
		measure_await_processes(session, what->awaited_processes);
	if (what->awaited || what->awaited_processes)
		dprintf(redirection.commands, "go\n");
	close(redirection.commands);
	measure_wait(session);
	run->snapshot = measure_stop(session);
	run->text = read_text(redirection.captured);
	run->status = probekit_snapshot_info(run->snapshot)->child_status;
}

void measure_program(const char *name, const char *mode, const char *count, struct run *run)
{
	const char *const command[] = {program_path(name), mode, count, NULL};

	measure_run(&(struct measure){.command = command}, run);
	if (run->status != 0)
		fail_msg("%s %s %s: status %d", name, mode, count, run->status);
}

void run_done(struct run *run)
{
	probekit_snapshot_free(run->snapshot);
	free(run->text);
}

/* ---- rows ---- */

static const struct probekit_probe *find(const struct probekit_snapshot *snapshot, const char *name,
					 bool has_key, bool is_overflow, int64_t key)
{
	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++) {
		const struct probekit_probe *row = probekit_snapshot_probe(snapshot, i);

		if (strcmp(row->name, name) == 0 && row->has_key == has_key &&
		    row->is_key_overflow == is_overflow &&
		    (!has_key || is_overflow || row->key == key))
			return row;
	}
	return NULL;
}

const struct probekit_probe *find_row(const struct probekit_snapshot *snapshot, const char *name)
{
	return find(snapshot, name, false, false, 0);
}

const struct probekit_probe *find_key(const struct probekit_snapshot *snapshot, const char *name,
				      int64_t key)
{
	return find(snapshot, name, true, false, key);
}

const struct probekit_probe *find_key_overflow(const struct probekit_snapshot *snapshot,
					       const char *name)
{
	return find(snapshot, name, true, true, 0);
}

static void check_histogram(const struct probekit_probe *row)
{
	const struct probekit_histogram *histogram = &row->histogram;
	uint64_t total = histogram->zero_count + histogram->negative_count;

	for (size_t i = 0; i < histogram->size; i++) {
		assert_true(histogram->count[i] > 0);
		assert_true(i == 0 || histogram->index[i] > histogram->index[i - 1]);
		total += histogram->count[i];
	}
	assert_int_equal(total, row->count);
	assert_true(row->kind == PROBEKIT_KIND_VALUE || histogram->negative_count == 0);
}

static void check_row(const struct probekit_probe *row)
{
	static const double quantiles[] = {0, 0.5, 0.9, 0.99, 0.999, 1};
	double below = -INFINITY;

	check_histogram(row);
	if (row->count == 0) {
		assert_int_equal(row->sum, 0);
		assert_int_equal(row->min, 0);
		assert_int_equal(row->max, 0);
		return;
	}
	assert_true(row->min <= row->max);
	if (row->kind != PROBEKIT_KIND_VALUE) { /* whose sums may wrap */
		assert_true(row->sum >= row->min * (int64_t)row->count);
		assert_true(row->sum <= row->max * (int64_t)row->count);
		assert_true(row->sum >= row->max);
	}
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(*quantiles); i++) {
		double at = probekit_probe_quantile(row, quantiles[i]);

		assert_true(at >= (double)row->min && at <= (double)row->max);
		assert_true(at >= below);
		below = at;
	}
}

void check_rows(const struct probekit_snapshot *snapshot)
{
	const struct probekit_probe *total = NULL;
	uint64_t keyed = 0;

	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++) {
		const struct probekit_probe *row = probekit_snapshot_probe(snapshot, i);

		check_row(row);
		if (!row->has_key) {
			total = row;
			keyed = 0;
			continue;
		}
		assert_non_null(total);
		assert_string_equal(row->name, total->name);
		keyed += row->count;
		assert_true(keyed <= total->count);
		assert_true(row->min >= total->min && row->max <= total->max);
	}
}

uint64_t count_above(const struct probekit_probe *row, uint64_t ns)
{
	double buckets = ldexp(1, row->histogram.scale);
	/* Bucket i is (b^i, b^(i+1)]. */
	int32_t at = (int32_t)ceil(log2((double)ns * 1e-9) * buckets) - 1;
	uint64_t above = 0;

	for (size_t i = 0; i < row->histogram.size; i++)
		if (row->histogram.index[i] > at)
			above += row->histogram.count[i];
	return above;
}

/* ---- expectations ---- */

struct figure {
	const char *name;
	uint64_t is;
	uint64_t should;
};

static void print_row(const struct probekit_probe *row)
{
	print_error("%s: count %llu sum %lld min %lld max %lld, in flight at start %llu\n",
		    row->name, (unsigned long long)row->count, (long long)row->sum,
		    (long long)row->min, (long long)row->max,
		    (unsigned long long)row->in_flight_at_start);
}

void assert_row_(const struct probekit_snapshot *snapshot, const char *name,
		 struct expected expected, const char *file, int line)
{
	const struct probekit_probe *row = find_row(snapshot, name);
	bool is_good = true;

	if (!row) {
		print_error("there is no row '%s'\n", name);
		_fail(file, line);
		return;
	}
	const struct figure figures[] = {
		{"count", row->count, expected.count},
		{"unmatched_end", row->lost.unmatched_end, expected.unmatched},
		{"abandoned", row->lost.abandoned, expected.abandoned},
		{"depth_overflow", row->lost.depth_overflow, expected.depth_overflow},
		{"state_unavailable", row->lost.state_unavailable, 0},
		{"map_full", row->lost.map_full, 0},
		{"unreadable_argument", row->lost.unreadable_argument, 0},
		{"out_of_range", row->lost.out_of_range, expected.out_of_range},
		{"in_flight_at_start", row->in_flight_at_start, 0},
		{"open spans", row->open_count, expected.open},
		{"sites", expected.sites ? row->sites : 0, expected.sites},
	};
	for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++) {
		if (figures[i].is == figures[i].should)
			continue;
		print_error("%s: %s is %llu, not %llu\n", name, figures[i].name,
			    (unsigned long long)figures[i].is,
			    (unsigned long long)figures[i].should);
		is_good = false;
	}
	if (!is_good) {
		print_row(row);
		_fail(file, line);
	}
}

void assert_key_(const struct probekit_snapshot *snapshot, const char *name, int64_t key,
		 uint64_t count, const char *file, int line)
{
	const struct probekit_probe *row = find_key(snapshot, name, key);

	if (row && row->count == count)
		return;
	print_error("%s: key %lld has %lld spans, not %llu\n", name, (long long)key,
		    row ? (long long)row->count : -1ll, (unsigned long long)count);
	_fail(file, line);
}
