/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how a measurement starts: what is planned, loaded, calibrated and attached. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "../bpf/bucket.h"
#include "evidence.h"
#include "kernel_types.h"
#include "process.h"
#include "session.h"

/* A command may execute and open objects that are known only then: room for their probes. */
#define SPARE_PROBES 62
#define SPARE_ROWS (KEYED_ROWS + SPARE_PROBES)
#define SPARE_SITES 4096
#define MAX_PERF_SITES 512
#define OTHER_FILES 256 /* than perf events: maps, programs, what is read */

static int check_maps_path(const struct probekit_session *session, pid_t pid,
			   struct probekit_error *err)
{
	bool maps_one = false;
	int result = 0;

	for (size_t i = 0; i < session->path_count && !maps_one && !result; i++)
		result = process_maps(pid, session->objects.items[i], &maps_one, err);
	if (!result && !maps_one)
		session_log(session, PROBEKIT_LOG_WARNING, "process %d has not mapped '%s' (yet)",
			    pid, session->objects.items[0]->path);
	return result;
}

/* A path narrows PIDs to that file; PIDs alone mean everything that they map. */
static int find_objects(struct probekit_session *session, struct probekit_error *err)
{
	size_t skipped = 0;
	size_t ended = 0;
	int result = 0;

	if (session->command.argv) {
		if (session->pid_count || session->path_count || session->cgroup)
			return error_usage(
				err, "give either a command to start, or a path, PIDs or a cgroup");
		return command_objects(&session->command, &session->objects, err);
	}
	if (!session->target)
		return error_usage(err, "no target is given");
	if (session->cgroup)
		return session_find_cgroup(session, err);
	session->users_at_start = session->pid_count;
	for (size_t i = 0; i < session->path_count && !session->pid_count; i++)
		session->users_at_start += process_count_users(session->objects.items[i]);
	for (size_t i = 0; i < session->pid_count && !result; i++) {
		if (session->path_count)
			result = check_maps_path(session, session->pids[i], err);
		else
			result =
				process_objects(session->pids[i], &session->objects, &skipped, err);
		if (result == -ESRCH && ++ended < session->pid_count)
			result = 0; /* the others can still be measured */
	}
	if (skipped)
		session_log(session, PROBEKIT_LOG_WARNING,
			    "%zu mapped files could not be read and are not measured", skipped);
	return result;
}

int session_plan_object(struct probekit_session *session, uint32_t index,
			struct probekit_error *err)
{
	int result =
		plan_add_object(&session->plan, &session->objects, index, &session->selection, err);

	if (!result)
		result = plan_add_functions(&session->plan, &session->objects, index,
					    &session->selection, err);
	if (!result && session->options.measure_holds)
		result = plan_add_holds(&session->plan, &session->objects, index, err);
	return result;
}

static int no_lock_functions(const struct probekit_session *session, struct probekit_error *err)
{
	bool is_path = session->path_count && !session->command.argv;

	error_failed(err, -ENOENT, "no hold can be measured: '%s' %s", session->target,
		     is_path ? "has none of the functions that take locks (pthread_mutex_lock ...)"
			     : "maps no library with pthread_mutex_lock()");
	return is_path ? error_hint(err, -ENOENT,
				    "they are in a library, which other programs use too: give the "
				    "processes alone (-p PID, --cgroup) or the command")
		       : -ENOENT;
}

/* By default spans are measured where there are any, if it is single probes that programs are for. */
static int require_probes(const struct probekit_session *session, struct probekit_error *err)
{
	const struct selection *selection = &session->selection;

	if (session->options.measure_holds && !plan_has_holds(&session->plan))
		return no_lock_functions(session, err);
	if (!session_has_probes(session) || session_may_do_without(session))
		return 0;
	if (custom_has_events(&session->custom) && !selection->glob_count &&
	    !selection->pair_count && !selection->function_count)
		return 0;
	return plan_require(&session->plan, &session->objects, selection, err);
}

static void tell_refused(const struct probekit_session *session)
{
	for (size_t i = 0; i < session->selection.function_count; i++) {
		const struct function_pattern *pattern = &session->selection.functions[i];

		if (pattern->found && pattern->refused)
			session_log(session, PROBEKIT_LOG_WARNING,
				    "%zu of the functions that match '%s' cannot be probed; %s",
				    pattern->refused, pattern->text, pattern->first_refused);
	}
}

