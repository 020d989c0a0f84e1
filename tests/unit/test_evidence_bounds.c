/* SPDX-License-Identifier: BSD-2-Clause */
/* How records are counted, and that nothing that comes makes what is kept grow without end. The
 * stacks are of this process, one frame each. */
#include "evidence.h"

#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "records.h"
#include "stack.h"
#include "wait_evidence.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define MANY 300

__attribute__((noinline)) static int parse(int value)
{
	__asm__ volatile("" ::: "memory");
	return value * 3;
}

__attribute__((noinline)) static int compress(int value)
{
	__asm__ volatile("" ::: "memory");
	return value * 5;
}

static uint64_t address_of(int (*function)(int))
{
	return (uintptr_t)function;
}

static void add_at(struct evidence *evidence, uint64_t ip, enum stack_role role, uint64_t weight)
{
	struct stack_record record = record_at(ip, role, weight);

	record_add(evidence, &record);
}

static void expect_function(const struct probekit_stack *stack, const char *name, double share)
{
	assert_int_equal(stack->size, 1);
	assert_string_equal(stack->frames[0].function, name);
	assert_true(stack->share == share);
}

/* ---- records ---- */

static void records_that_are_cut_short_are_refused(void **state)
{
	struct evidence *evidence = new_evidence();
	struct span_record span = record_of_span(1, 1);
	struct stack_record stack = record_at(address_of(parse), STACK_WAITER, 1);

	(void)state;
	/* each of its own size: a sanitizer sees what is read beyond */
	for (size_t size = 0; size < sizeof(stack); size++) {
		char *copy = malloc(size + 1);

		memcpy(copy + 1, &stack, size);
		assert_int_equal(evidence_add(evidence, copy + 1, size), -EINVAL);
		free(copy);
	}
	for (size_t size = 0; size < sizeof(span); size++) {
		char *copy = malloc(size + 1);

		memcpy(copy + 1, &span, size);
		assert_int_equal(evidence_add(evidence, copy + 1, size), -EINVAL);
		free(copy);
	}
	evidence_free(evidence);
}

static void expect_refused(struct stack_record record, size_t size)
{
	struct evidence *evidence = new_evidence();
	struct stack_record *copy = malloc(size);
	struct probekit_stack stack;
	const char *lock_kind;

	assert_non_null(copy);
	memcpy(copy, &record, size);
	assert_int_equal(evidence_add(evidence, copy, size), -EINVAL);
	if (record.role != STACK_OPEN)
		assert_int_equal(evidence_stack(evidence, copy, size, &stack, &lock_kind), -EINVAL);
	free(copy);
	evidence_free(evidence);
}

static void records_that_contradict_themselves_are_refused(void **state)
{
	struct stack_record good = record_at(address_of(parse), STACK_WAITER, 1);
	struct stack_record bad[8];
	struct span_record span = record_of_span(1, 1);
	struct evidence *evidence = new_evidence();

	(void)state;
	for (size_t i = 0; i < LENGTH(bad); i++)
		bad[i] = good;
	bad[0].kind = 17;
	bad[1].role = STACK_PROFILED + 1;
	bad[2].role = STACK_OPEN;
	bad[3].kernel_count = SAMPLE_KERNEL_FRAMES + 1;
	bad[4].size_bytes = 1;
	bad[5].size_bytes = UINT32_MAX;
	bad[6].wait.time_class = CLASS_COUNT;
	bad[7].probe = MAX_PROBES + 1;
	for (size_t i = 0; i < LENGTH(bad); i++)
		expect_refused(bad[i], sizeof(bad[i]));
	span.probe = MAX_PROBES + 1;
	assert_int_equal(evidence_add(evidence, &span, sizeof(span)), -EINVAL);
	evidence_free(evidence);
}

