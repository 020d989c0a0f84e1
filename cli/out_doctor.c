/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how the doctor's rows read. Commands are never broken into lines: they are to be pasted. */
#include "out_doctor.h"

#include <string.h>

#include "format.h"

enum {
	MARK_COLUMNS = 9,   /* "MISSING  " */
	TITLE_COLUMNS = 27, /* of the rows where nothing is wrong */
	MAX_WORD = 1024,    /* the library's texts are shorter */
};

static const char *const groups[][2] = {
	{"target", "The target"},
	{"kernel", "The kernel"},
	{"user", "This user"},
	{"system", "This system"},
};

static const struct mark {
	const char *text;
	const char *colour;
} marks[] = {
	[PROBEKIT_SUPPORT_OK] = {"ok", ""},
	[PROBEKIT_SUPPORT_LIMITED] = {"limited", "\033[33m"},
	[PROBEKIT_SUPPORT_MISSING] = {"missing", "\033[33m"},
	[PROBEKIT_SUPPORT_UNKNOWN] = {"unknown", "\033[33m"},
};

/* Of what stands in the way. */
static const struct mark obstacle = {"MISSING", "\033[1;31m"};

struct page {
	FILE *out;
	bool has_colour;
	size_t width;
};

static void print_mark(const struct page *page, const struct probekit_support_row *row)
{
	bool is_obstacle =
		row->state == PROBEKIT_SUPPORT_MISSING && row->need == PROBEKIT_SUPPORT_REQUIRED;
	const struct mark *mark = is_obstacle ? &obstacle : &marks[row->state];
	const char *colour = page->has_colour ? mark->colour : "";

	fprintf(page->out, "%s%s%s%*s", colour, mark->text, *colour ? "\033[0m" : "",
		MARK_COLUMNS - (int)strlen(mark->text), "");
}

/* Words of `text` from column `at` on; further lines begin at column `indent`. Returns the column
 * behind the last word. */
static size_t print_words(const struct page *page, const char *text, size_t indent, size_t at)
{
	bool is_first = true;

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t length = strcspn(text, " ");
		char word[MAX_WORD];
		size_t columns;

		if (length >= sizeof(word))
			length = sizeof(word) - 1;
		memcpy(word, text, length);
		word[length] = '\0';
		columns = format_width(word);
		if (!is_first && at + 1 + columns > page->width) {
			fprintf(page->out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (!is_first) {
			fputc(' ', page->out);
			at++;
		}
		fputs(word, page->out);
		at += columns;
		text += length;
		is_first = false;
	}
	return at;
}

/* ---- what is wrong ---- */

static bool is_wrong(const struct probekit_support_row *row)
{
	return row->state != PROBEKIT_SUPPORT_OK && row->need != PROBEKIT_SUPPORT_INFORMATION;
}

static void print_labelled(const struct page *page, const char *label, const char *text)
{
	fprintf(page->out, "%*s%-7s", MARK_COLUMNS, "", label);
	print_words(page, text, MARK_COLUMNS + 7, MARK_COLUMNS + 7);
	fputc('\n', page->out);
}

static void print_problem(const struct page *page, const struct probekit_support_row *row)
{
	size_t at;

	print_mark(page, row);
	at = print_words(page, row->title, MARK_COLUMNS, MARK_COLUMNS);
	fputs(": ", page->out);
	print_words(page, row->found, MARK_COLUMNS, at + 2);
	fputc('\n', page->out);
	if (row->cost)
		print_labelled(page, "costs", row->cost);
	if (row->advice)
		print_labelled(page, "mend", row->advice);
	if (row->command)
		fprintf(page->out, "%*s%-7s%s\n", MARK_COLUMNS, "", row->advice ? "" : "mend",
			row->command);
	fputc('\n', page->out);
}

/* Rows that could not be told, all for the reason of row `first`, in one paragraph. */
static void print_unknown(const struct page *page, const struct doctor_view *view, size_t first)
{
	const char *why = view->rows[first]->found;
	const char *separator = "";
	size_t at = MARK_COLUMNS;

	for (size_t i = 0; i < first; i++)
		if (is_wrong(view->rows[i]) && view->rows[i]->state == PROBEKIT_SUPPORT_UNKNOWN &&
		    strcmp(view->rows[i]->found, why) == 0)
			return;
	print_mark(page, view->rows[first]);
	at = print_words(page, why, MARK_COLUMNS, at);
	for (size_t i = first; i < view->size; i++) {
		const struct probekit_support_row *row = view->rows[i];
		size_t columns = format_width(row->title);

		if (!is_wrong(row) || row->state != PROBEKIT_SUPPORT_UNKNOWN ||
		    strcmp(row->found, why) != 0)
			continue;
		fputs(i == first ? ":" : separator, page->out);
		at++;
		if (at + 2 + columns > page->width) {
			fprintf(page->out, "\n%*s", MARK_COLUMNS, "");
			at = MARK_COLUMNS;
		} else {
			fputc(' ', page->out);
			at++;
		}
		fputs(row->title, page->out);
		at += columns;
		separator = ",";
	}
	fputs("\n\n", page->out);
}

static void print_problems(const struct page *page, const struct doctor_view *view)
{
	static const enum probekit_support_state order[] = {PROBEKIT_SUPPORT_MISSING,
							    PROBEKIT_SUPPORT_LIMITED};

	for (int required = 1; required >= 0; required--)
		for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++)
			for (size_t i = 0; i < view->size; i++) {
				const struct probekit_support_row *row = view->rows[i];

				if (is_wrong(row) && row->state == order[k] &&
				    (row->need == PROBEKIT_SUPPORT_REQUIRED) == required)
					print_problem(page, row);
			}
	for (size_t i = 0; i < view->size; i++)
		if (is_wrong(view->rows[i]) && view->rows[i]->state == PROBEKIT_SUPPORT_UNKNOWN)
			print_unknown(page, view, i);
}