static int make_plan(struct probekit_session *session, struct probekit_error *err)
{
	int result = 0;

	if (!session_has_probes(session))
		return 0;
	for (uint32_t i = 0; i < session->objects.size && !result; i++)
		result = session_plan_object(session, i, err);
	if (result)
		return result;
	plan_number_rows(&session->plan);
	tell_refused(session);
	/* What is not there yet may be executed or opened. */
	return session_may_grow(session) ? 0 : require_probes(session, err);
}

static bool has_kind(const struct plan *plan, enum probekit_kind kind)
{
	for (uint32_t i = 0; i < plan->probe_count; i++)
		if (plan->probes[i].kind == kind)
			return true;
	return false;
}

/* May the objects that are not known yet have sites for it? */
static bool may_need(const struct probekit_session_options *options,
		     const struct selection *selection, enum program program)
{
	bool has_spans =
		selection->glob_count || (!selection->pair_count && !selection->function_count);

	if (options->only_programs)
		return false;
	switch (program) {
	case PROGRAM_HOLD_BEGIN:
	case PROGRAM_HOLD_END:
		return options->measure_holds;
	case PROGRAM_FUNCTION_RETURN:
	case PROGRAM_FUNCTION_EXIT:
	case PROGRAM_FUNCTION_ENTRY:
		return selection->function_count > 0;
	case PROGRAM_PAIR_BEGIN:
	case PROGRAM_PAIR_END:
		return has_spans || selection->pair_count;
	default:
		return has_spans;
	}
}

/* Or may it come to that, with what is executed or opened later? Holds cost what functions do. */
static bool measures_functions(const struct probekit_session *session)
{
	return has_kind(&session->plan, PROBEKIT_KIND_FUNCTION) || session->options.measure_holds ||
	       (session_may_grow(session) && session->selection.function_count);
}

/* To verify a program takes the kernel milliseconds, but for the empty one, which benchmarks attach.
 * Calibration needs those of spans, and of functions where these are measured. */
static void leave_out_programs(const struct probekit_session *session,
			       bool leaves_out[static PROGRAM_COUNT])
{
	const struct plan *plan = &session->plan;
	bool may_grow = session_may_grow(session);

	for (int i = 0; i < PROGRAM_COUNT; i++)
		leaves_out[i] = i != PROGRAM_SPAN_BEGIN && i != PROGRAM_SPAN_END &&
				i != PROGRAM_COUNT_HIT &&
				!(may_grow && may_need(&session->options, &session->selection,
						       (enum program)i));
	if (session->options.only_programs)
		return;
	if (measures_functions(session))
		leaves_out[PROGRAM_FUNCTION_ENTRY] = leaves_out[PROGRAM_FUNCTION_RETURN] = false;
	for (uint32_t i = 0; i < plan->site_count; i++)
		leaves_out[plan->sites[i].program] = false;
}

/* Perf events are detached one at a time, for 50 ms and more each, by a process that cannot be killed. */
static int check_perf_sites(const struct probekit_session *session, struct probekit_error *err)
{
	const struct plan *plan = &session->plan;
	size_t rounds = session->pid_count ? session->pid_count : 1;
	size_t sites = 0;

	for (uint32_t i = 0; i < plan->site_count; i++)
		sites += plan->probes[plan->sites[i].probe].kind == PROBEKIT_KIND_FUNCTION;
	if (sites * rounds <= MAX_PERF_SITES)
		return 0;
	error_usage(err,
		    "%zu sites of functions in %zu processes are too many without uprobe_multi",
		    sites, rounds);
	return error_hint(err, -E2BIG,
			  "narrow the pattern to %d sites, or measure on Linux 6.6 or newer",
			  MAX_PERF_SITES);
}

/* A perf event is a file, and twice that while they are renewed. The command has its limit already. */
static void allow_perf_sites(struct probekit_session *session)
{
	rlim_t rounds = session->pid_count ? session->pid_count : 1;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) ||
	    (!session_may_grow(session) &&
	     files.rlim_cur >= 2 * rounds * session->plan.site_count + OTHER_FILES))
		return;
	session->files_before = files.rlim_cur;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

