/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns a comparison as JSON: docs/comparison-format.md, field by field. */
#include <errno.h>
#include <math.h>

#include "json_out.h"
#include "out_compare_parts.h"

static const char *word(bool value)
{
	return value ? "true" : "false";
}

/* `, "key": ` */
static void print_key(FILE *out, const char *key)
{
	fprintf(out, ", \"%s\": ", key);
}

static void print_key_text(FILE *out, const char *key, const char *text)
{
	print_key(out, key);
	print_text(out, text);
}

static void print_key_number(FILE *out, const char *key, double number)
{
	print_key(out, key);
	print_number(out, number);
}

/* ---- results ---- */

static void print_needed(FILE *out, size_t pairs)
{
	print_key(out, "pairs_needed");
	if (pairs)
		fprintf(out, "%zu", pairs);
	else
		fputs("null", out);
}

static void print_change(FILE *out, const struct probekit_change *change)
{
	fputs("{ \"probe\": ", out);
	print_string(out, change->probe);
	fprintf(out, ", \"kind\": \"%s\"", probekit_kind_name(change->kind));
	print_key_text(out, "measure", change->measure);
	fprintf(out, ", \"verdict\": \"%s\", \"is_informational\": %s",
		probekit_verdict_name(change->verdict), word(change->is_informational));
	print_key_text(out, "reason", change->reason);
	print_key_text(out, "doubt", change->doubt);
	fprintf(out, ", \"pairs\": %zu", change->pairs);
	print_needed(out, change->pairs_needed);
	print_key_number(out, "base", change->base);
	print_key_number(out, "head", change->head);
	print_key_number(out, "ratio", change->ratio);
	print_key_number(out, "low", change->low);
	print_key_number(out, "high", change->high);
	print_key_number(out, "p_regress", change->p_regress);
	print_key_number(out, "p_improve", change->p_improve);
	print_key_number(out, "detectable", change->detectable);
	fputs(" }", out);
}

static void print_changes(FILE *out, const struct compare_view *view)
{
	fputs(",\n  \"changes\": [", out);
	for (size_t i = 0; i < view->change_count; i++) {
		fputs(i ? ",\n    " : "\n    ", out);
		print_change(out, view->changes[i]);
	}
	fputs(view->change_count ? "\n  ]" : "]", out);
}

static void print_rules(FILE *out, const struct compare_view *view)
{
	fputs(",\n  \"rules\": [", out);
	for (size_t i = 0; i < view->rule_count; i++) {
		const struct probekit_rule_result *rule = view->rules[i];

		fputs(i ? ",\n    { \"rule\": " : "\n    { \"rule\": ", out);
		print_string(out, rule->rule);
		fprintf(out, ", \"state\": \"%s\", \"unit\": \"%s\"",
			probekit_rule_state_name(rule->state),
			rule->is_absolute ? "absolute" : "relative");
		print_key_text(out, "reason", rule->reason);
		print_needed(out, rule->pairs_needed);
		print_key_number(out, "bound", rule->bound);
		print_key_number(out, "estimate", rule->estimate);
		fputs(",\n      \"change\": ", out);
		if (rule->change)
			print_change(out, rule->change);
		else
			fputs("null", out);
		fputs(" }", out);
	}
	fputs(view->rule_count ? "\n  ]" : "]", out);
}

static void print_unmatched(FILE *out, const struct compare_view *view)
{
	fputs(",\n  \"unmatched\": [", out);
	for (size_t i = 0; i < view->unmatched_count; i++) {
		const struct probekit_unmatched *one = view->unmatched[i];

		fputs(i ? ",\n    { \"probe\": " : "\n    { \"probe\": ", out);
		print_string(out, one->probe);
		fprintf(out, ", \"build\": \"%s\"", one->is_in_head ? "head" : "base");
		print_key_text(out, "reason", *one->reason ? one->reason : NULL);
		fprintf(out, ", \"runs\": %zu, \"count\": %llu }", one->runs,
			(unsigned long long)one->count);
	}
	fputs(view->unmatched_count ? "\n  ]" : "]", out);
}

/* ---- why ---- */

