/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how a catalog is shown: grouped by object, then by kind, spans first. */
#include "out_list.h"

#include <string.h>

#include "format.h"
#include "json_out.h"

enum {
	NAME_SIZE = 512,
	LEAST_NAME = 24,
	MOST_NAME = 56,
};

/* In the order shown. */
static const struct kind {
	enum probekit_catalog_kind kind;
	const char *name; /* in JSON */
	const char *title;
	bool has_end;
	bool is_ours; /* whether a key and the kind of site mean anything */
} kinds[] = {
	{PROBEKIT_CATALOG_SPAN, "span", "spans", true, true},
	{PROBEKIT_CATALOG_ASYNC, "async", "async spans", true, true},
	{PROBEKIT_CATALOG_LOCK, "lock", "locks", true, true},
	{PROBEKIT_CATALOG_VALUE, "value", "values", false, true},
	{PROBEKIT_CATALOG_PAIR, "pair", "pairs of USDT probes", true, false},
	{PROBEKIT_CATALOG_EVENT, "event", "USDT probes", false, false},
	{PROBEKIT_CATALOG_FUNCTION, "function", "functions", true, false},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A pair as it can be pasted into a command line: quoted where a shell would see "|". */
static void entry_label(const struct probekit_catalog_entry *entry, char label[static NAME_SIZE])
{
	const char *quote = strpbrk(entry->name, "|;&<>()$`\\\" \t*?[]#~") ? "'" : "";
	char name[NAME_SIZE - 8];

	format_escape(entry->name, name, sizeof(name));
	if (entry->kind == PROBEKIT_CATALOG_PAIR)
		snprintf(label, NAME_SIZE, "-u %s%s%s", quote, name, quote);
	else
		snprintf(label, NAME_SIZE, "%s", name);
}

static void print_function(FILE *out, const struct probekit_catalog_entry *entry, int width)
{
	const char *cost = probekit_cost_name(entry->cost);
	char label[NAME_SIZE];
	char text[NAME_SIZE];

	entry_label(entry, label);
	fprintf(out, "  %-*s  ", width, label);
	if (entry->refused) {
		format_escape(entry->refused, text, sizeof(text));
		fprintf(out, "cannot be probed: %s\n", text);
		return;
	}
	fprintf(out, "%-9s  %7u  %8llu  ", cost ? cost : "?", entry->sites,
		(unsigned long long)entry->size_bytes);
	if (entry->inlined == UINT32_MAX)
		fprintf(out, "%7s  ", "?");
	else
		fprintf(out, "%7u  ", entry->inlined);
	if (entry->by_exits)
		fputs(format_plural(entry->end_sites, "exit", "exits").text, out);
	else
		fputs("uretprobe", out);
	if (entry->first_inlined) {
		format_escape(entry->first_inlined, text, sizeof(text));
		fprintf(out, ", inlined in %s", text);
	}
	fputc('\n', out);
}

static void print_entry(FILE *out, const struct kind *kind,
			const struct probekit_catalog_entry *entry, int width)
{
	char label[NAME_SIZE];
	char arguments[NAME_SIZE];

	if (kind->kind == PROBEKIT_CATALOG_FUNCTION) {
		print_function(out, entry, width);
		return;
	}
	entry_label(entry, label);
	if (kind->has_end && entry->end_sites != entry->sites)
		fprintf(out, "  %-*s  sites: %u begin, %u end", width, label, entry->sites,
			entry->end_sites);
	else
		fprintf(out, "  %-*s  %s", width, label,
			format_plural(entry->sites, "site", "sites").text);
	if (kind->is_ours)
		fprintf(out, "%s%s", entry->has_key ? ", key" : "",
			entry->is_fast ? ", fast" : ", plain");
	if (kind->kind == PROBEKIT_CATALOG_EVENT && entry->arguments[0]) {
		format_escape(entry->arguments, arguments, sizeof(arguments));
		fprintf(out, ", args %s", arguments);
	}
	fputc('\n', out);
}

static bool is_of(const struct probekit_catalog_entry *entry, const struct kind *kind,
		  const char *object)
{
	return entry->kind == kind->kind && strcmp(entry->object, object) == 0;
}

static void print_kind(FILE *out, bool has_colour, const struct list_view *view,
		       const struct kind *kind, const char *object)
{
	size_t width = LEAST_NAME;
	size_t n = 0;

	for (size_t i = 0; i < view->size; i++) {
		char label[NAME_SIZE];
		size_t length;

		if (!is_of(view->entries[i], kind, object))
			continue;
		entry_label(view->entries[i], label);
		length = strlen(label);
		if (length <= MOST_NAME && length > width)
			width = length;
		n++;
	}
	if (n == 0)
		return;
	fputs(has_colour ? "\033[1m" : "", out);
	if (kind->kind == PROBEKIT_CATALOG_FUNCTION)
		fprintf(out, "%-*s  cost       entries      size  inlined  returns by",
			(int)width + 2, kind->title);
	else
		fputs(kind->title, out);
	fprintf(out, "%s\n", has_colour ? "\033[0m" : "");
	for (size_t i = 0; i < view->size; i++)
		if (is_of(view->entries[i], kind, object))
			print_entry(out, kind, view->entries[i], (int)width);
}

static bool is_first_of_object(const struct list_view *view, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(view->entries[k]->object, view->entries[i]->object) == 0)
			return false;
	return true;
}

