/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stacks of threads while somebody else probes the returns of their functions, for which the kernel
 * replaces return addresses on the stack: they are as complete as without.
 */
#include "measure.h"

#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLOW_OVER_NS 5000000
#define PROBED 3
#define IS_RETURN 1 /* bit of perf_event_attr.config, as in the PMU's format/retprobe */

static const char *const probed[PROBED] = {"outer_call", "inner_call", "leaf"};

/* ---- the other tracer ---- */

static uint32_t uprobe_type(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	unsigned int type;

	if (!file) {
		print_message("the kernel has no uprobe events\n");
		skip();
	}
	assert_int_equal(fscanf(file, "%u", &type), 1);
	fclose(file);
	return type;
}

/* Counts the returns of the function at `offset` of the file. */
static int probe_return(pid_t pid, const char *path, uint64_t offset)
{
	struct perf_event_attr event = {
		.type = uprobe_type(),
		.size = sizeof(event),
		.config = IS_RETURN,
		.uprobe_path = (uintptr_t)path,
		.probe_offset = offset,
	};
	int fd = (int)syscall(SYS_perf_event_open, &event, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		fail_msg("cannot probe the return at %#llx of %s", (unsigned long long)offset,
			 path);
	return fd;
}

static void probe_returns(const struct child *child, int fds[static PROBED])
{
	for (int i = 0; i < PROBED; i++)
		fds[i] = probe_return(child->pid, program_path("returns"),
				      (uint64_t)child_truth(child, probed[i]));
}

/* They were probed indeed. */
static void end_probes(const int fds[static PROBED], bool has_leaves)
{
	for (int i = 0; i < PROBED; i++) {
		uint64_t returns;

		assert_int_equal(read(fds[i], &returns, sizeof(returns)), sizeof(returns));
		if (has_leaves || strcmp(probed[i], "leaf") != 0)
			assert_true(returns > 0);
		close(fds[i]);
	}
}

/* ---- what must be said ---- */

static const struct probekit_cause *cause_of(const struct probekit_probe *row,
					     enum probekit_class time_class)
{
	for (size_t i = 0; i < row->cause_count; i++)
		if (row->causes[i].time_class == time_class && row->causes[i].stack.size)
			return &row->causes[i];
	fail_msg("no cause of class %s has a stack", probekit_class_name(time_class));
	return NULL;
}

static size_t position(const struct probekit_stack *stack, const char *function)
{
	for (size_t i = 0; i < stack->size; i++)
		if (stack->frames[i].function && strcmp(stack->frames[i].function, function) == 0)
			return i;
	for (size_t i = 0; i < stack->size; i++)
		print_error("  %s\n", stack->frames[i].function);
	fail_msg("%s is not in the stack", function);
	return 0;
}

static void check_stack(const struct probekit_stack *stack)
{
	size_t inner = position(stack, "inner_call");

	assert_int_equal(position(stack, "outer_call"), inner + 1);
	assert_true(position(stack, "main") > inner + 1);
	assert_true(stack->is_complete);
}

/* The spans of a mode, of which the slow ones are slow for a cause of the class. */
static void check_mode(const char *mode, enum probekit_class time_class, bool has_leaves)
{
	struct probekit_snapshot *snapshot;
	struct probekit_session *session;
	const struct probekit_probe *row;
	struct child child;
	int fds[PROBED];

	child_start_program(&child, "returns", mode, 200);
	session = measure_start(&(struct measure){
		.pid = child.pid,
		.options = {.slow_over_ns = SLOW_OVER_NS},
	});
	probe_returns(&child, fds);
	child_go(&child);
	snapshot = measure_stop(session);
	end_probes(fds, has_leaves);
	row = find_row(snapshot, "scene:request");
	assert_non_null(row);
	check_stack(&cause_of(row, time_class)->stack);
	probekit_snapshot_free(snapshot);
	child_done(&child);
}

/* ---- tests ---- */

static void a_wait_in_probed_calls_has_its_whole_stack(void **state)
{
	(void)state;
	check_mode("wait", PROBEKIT_CLASS_LOCK, false);
}

static void a_sample_in_probed_calls_has_its_whole_stack(void **state)
{
	(void)state;
	check_mode("compute", PROBEKIT_CLASS_ONCPU, false);
}

static void a_sample_amid_what_a_probe_takes_has_its_whole_stack(void **state)
{
	(void)state;
	check_mode("call", PROBEKIT_CLASS_ONCPU, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_in_probed_calls_has_its_whole_stack),
		cmocka_unit_test(a_sample_in_probed_calls_has_its_whole_stack),
		cmocka_unit_test(a_sample_amid_what_a_probe_takes_has_its_whole_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
