/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the SVG file around the flame graphs: what was measured, what was lost, and the script. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "error.h"
#include "flame_graph.css.h"
#include "flame_graph.h"
#include "flame_graph.js.h"
#include "svg_text.h"

#define GRAPHS_MAX 2
#define BAR_HEIGHT 66
#define BAR_GAP 10
#define GRAPH_GAP 20
#define SEARCH_WIDTH 300
#define HINT \
	"Paler frames are in the kernel. Click or Enter: zoom; arrows: move; /: search; Esc: reset"
#define TITLE_COLUMNS 75
#define TARGET_MAX 512

static void put_title(FILE *out, const struct probekit_profile_info *info)
{
	char target[TARGET_MAX];

	escape_text(info->target ? info->target : "", target, sizeof(target));
	fputs("<text class=\"title\" x=\"10\" y=\"22\">", out);
	svg_text_cut(out, target, TITLE_COLUMNS);
	fputs("</text>", out);
}

static void put_count(FILE *out, const char *what, uint64_t count)
{
	if (count)
		fprintf(out, "; %" PRIu64 " %s", count, what);
}

/* When, for how long, and what is missing. */
static void put_facts(FILE *out, const struct probekit_profile_info *info)
{
	time_t seconds = (time_t)(info->started_unix_ns / 1000000000);
	struct tm utc;
	char text[64] = "";

	if (gmtime_r(&seconds, &utc))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &utc);
	fprintf(out, "<text class=\"note\" x=\"10\" y=\"40\">%s, ", text);
	svg_time(out, info->duration_ns);
	if (info->profiling == PROBEKIT_PROFILING_SPANS)
		fputs(", inside spans", out);
	put_count(out, "samples dropped", info->samples_dropped);
	put_count(out, "samples skipped", info->samples_skipped);
	put_count(out, "stacks not known", info->unknown_stacks);
	fputs("</text>", out);
}

/* Above the graphs, and in sight while they are scrolled. */
static void put_bar(FILE *out, const struct probekit_profile_info *info)
{
	fprintf(out, "<g class=\"bar\"><rect x=\"-1\" y=\"-1\" width=\"%d\" height=\"%d\"/>",
		FLAME_WIDTH + 2, BAR_HEIGHT);
	put_title(out, info);
	put_facts(out, info);
	fputs("<text class=\"details live\" x=\"10\" y=\"58\" aria-live=\"polite\">" HINT "</text>",
	      out);
	fprintf(out,
		"<text class=\"reset live\" x=\"%d\" y=\"22\">reset zoom</text>"
		"<foreignObject class=\"live\" x=\"%d\" y=\"5\" width=\"%d\" height=\"26\">"
		"<input xmlns=\"http://www.w3.org/1999/xhtml\" type=\"search\" "
		"placeholder=\"search: part of a name, or /regex/\" aria-label=\"search\"/>"
		"</foreignObject></g>\n",
		FLAME_WIDTH - SEARCH_WIDTH - 2 * FLAME_MARGIN,
		FLAME_WIDTH - SEARCH_WIDTH - FLAME_MARGIN, SEARCH_WIDTH);
}

static void put_document(FILE *out, const struct probekit_profile *profile,
			 const struct flame_graph *graphs, size_t count)
{
	const struct flame_graph *last = &graphs[count - 1];
	unsigned int height = last->top + last->height + FLAME_MARGIN;

	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" "
		"viewBox=\"0 0 %d %u\">\n<style><![CDATA[\n%s]]></style>\n"
		"<rect class=\"paper\" width=\"%d\" height=\"%u\"/>\n",
		FLAME_WIDTH, height, FLAME_WIDTH, height, flame_graph_css, FLAME_WIDTH, height);
	for (size_t i = 0; i < count; i++)
		flame_graph_write(out, &graphs[i]);
	put_bar(out, &profile->info);
	fprintf(out, "<script><![CDATA[\n%s]]></script>\n</svg>\n", flame_graph_js);
}

static bool has_oncpu_entry(const struct probekit_profile *profile)
{
	for (size_t i = 0; i < profile->size; i++)
		if (profile->entries[i].time_class == PROBEKIT_CLASS_ONCPU)
			return true;
	return false;
}

/* Off-CPU, and on-CPU where that was sampled. -ENOMEM; `count` are to be freed. */
static int make_graphs(const struct probekit_profile *profile, struct flame_graph *graphs,
		       size_t *count)
{
	unsigned int top = BAR_HEIGHT + BAR_GAP;

	*count = 0;
	for (int is_oncpu = 0; is_oncpu < GRAPHS_MAX; is_oncpu++) {
		if (is_oncpu && !profile->info.has_oncpu && !has_oncpu_entry(profile))
			continue;
		if (flame_graph_init(profile, is_oncpu, top, &graphs[(*count)++]))
			return -ENOMEM;
		top = graphs[*count - 1].top + graphs[*count - 1].height + GRAPH_GAP;
	}
	return 0;
}

int profile_to_svg(const struct probekit_profile *profile, char **bytes, size_t *size_bytes)
{
	struct flame_graph graphs[GRAPHS_MAX];
	char *text = NULL;
	size_t size = 0;
	FILE *out = NULL;
	size_t count;
	int result = make_graphs(profile, graphs, &count);

	if (result == 0) {
		out = open_memstream(&text, &size);
		result = out ? 0 : -ENOMEM;
	}
	if (out) {
		put_document(out, profile, graphs, count);
		if (fclose(out))
			result = -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		flame_graph_done(&graphs[i]);
	if (result) {
		free(text);
		return result;
	}
	*bytes = text;
	*size_bytes = size;
	return 0;
}
