/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the report of a snapshot: what is said about each probe, in which order, and at the end. */
#include "out_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "out_parts.h"

enum {
	MAX_SILENT = 40,   /* named, of those that nothing was seen of */
	MAX_UNCALLED = 12, /* the same of functions, of which a pattern takes thousands */
	MAX_BLOCKS = 6,	   /* probes beyond stand in the summary only */
	MAX_MODES = 6,
	NAME_SIZE = 256,
	OBJECT_SIZE = 320,
	NEAR_FLOOR = 2, /* a quantile below this multiple of the floor says little */
};

static const char *const kind_names[] = {
	[PROBEKIT_KIND_SPAN] = "span",	      [PROBEKIT_KIND_USDT] = "USDT pair",
	[PROBEKIT_KIND_ASYNC] = "async span", [PROBEKIT_KIND_FUNCTION] = "function",
	[PROBEKIT_KIND_VALUE] = "value",
};

static const struct {
	double q;
	const char *name;
} quantiles[] = {{0.5, "p50"}, {0.9, "p90"}, {0.99, "p99"}, {0.999, "p99.9"}};

static const struct {
	size_t offset; /* in struct probekit_lost */
	const char *what;
	const char *one;
	const char *many;
} losses[] = {
#define LOST(field) offsetof(struct probekit_lost, field)
	{LOST(unmatched_end), "not counted", "end whose begin was not seen",
	 "ends whose begin was not seen"},
	{LOST(abandoned), "not counted", "span left without its end (longjmp, exec, thread exit)",
	 "spans left without their end (longjmp, exec, thread exit)"},
	{LOST(depth_overflow), "not counted", "span nested deeper than is recorded",
	 "spans nested deeper than is recorded"},
	{LOST(state_unavailable), "not counted", "span for which the kernel had no memory",
	 "spans for which the kernel had no memory"},
	{LOST(map_full), "not counted", "async span beyond the table of open ones",
	 "async spans beyond the table of open ones"},
	{LOST(unreadable_argument), "not understood", "key, id or value that could not be read",
	 "keys, ids or values that could not be read"},
	{LOST(samples_dropped), "not told", "stack or slow span that found no room on its way",
	 "stacks or slow spans that found no room on their way"},
	{LOST(waits_unnamed), "told by class alone", "wait, as other causes took longer",
	 "waits, as other causes took longer"},
	{LOST(children_unnamed), "told without the span around it",
	 "span, beyond the table of who is in whom", "spans, beyond the table of who is in whom"},
	{LOST(out_of_range), "in the last bucket", "value beyond the histogram's range",
	 "values beyond the histogram's range"},
#undef LOST
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const inks[] = {
	[INK_PLAIN] = "",
	[INK_BOLD] = "\033[1m",
	[INK_WARN] = "\033[33m",
	[INK_BAR] = "\033[36m",
};

const char *ink_start(const struct text_style *style, enum text_ink ink)
{
	return style->has_colour ? inks[ink] : "";
}

const char *ink_stop(const struct text_style *style, enum text_ink ink)
{
	return style->has_colour && *inks[ink] ? "\033[0m" : "";
}

void line_add(struct text_line *line, unsigned int gap, enum text_ink ink, const char *format, ...)
{
	char raw[NAME_SIZE + OBJECT_SIZE];
	char room[sizeof(raw)];
	const char *text = room;
	unsigned int width;
	va_list args;

	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	/* Names that have been escaped stay as they are; a snapshot's other words may come from anybody. */
	format_escape(raw, room, sizeof(room));
	width = (unsigned int)format_width(text);
	if (line->at > line->indent && line->at + gap + width > line->style->width) {
		if (strncmp(text, ", ", 2) == 0) { /* it ends what is before it */
			fputc(',', line->out);
			text += 2;
			width -= 2;
		}
		fputc('\n', line->out);
		line->at = 0;
	}
	if (line->at == 0)
		gap = line->indent;
	fprintf(line->out, "%*s%s%s%s", (int)gap, "", ink_start(line->style, ink), text,
		ink_stop(line->style, ink));
	line->at += gap + width;
}

void line_end(struct text_line *line)
{
	if (line->at)
		fputc('\n', line->out);
	line->at = 0;
}

/* ---- what is shown of each probe ---- */

static const struct probekit_probe *find_key(const struct text_group *group, int64_t key)
{
	for (size_t i = 0; i < group->key_count; i++)
		if (!group->keys[i]->is_key_overflow && group->keys[i]->key == key)
			return group->keys[i];
	return NULL;
}

/* Fills up to view->size groups, and returns how many there are. */
static size_t make_groups(const struct text_view *view, struct text_group *groups)
{
	size_t n = 0;

	for (size_t i = 0; i < view->size;) {
		struct text_group *group = &groups[n++];

		group->probe = view->rows[i++];
		group->keys = &view->rows[i];
		group->key_count = 0;
		for (; i < view->size && view->rows[i]->has_key; i++)
			group->key_count++;
		group->shown = view->has_key ? find_key(group, view->key) : group->probe;
	}
	return n;
}

static bool has_losses(const struct probekit_lost *lost)
{
	static const struct probekit_lost none;

	return memcmp(lost, &none, sizeof(none)) != 0;
}

static bool has_count(const struct text_group *group)
{
	return group->shown && group->shown->count;
}

static bool has_news(const struct text_group *group)
{
	return has_count(group) || group->probe->open_count || has_losses(&group->probe->lost);
}

/* Those with something to tell first: spans by total time, then values, whose sums are no times. */
static int compare_groups(const void *a, const void *b)
{
	const struct text_group *left = a;
	const struct text_group *right = b;
	bool left_is_value = left->probe->kind == PROBEKIT_KIND_VALUE;
	bool right_is_value = right->probe->kind == PROBEKIT_KIND_VALUE;
	uint64_t left_weight = 0;
	uint64_t right_weight = 0;

	if (has_news(left) != has_news(right))
		return has_news(left) ? -1 : 1;
	if (left_is_value != right_is_value)
		return left_is_value ? 1 : -1;
	if (left->shown)
		left_weight = left_is_value ? left->shown->count : (uint64_t)left->shown->sum;
	if (right->shown)
		right_weight = right_is_value ? right->shown->count : (uint64_t)right->shown->sum;
	if (left_weight != right_weight)
		return left_weight > right_weight ? -1 : 1;
	return strcmp(left->probe->name, right->probe->name);
}

static void probe_label(const struct text_view *view, const struct probekit_probe *probe,
			char label[static NAME_SIZE])
{
	char name[NAME_SIZE - 32];

	format_escape(probe->name, name, sizeof(name));
	if (view->has_key)
		snprintf(label, NAME_SIZE, "%s key %lld", name, (long long)view->key);
	else
		snprintf(label, NAME_SIZE, "%s", name);
}

/* ---- a block ---- */

static void print_header(struct text_line *line, const struct text_view *view,
			 const struct text_group *group)
{
	const struct probekit_probe *probe = group->probe;
	double seconds = (double)view->info->duration_ns / 1e9;
	double count = has_count(group) ? (double)group->shown->count : 0;
	char label[NAME_SIZE];
	char object[OBJECT_SIZE];

	probe_label(view, probe, label);
	format_escape(probe->object ? probe->object : "?", object, sizeof(object));
	line->indent = 0;
	line_add(line, 0, INK_BOLD, "%s", label);
	line->indent = 2;
	if (probe->kind == PROBEKIT_KIND_FUNCTION && probe->sites == 1)
		line_add(line, 3, INK_PLAIN, "function in %s", object);
	else
		line_add(line, 3, INK_PLAIN, "%s, %s in %s", kind_names[probe->kind],
			 format_plural(probe->sites, "site", "sites").text, object);
	if (seconds > 0)
		line_add(line, 3, INK_PLAIN, "%s", format_rate(count / seconds).text);
	if (seconds > 0 && probe->probe_cost_ns && count > 0)
		line_add(line, 3, INK_PLAIN, "probing %s of one CPU",
			 format_share(count * (double)probe->probe_cost_ns / 1e9 / seconds).text);
	line_end(line);
	if (probe->dropped_after_ns) {
		line_add(line, 0, INK_BOLD,
			 "measured only for %s: probing it to the end would have cost "
			 "more than allowed",
			 format_duration((double)probe->dropped_after_ns).text);
		line_end(line);
	}
}

static void print_quantiles(struct text_line *line, const struct probekit_probe *row)
{
	line_add(line, 0, INK_PLAIN, "count %s", format_count(row->count).text);
	if (row->kind == PROBEKIT_KIND_VALUE)
		line_add(line, 2, INK_PLAIN, "min %s", format_of(row, (double)row->min).text);
	for (size_t i = 0; i < COUNT(quantiles); i++)
		if (quantile_is_known(row->count, quantiles[i].q))
			line_add(line, 2, INK_PLAIN, "%s %s", quantiles[i].name,
				 format_of(row, probekit_probe_quantile(row, quantiles[i].q)).text);
	line_add(line, 2, INK_BOLD, "max %s", format_of(row, (double)row->max).text);
	line_end(line);
}

static void print_modes(struct text_line *line, const struct probekit_probe *row)
{
	static const char *const words[] = {"", "one", "two", "three", "four", "five", "six"};
	struct probekit_mode modes[MAX_MODES];
	size_t n = probekit_probe_modes(row, modes, MAX_MODES);

	if (n < 2)
		return;
	if (n > MAX_MODES)
		line_add(line, 0, INK_PLAIN, "%zu modes, the first:", n);
	else
		line_add(line, 0, INK_PLAIN, "%s modes:", words[n]);
	n = n < MAX_MODES ? n : MAX_MODES;
	for (size_t i = 0; i < n; i++)
		line_add(line, 1, INK_PLAIN, "%s (%s)%s", format_of(row, modes[i].at).text,
			 format_share(modes[i].share).text, i + 1 < n ? "," : "");
}

/* What an empty span reads where `probe` is; 0: not known, as at foreign probes, which are not the
 * site that the floor was measured with. */
static uint64_t floor_of(const struct text_view *view, const struct probekit_probe *probe)
{
	if (probe->kind == PROBEKIT_KIND_SPAN || probe->kind == PROBEKIT_KIND_ASYNC)
		return view->info->floor_ns;
	return 0;
}

static void print_floor_warning(struct text_line *line, const struct probekit_probe *row,
				uint64_t floor_ns)
{
	const char *upto = NULL;

	for (size_t i = 0; i < COUNT(quantiles); i++)
		if (quantile_is_known(row->count, quantiles[i].q) &&
		    probekit_probe_quantile(row, quantiles[i].q) < NEAR_FLOOR * (double)floor_ns)
			upto = quantiles[i].name;
	if (upto)
		line_add(line, 0, INK_WARN,
			 "%s%s at the probe's own floor of %s: read as \"less than\"",
			 upto == quantiles[0].name ? "" : "up to ", upto,
			 format_duration((double)floor_ns).text);
	line_end(line);
}

static void print_losses(struct text_line *line, const struct probekit_probe *probe)
{
	for (size_t i = 0; i < COUNT(losses); i++) {
		uint64_t n;

		memcpy(&n, (const char *)&probe->lost + losses[i].offset, sizeof(n));
		if (n == 0)
			continue;
		line_add(line, 0, INK_WARN, "%s: %s %s", losses[i].what, format_count(n).text,
			 n == 1 ? losses[i].one : losses[i].many);
		line_end(line);
	}
	if (probe->in_flight_at_start) {
		line_add(line, 0, INK_PLAIN, "already running at the start, not counted: %s",
			 format_plural(probe->in_flight_at_start, "span", "spans").text);
		line_end(line);
	}
}

static void print_block(struct text_line *line, const struct text_view *view,
			const struct text_group *group)
{
	const struct probekit_probe *row = group->shown;
	uint64_t floor_ns = floor_of(view, group->probe);

	print_header(line, view, group);
	if (has_count(group)) {
		print_quantiles(line, row);
		print_modes(line, row);
		if (row->kind != PROBEKIT_KIND_VALUE)
			line_add(line, 3, INK_PLAIN, "total %s",
				 format_duration((double)row->sum).text);
		if (floor_ns)
			line_add(line, 3, INK_PLAIN, "probe floor %s",
				 format_duration((double)floor_ns).text);
		line_end(line);
		print_floor_warning(line, row, floor_ns);
	}
	print_losses(line, group->probe);
	if (has_count(group)) {
		fputc('\n', line->out);
		out_histogram(line->out, line->style, row);
		if (group->key_count && !view->has_key)
			out_keys(line->out, line->style, group, view->info->duration_ns);
	}
	out_open(line, group->probe);
	if (has_count(group)) {
		if (view->is_verbose || row->tail.exponent == INT32_MIN)
			out_slowest(line, row);
		out_why(line, view->info, row);
	}
	fputc('\n', line->out);
}

/* ---- below the blocks ---- */

static bool are_functions(const struct text_group *groups, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (groups[i].probe->kind != PROBEKIT_KIND_FUNCTION)
			return false;
	return true;
}

static void print_summary(FILE *out, const struct text_style *style, const struct text_view *view,
			  const struct text_group *groups, size_t n)
{
	struct text_table table;
	char label[NAME_SIZE];

	table_init(&table, out, style, 0, view->info->duration_ns);
	for (size_t i = 0; i < n; i++) {
		probe_label(view, groups[i].probe, label);
		table_measure(&table, label);
	}
	table_measure(&table, "most time first");
	table_head(&table, "most time first");
	for (size_t i = 0; i < n; i++) {
		probe_label(view, groups[i].probe, label);
		if (has_count(&groups[i]))
			table_row(&table, label, groups[i].shown);
	}
	if (n > MAX_BLOCKS)
		fprintf(out, "histograms are of the first %d; %s GLOB chooses others\n", MAX_BLOCKS,
			are_functions(groups, n) ? "-f" : "-s");
	fputc('\n', out);
}

/* The first of the groups' names, those that were dropped or those that were not. */
static void print_names(struct text_line *line, const struct text_view *view,
			const struct text_group *groups, size_t n, bool are_dropped)
{
	size_t named = 0;
	size_t left = 0;
	size_t most = are_dropped || !are_functions(groups, n) ? MAX_SILENT : MAX_UNCALLED;
	char label[NAME_SIZE];
	char sites[NAME_SIZE] = "";

	for (size_t i = 0; i < n; i++)
		left += are_dropped == (groups[i].probe->dropped_after_ns != 0);
	line->indent = 2;
	for (size_t i = 0; i < n && named < most; i++) {
		const struct probekit_probe *probe = groups[i].probe;

		if (are_dropped != (probe->dropped_after_ns != 0))
			continue;
		probe_label(view, probe, label);
		if (probe->kind != PROBEKIT_KIND_FUNCTION)
			snprintf(sites, sizeof(sites), " (%s)",
				 format_plural(probe->sites, "site", "sites").text);
		line_add(line, 1, INK_PLAIN, "%s%s%s", label, sites, --left ? "," : "");
		named++;
	}
	if (left)
		line_add(line, 1, INK_PLAIN, "and %s more", format_count(left).text);
	line_end(line);
}

static void print_silent(struct text_line *line, const struct text_view *view,
			 const struct text_group *groups, size_t n, bool is_all)
{
	size_t dropped = 0;

	for (size_t i = 0; i < n; i++)
		dropped += groups[i].probe->dropped_after_ns != 0;
	line->indent = 0;
	if (dropped) {
		line_add(line, 0, INK_BOLD,
			 "Not measured, as probing them would take more than allowed:");
		line_end(line);
		print_names(line, view, groups, n, true);
	}
	line->indent = 0;
	if (is_all)
		line_add(line, 0, INK_BOLD, "Nothing happened in %s.",
			 format_duration((double)view->info->duration_ns).text);
	if (dropped < n)
		line_add(line, 1, is_all ? INK_BOLD : INK_PLAIN, "%s",
			 are_functions(groups, n) ? "Not called, or not returned from:"
						  : "Attached, without a single end:");
	line_end(line);
	if (dropped < n)
		print_names(line, view, groups, n, false);
	fputc('\n', line->out);
}

/* Rows of this kind; of spans, all kinds that have a cost of spans. */
static bool has_kind(const struct text_view *view, enum probekit_kind kind)
{
	for (size_t i = 0; i < view->size; i++) {
		enum probekit_kind own = view->rows[i]->kind;

		if (own != PROBEKIT_KIND_USDT && own != PROBEKIT_KIND_FUNCTION)
			own = PROBEKIT_KIND_SPAN;
		if (own == kind)
			return true;
	}
	return false;
}

static void print_cost(struct text_line *line, const struct text_view *view)
{
	const struct probekit_snapshot_info *info = view->info;

	if (info->span_cost_ns && has_kind(view, PROBEKIT_KIND_SPAN))
		line_add(line, 1, INK_PLAIN, "one span costs %s;",
			 format_duration((double)info->span_cost_ns).text);
	if (info->usdt_cost_ns && has_kind(view, PROBEKIT_KIND_USDT))
		line_add(line, 1, INK_PLAIN, "one USDT pair costs %s;",
			 format_duration((double)info->usdt_cost_ns).text);
	if (info->function_cost_ns && has_kind(view, PROBEKIT_KIND_FUNCTION))
		line_add(line, 1, INK_PLAIN, "one call costs %s or more;",
			 format_duration((double)info->function_cost_ns).text);
	if (!info->span_cost_ns && !info->usdt_cost_ns)
		line_add(line, 1, INK_PLAIN, "cost of the probe not measured;");
}

/* What is lost of no row. */
static void print_missed(struct text_line *line, const struct text_view *view)
{
	uint64_t missed = view->info->lost.tasks_missed;

	if (!missed)
		return;
	line->indent = 0;
	line_add(line, 0, INK_WARN, "not seen: %s of a thread; what was open in it may be untold",
		 format_plural(missed, "begin or end", "begins or ends").text);
	line_end(line);
}

static void print_end(struct text_line *line, const struct text_view *view)
{
	const struct probekit_snapshot_info *info = view->info;
	char target[OBJECT_SIZE];

	line->indent = 0;
	format_escape(info->target ? info->target : "?", target, sizeof(target));
	line_add(line, 0, INK_PLAIN, "%s", format_duration((double)info->duration_ns).text);
	if (view->runs)
		line_add(line, 1, INK_PLAIN, "in %s",
			 format_plural(view->runs, "run", "runs").text);
	line_add(line, 1, INK_PLAIN, "of %s;", target);
	line->indent = 2;
	print_cost(line, view);
	out_stack_ends(line, info->stacks);
	if (info->attach && info->site && has_kind(view, PROBEKIT_KIND_SPAN))
		line_add(line, 1, INK_PLAIN, "%s at %s", info->attach, info->site);
	else if (info->attach)
		line_add(line, 1, INK_PLAIN, "%s", info->attach);
	line_end(line);
	if (info->child_status > 128)
		fprintf(line->out, "The command was ended by signal %d (status %d).\n",
			(int)info->child_status - 128, (int)info->child_status);
	else if (info->child_status >= 0)
		fprintf(line->out, "The command exited with status %d.\n", (int)info->child_status);
}

int out_text_report(FILE *out, const struct text_style *style, const struct text_view *view)
{
	struct text_line line = {.out = out, .style = style};
	struct text_group *groups = calloc(view->size ? view->size : 1, sizeof(*groups));
	size_t counted = 0;
	size_t told = 0;
	size_t n;

	if (!groups)
		return -ENOMEM;
	n = make_groups(view, groups);
	qsort(groups, n, sizeof(*groups), compare_groups);
	for (size_t i = 0; i < n; i++) {
		counted += has_count(&groups[i]);
		told += has_news(&groups[i]);
	}
	for (size_t i = 0; i < told && i < MAX_BLOCKS; i++)
		print_block(&line, view, &groups[i]);
	if (counted > 1)
		print_summary(out, style, view, groups, told);
	if (n == 0)
		fputs("Nothing to measure was found in the target.\n\n", out);
	else if (told < n)
		print_silent(&line, view, groups + told, n - told, told == 0);
	print_missed(&line, view);
	print_end(&line, view);
	for (size_t i = 0; i < n; i++)
		out_deadlocks(&line, view, groups[i].probe);
	free(groups);
	return 0;
}

int out_text_interval(FILE *out, const struct text_style *style, const struct text_view *view,
		      const char *clock)
{
	struct text_group *groups = calloc(view->size ? view->size : 1, sizeof(*groups));
	struct text_table table;
	char label[NAME_SIZE];
	size_t n;

	if (!groups)
		return -ENOMEM;
	n = make_groups(view, groups);
	table_init(&table, out, style, 0, view->info->duration_ns);
	for (size_t i = 0; i < n; i++) {
		probe_label(view, groups[i].probe, label);
		table_measure(&table, label);
	}
	table_head(&table, clock);
	for (size_t i = 0; i < n; i++) {
		static const struct probekit_probe nothing;

		probe_label(view, groups[i].probe, label);
		table_row(&table, label, groups[i].shown ? groups[i].shown : &nothing);
	}
	fputc('\n', out);
	free(groups);
	return 0;
}
