/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns attaching functions at a bounded cost: in growing batches, each tried for a moment, and watched while
 * the session runs. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "guard.h"
#include "session.h"

#define FIRST_BATCH 16
#define BATCH_GROWTH 4
#define TRIAL_NS 10000000
#define WATCH_FIRST_NS 20000000ull /* after the start; then twice as long each time, up to: */
#define WATCH_NS_MAX 1000000000ull
#define MAX_OVERHEAD 0.05

static double limit_of(const struct probekit_session *session)
{
	double limit = session->options.max_overhead;

	return limit == 0 ? MAX_OVERHEAD : limit;
}

static bool is_function(const struct plan_probe *probe)
{
	return probe->kind == PROBEKIT_KIND_FUNCTION;
}

uint64_t session_call_cost_ns(const struct probekit_session *session,
			      const struct plan_probe *probe)
{
	return session->calibration
		.call_ns[probe->cost == PROBEKIT_COST_STEPPED][probe->is_by_exits];
}

/* Calls of a probe until now, recorded or tried. */
static uint64_t count_calls(const struct probekit_session *session, uint32_t probe)
{
	uint32_t row = session->plan.probes[probe].row;
	struct probe_counters counters;

	engine_read_counters(session->engine, ENGINE_PROBE(probe), &counters);
	return counters.trial_calls + counters.abandoned + counters.depth_overflow +
	       (row == UINT32_MAX ? 0 : engine_count(session->engine, ENGINE_ROW(row)));
}

/* ---- batches ---- */

static size_t batch_size(const struct probekit_session *session, uint32_t batch)
{
	size_t size = 0;

	for (uint32_t i = 0; i < session->plan.probe_count; i++)
		size += session->plan.probes[i].batch == batch;
	return size;
}

/* Moves half of the batch to a new one. */
static void split_batch(struct probekit_session *session, uint32_t batch, uint32_t *half)
{
	size_t left = batch_size(session, batch) / 2;

	*half = ++session->batch_count;
	for (uint32_t i = session->plan.probe_count; i-- > 0 && left;) {
		if (session->plan.probes[i].batch != batch)
			continue;
		session->plan.probes[i].batch = *half;
		left--;
	}
}

static void leave_out(struct probekit_session *session, uint32_t batch)
{
	for (uint32_t i = 0; i < session->plan.probe_count; i++) {
		struct plan_probe *probe = &session->plan.probes[i];

		if (probe->batch != batch)
			continue;
		session_log(
			session, PROBEKIT_LOG_WARNING,
			"'%s' is not measured: the kernel refuses to probe an instruction at which "
			"it begins or is left",
			probe->name);
		probe->batch = UINT32_MAX;
		probe->is_refused = true;
	}
}

/* What the kernel says of an instruction; the first has no name in user space (ENOTSUPP). */
static bool is_refusal(int code)
{
	return code == -524 || code == -EOPNOTSUPP || code == -EINVAL || code == -ENOEXEC ||
	       code == -EIO;
}

/* The kernel takes all sites at once or none: the batch is halved until what it refuses stands alone. */
static int attach_batch(struct probekit_session *session, uint32_t batch, bool is_late,
			struct probekit_error *err)
{
	struct attach_links failed = {0};
	struct probekit_error problem;
	uint32_t half = 0;
	int result = session_attach(session, 0, batch, is_late, &problem);

	if (!result)
		return 0;
	session_take_batch(session, batch, &failed);
	attach_links_close(&failed, 0);
	if (!is_refusal(result)) {
		if (err)
			*err = problem;
		return result;
	}
	if (batch_size(session, batch) == 1) {
		leave_out(session, batch);
		return 0;
	}
	split_batch(session, batch, &half);
	result = attach_batch(session, batch, is_late, err);
	return result ? result : attach_batch(session, half, is_late, err);
}

/* The new links' cookies, and the number of the renewal, are as odd as the old ones are not. */
static uint32_t number_renewal(struct probekit_session *session, uint32_t batch)
{
	bool is_odd = false;

	for (uint32_t i = 0; i < session->plan.probe_count; i++) {
		struct plan_probe *probe = &session->plan.probes[i];

		if (probe->batch == batch)
			is_odd = probe->is_odd = !probe->is_odd;
	}
	session->renewals += 2;
	return session->renewals | is_odd;
}

static bool is_out_of_files(int code)
{
	return code == -EMFILE || code == -ENFILE;
}

static void warn_of_gap(const struct probekit_session *session, uint32_t batch)
{
	session_log(
		session, PROBEKIT_LOG_WARNING,
		"calls of %zu functions are missed for a moment, as there are too many open files to "
		"attach them anew beforehand; raise the limit with 'ulimit -n'",
		batch_size(session, batch));
}

/* Attaches what of the batch has not been dropped anew, and detaches the old links. While it is recorded that
 * comes after, so that no call is missed; but the caller's programs would run twice meanwhile. */
static int renew_batch(struct probekit_session *session, uint32_t batch, struct probekit_error *err)
{
	size_t batches = session->batch_count;
	struct attach_links old = {0};
	int result;

	session_take_batch(session, batch, &old);
	if (session->state != SESSION_RUNNING)
		attach_links_close(&old, 0);
	engine_renew(session->engine, number_renewal(session, batch));
	session->is_renewing = true;
	result = attach_batch(session, batch, false, err);
	if (is_out_of_files(result) && old.size && session->batch_count == batches) {
		warn_of_gap(session, batch);
		attach_links_close(&old, 0);
		result = attach_batch(session, batch, false, err);
	}
	session->is_renewing = false;
	attach_links_close(&old, 0);
	engine_renew(session->engine, 0);
	if (!result)
		result = session_renew_programs(session, batch, err);
	return result == -ESRCH ? 0
				: result; /* all have ended: what was measured until now stays */
}

