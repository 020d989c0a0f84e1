/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns how a flame graph looks: the root at the bottom, a row for each depth, widths as times,
 * colours as what the threads waited for. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flame_graph.h"
#include "svg_text.h"

#define WIDTH (FLAME_WIDTH - 2 * FLAME_MARGIN)
#define TEXT_RISE 4 /* from a row's lower edge to the base line */
#define TEXT_PADDING 3
#define COLUMN 7.25 /* of the font */
#define GAP 0.5	    /* between neighbours that are not too narrow for one */
#define GAP_WIDTH_MIN 2
#define FRAME_WIDTH_MIN 0.1
#define BYTES_MAX 2200000 /* of all frames: the widest that fit are drawn */
#define SHADES 3

#define HEADING_HEIGHT 24
#define LEGEND_HEIGHT 18
#define LEGEND_COLUMNS 5

static const char *graph_name(const struct flame_graph *graph)
{
	return graph->is_oncpu ? "on-CPU" : "off-CPU";
}

static const char *node_name(const struct flame_graph *graph, const struct flame_node *node)
{
	return node->step ? node->step->name : graph->is_oncpu ? "all on-CPU" : "all off-CPU";
}

static double pixels(const struct flame_graph *graph, uint64_t time_ns)
{
	return WIDTH * ((double)time_ns / (double)graph->tree.nodes[0].time_ns);
}

static void put_pixels(FILE *out, double value)
{
	svg_hundredths(out, (uint64_t)llround(100 * value));
}

static void put_place(FILE *out, const struct flame_node *node)
{
	const struct probekit_frame *frame = node->step ? node->step->frame : NULL;

	if (!frame || (!frame->file && !frame->module))
		return;
	putc_unlocked('\n', out);
	if (frame->file) {
		svg_text_raw(out, frame->file);
		if (frame->line)
			fprintf(out, ":%" PRIu32, frame->line);
		if (node->has_places)
			fputs(" and others", out);
	}
	if (frame->module) {
		fputs(frame->file ? " in " : "in ", out);
		svg_text_raw(out, frame->module);
	}
	if (frame->is_inlined)
		fputs(", inlined", out);
}

/* The first line is the name alone: the script searches it. */
static void put_title(FILE *out, const struct flame_graph *graph, const struct flame_node *node)
{
	fputs("<title>", out);
	svg_text_raw(out, node_name(graph, node));
	put_place(out, node);
	putc_unlocked('\n', out);
	svg_time(out, node->time_ns);
	fputs(", ", out);
	svg_share(out, node->time_ns, graph->tree.nodes[0].time_ns);
	fprintf(out, " of %s time", graph_name(graph));
	if (!graph->is_oncpu) {
		fputs("; ", out);
		svg_share(out, node->class_ns, node->time_ns);
		fprintf(out, " of it %s", profile_class_name(node->time_class));
	}
	fputs("</title>", out);
}

/* Neighbours of one colour are told apart by its shade, equal functions have the same. */
static unsigned int shade(const char *name)
{
	uint32_t hash = 2166136261;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619;
	return hash % SHADES;
}

static void put_frame(FILE *out, const struct flame_graph *graph, const struct flame_node *node)
{
	const char *name = node_name(graph, node);
	double x = FLAME_MARGIN + pixels(graph, node->from_ns);
	double width = pixels(graph, node->time_ns);
	unsigned int bottom =
		graph->top + graph->height - FLAME_ROW * ((unsigned int)node->depth + 1);
	unsigned int columns =
		width > 2 * TEXT_PADDING ? (unsigned int)((width - 2 * TEXT_PADDING) / COLUMN) : 0;

	fprintf(out, "<g class=\"f %s s%u%s\" data-f=\"%" PRIu64 " %" PRIu64 " %zu\">",
		node->step ? profile_class_name(node->time_class) : "root", shade(name),
		node->step && node->step->kind == PROFILE_STEP_KERNEL ? " k" : "", node->from_ns,
		node->time_ns, node->depth);
	put_title(out, graph, node);
	fputs("<rect x=\"", out);
	put_pixels(out, x);
	fprintf(out, "\" y=\"%u\" height=\"%d\" width=\"", bottom, FLAME_ROW - 1);
	put_pixels(out, width > GAP_WIDTH_MIN ? width - GAP : width);
	fputs("\"/>", out);
	if (columns >= 3) {
		fputs("<text x=\"", out);
		put_pixels(out, x + TEXT_PADDING);
		fprintf(out, "\" y=\"%u\">", bottom + FLAME_ROW - 1 - TEXT_RISE);
		svg_text_cut(out, name, columns);
		fputs("</text>", out);
	}
	fputs("</g>\n", out);
}

/* -ENOMEM. */
static int make_frame(struct flame_graph *graph, size_t node, size_t *size)
{
	FILE *out = open_memstream(&graph->frames[node], size);

	if (!out)
		return -ENOMEM;
	put_frame(out, graph, &graph->tree.nodes[node]);
	return fclose(out) ? -ENOMEM : 0;
}

/* The widest first; parents before children, which come later and are no wider. */
static int compare_widths(const void *left, const void *right)
{
	const struct flame_node *a = *(struct flame_node *const *)left;
	const struct flame_node *b = *(struct flame_node *const *)right;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? 1 : -1;
	return (a > b) - (a < b);
}

