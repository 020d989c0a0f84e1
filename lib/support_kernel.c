/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the rows about the kernel: the table of features, and a span of ours that is measured. */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../bpf/shared.h"
#include "calibrate.h"
#include "engine.h"
#include "support.h"

#define GROUP "kernel"
#define KERNEL_ENOTSUPP 524 /* escapes from the kernel, and has no text */
#define DENIED_BY "PROBEKIT_DISABLE_FEATURES"
/* Below that factor the difference is lost in the noise of a short measurement. */
#define NOTABLE_RATIO 1.1

/* ---- the table of features ---- */

/* In the order in which they are tried and shown. */
static const enum feature shown[] = {
	FEATURE_BTF,	       FEATURE_BPF,
	FEATURE_ATOMICS,       FEATURE_TASK_STORAGE,
	FEATURE_COOKIE,	       FEATURE_FIND_VMA,
	FEATURE_LOOP,	       FEATURE_TP_BTF,
	FEATURE_KERNEL_READS,  FEATURE_JIT,
	FEATURE_UPROBE_MULTI,  FEATURE_UPROBE_MULTI_PID,
	FEATURE_PERF_UPROBE,   FEATURE_PERF_UPROBE_ALLOWED,
	FEATURE_SESSION,       FEATURE_MEMORY_BY_CGROUP,
	FEATURE_TASK_FROM_PID, FEATURE_THROTTLED,
	FEATURE_BREAKDOWN,     FEATURE_IN_IOWAIT,
	FEATURE_RUN_DELAY,     FEATURE_FAULT_ADDRESS,
};

/* Perf events only stand in for uprobe_multi. */
static enum probekit_support_need need_of(const struct probekit_support *support,
					  enum feature feature)
{
	bool is_replaced = support->features.has[FEATURE_UPROBE_MULTI] &&
			   support->features.has[FEATURE_UPROBE_MULTI_PID];

	if (features_info(feature)->is_required)
		return PROBEKIT_SUPPORT_REQUIRED;
	if (feature == FEATURE_SESSION || feature == FEATURE_MEMORY_BY_CGROUP)
		return PROBEKIT_SUPPORT_INFORMATION;
	if (feature == FEATURE_PERF_UPROBE || feature == FEATURE_PERF_UPROBE_ALLOWED)
		return is_replaced ? PROBEKIT_SUPPORT_INFORMATION : PROBEKIT_SUPPORT_USEFUL;
	return PROBEKIT_SUPPORT_USEFUL;
}

static void explain_refusal(const struct probekit_support *support, struct support_row *row,
			    int result)
{
	const struct privilege *privilege = &support->privilege;
	bool bpf = privilege_allows(privilege, CAP_BPF);
	bool perfmon = privilege_allows(privilege, CAP_PERFMON);
	const char *why = privilege->has_seccomp_filter	    ? "; a seccomp filter is in force"
			  : privilege->is_in_user_namespace ? "; this is a user namespace"
							    : "";

	if (result == -ENOSYS) {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "the kernel has no bpf(2)");
		support_advice(row, "use a kernel built with CONFIG_BPF_SYSCALL=y");
	} else if (bpf && perfmon) {
		support_found(
			row, PROBEKIT_SUPPORT_MISSING,
			"the kernel refuses to load BPF programs although the capabilities are there%s: %s",
			why, strerror(-result));
		support_advice(row, "run probekit outside the %s",
			       privilege->is_in_user_namespace
				       ? "user namespace (rootless container)"
				       : "container or sandbox");
	} else {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "%s%s%s missing", bpf ? "" : "CAP_BPF",
			      bpf || perfmon ? "" : " and ",
			      perfmon ? " is"
			      : bpf   ? "CAP_PERFMON is"
				      : "CAP_PERFMON are");
		support_mend_by_capabilities(support, row, 0);
	}
}

static void explain_absence(const struct probekit_support *support, struct support_row *row,
			    enum feature feature, int result)
{
	const struct feature_info *info = features_info(feature);

	if (feature == FEATURE_BPF) {
		explain_refusal(support, row, result);
	} else if (feature == FEATURE_PERF_UPROBE_ALLOWED && result == -EACCES) {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "root only");
		support_advice(row, "%s", info->advice);
	} else if (feature == FEATURE_BTF && access("/sys/kernel", F_OK) != 0) {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "there is no sysfs at /sys");
		support_command(row, "sudo mount -t sysfs sysfs /sys");
	} else if (result == TRIAL_ABSENT) {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "%s", info->missing);
		if (info->advice)
			support_advice(row, "%s", info->advice);
		if (info->command)
			support_command(row, "%s", info->command);
	} else {
		support_found(row, PROBEKIT_SUPPORT_UNKNOWN, "could not be tried: %s",
			      result == -KERNEL_ENOTSUPP ? "not supported" : strerror(-result));
		return;
	}
	if (info->cost)
		support_cost(row, "%s", info->cost);
}

