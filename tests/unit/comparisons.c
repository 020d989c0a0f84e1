/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns comparisons made by hand. */
#include "comparisons.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "snapshots.h"

#define US 1000.0
#define MS 1e6

const char made_hostile[] = "a|b<c>&\"'`@everyone\x1b[31m\xff\n*x* ]]>";

/* ---- parts ---- */

void made_init(struct made *made)
{
	struct compare_view *view = &made->view;

	*made = (struct made){
		.info = {.pairs = 10,
			 .delta = 0.02,
			 .outcome = PROBEKIT_RULE_PASSED,
			 .detectable = NAN},
		.view = {.base = "./old", .head = "./new", .mode = "sliced"},
	};
	view->info = &made->info;
	view->changes = zeroed(COMPARISON_ROOM, sizeof(*view->changes));
	view->rules = zeroed(COMPARISON_ROOM, sizeof(*view->rules));
	view->unmatched = zeroed(COMPARISON_ROOM, sizeof(*view->unmatched));
	view->whys = zeroed(COMPARISON_ROOM, sizeof(*view->whys));
}

static void release(const void *part)
{
	free((void *)(uintptr_t)part);
}

static void free_histogram(const struct probekit_histogram *histogram)
{
	free(histogram->index);
	free(histogram->count);
}

void made_done(struct made *made)
{
	struct compare_view *view = &made->view;

	for (size_t i = 0; i < view->change_count; i++)
		release(view->changes[i]);
	for (size_t i = 0; i < view->rule_count; i++)
		release(view->rules[i]);
	for (size_t i = 0; i < view->unmatched_count; i++)
		release(view->unmatched[i]);
	for (size_t i = 0; i < view->why_count; i++) {
		free_histogram(&view->whys[i]->base);
		free_histogram(&view->whys[i]->head);
		free(view->whys[i]->classes);
		free(view->whys[i]->causes);
		release(view->whys[i]);
	}
	compare_view_done(view);
}

struct probekit_change *made_change(struct made *made, const char *probe, const char *measure,
				    double base, double ratio, enum probekit_verdict verdict)
{
	struct probekit_change *change = zeroed(1, sizeof(*change));

	assert_true(made->view.change_count < COMPARISON_ROOM);
	*change = (struct probekit_change){
		.probe = probe,
		.measure = measure,
		.pairs = 10,
		.base = base,
		.head = base * ratio,
		.ratio = ratio,
		.low = ratio - 0.05,
		.high = ratio + 0.05,
		.p_regress = verdict == PROBEKIT_VERDICT_REGRESS ? 0.002 : 0.4,
		.p_improve = verdict == PROBEKIT_VERDICT_IMPROVE ? 0.0009 : 0.7,
		.detectable = 0.08,
		.verdict = verdict,
	};
	if (verdict == PROBEKIT_VERDICT_UNDECIDED) {
		change->reason = "runs differ too much";
		change->pairs_needed = 14;
	}
	made->view.changes[made->view.change_count++] = change;
	made->info.tested++;
	made->info.detectable_known++;
	made->info.undecided += verdict == PROBEKIT_VERDICT_UNDECIDED;
	return change;
}

void made_probe(struct made *made, const char *probe, double base, double ratio,
		enum probekit_verdict verdict)
{
	static const struct {
		const char *measure;
		double factor;
		bool is_informational;
	} measures[] = {
		{"p50", 1, false}, {"p90", 2, true}, {"p99", 9, false}, {"p99.9", 20, true}};

	for (size_t i = 0; i < COUNT(measures); i++) {
		bool is_informational = measures[i].is_informational;
		struct probekit_change *change =
			made_change(made, probe, measures[i].measure, base * measures[i].factor,
				    ratio, is_informational ? PROBEKIT_VERDICT_UNDECIDED : verdict);

		if (!is_informational)
			continue;
		change->is_informational = true;
		change->reason = NULL;
		change->pairs_needed = 0;
		made->info.tested--;
		made->info.detectable_known--;
		made->info.undecided--;
	}
}