static void print_histogram(FILE *out, const char *key, const struct probekit_histogram *histogram)
{
	fprintf(out, ",\n      \"%s\": { \"unit\": \"s\", \"scale\": %d, \"zero_count\": %llu", key,
		histogram->scale, (unsigned long long)histogram->zero_count);
	fputs(", \"buckets\": [", out);
	for (size_t i = 0; i < histogram->size; i++)
		fprintf(out, "%s[%d, %llu]", i ? ", " : "", histogram->index[i],
			(unsigned long long)histogram->count[i]);
	fputs("] }", out);
}

static void print_classes(FILE *out, const struct probekit_why *why)
{
	fputs(",\n      \"classes\": [", out);
	for (size_t i = 0; i < why->class_count; i++) {
		const struct probekit_difference *one = &why->classes[i];

		fprintf(out, "%s\n        { \"class\": \"%s\"", i ? "," : "",
			probekit_class_name(one->time_class));
		print_key_number(out, "base_ns", one->base_ns);
		print_key_number(out, "head_ns", one->head_ns);
		fprintf(out, ", \"is_certain\": %s }", word(one->is_certain));
	}
	fputs(why->class_count ? "\n      ]" : "]", out);
}

static void print_lock(FILE *out, uint64_t address, const char *symbol, const char *place,
		       const char *kind)
{
	if (!address) {
		fputs("null", out);
		return;
	}
	fprintf(out, "{ \"address\": \"0x%llx\"", (unsigned long long)address);
	print_key_text(out, "symbol", symbol);
	print_key_text(out, "place", place);
	print_key_text(out, "kind", kind);
	fputs(" }", out);
}

static void print_stack(FILE *out, const char *key, const struct probekit_stack *stack)
{
	print_key(out, key);
	fputc('[', out);
	for (size_t i = 0; i < stack->size; i++) {
		fputs(i ? ", " : "", out);
		print_frame(out, &stack->frames[i]);
	}
	fputc(']', out);
}

static void print_ids(FILE *out, const struct probekit_thread *thread)
{
	if (thread->pid)
		fprintf(out, "{ \"pid\": %d", (int)thread->pid);
	else
		fputs("{ \"pid\": null", out);
	if (thread->tid)
		fprintf(out, ", \"tid\": %d", (int)thread->tid);
	else
		fputs(", \"tid\": null", out);
	print_key_text(out, "comm", *thread->comm ? thread->comm : NULL);
}

static void print_thread(FILE *out, const char *key, const struct probekit_thread *thread)
{
	print_key(out, key);
	if (!thread->pid && !thread->tid && !*thread->comm) {
		fputs("null", out);
		return;
	}
	print_ids(out, thread);
	fputs(" }", out);
}

/* With those that it waits for, of which a snapshot has few. */
static void print_holder(FILE *out, const struct probekit_holder *holder)
{
	if (!holder) {
		fputs("null", out);
		return;
	}
	print_ids(out, &holder->thread);
	fprintf(out, ", \"threads\": %u, \"blocked_in\": {", holder->threads);
	for (size_t i = 0; i < holder->activity_count; i++) {
		fputs(i ? ", " : " ", out);
		print_string(out, holder->activities[i].name);
		fputs(": ", out);
		print_number(out, holder->activities[i].share);
	}
	fputs(holder->activity_count ? " }" : "}", out);
	print_key_text(out, "file", holder->file);
	print_key_text(out, "file_activity", holder->file_activity);
	print_stack(out, "stack", &holder->stack);
	print_key(out, "waits_for");
	if (!holder->next_address) {
		fputs("null }", out);
		return;
	}
	fputs("{ \"lock\": ", out);
	print_lock(out, holder->next_address, holder->next_symbol, holder->next_place, NULL);
	print_key(out, "holder");
	print_holder(out, holder->next);
	fputs(" } }", out);
}