static void drop(struct probekit_session *session, uint32_t index, const struct guard_load *load,
		 uint64_t window_ns)
{
	struct plan_probe *probe = &session->plan.probes[index];

	session_log(session, PROBEKIT_LOG_WARNING,
		    "'%s' is not measured%s: %.0f calls/s, probing it would take %.0f %% of a "
		    "CPU; --max-overhead allows more, --force any",
		    probe->name,
		    custom_is_at(&session->custom, index) ? ", nor a program run there" : "",
		    (double)load->calls * 1e9 / (double)window_ns,
		    100 * guard_share(&(struct guard_load){.calls = load->calls,
							   .call_ns = load->call_ns},
				      1, window_ns));
	engine_drop(session->engine, ENGINE_PROBE(index));
	probe->dropped_ns = session_now_ns();
	probe->batch = UINT32_MAX;
}

/* Drops what is too hot by the calls since `before`, which becomes the count of now; batches that lose
 * functions are attached anew. */
static int drop_hot(struct probekit_session *session, uint64_t window_ns,
		    struct probekit_error *err)
{
	uint32_t probes = session->plan.probe_count;
	size_t batches = session->batch_count;
	struct guard_load *loads = calloc(probes + 1, sizeof(*loads));
	bool *is_changed = calloc(batches + 1, sizeof(*is_changed));
	int result = loads && is_changed ? 0 : error_no_memory(err);

	for (uint32_t i = 0; i < probes && !result; i++) {
		const struct plan_probe *probe = &session->plan.probes[i];
		uint64_t calls;

		loads[i].is_dropped = true;
		if (!is_function(probe) || probe->batch == 0 || probe->batch == UINT32_MAX)
			continue;
		calls = count_calls(session, i);
		loads[i] = (struct guard_load){
			.calls = calls - session->calls_before[i],
			.call_ns = session_call_cost_ns(session, probe),
		};
		session->calls_before[i] = calls;
	}
	if (!result && guard_choose(loads, probes, window_ns, limit_of(session))) {
		for (uint32_t i = 0; i < probes; i++) {
			uint32_t batch = session->plan.probes[i].batch;

			if (!loads[i].is_dropped || !is_function(&session->plan.probes[i]) ||
			    batch == 0 || batch == UINT32_MAX)
				continue;
			is_changed[batch] = true;
			drop(session, i, &loads[i], window_ns);
		}
	}
	for (uint32_t batch = 1; batch <= batches && !result; batch++)
		if (is_changed[batch])
			result = renew_batch(session, batch, err);
	free(loads);
	free(is_changed);
	return result;
}

static void wait_ns(uint64_t ns)
{
	struct timespec time = {.tv_nsec = (long)ns};

	while (nanosleep(&time, &time) && errno == EINTR)
		;
}

/* What runs now may call any of them a million times a second: a few are tried, then more. */
static int try_batch(struct probekit_session *session, uint32_t batch, struct probekit_error *err)
{
	uint64_t start;
	int result = attach_batch(session, batch, session->state == SESSION_RUNNING, err);

	if (result || limit_of(session) < 0 || session->command.argv)
		return result;
	for (uint32_t i = 0; i < session->plan.probe_count; i++)
		if (is_function(&session->plan.probes[i]))
			session->calls_before[i] = count_calls(session, i);
	start = session_now_ns();
	wait_ns(TRIAL_NS);
	return drop_hot(session, session_now_ns() - start, err);
}

static bool are_all_refused(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->probe_count; i++)
		if (!plan->probes[i].is_refused)
			return false;
	return true;
}

int session_attach_functions(struct probekit_session *session, struct probekit_error *err)
{
	struct plan *plan = &session->plan;
	uint32_t left = 0;
	size_t size = session->command.argv || limit_of(session) < 0 ? UINT32_MAX : FIRST_BATCH;
	int result = 0;

	for (uint32_t i = 0; i < plan->probe_count; i++)
		left += is_function(&plan->probes[i]) && plan->probes[i].batch == 0;
	if (!left)
		return 0;
	session->calls_before = reallocarray(session->calls_before, plan->probe_count,
					     sizeof(*session->calls_before));
	if (!session->calls_before)
		return error_no_memory(err);
	for (uint32_t next = 0; left && !result; size *= BATCH_GROWTH) {
		uint32_t batch = ++session->batch_count;
		size_t taken = 0;

		for (; next < plan->probe_count && taken < size; next++) {
			if (!is_function(&plan->probes[next]) || plan->probes[next].batch)
				continue;
			plan->probes[next].batch = batch;
			session->calls_before[next] = 0;
			taken++;
			left--;
		}
		result = try_batch(session, batch, err);
	}
	if (!result && are_all_refused(plan))
		return error_failed(err, -ENOEXEC,
				    "the kernel refuses to probe all that was asked for");
	return result;
}

int session_watch_functions(struct probekit_session *session, struct probekit_error *err)
{
	uint64_t now = session_now_ns();
	uint64_t since = now - session->last_watch_ns;

	if (!session->batch_count || limit_of(session) < 0)
		return 0;
	if (!session->last_watch_ns) {
		for (uint32_t i = 0; i < session->plan.probe_count; i++)
			if (is_function(&session->plan.probes[i]))
				session->calls_before[i] = count_calls(session, i);
		session->last_watch_ns = now;
		session->watch_every_ns = WATCH_FIRST_NS;
		return 0;
	}
	if (since < session->watch_every_ns)
		return 0;
	session->last_watch_ns = now;
	if (session->watch_every_ns < WATCH_NS_MAX)
		session->watch_every_ns *= 2;
	return drop_hot(session, since, err);
}