struct probekit_rule_result *made_rule(struct made *made, const char *rule,
				       const struct probekit_change *change,
				       enum probekit_rule_state state, double estimate,
				       double bound)
{
	struct probekit_rule_result *result = zeroed(1, sizeof(*result));

	assert_true(made->view.rule_count < COMPARISON_ROOM);
	*result = (struct probekit_rule_result){
		.rule = rule,
		.change = change,
		.state = state,
		.estimate = estimate,
		.bound = bound,
		.is_absolute = bound >= 1,
	};
	if (state == PROBEKIT_RULE_UNDECIDED) {
		result->reason = change ? "its increase may be beyond the bound or not"
					: "it matches no probe of both builds";
		result->pairs_needed = change ? 17 : 0;
	}
	made->info.unmatched_rules += !change;
	made->view.rules[made->view.rule_count++] = result;
	return result;
}

struct probekit_unmatched *made_unmatched(struct made *made, const char *probe, bool is_in_head)
{
	struct probekit_unmatched *unmatched = zeroed(1, sizeof(*unmatched));

	assert_true(made->view.unmatched_count < COMPARISON_ROOM);
	*unmatched = (struct probekit_unmatched){
		.probe = probe,
		.is_in_head = is_in_head,
		.reason = "",
		.runs = 10,
		.count = 12043,
	};
	made->view.unmatched[made->view.unmatched_count++] = unmatched;
	return unmatched;
}

/* ---- a reason ---- */

/* Of scale 0, in which a bucket is a band. */
static struct probekit_histogram histogram_of(const int32_t *index, const uint64_t *count,
					      size_t size)
{
	struct probekit_histogram histogram = {
		.size = size,
		.index = zeroed(size, sizeof(*index)),
		.count = zeroed(size, sizeof(*count)),
	};

	memcpy(histogram.index, index, size * sizeof(*index));
	memcpy(histogram.count, count, size * sizeof(*count));
	return histogram;
}

static const struct probekit_cause *lock_cause(void)
{
	static struct probekit_frame waiting[] = {
		{.function = "append_line", .module = "/x", .file = "logger.c", .line = 48},
		{.function = "handle_request", .module = "/x", .file = "logger.c", .line = 90}};
	static struct probekit_frame holding[] = {
		{.function = "flush_log", .module = "/x", .file = "logger.c", .line = 61}};
	static struct probekit_activity activities[] = {{"fsync", 0.94}, {"oncpu", 0.06}};
	static struct probekit_holder holder = {
		.thread = {.pid = 42, .tid = 43, .comm = "worker"},
		.threads = 1,
		.activities = activities,
		.activity_count = COUNT(activities),
		.stack = {.frames = holding, .size = COUNT(holding), .is_complete = true},
		.file = "/var/log/app.log",
		.file_activity = "fsync",
	};
	static const struct probekit_cause cause = {
		.time_class = PROBEKIT_CLASS_LOCK,
		.syscall = "futex",
		.pid = 42,
		.address = 0x555555558050,
		.symbol = "log_mutex",
		.place = "logger+0x4050",
		.lock_kind = "mutex",
		.count = 120,
		.stack = {.frames = waiting, .size = COUNT(waiting), .is_complete = true},
		.holder = &holder,
	};

	return &cause;
}

struct probekit_why *made_why(struct made *made, const char *probe)
{
	static const struct probekit_cause disk = {.time_class = PROBEKIT_CLASS_DISK,
						   .syscall = "fsync",
						   .object = "/var/log/app.log"};
	static const int32_t index[] = {-20, -19, -9, -6};
	static const uint64_t base[] = {970, 20, 10, 0};
	static const uint64_t head[] = {970, 18, 2, 10};
	const struct probekit_difference classes[] = {
		{PROBEKIT_CLASS_LOCK, 0.2 * MS, 3.3 * MS, true},
		{PROBEKIT_CLASS_RUNQUEUE, 0.5 * MS, 0.2 * MS, false},
		{PROBEKIT_CLASS_DISK, 10 * US, 0, true},
	};
	const struct probekit_cause_difference causes[] = {
		{lock_cause(), true, 0.2 * MS, 3.2 * MS, false},
		{&disk, false, 0.4 * MS, 0.2 * MS, false},
	};
	struct probekit_why *why = zeroed(1, sizeof(*why));