static void names_without_an_end_are_cut(void **state)
{
	struct stack_record record = record_at(address_of(parse), STACK_WAKER, 1);
	struct evidence *evidence = new_evidence();
	struct probekit_cause cause;

	(void)state;
	memset(record.comm, 'x', sizeof(record.comm));
	record_add(evidence, &record);
	cause = cause_of_lock(evidence);
	assert_int_equal(strlen(cause.waker.comm), sizeof(cause.waker.comm) - 1);
	cause_done(&cause);
	evidence_free(evidence);
}

/* ---- stacks ---- */

static void the_heaviest_stack_is_shown_with_its_share(void **state)
{
	struct evidence *evidence = new_evidence();
	struct probekit_cause cause;

	(void)state;
	for (int i = 0; i < 5; i++)
		add_at(evidence, address_of(parse), STACK_WAITER, 2);
	add_at(evidence, address_of(compress), STACK_WAITER, 30);
	cause = cause_of_lock(evidence);
	expect_function(&cause.stack, "compress", 30. / 40);
	cause_done(&cause);
	evidence_free(evidence);
}

static void other_probes_and_other_waits_are_left_out(void **state)
{
	struct stack_record other = record_at(address_of(compress), STACK_WAITER, 1000);
	struct evidence *evidence = new_evidence();
	struct probekit_cause cause;

	(void)state;
	add_at(evidence, address_of(parse), STACK_WAITER, 1);
	other.probe++;
	record_add(evidence, &other);
	other.probe--;
	other.wait.address++;
	record_add(evidence, &other);
	cause = cause_of_lock(evidence);
	expect_function(&cause.stack, "parse", 1);
	cause_done(&cause);
	evidence_free(evidence);
}

/* Addresses that show different functions, or none at all. */
static uint64_t address_in_libc(int i)
{
	return (uintptr_t)dlsym(RTLD_DEFAULT, "qsort") + (uint64_t)i * 512;
}

static void a_heavy_stack_stays_among_many_light_ones(void **state)
{
	struct evidence *evidence = new_evidence();
	struct probekit_cause cause;

	(void)state;
	add_at(evidence, address_of(parse), STACK_WAITER, 10 * MANY);
	for (int i = 0; i < MANY; i++)
		add_at(evidence, address_in_libc(i), STACK_WAITER, 1);
	cause = cause_of_lock(evidence);
	expect_function(&cause.stack, "parse", 10. / 11);
	cause_done(&cause);
	evidence_free(evidence);
}

static struct trace *trace_of(struct traces *traces, uint64_t ip)
{
	struct stack_record record = record_at(ip, STACK_WAITER, 1);
	struct trace *trace;

	assert_int_equal(traces_add_user(traces, &record, record.bytes, &trace), 0);
	assert_non_null(trace);
	return trace;
}

static void a_tally_keeps_no_more_than_its_limit(void **state)
{
	struct traces traces;
	struct tally tally = {0};

	(void)state;
	assert_int_equal(traces_init(&traces), 0);
	for (int i = 0; i < MANY; i++) {
		struct trace *trace = trace_of(&traces, address_in_libc(i));

		assert_int_equal(tally_add(&tally, &traces, trace, 1, 32), 0);
		traces_drop(&traces, trace);
		assert_true(tally.size <= 32);
	}
	assert_true(tally.replaced > 0);
	assert_int_equal(tally.total, MANY);
	tally_done(&tally, &traces);
	/* nobody uses them any more */
	assert_null(traces.tree);
	traces_done(&traces);
}

static void threads_are_counted_up_to_their_limit(void **state)
{
	struct thread_tally tally = {0};

	(void)state;
	for (int i = 0; i < MANY; i++) {
		struct thread_count light = {.tid = 1000 + i, .comm = "light", .count = 1};
		struct thread_count often = {.tid = 7, .comm = "", .count = 1};

		assert_int_equal(thread_tally_add(&tally, &light, THREADS_MAX), 0);
		assert_int_equal(thread_tally_add(&tally, &often, THREADS_MAX), 0);
	}
	assert_int_equal(tally.size, THREADS_MAX);
	assert_int_equal(thread_tally_most(&tally).tid, 7);
	thread_tally_done(&tally);
	assert_int_equal(thread_tally_most(&tally).tid, 0);
}