static void add_feature(struct probekit_support *support, enum feature feature, struct trial *trial)
{
	const struct feature_info *info = features_info(feature);
	struct support_row *row =
		support_add(support, GROUP, info->name, info->title, need_of(support, feature));
	int result;

	if (features_is_disabled(feature)) {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "denied by " DENIED_BY);
		if (info->cost)
			support_cost(row, "%s", info->cost);
		support_command(row, "unset " DENIED_BY);
		return;
	}
	if ((info->needs_types && !support->features.has[FEATURE_BTF]) ||
	    (info->needs_bpf && !support->features.has[FEATURE_BPF])) {
		support_found(row, PROBEKIT_SUPPORT_UNKNOWN, "cannot be tried without %s",
			      info->needs_bpf && !support->features.has[FEATURE_BPF]
				      ? "BPF programs"
				      : "kernel types");
		return;
	}
	trial->found[0] = '\0';
	result = info->try(trial);
	support->features.has[feature] = result >= 0;
	if (result < 0) {
		explain_absence(support, row, feature, result);
		return;
	}
	support_found(row, result ? PROBEKIT_SUPPORT_LIMITED : PROBEKIT_SUPPORT_OK, "%s",
		      trial->found[0] ? trial->found : info->found);
	if (result && info->partly)
		support_cost(row, "%s", info->partly);
}

/* ---- a span of ours ---- */

struct measured {
	bool use_multi;
	struct calibration calibration;
};

/* Attaches to a span of this library and lets it run. */
static int measure(const struct features *features, struct measured *measured,
		   struct probekit_error *err)
{
	const struct engine_options options = {
		.use_multi = measured->use_multi,
		.probes = 1,
		.rows = 1,
		.sites = 1,
		.key_limit = KEY_SLOTS,
	};
	struct attachment attachment = {.use_multi = measured->use_multi};
	struct attach_links refused;
	int result = engine_new(&options, &attachment.engine, err);

	if (result)
		return result;
	calibrate(&attachment, features, false, false, &measured->calibration, &refused);
	result = engine_attach(attachment.engine, err);
	attach_links_close(&refused, 0);
	attach_links_close(&attachment.links, 0);
	engine_free(attachment.engine);
	return result;
}

static void add_own_span(struct probekit_support *support, struct measured *measured)
{
	struct support_row *row =
		support_add(support, GROUP, "own_span", "trial span", PROBEKIT_SUPPORT_REQUIRED);
	struct probekit_error err;
	int result = features_require(&support->features, &err);

	if (result) {
		support_found(row, PROBEKIT_SUPPORT_UNKNOWN,
			      "not tried, as something it needs is missing");
		return;
	}
	if (access("/proc/self/maps", R_OK)) {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "there is no procfs at /proc");
		support_cost(row, "nothing can be measured");
		support_command(row, "sudo mount -t proc proc /proc");
		return;
	}
	result = features_choose_attach(&support->features, support->is_by_pid,
					&measured->use_multi, &err);
	if (!result)
		result = measure(&support->features, measured, &err);
	if (result) {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "%s", err.text);
		support_cost(row, "nothing can be measured");
		if (err.hint[0])
			support_advice(row, "%s", err.hint);
	} else if (!measured->calibration.floor_ns) {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "%s refused, or nothing was counted",
			      measured->use_multi ? "uprobe_multi" : "perf events");
		support_cost(row, "nothing can be measured");
		if (!measured->use_multi)
			support_advice(row,
				       "run as root: perf events ask for more than capabilities");
	} else {
		support_found(row, PROBEKIT_SUPPORT_OK,
			      "measured with %s: empty it reads %llu ns and costs %llu ns",
			      measured->use_multi ? "uprobe_multi" : "perf events",
			      (unsigned long long)measured->calibration.floor_ns,
			      (unsigned long long)measured->calibration.span_ns);
	}
}

/* ---- the kind of site ---- */

static double ratio(uint64_t slow_ns, uint64_t fast_ns)
{
	return fast_ns ? (double)slow_ns / (double)fast_ns : 0;
}

/* What the fork check refuses is measured without it, as the price of that. */
static bool measure_unchecked(const struct probekit_support *support, struct measured *fast)
{
	struct features unchecked = support->features;

	unchecked.has[FEATURE_FORK_CHECK] = false;
	return support->features.has[FEATURE_FORK_CHECK] &&
	       (unchecked.has[FEATURE_NOP5] || unchecked.has[FEATURE_NOP10]) &&
	       measure(&unchecked, fast, NULL) == 0 && fast->calibration.point != POINT_NOP;
}