static uint32_t number_in(const char *variable)
{
	const char *text = secure_getenv(variable);

	return text ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

static struct engine_options options_of(const struct probekit_session *session,
					const struct kernel_types *types)
{
	const struct plan *plan = &session->plan;

	return (struct engine_options){
		.types = types,
		.key_limit = session->options.max_keys,
		.filter_key = session->options.key_only,
		.only_key = session->options.key,
		.has_breakdown = session->features.has[FEATURE_BREAKDOWN],
		.has_task_from_pid = session->features.has[FEATURE_TASK_FROM_PID],
		.has_fault_address = session->features.has[FEATURE_FAULT_ADDRESS],
		.slow_over_ns = session->options.slow_over_ns,
		.lose_switches = number_in("PROBEKIT_LOSE_SWITCHES"),
		.lose_tasks = number_in("PROBEKIT_LOSE_TASKS"),
		.profile_scope = (enum profile_scope)session->options.profiling,
		.profiles_oncpu = session->options.profiling_oncpu,
		.excludes_stopped = session->options.exclude_stopped,
		.counts_futexes = session->options.measure_locks,
		.measures_holds = session->options.measure_holds,
		.has_async = session_may_grow(session) || has_kind(plan, PROBEKIT_KIND_ASYNC),
		.follows_children = session_is_by_pid(session) &&
				    (session->options.follow_children || session->cgroup),
	};
}

static int load(struct probekit_session *session, const struct kernel_types *types,
		struct probekit_error *err)
{
	struct plan *plan = &session->plan;
	bool may_grow = session_may_grow(session);
	struct engine_options options = options_of(session, types);
	int result;

	plan->max_probes = plan->probe_count + (may_grow ? SPARE_PROBES : 0);
	plan->max_rows = plan->row_count + (may_grow ? SPARE_ROWS : 0);
	plan->max_sites = plan->site_count + (may_grow ? SPARE_SITES : 0);
	options.probes = ENGINE_PROBE(plan->max_probes);
	options.rows = ENGINE_ROW(plan->max_rows);
	options.sites = ENGINE_SITE(plan->max_sites);
	leave_out_programs(session, options.leaves_out);
	result = features_choose_attach(&session->features, session_is_by_pid(session),
					&options.use_multi, err);
	if (!result && !options.use_multi)
		result = check_perf_sites(session, err);
	if (!result && !options.use_multi)
		allow_perf_sites(session);
	options.has_strays =
		!options.use_multi && session_is_by_pid(session) && session_follows(session);
	if (!result)
		result = custom_check(&session->custom, options.use_multi, err);
	if (result)
		return result;
	session->history = calloc(plan->max_rows + 1, sizeof(*session->history));
	if (!session->history)
		return error_no_memory(err);
	if (options.has_breakdown && evidence_new(&session->evidence))
		return error_no_memory(err);
	result = engine_new(&options, &session->engine, err);
	if (result)
		return result;
	if (engine_scale(session->engine) < BUCKET_SCALE)
		session_log(
			session, PROBEKIT_LOG_WARNING,
			"%u histograms: resolution lowered to %d buckets an octave to bound memory",
			plan->row_count, 1 << engine_scale(session->engine));
	session->attachment = (struct attachment){
		.engine = session->engine,
		.objects = &session->objects,
		.plan = plan,
		.use_multi = options.use_multi,
		.custom = &session->custom,
		.is_custom_only = session->options.only_programs,
	};
	if (session_has_probes(session)) {
		calibrate(&session->attachment, &session->features,
			  has_kind(plan, PROBEKIT_KIND_USDT), measures_functions(session),
			  &session->calibration, &session->detaching.waiting);
		attach_later_run(&session->detaching);
		session->attachment.point = session->calibration.point;
	}
	return engine_attach(session->engine, err);
}

static int drop_record(const void *record, size_t size_bytes, void *arg)
{
	(void)record;
	(void)size_bytes;
	(void)arg;
	return 0;
}

static int note_start(struct probekit_session *session, struct probekit_error *err)
{
	struct timespec wall;
	int result;

	engine_adopt(session->engine, session->pids, session->pid_count);
	result = session_start_profile(session, err);
	if (!result)
		result = session_start_locks(session, err);
	if (result)
		return result;
	clock_gettime(CLOCK_REALTIME, &wall);
	session->started_unix_ns = (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec;
	session->started_ns = session_now_ns();
	session->interval_start_ns = session->started_ns;
	environment_ticks(&session->ticks);
	/* of our own calibration, and of trials of functions */
	if (session->evidence && engine_poll_samples(session->engine, drop_record, NULL) < 0)
		return error_no_memory(err);
	engine_record(session->engine, session->started_ns);
	if (session->options.exclude_stopped && has_kind(&session->plan, PROBEKIT_KIND_ASYNC))
		session_log(
			session, PROBEKIT_LOG_WARNING,
			"async spans that end on another thread keep the time in which they were stopped");
	session_log(session, PROBEKIT_LOG_INFO,
		    "measuring: %u probes at %u sites, attached with %s at %s",
		    session->plan.probe_count, session->plan.site_count,
		    session->attachment.use_multi ? "uprobe_multi" : "perf events",
		    point_name(session->attachment.point));
	return 0;
}

/* On which locks of BPF maps sleep, up to Linux 6.12, which programs in the scheduler must not. */
static bool is_real_time_kernel(void)
{
	FILE *file = fopen("/sys/kernel/realtime", "re");
	bool is_real_time = file && fgetc(file) == '1';

	if (file)
		fclose(file);
	return is_real_time;
}

static int no_scheduler(const char *what, struct probekit_error *err)
{
	const struct feature_info *info = features_info(FEATURE_BREAKDOWN);

	error_unavailable(err, -EOPNOTSUPP, "no %s: %s", what, info->missing);
	return error_hint(err, -EOPNOTSUPP, "%s", info->advice);
}

/* Before our own work is part of the load. A command will be in our cgroup. */
static int note_environment(struct probekit_session *session, struct probekit_error *err)
{
	pid_t pid = session->command.argv ? getpid() : session->pid_count ? session->pids[0] : 0;

	return environment_read(pid, &session->environment) ? error_no_memory(err) : 0;
}

/* Nothing that is asked for must need it. */
static int require_no_scheduler(const struct probekit_session_options *options,
				struct probekit_error *err)
{
	if (options->profiling)
		return no_scheduler("profile can be taken", err);
	if (options->measure_locks)
		return no_scheduler("locks can be measured", err);
	if (options->exclude_stopped)
		return no_scheduler("stopped time can be left out", err);
	return 0;
}

static int start(struct probekit_session *session, struct probekit_error *err)
{
	struct kernel_types *types = NULL;
	int result;

	if (session->options.only_programs && !session->custom.program_count)
		return error_usage(err, "only programs are to be attached, and none was added");
	result = note_environment(session, err);
	if (!result)
		result = find_objects(session, err);
	if (!result)
		result = make_plan(session, err);
	if (!result) {
		features_detect(&session->features, &types);
		if (session->options.only_programs)
			session->features.has[FEATURE_BREAKDOWN] = false;
		if (is_real_time_kernel()) {
			session->features.has[FEATURE_BREAKDOWN] = false;
			session_log(session, PROBEKIT_LOG_WARNING,
				    "a real-time kernel: it is not told where the time went");
		}
		result = features_require(&session->features, err);
		if (!result && !session->features.has[FEATURE_BREAKDOWN])
			result = require_no_scheduler(&session->options, err);
	}
	/* Before there are links, which it would inherit, and could have to detach as it executes. */
	if (!result && session->command.argv)
		result = command_start(&session->command, &session->options, err);
	if (!result)
		result = load(session, types, err);
	kernel_types_free(types);
	if (!result && session->command.argv)
		result = session_watch(session, session->command.pid, err);
	if (!result)
		session_prepare_following(session);
	if (!result)
		result = session_attach(session, 0, 0, false, err);
	if (!result)
		result = session_attach_functions(session, err);
	if (!result)
		result = session_attach_programs(session, err);
	if (!result && !session_may_grow(session))
		result = custom_require(&session->custom, err);
	if (!result)
		result = note_start(session, err);
	if (!result && session->command.argv && !session->options.hold_command)
		result = command_release(&session->command, err);
	if (!result && session_may_grow(session) && probekit_session_process_count(session) &&
	    (require_probes(session, NULL) || custom_require(&session->custom, NULL)))
		session_log(
			session, PROBEKIT_LOG_WARNING,
			"'%s' itself has not all that was asked for; what it executes and opens is watched",
			session->command.argv ? session->command.path : session->target);
	return result;
}

int probekit_session_start(struct probekit_session *session, struct probekit_error *err)
{
	int result = session_require_new(session, err);

	if (result)
		return result;
	session->state = SESSION_FAILED;
	result = start(session, err);
	if (result) {
		session_detach(session);
		engine_free(session->engine);
		session->engine = NULL;
		command_end(&session->command);
		return result;
	}
	session->state = SESSION_RUNNING;
	return 0;
}