static bool is_heavy(const struct wait_identity *wait, void *arg)
{
	return wait->address == ((const struct stack_record *)arg)->wait.address;
}

static void locks_without_number_leave_room_for_the_heaviest(void **state)
{
	struct stack_record heavy = record_at(address_of(parse), STACK_WAITER, 1000);
	struct stack_record light = record_at(address_of(compress), STACK_WAITER, 1);
	struct probekit_cause cause = {0};
	struct wait_evidence waits = {0};
	struct traces traces;
	struct trace *trace;

	(void)state;
	assert_int_equal(traces_init(&traces), 0);
	trace = trace_of(&traces, address_of(parse));
	assert_int_equal(wait_evidence_add(&waits, &traces, &heavy, trace, NULL), 0);
	for (int i = 0; i < 3 * WAIT_SUBJECTS_MAX; i++) {
		light.wait.address += 64;
		assert_int_equal(wait_evidence_add(&waits, &traces, &light, trace, NULL), 0);
	}
	traces_drop(&traces, trace);
	assert_int_equal(waits.size, WAIT_SUBJECTS_MAX);
	assert_int_equal(
		wait_evidence_fill(&waits, &traces, is_heavy, &heavy, RECORD_PROBE, &cause), 0);
	expect_function(&cause.stack, "parse", 1);
	cause_done(&cause);
	wait_evidence_done(&waits, &traces);
	assert_null(traces.tree);
	traces_done(&traces);
}

/* ---- kernel ---- */

static uint64_t kernel_function(const char *wanted)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long address;
	char line[1024];
	char name[512];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx %*c %511s", &address, name) == 2 &&
		    strcmp(name, wanted) == 0) {
			fclose(file);
			return address;
		}
	}
	if (file)
		fclose(file);
	return 0;
}

static void a_kernel_stack_begins_behind_the_scheduler(void **state)
{
	struct stack_record record = record_at(address_of(parse), STACK_WAITER, 1);
	struct evidence *evidence = new_evidence();
	struct probekit_cause cause;

	(void)state;
	record.kernel[0] = kernel_function("io_schedule");
	record.kernel[1] = kernel_function("ksys_read") + 8;
	record.kernel_count = 2;
	if (!record.kernel[0]) {
		evidence_free(evidence);
		skip();
	}
	record_add(evidence, &record);
	cause = cause_of_lock(evidence);
	expect_function(&cause.kernel_stack, "ksys_read", 1);
	assert_string_equal(cause.kernel_stack.frames[0].module, "[kernel]");
	cause_done(&cause);
	evidence_free(evidence);
}

/* ---- maps ---- */

static void maps_are_read_again_for_new_code_but_not_too_often(void **state)
{
	struct evidence *evidence = new_evidence();
	struct stack_record record = record_at(address_of(parse), STACK_WAITER, 1);
	struct probekit_cause cause;
	char *code;

	(void)state;
	record_add(evidence, &record);
	code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(code != MAP_FAILED);
	record.registers[SAMPLE_REGISTERS - 1] = (uintptr_t)code;
	record.wait_ns = 100;
	record.at_ns += 4000000;
	record_add(evidence, &record);
	assert_int_equal(evidence_stacks(evidence, PROBEKIT_STACK_NONE), 1);
	record.at_ns += 1000000;
	record_add(evidence, &record);
	assert_int_equal(evidence_stacks(evidence, PROBEKIT_STACK_NONE), 1);
	cause = cause_of_lock(evidence);
	assert_string_equal(cause.stack.frames[0].module, "[anon]");
	assert_true(cause.stack.share == 100. / 101);
	cause_done(&cause);
	evidence_free(evidence);
	munmap(code, 4096);
}

