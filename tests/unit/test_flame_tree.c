/* SPDX-License-Identifier: BSD-2-Clause */
#include "flame_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "profiles.h"

#include <cmocka.h>

static void build(struct probekit_profile *profile, struct flame_tree *tree)
{
	assert_int_equal(flame_tree_init(profile, false, tree), 0);
}

static const struct flame_node *find(const struct flame_tree *tree, const char *name)
{
	for (size_t i = 1; i < tree->size; i++)
		if (strcmp(tree->nodes[i].step->name, name) == 0)
			return &tree->nodes[i];
	fail_msg("no node is named %s", name);
	return NULL;
}

static void no_entries_are_a_root_without_time(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct flame_tree tree;

	(void)state;
	build(profile, &tree);
	assert_int_equal(tree.size, 1);
	assert_int_equal(tree.nodes[0].time_ns, 0);
	flame_tree_done(&tree);
	profile_free(profile);
}

static void stacks_share_what_they_begin_with(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct flame_tree tree;

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_LOCK, "main;b", NULL, 30);
	profile_add(profile, PROBEKIT_CLASS_DISK, "main;a", NULL, 60);
	profile_add(profile, PROBEKIT_CLASS_LOCK, "main", NULL, 20);
	build(profile, &tree);
	/* the root, app, main, a, [disk], b, [lock], and [lock] on main itself */
	assert_int_equal(tree.size, 8);
	assert_int_equal(tree.nodes[0].time_ns, 110);
	assert_int_equal(find(&tree, "main")->time_ns, 110);
	assert_int_equal(find(&tree, "a")->time_ns, 60);
	assert_int_equal(find(&tree, "b")->from_ns, find(&tree, "a")->from_ns + 60);
	assert_int_equal(find(&tree, "main")->time_class, PROBEKIT_CLASS_DISK);
	assert_int_equal(find(&tree, "main")->class_ns, 60);
	assert_int_equal(tree.class_ns[PROBEKIT_CLASS_LOCK], 50);
	flame_tree_done(&tree);
	profile_free(profile);
}

static void children_fit_inside_their_parents(void **state)
{
	struct probekit_profile *profile = profile_of_service();
	struct flame_tree tree;

	(void)state;
	build(profile, &tree);
	for (size_t i = 1; i < tree.size; i++) {
		const struct flame_node *node = &tree.nodes[i];
		const struct flame_node *parent = &tree.nodes[node->parent];

		assert_true(node->parent < i);
		assert_int_equal(node->depth, parent->depth + 1);
		assert_true(node->time_ns > 0);
		assert_true(node->from_ns >= parent->from_ns);
		assert_true(node->from_ns + node->time_ns <= parent->from_ns + parent->time_ns);
	}
	flame_tree_done(&tree);
	profile_free(profile);
}

static void time_on_cpu_has_a_tree_of_its_own(void **state)
{
	struct probekit_profile *profile = profile_of_service();
	struct flame_tree off;
	struct flame_tree on;
	uint64_t all = 0;

	(void)state;
	build(profile, &off);
	assert_int_equal(flame_tree_init(profile, true, &on), 0);
	for (size_t i = 0; i < PROBEKIT_CLASS_COUNT; i++)
		all += profile->info.time_ns[i];
	assert_int_equal(on.nodes[0].time_ns, profile->info.time_ns[PROBEKIT_CLASS_ONCPU]);
	assert_int_equal(off.nodes[0].time_ns + on.nodes[0].time_ns, all);
	flame_tree_done(&off);
	flame_tree_done(&on);
	profile_free(profile);
}

static void a_function_shows_the_line_of_most_time(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct flame_tree tree;

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_LOCK, "main", NULL, 10)->stack.frames[0].line = 1;
	profile_add(profile, PROBEKIT_CLASS_LOCK, "main", NULL, 30)->stack.frames[0].line = 2;
	profile_add(profile, PROBEKIT_CLASS_LOCK, "main", NULL, 20)->stack.frames[0].line = 3;
	build(profile, &tree);
	assert_int_equal(find(&tree, "main")->step->frame->line, 2);
	assert_true(find(&tree, "main")->has_places);
	assert_int_equal(find(&tree, "main")->time_ns, 60);
	flame_tree_done(&tree);
	profile_free(profile);
}

static void kernel_functions_are_not_those_of_the_program(void **state)
{
	struct probekit_profile *profile = profile_new();
	struct flame_tree tree;

	(void)state;
	profile_add(profile, PROBEKIT_CLASS_LOCK, "main;schedule", NULL, 10);
	profile_add(profile, PROBEKIT_CLASS_LOCK, "main", "schedule", 10);
	build(profile, &tree);
	assert_int_equal(find(&tree, "schedule")->time_ns, 10);
	flame_tree_done(&tree);
	profile_free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_entries_are_a_root_without_time),
		cmocka_unit_test(stacks_share_what_they_begin_with),
		cmocka_unit_test(children_fit_inside_their_parents),
		cmocka_unit_test(time_on_cpu_has_a_tree_of_its_own),
		cmocka_unit_test(a_function_shows_the_line_of_most_time),
		cmocka_unit_test(kernel_functions_are_not_those_of_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
