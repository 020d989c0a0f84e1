/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how the places read from which a lock was waited for. */
#include "out_lock_waiters.h"

#include <stdlib.h>
#include <string.h>

#include "out_lock_times.h"

enum {
	MAX_COMPARED = 8,
	MAX_SHOWN = 3,
	SHARE = 5, /* ">99 %" */
};

/* Stacks that read the same. */
struct call_site {
	char *text; /* a line, indented as far as the stack begins */
	double share;
};

static char *call_text(const struct text_style *style, const struct probekit_stack *stack)
{
	char *text = NULL;
	size_t bytes = 0;
	struct text_line line = {.out = open_memstream(&text, &bytes), .style = style};

	if (!line.out)
		return NULL;
	out_stack(&line, OUT_LOCK_INDENT + OUT_LOCK_LABEL + SHARE, "", stack,
		  stack_library_frames(stack));
	if (fclose(line.out) == 0)
		return text;
	free(text);
	return NULL;
}

static int by_share(const void *left, const void *right)
{
	const struct call_site *a = left;
	const struct call_site *b = right;

	return a->share < b->share ? 1 : -(a->share > b->share);
}

/* Callers further out may differ, which the line does not show. Largest share first. */
static size_t call_sites(const struct text_style *style, const struct probekit_lock *lock,
			 struct call_site sites[MAX_COMPARED], bool *is_whole)
{
	size_t n = 0;

	for (size_t i = 0; i < lock->waiter_count && i < MAX_COMPARED; i++) {
		struct call_site site = {call_text(style, &lock->waiters[i]),
					 lock->waiters[i].share};
		size_t k = 0;

		*is_whole &= site.text != NULL;
		while (site.text && k < n && strcmp(sites[k].text, site.text) != 0)
			k++;
		if (!site.text || k < n) {
			if (site.text)
				sites[k].share += site.share;
			free(site.text);
			continue;
		}
		sites[n++] = site;
	}
	if (n)
		qsort(sites, n, sizeof(*sites), by_share);
	return n;
}

void out_lock_waiters(struct text_line *line, const struct probekit_lock *lock)
{
	struct call_site sites[MAX_COMPARED];
	bool is_whole = true;
	size_t n = call_sites(line->style, lock, sites, &is_whole);

	if (n == 1)
		out_stack(line, OUT_LOCK_INDENT, "waiting: ", &lock->waiters[0],
			  stack_library_frames(&lock->waiters[0]));
	for (size_t i = 0; i < n; i++) {
		if (n > 1 && i < MAX_SHOWN && (!i || sites[i].share >= OUT_LOCK_LEAST_SHARE) &&
		    *sites[i].text)
			fprintf(line->out, "%*s%-*s%*s %s", OUT_LOCK_INDENT, "", OUT_LOCK_LABEL,
				i ? "" : "waiting:", SHARE, format_share(sites[i].share).text,
				sites[i].text + strspn(sites[i].text, " "));
		free(sites[i].text);
	}
	if (!is_whole)
		fprintf(line->out, "%*sout of memory: not all who wait are shown\n",
			OUT_LOCK_INDENT, "");
}