static void count_release(struct image *image, void *arg)
{
	(void)image;
	++*(int *)arg;
}

static void start_children(pid_t *children, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (!children[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
}

static void end_children(const pid_t *children, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		kill(children[i], SIGKILL);
		assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
	}
}

struct seen {
	struct module_cache *modules;
	struct images images;
	int released;
};

static void seen_init(struct seen *seen)
{
	assert_int_equal(module_cache_new(&seen->modules), 0);
	images_init(&seen->images, seen->modules);
	seen->images.on_release = count_release;
	seen->images.arg = &seen->released;
	seen->released = 0;
}

static void seen_done(struct seen *seen)
{
	images_done(&seen->images);
	module_cache_free(seen->modules);
}

static void see(struct seen *seen, const pid_t *children, size_t count, uint64_t at_ns)
{
	uint64_t word = 0;
	struct unwind_stack stack = {
		.address = (uintptr_t)&word, .bytes = &word, .size_bytes = sizeof(word)};
	struct unwind_registers registers = {.ip = address_of(parse)};
	struct unwind_trace trace;
	struct image *image;

	unwind_registers_set(&registers, UNWIND_STACK_POINTER, stack.address);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(images_unwind(&seen->images, children[i], at_ns, &registers,
					       &stack, &trace, &image),
				 0);
}

static void images_of_processes_make_room_for_newer_ones(void **state)
{
	pid_t children[IMAGES_MAX + 4];
	struct seen seen;

	(void)state;
	start_children(children, LENGTH(children));
	seen_init(&seen);
	see(&seen, children, LENGTH(children), 1);
	assert_int_equal(seen.images.size, IMAGES_MAX);
	assert_int_equal(seen.released, 4);
	seen_done(&seen);
	end_children(children, LENGTH(children));
}

/* The first eight end, but of the second four there have been samples since. */
static void images_go_when_their_processes_have_ended(void **state)
{
	uint64_t later = 1 + IMAGES_ENDED_NS;
	pid_t children[12];
	pid_t newer[40];
	struct seen seen;

	(void)state;
	start_children(children, LENGTH(children));
	start_children(newer, LENGTH(newer));
	seen_init(&seen);
	see(&seen, children, LENGTH(children), 1);
	see(&seen, children + 4, 4, 2);
	end_children(children, 8);
	see(&seen, newer, 8, later - 1);
	assert_int_equal(seen.released, 0);
	see(&seen, newer + 8, LENGTH(newer) - 8, later);
	assert_int_equal(seen.released, 4);
	assert_int_equal(seen.images.size, LENGTH(children) - 4 + LENGTH(newer));
	seen_done(&seen);
	end_children(children + 8, LENGTH(children) - 8);
	end_children(newer, LENGTH(newer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_that_are_cut_short_are_refused),
		cmocka_unit_test(records_that_contradict_themselves_are_refused),
		cmocka_unit_test(names_without_an_end_are_cut),
		cmocka_unit_test(the_heaviest_stack_is_shown_with_its_share),
		cmocka_unit_test(other_probes_and_other_waits_are_left_out),
		cmocka_unit_test(a_heavy_stack_stays_among_many_light_ones),
		cmocka_unit_test(a_tally_keeps_no_more_than_its_limit),
		cmocka_unit_test(threads_are_counted_up_to_their_limit),
		cmocka_unit_test(locks_without_number_leave_room_for_the_heaviest),
		cmocka_unit_test(a_kernel_stack_begins_behind_the_scheduler),
		cmocka_unit_test(maps_are_read_again_for_new_code_but_not_too_often),
		cmocka_unit_test(images_of_processes_make_room_for_newer_ones),
		cmocka_unit_test(images_go_when_their_processes_have_ended),
	};

	return cmocka_run_group_tests_name("evidence bounds", tests, NULL, NULL);
}
