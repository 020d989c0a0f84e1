/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_FLAME_TREE_H
#define PROBEKIT_FLAME_TREE_H
/* Stacks that begin alike, joined: what a flame graph draws. */
#include "profile_path.h"

/* Everything between two stacks that share the names up to here. Its time is that of what is
 * within. */
struct flame_node {
	const struct profile_step *step; /* that took most of the time; NULL: the root */
	size_t parent;			 /* the root is its own */
	size_t depth;			 /* of the root: 0 */
	uint64_t from_ns;		 /* where it begins, on the axis of all time */
	uint64_t time_ns;		 /* positive, but of an empty tree's root */
	enum probekit_class time_class;	 /* that most of its time was spent in */
	uint64_t class_ns;		 /* so much */
	bool has_places;		 /* its steps are at several lines of the function */
};

struct flame_tree {
	struct profile_path *paths; /* in the order of their names */
	size_t path_count;
	struct flame_node
		*nodes; /* parents before children, and these from left to right; the root first */
	size_t size;
	size_t depth; /* of the deepest */
	uint64_t class_ns[PROBEKIT_CLASS_COUNT];
};

/* Of the entries on-CPU, or of all others. -ENOMEM; flame_tree_done() is safe after a failure
 * too. */
int flame_tree_init(const struct probekit_profile *profile, bool is_oncpu, struct flame_tree *tree)
	__attribute__((warn_unused_result));
void flame_tree_done(struct flame_tree *tree);

#endif