	assert_true(made->view.why_count < COMPARISON_ROOM);
	why->probe = probe;
	why->base = histogram_of(index, base, 3);
	why->head = histogram_of(index, head, 4);
	why->classes = zeroed(COUNT(classes), sizeof(classes[0]));
	why->class_count = COUNT(classes);
	memcpy(why->classes, classes, sizeof(classes));
	why->causes = zeroed(COUNT(causes), sizeof(causes[0]));
	why->cause_count = COUNT(causes);
	memcpy(why->causes, causes, sizeof(causes));
	made->view.whys[made->view.why_count++] = why;
	return why;
}

/* ---- wholes ---- */

void made_all(struct made *made)
{
	struct probekit_change *p50;

	made_init(made);
	made->info.outcome = PROBEKIT_RULE_FAILED;
	made->info.has_undecided = true;
	made->info.detectable = 0.08;
	made_probe(made, "web:parse", 40 * US, 1.004, PROBEKIT_VERDICT_SAME);
	made_probe(made, "logger:flush", 2 * MS, 1.17, PROBEKIT_VERDICT_REGRESS);
	p50 = (struct probekit_change *)(uintptr_t)made->view.changes[4];
	p50->verdict = PROBEKIT_VERDICT_SAME;
	p50->ratio = 1.001;
	p50->head = p50->base * p50->ratio;
	p50->low = 0.996;
	p50->high = 1.006;
	p50->p_regress = 0.4;
	made_probe(made, "web:render", 900 * US, 1.031, PROBEKIT_VERDICT_UNDECIDED);
	made_probe(made, "web:cache", 18 * US, 0.6, PROBEKIT_VERDICT_IMPROVE);
	made_probe(made, "std::vector<web::request, web::arena>::emplace_back(web::request&&)", 300,
		   1.3, PROBEKIT_VERDICT_REGRESS);
	made_unmatched(made, "web:retry", true)->reason = "its kind differs";
	made_unmatched(made, made_hostile, false)->runs = 1;
	made_why(made, "logger:flush");
}

void made_all_with_rules(struct made *made)
{
	made_all(made);
	made_rule(made, "p99>+10%", made->view.changes[2], PROBEKIT_RULE_PASSED, 0.004, 0.1);
	made_rule(made, "p99>+10%", made->view.changes[6], PROBEKIT_RULE_FAILED, 0.17, 0.1);
	made_rule(made, "p99>+10%", made->view.changes[10], PROBEKIT_RULE_UNDECIDED, 0.031, 0.1);
	made_rule(made, "logger:flush p50>+50us", made->view.changes[4], PROBEKIT_RULE_PASSED, 2000,
		  50000);
	made_rule(made, "nosuch lock>+5%", NULL, PROBEKIT_RULE_UNDECIDED, NAN, 0.05);
}

void made_many(struct made *made, size_t count)
{
	static char names[COMPARISON_ROOM / 2][400];

	made_init(made);
	made->info.outcome = PROBEKIT_RULE_FAILED;
	assert_true(count <= COUNT(names));
	for (size_t i = 0; i < count; i++) {
		enum probekit_verdict verdict =
			i % 2 ? PROBEKIT_VERDICT_UNDECIDED : PROBEKIT_VERDICT_REGRESS;
		int length = snprintf(names[i], sizeof(names[i]), "%zu", i);

		while (length + sizeof(made_hostile) < sizeof(names[i]))
			length += snprintf(names[i] + length, sizeof(names[i]) - (size_t)length,
					   "%s", made_hostile);
		made_change(made, names[i], "p50", 2 * MS, 1.3, verdict);
		made_change(made, names[i], "p99", 9 * MS, 1.4, verdict);
		made_unmatched(made, names[i], i % 3 == 0);
		made_rule(made, "p99>+10%", made->view.changes[2 * i + 1],
			  i % 2 ? PROBEKIT_RULE_UNDECIDED : PROBEKIT_RULE_FAILED, 0.4, 0.1);
		if (i % 2 == 0)
			made_why(made, names[i]);
	}
}

char *made_text(int (*print)(FILE *out, const struct compare_view *view), const struct made *made)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(print(out, &made->view), 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(strlen(text), size);
	return text;
}