/* ---- the rest ---- */

static void print_row(const struct page *page, const struct probekit_support_row *row)
{
	const char *mark = row->need == PROBEKIT_SUPPORT_INFORMATION ? "" : marks[row->state].text;
	size_t column = MARK_COLUMNS + TITLE_COLUMNS;

	fprintf(page->out, "%-*s%-*s", MARK_COLUMNS, mark, TITLE_COLUMNS, row->title);
	print_words(page, row->found, column, column);
	fputc('\n', page->out);
}

static void print_group(const struct page *page, const struct doctor_view *view,
			const char *const group[2])
{
	bool is_first = true;

	for (size_t i = 0; i < view->size; i++) {
		const struct probekit_support_row *row = view->rows[i];

		if (is_wrong(row) || strcmp(row->group, group[0]) != 0)
			continue;
		if (is_first)
			fprintf(page->out, "%s%s%s\n", page->has_colour ? "\033[1m" : "", group[1],
				page->has_colour ? "\033[0m" : "");
		is_first = false;
		print_row(page, row);
	}
	if (!is_first)
		fputc('\n', page->out);
}

/* One sentence; a command in it has a line of its own, whole. */
static void print_verdict(const struct page *page, const struct doctor_view *view)
{
	const struct probekit_support_row *first = view->first;
	const char *colour = view->can_measure ? "\033[1;32m" : obstacle.colour;
	size_t at;

	if (page->has_colour)
		fputs(colour, page->out);
	at = print_words(page, view->verdict, 0, 0);
	if (page->has_colour)
		fputs("\033[0m", page->out);
	if (first && (first->command || first->advice)) {
		fputs("; ", page->out);
		print_words(page, view->can_measure ? "for more:" : "first:", 0, at + 2);
		fputs("\n    ", page->out);
		if (first->command) {
			fputs(first->command, page->out);
		} else {
			at = print_words(page, first->title, 4, 4);
			fputs(": ", page->out);
			print_words(page, first->advice, 4, at + 2);
		}
	}
	fputc('\n', page->out);
}

void out_doctor_text(FILE *out, bool has_colour, unsigned int width, const struct doctor_view *view)
{
	const struct page page = {out, has_colour, width};

	fprintf(out, "%s\n\n", view->system);
	print_problems(&page, view);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		print_group(&page, view, groups[i]);
	print_verdict(&page, view);
}