static void print_cause(FILE *out, const struct probekit_cause_difference *one)
{
	const struct probekit_cause *cause = one->cause;

	fprintf(out, "{ \"class\": \"%s\"", probekit_class_name(cause->time_class));
	print_key_number(out, "base_ns", one->base_ns);
	print_key_number(out, "head_ns", one->head_ns);
	fprintf(out, ", \"is_located\": %s", word(one->is_located));
	print_key_text(out, "syscall", cause->syscall);
	print_key_text(out, "object", cause->object);
	print_key_text(out, "direction", cause->direction);
	fputs(",\n          \"lock\": ", out);
	print_lock(out, cause->address, cause->symbol, cause->place, cause->lock_kind);
	fputs(",\n          \"holder\": ", out);
	print_holder(out, cause->holder);
	fputs(",\n          \"seen_in\": ", out);
	print_string(out, one->is_of_head ? "head" : "base");
	print_thread(out, "released_by", &cause->waker);
	print_thread(out, "thief", &cause->thief);
	print_stack(out, "stack", &cause->stack);
	print_stack(out, "kernel_stack", &cause->kernel_stack);
	fputs(" }", out);
}

static int print_why(FILE *out, const struct compare_probe *probe)
{
	const struct probekit_why *why = probe->why;
	char sentence[COMPARE_TEXT];

	if (out_compare_why_sentence(probe, sentence))
		return -ENOMEM;
	fputs("{ \"probe\": ", out);
	print_string(out, why->probe);
	print_key_text(out, "summary", *sentence ? sentence : NULL);
	print_histogram(out, "base", &why->base);
	print_histogram(out, "head", &why->head);
	print_classes(out, why);
	fputs(",\n      \"causes\": [", out);
	for (size_t i = 0; i < why->cause_count; i++) {
		fputs(i ? ",\n        " : "\n        ", out);
		print_cause(out, &why->causes[i]);
	}
	fputs(why->cause_count ? "\n      ] }" : "] }", out);
	return 0;
}

static int print_whys(FILE *out, const struct compare_summary *summary)
{
	size_t n = 0;

	fputs(",\n  \"why\": [", out);
	for (size_t i = 0; i < summary->probe_count; i++) {
		if (!summary->order[i]->why)
			continue;
		fputs(n++ ? ",\n    " : "\n    ", out);
		if (print_why(out, summary->order[i]))
			return -ENOMEM;
	}
	fputs(n ? "\n  ]" : "]", out);
	return 0;
}

/* ---- the whole ---- */

static void print_head(FILE *out, const struct compare_view *view,
		       const struct compare_summary *summary)
{
	const struct probekit_comparison_info *info = view->info;
	char sentence[COMPARE_TEXT];

	out_compare_sentence(view, summary, sentence);
	fputs("{\n  \"schema\": \"probekit.comparison/1\"", out);
	fprintf(out, ",\n  \"tool\": { \"name\": \"probekit\", \"version\": \"%s\" }",
		probekit_version());
	fputs(",\n  \"base\": ", out);
	print_string(out, view->base);
	fputs(",\n  \"head\": ", out);
	print_string(out, view->head);
	fprintf(out, ",\n  \"is_same_build\": %s", word(view->is_same_build));
	fputs(",\n  \"mode\": ", out);
	print_string(out, view->mode);
	fputs(",\n  \"mode_reason\": ", out);
	print_text(out, view->mode_reason);
	fprintf(out, ",\n  \"pairs\": %zu,\n  \"delta\": ", info->pairs);
	print_number(out, info->delta);
	fprintf(out, ",\n  \"outcome\": \"%s\"", probekit_rule_state_name(info->outcome));
	fputs(",\n  \"summary\": ", out);
	print_string(out, sentence);
	fprintf(out, ",\n  \"has_undecided\": %s", word(info->has_undecided));
	fputs(",\n  \"incomparable\": ", out);
	print_text(out, info->incomparable);
	fputs(",\n  \"detectable\": ", out);
	print_number(out, info->detectable);
	fprintf(out,
		",\n  \"detectable_known\": %zu,\n  \"tested\": %zu,\n  \"undecided\": %zu,\n  "
		"\"unmatched_rules\": %zu",
		info->detectable_known, info->tested, info->undecided, info->unmatched_rules);
}

int out_compare_json(FILE *out, const struct compare_view *view)
{
	struct compare_summary summary;
	int ret;

	if (out_compare_summary_init(&summary, view))
		return -ENOMEM;
	print_head(out, view, &summary);
	print_rules(out, view);
	print_changes(out, view);
	print_unmatched(out, view);
	ret = print_whys(out, &summary);
	fputs("\n}\n", out);
	out_compare_summary_done(&summary);
	return ret;
}