/* Whatever else runs can only add: when there seems to be a difference, once more. */
static double compare_sites(const struct probekit_support *support, struct measured *plain,
			    struct measured *fast)
{
	struct measured again[2] = {*plain, *fast};
	double times = ratio(plain->calibration.span_ns, fast->calibration.span_ns);

	if (times < NOTABLE_RATIO || measure(&support->features, &again[0], NULL) ||
	    !measure_unchecked(support, &again[1]))
		return times;
	if (again[0].calibration.span_ns < plain->calibration.span_ns)
		*plain = again[0];
	if (again[1].calibration.span_ns < fast->calibration.span_ns)
		*fast = again[1];
	return ratio(plain->calibration.span_ns, fast->calibration.span_ns);
}

static void explain_plain_site(const struct probekit_support *support, struct support_row *row,
			       const struct measured *measured)
{
	struct measured plain = *measured;
	struct measured fast = {.use_multi = plain.use_multi};
	bool is_denied = features_is_disabled(FEATURE_NOP5) || features_is_disabled(FEATURE_NOP10);
	double times;

	if (!measure_unchecked(support, &fast)) {
		support_found(row, PROBEKIT_SUPPORT_MISSING, "none%s",
			      is_denied ? ", with some denied by " DENIED_BY
					: ": the kernel optimises no probed instruction of ours");
		support_cost(row, "spans cost up to twice as much");
	} else {
		times = compare_sites(support, &plain, &fast);
		support_found(
			row, PROBEKIT_SUPPORT_LIMITED,
			"none: %s works, at %llu ns instead of %llu ns, but kills forked children",
			point_name(fast.calibration.point),
			(unsigned long long)fast.calibration.span_ns,
			(unsigned long long)plain.calibration.span_ns);
		if (times >= NOTABLE_RATIO)
			support_cost(row, "spans cost %.1fx", times);
		else
			row->row.need = PROBEKIT_SUPPORT_INFORMATION;
	}
	if (!is_denied)
		support_advice(row, "Linux 7 and newer optimise such sites safely");
}

static void add_fast_site(struct probekit_support *support, const struct measured *measured)
{
	struct support_row *row =
		support_add(support, GROUP, "fast_site", "fast sites", PROBEKIT_SUPPORT_USEFUL);
	struct features denied = support->features;
	struct measured plain = {.use_multi = measured->use_multi};

	if (!measured->calibration.floor_ns) {
		support_found(row, PROBEKIT_SUPPORT_UNKNOWN,
			      "cannot be tried where no span can be measured");
		return;
	}
	if (measured->calibration.point == POINT_NOP) {
		explain_plain_site(support, row, measured);
		return;
	}
	denied.has[FEATURE_NOP5] = false;
	denied.has[FEATURE_NOP10] = false;
	if (measure(&denied, &plain, NULL))
		plain.calibration.span_ns = 0;
	support_found(row, PROBEKIT_SUPPORT_OK, "%s: a span costs %llu ns, at a breakpoint %llu ns",
		      point_name(measured->calibration.point),
		      (unsigned long long)measured->calibration.span_ns,
		      (unsigned long long)plain.calibration.span_ns);
}

/* ---- what the user took away ---- */

static void add_disabled(struct probekit_support *support)
{
	char list[256] = "";
	struct support_row *row;

	for (int i = 0; i < FEATURE_COUNT; i++) {
		size_t length = strlen(list);

		if (features_is_disabled((enum feature)i))
			snprintf(list + length, sizeof(list) - length, "%s%s", length ? ", " : "",
				 features_info((enum feature)i)->name);
	}
	if (!list[0])
		return;
	row = support_add(support, GROUP, "disabled", "features denied", PROBEKIT_SUPPORT_USEFUL);
	support_found(row, PROBEKIT_SUPPORT_LIMITED, "%s, by " DENIED_BY, list);
	if (features_is_disabled(FEATURE_FORK_CHECK))
		support_cost(row, "measuring can kill children that a target forks");
	else
		support_cost(row, "what the kernel has is not used");
	support_command(row, "unset " DENIED_BY);
}

void support_add_kernel(struct probekit_support *support, struct trial *trial)
{
	struct measured measured = {0};

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		add_feature(support, shown[i], trial);
	for (int i = FEATURE_NOP5; i <= FEATURE_FORK_CHECK; i++)
		support->features.has[i] = !features_is_disabled((enum feature)i) &&
					   features_info((enum feature)i)->try(trial) == 0;
	add_own_span(support, &measured);
	add_fast_site(support, &measured);
	add_disabled(support);
}