static int make_frames(struct flame_graph *graph)
{
	const struct flame_tree *tree = &graph->tree;
	struct flame_node **order = calloc(tree->size, sizeof(*order));
	size_t bytes = 0;
	size_t i;

	graph->frames = calloc(tree->size, sizeof(*graph->frames));
	if (!order || !graph->frames) {
		free(order);
		return -ENOMEM;
	}
	for (i = 0; i < tree->size; i++)
		order[i] = &tree->nodes[i];
	qsort(order, tree->size, sizeof(*order), compare_widths);
	for (i = 0; i < tree->size && pixels(graph, order[i]->time_ns) >= FRAME_WIDTH_MIN; i++) {
		size_t node = (size_t)(order[i] - tree->nodes);
		size_t size;

		if (make_frame(graph, node, &size)) {
			free(order);
			return -ENOMEM;
		}
		bytes += size;
		if (bytes > BYTES_MAX) {
			free(graph->frames[node]);
			graph->frames[node] = NULL;
			break;
		}
	}
	graph->omitted = tree->size - i;
	free(order);
	return 0;
}

static size_t legend_rows(const struct flame_graph *graph)
{
	size_t classes = 0;

	if (graph->is_oncpu)
		return 0;
	for (size_t i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		classes += graph->tree.class_ns[i] > 0;
	return (classes + LEGEND_COLUMNS - 1) / LEGEND_COLUMNS;
}

/* Of what is wide enough: that tells the height. */
static size_t drawn_depth(const struct flame_graph *graph)
{
	size_t depth = 0;

	for (size_t i = 0; i < graph->tree.size; i++)
		if (pixels(graph, graph->tree.nodes[i].time_ns) >= FRAME_WIDTH_MIN &&
		    graph->tree.nodes[i].depth > depth)
			depth = graph->tree.nodes[i].depth;
	return depth;
}

int flame_graph_init(const struct probekit_profile *profile, bool is_oncpu, unsigned int top,
		     struct flame_graph *graph)
{
	*graph = (struct flame_graph){.is_oncpu = is_oncpu, .top = top};
	if (flame_tree_init(profile, is_oncpu, &graph->tree))
		return -ENOMEM;
	graph->height = HEADING_HEIGHT + LEGEND_HEIGHT * (unsigned int)legend_rows(graph);
	if (graph->tree.nodes[0].time_ns == 0)
		return 0;
	graph->height += FLAME_ROW * ((unsigned int)drawn_depth(graph) + 1);
	return make_frames(graph);
}

void flame_graph_done(struct flame_graph *graph)
{
	for (size_t i = 0; graph->frames && i < graph->tree.size; i++)
		free(graph->frames[i]);
	free(graph->frames);
	flame_tree_done(&graph->tree);
	*graph = (struct flame_graph){0};
}

static void put_heading(FILE *out, const struct flame_graph *graph)
{
	fprintf(out, "<text class=\"heading\" x=\"%d\" y=\"%u\">%s: ", FLAME_MARGIN,
		graph->top + 14, graph->is_oncpu ? "On-CPU" : "Off-CPU");
	svg_time(out, graph->tree.nodes[0].time_ns);
	fputs("</text>", out);
	if (graph->omitted)
		fprintf(out,
			"<text class=\"note\" x=\"%d\" y=\"%u\">%zu frames are too narrow to be "
			"drawn</text>",
			FLAME_MARGIN + 180, graph->top + 14, graph->omitted);
	fprintf(out, "<text class=\"matched\" x=\"%d\" y=\"%u\"></text>\n",
		FLAME_WIDTH - FLAME_MARGIN, graph->top + 14);
}

/* Most time first. */
static size_t order_classes(const struct flame_tree *tree, size_t order[PROBEKIT_CLASS_COUNT])
{
	size_t size = 0;

	for (size_t i = 0; i < PROBEKIT_CLASS_COUNT; i++) {
		size_t at = size;

		if (tree->class_ns[i] == 0)
			continue;
		for (; at > 0 && tree->class_ns[order[at - 1]] < tree->class_ns[i]; at--)
			order[at] = order[at - 1];
		order[at] = i;
		size++;
	}
	return size;
}

static void put_legend(FILE *out, const struct flame_graph *graph)
{
	size_t order[PROBEKIT_CLASS_COUNT];
	size_t size = order_classes(&graph->tree, order);

	for (size_t i = 0; i < size; i++) {
		const char *name = profile_class_name((enum probekit_class)order[i]);
		unsigned int x = FLAME_MARGIN +
				 (unsigned int)(i % LEGEND_COLUMNS) * (WIDTH / LEGEND_COLUMNS);
		unsigned int y = graph->top + HEADING_HEIGHT +
				 (unsigned int)(i / LEGEND_COLUMNS) * LEGEND_HEIGHT;

		fprintf(out,
			"<g class=\"legend %s\" data-find=\"[%s\"><rect x=\"%u\" y=\"%u\" "
			"width=\"12\" height=\"12\"/><text x=\"%u\" y=\"%u\">%s ",
			name, name, x, y - 3, x + 17, y + 7, name);
		svg_time(out, graph->tree.class_ns[order[i]]);
		fputs(", ", out);
		svg_share(out, graph->tree.class_ns[order[i]], graph->tree.nodes[0].time_ns);
		fputs("</text></g>\n", out);
	}
}

void flame_graph_write(FILE *out, const struct flame_graph *graph)
{
	fprintf(out, "<g class=\"graph\" data-omitted=\"%zu\">\n", graph->omitted);
	put_heading(out, graph);
	if (!graph->is_oncpu)
		put_legend(out, graph);
	for (size_t i = 0; graph->frames && i < graph->tree.size; i++)
		if (graph->frames[i])
			fputs(graph->frames[i], out);
	fputs("</g>\n", out);
}