void out_list_text(FILE *out, bool has_colour, const struct list_view *view)
{
	for (size_t i = 0; i < view->size; i++) {
		char object[NAME_SIZE];

		if (!is_first_of_object(view, i))
			continue;
		format_escape(view->entries[i]->object, object, sizeof(object));
		fprintf(out, "%s%s\n", i ? "\n" : "", object);
		for (size_t k = 0; k < COUNT(kinds); k++)
			print_kind(out, has_colour, view, &kinds[k], view->entries[i]->object);
	}
	if (view->bad_notes)
		fprintf(out,
			"\n%s with unknown bytes (not listed) or arguments (no key, id or value)\n",
			format_plural(view->bad_notes, "note", "notes").text);
}

static const struct kind *find_kind(const struct probekit_catalog_entry *entry)
{
	size_t i = 0;

	while (i + 1 < COUNT(kinds) && kinds[i].kind != entry->kind)
		i++;
	return &kinds[i];
}

static const char *truth(bool is_known, bool value)
{
	return !is_known ? "null" : value ? "true" : "false";
}

/* null stands for what other kinds have none of, and for what is not known. */
static void print_json_function(FILE *out, const struct probekit_catalog_entry *entry)
{
	const char *cost = probekit_cost_name(entry->cost);

	fputs(",\n      \"cost\": ", out);
	print_text(out, cost);
	fprintf(out,
		", \"size_bytes\": %llu, \"inlined\": ", (unsigned long long)entry->size_bytes);
	if (entry->inlined == UINT32_MAX)
		fputs("null", out);
	else
		fprintf(out, "%u", entry->inlined);
	fputs(", \"first_inlined\": ", out);
	print_text(out, entry->first_inlined);
	fprintf(out, ", \"returns\": %s,\n      \"refused\": ",
		entry->refused	  ? "null"
		: entry->by_exits ? "\"exits\""
				  : "\"uretprobe\"");
	print_text(out, entry->refused);
}

static void print_json_entry(FILE *out, const struct probekit_catalog_entry *entry)
{
	const struct kind *kind = find_kind(entry);

	fputs("    { \"name\": ", out);
	print_string(out, entry->name);
	fprintf(out, ", \"kind\": \"%s\", \"object\": ", kind->name);
	print_string(out, entry->object);
	fprintf(out, ",\n      \"sites\": %u, \"end_sites\": ", entry->sites);
	if (kind->has_end && (kind->kind != PROBEKIT_CATALOG_FUNCTION || entry->by_exits))
		fprintf(out, "%u", entry->end_sites);
	else
		fputs("null", out);
	fputs(", \"arguments\": ", out);
	print_string(out, entry->arguments);
	fprintf(out, ", \"has_key\": %s, \"has_semaphore\": %s, \"is_fast\": %s",
		truth(kind->is_ours, entry->has_key),
		truth(kind->kind != PROBEKIT_CATALOG_FUNCTION, entry->has_semaphore),
		truth(kind->is_ours, entry->is_fast));
	if (kind->kind == PROBEKIT_CATALOG_FUNCTION)
		print_json_function(out, entry);
	fputs(" }", out);
}

void out_list_json(FILE *out, const struct list_view *view)
{
	fputs("{\n  \"schema\": \"probekit.list/1\",\n  \"target\": ", out);
	print_string(out, view->target);
	fprintf(out, ",\n  \"bad_notes\": %zu,\n  \"entries\": [", view->bad_notes);
	for (size_t i = 0; i < view->size; i++) {
		fputs(i ? ",\n" : "\n", out);
		print_json_entry(out, view->entries[i]);
	}
	fprintf(out, "%s]\n}\n", view->size ? "\n  " : "");
}
