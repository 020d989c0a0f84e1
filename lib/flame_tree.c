/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the joining of stacks: sorted by their names, those that begin alike are neighbours, and
 * one walk over them with the nodes that are still open makes the tree. */
#include "flame_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A node that more stacks may still go through. */
struct open_node {
	size_t node;
	uint64_t class_ns[PROBEKIT_CLASS_COUNT];
	uint64_t step_ns; /* of the node's step */
};

struct builder {
	struct flame_tree *tree;
	struct open_node *open; /* by depth */
	size_t open_count;
	uint64_t now_ns;
};

static int compare_steps(const struct profile_step *a, const struct profile_step *b)
{
	return a->kind != b->kind ? (int)a->kind - (int)b->kind : strcmp(a->name, b->name);
}

static int compare_paths(const void *left, const void *right)
{
	const struct profile_path *a = left;
	const struct profile_path *b = right;
	size_t size = a->size < b->size ? a->size : b->size;

	for (size_t i = 0; i < size; i++) {
		int order = compare_steps(&a->steps[i], &b->steps[i]);

		if (order)
			return order;
	}
	return (a->size > b->size) - (a->size < b->size);
}

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same_place(const struct profile_step *a, const struct profile_step *b)
{
	if (!a->frame || !b->frame)
		return true;
	return a->frame->line == b->frame->line && is_same_text(a->frame->file, b->frame->file);
}

static void open_step(struct builder *builder, const struct profile_path *path)
{
	struct flame_tree *tree = builder->tree;
	struct open_node *open = &builder->open[builder->open_count];
	const struct profile_step *step =
		builder->open_count ? &path->steps[builder->open_count - 1] : NULL;

	*open = (struct open_node){.node = tree->size};
	tree->nodes[tree->size++] = (struct flame_node){
		.step = step,
		.parent = builder->open_count ? open[-1].node : 0,
		.depth = builder->open_count,
		.from_ns = builder->now_ns,
	};
	if (builder->open_count > tree->depth)
		tree->depth = builder->open_count;
	builder->open_count++;
}

static void close_last(struct builder *builder)
{
	struct open_node *open = &builder->open[--builder->open_count];
	struct flame_node *node = &builder->tree->nodes[open->node];
	size_t most = 0;

	for (size_t i = 0; i < PROBEKIT_CLASS_COUNT; i++) {
		if (open->class_ns[i] > open->class_ns[most])
			most = i;
		if (builder->open_count)
			open[-1].class_ns[i] += open->class_ns[i];
	}
	node->time_class = (enum probekit_class)most;
	node->class_ns = open->class_ns[most];
	node->time_ns = builder->now_ns - node->from_ns;
}

static size_t class_of(const struct profile_path *path)
{
	size_t time_class = (size_t)path->entry->time_class;

	return time_class < PROBEKIT_CLASS_COUNT ? time_class : PROBEKIT_CLASS_OTHER;
}

/* The nodes show the line where most time was spent. */
static void choose_steps(struct builder *builder, const struct profile_path *path)
{
	for (size_t i = 1; i < builder->open_count; i++) {
		struct open_node *open = &builder->open[i];
		struct flame_node *node = &builder->tree->nodes[open->node];
		const struct profile_step *step = &path->steps[i - 1];
		uint64_t time_ns = path->entry->time_ns;

		if (is_same_place(node->step, step)) {
			open->step_ns += time_ns;
			continue;
		}
		node->has_places = true;
		if (time_ns > open->step_ns) {
			node->step = step;
			open->step_ns = time_ns;
		}
	}
}

static void add_path(struct builder *builder, const struct profile_path *path)
{
	size_t same = 0;

	while (same + 1 < builder->open_count && same < path->size &&
	       compare_steps(builder->tree->nodes[builder->open[same + 1].node].step,
			     &path->steps[same]) == 0)
		same++;
	while (builder->open_count > same + 1)
		close_last(builder);
	while (builder->open_count < path->size + 1)
		open_step(builder, path);
	choose_steps(builder, path);
	builder->open[builder->open_count - 1].class_ns[class_of(path)] += path->entry->time_ns;
	builder->now_ns += path->entry->time_ns;
}

static int build(struct flame_tree *tree)
{
	struct builder builder = {.tree = tree};
	size_t deepest = 0;
	size_t steps = 0;

	for (size_t i = 0; i < tree->path_count; i++) {
		steps += tree->paths[i].size;
		deepest = tree->paths[i].size > deepest ? tree->paths[i].size : deepest;
	}
	tree->nodes = calloc(steps + 1, sizeof(*tree->nodes));
	builder.open = calloc(deepest + 1, sizeof(*builder.open));
	if (!tree->nodes || !builder.open) {
		free(builder.open);
		return -ENOMEM;
	}
	open_step(&builder, NULL);
	for (size_t i = 0; i < tree->path_count; i++)
		add_path(&builder, &tree->paths[i]);
	while (builder.open_count > 1)
		close_last(&builder);
	memcpy(tree->class_ns, builder.open[0].class_ns, sizeof(tree->class_ns));
	close_last(&builder);
	free(builder.open);
	return 0;
}

/* What took no time has no width. Times that a sum would not hold are no measurement. */
static bool is_shown(const struct probekit_profile_entry *entry, bool is_oncpu, uint64_t sum_ns)
{
	return (entry->time_class == PROBEKIT_CLASS_ONCPU) == is_oncpu && entry->time_ns > 0 &&
	       entry->time_ns <= UINT64_MAX - sum_ns;
}

int flame_tree_init(const struct probekit_profile *profile, bool is_oncpu, struct flame_tree *tree)
{
	uint64_t sum_ns = 0;

	*tree = (struct flame_tree){0};
	tree->paths = calloc(profile->size + 1, sizeof(*tree->paths));
	if (!tree->paths)
		return -ENOMEM;
	for (size_t i = 0; i < profile->size; i++) {
		const struct probekit_profile_entry *entry = &profile->entries[i];

		if (!is_shown(entry, is_oncpu, sum_ns))
			continue;
		sum_ns += entry->time_ns;
		if (profile_path_init(entry, &tree->paths[tree->path_count++]))
			return -ENOMEM;
	}
	qsort(tree->paths, tree->path_count, sizeof(*tree->paths), compare_paths);
	return build(tree);
}

void flame_tree_done(struct flame_tree *tree)
{
	for (size_t i = 0; i < tree->path_count; i++)
		profile_path_done(&tree->paths[i]);
	free(tree->paths);
	free(tree->nodes);
	*tree = (struct flame_tree){0};
}
