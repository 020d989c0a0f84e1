/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_FLAME_GRAPH_H
#define PROBEKIT_FLAME_GRAPH_H
/* One flame graph, as a part of an SVG file. flame_graph.js knows these sizes too. */
#include "flame_tree.h"

#define FLAME_WIDTH 1200 /* of the file, in pixels */
#define FLAME_MARGIN 10
#define FLAME_ROW 17

struct flame_graph {
	struct flame_tree tree;
	bool is_oncpu;
	char **frames;	  /* by node, how it is drawn; NULL: not at all */
	size_t omitted;	  /* nodes that are not */
	unsigned int top; /* pixels from the upper edge of the file */
	unsigned int height;
};

/* `top` is where it begins. -ENOMEM; flame_graph_done() is safe after a failure too. */
int flame_graph_init(const struct probekit_profile *profile, bool is_oncpu, unsigned int top,
		     struct flame_graph *graph) __attribute__((warn_unused_result));
void flame_graph_done(struct flame_graph *graph);
void flame_graph_write(FILE *out, const struct flame_graph *graph);

#endif
