/* SPDX-License-Identifier: BSD-2-Clause */
/* How sampled stacks share in times that are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "evidence.h"
#include "records.h"

#define SYSCALL_FUTEX_NUMBER 202

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

__attribute__((noinline)) static int store(int value)
{
	__asm__ volatile("" ::: "memory");
	return value * 7;
}

typedef int function(int value);

/* ---- samples ---- */

static struct profile_key key_of(uint8_t time_class, uint16_t syscall)
{
	return (struct profile_key){
		.pid = (uint32_t)getpid(), .syscall = syscall, .time_class = time_class};
}

static struct stack_record sample_in(function *where, const struct profile_key *key,
				     uint64_t weight)
{
	struct stack_record record = record_at((uintptr_t)where, STACK_PROFILED, weight);

	record.wait =
		(struct wait_identity){.syscall = key->syscall, .time_class = key->time_class};
	record.pid = key->pid;
	return record;
}

static void add(struct evidence *evidence, function *where, const struct profile_key *key,
		uint64_t weight)
{
	struct stack_record record = sample_in(where, key, weight);

	record_add(evidence, &record);
}

static struct probekit_profile *profile_of(struct evidence *evidence,
					   const struct profile_total *totals, size_t count,
					   bool for_oncpu)
{
	struct probekit_profile *profile = calloc(1, sizeof(*profile));

	assert_non_null(profile);
	assert_int_equal(evidence_profile(evidence, totals, count, for_oncpu, profile), 0);
	return profile;
}

static const struct probekit_profile_entry *entry_in(const struct probekit_profile *profile,
						     const char *name)
{
	for (size_t i = 0; i < probekit_profile_size(profile); i++) {
		const struct probekit_profile_entry *entry = probekit_profile_entry(profile, i);

		if (entry->stack.size && entry->stack.frames[0].function &&
		    strcmp(entry->stack.frames[0].function, name) == 0)
			return entry;
	}
	fail_msg("no entry in %s", name);
	return NULL;
}

static uint64_t sum(const struct probekit_profile *profile)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < probekit_profile_size(profile); i++)
		ns += probekit_profile_entry(profile, i)->time_ns;
	return ns;
}

/* ---- tests ---- */

static void shares_follow_the_weights_and_leave_no_remainder(void **state)
{
	struct evidence *evidence = new_evidence();
	const struct profile_key lock = key_of(CLASS_LOCK, SYSCALL_FUTEX_NUMBER);
	const struct profile_total total = {lock, 1000000000000000001};
	struct probekit_profile *profile;

	(void)state;
	add(evidence, parse, &lock, 3000000);
	add(evidence, compress, &lock, 2000000);
	add(evidence, compress, &lock, 3000000);
	add(evidence, store, &lock, 1000000);
	profile = profile_of(evidence, &total, 1, false);
	assert_int_equal(probekit_profile_size(profile), 3);
	assert_true(sum(profile) == total.ns);
	assert_ptr_equal(entry_in(profile, "compress"), probekit_profile_entry(profile, 0));
	assert_int_equal(entry_in(profile, "compress")->samples, 2);
	assert_int_equal(entry_in(profile, "compress")->time_class, PROBEKIT_CLASS_LOCK);
	assert_string_equal(entry_in(profile, "compress")->syscall, "futex");
	assert_true((double)entry_in(profile, "compress")->time_ns / (double)total.ns > 0.555);
	assert_true((double)entry_in(profile, "compress")->time_ns / (double)total.ns < 0.556);
	assert_true((double)entry_in(profile, "store")->time_ns / (double)total.ns > 0.111);
	assert_true((double)entry_in(profile, "store")->time_ns / (double)total.ns < 0.112);
	assert_null(probekit_profile_entry(profile, 3));
	probekit_profile_free(profile);
	evidence_free(evidence);
}

static void each_process_class_and_syscall_has_its_own_time(void **state)
{
	struct evidence *evidence = new_evidence();
	const struct profile_total totals[] = {
		{key_of(CLASS_LOCK, SYSCALL_FUTEX_NUMBER), 100},
		{key_of(CLASS_MEMORY, SYSCALL_FUTEX_NUMBER), 200},
		{key_of(CLASS_LOCK, 1), 400},
		{{.pid = 1, .syscall = SYSCALL_FUTEX_NUMBER, .time_class = CLASS_LOCK}, 800},
	};
	struct probekit_profile *profile;
	uint64_t expected[] = {800, 400, 200, 100};

	(void)state;
	for (size_t i = 0; i < 3; i++) /* as heavy as the process's time is not */
		add(evidence, parse, &totals[i].key, 1000 - totals[i].ns);
	profile = profile_of(evidence, totals, 4, false);
	assert_int_equal(probekit_profile_size(profile), 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(probekit_profile_entry(profile, i)->time_ns, expected[i]);
	assert_int_equal(probekit_profile_entry(profile, 0)->pid, 1);
	assert_int_equal(probekit_profile_entry(profile, 0)->stack.size, 0);
	assert_int_equal(probekit_profile_entry(profile, 0)->samples, 0);
	assert_string_equal(probekit_profile_entry(profile, 1)->syscall, "write");
	assert_int_equal(probekit_profile_entry(profile, 2)->time_class, PROBEKIT_CLASS_MEMORY);
	probekit_profile_free(profile);
	evidence_free(evidence);
}

static void samples_without_any_time_are_no_entries(void **state)
{
	struct evidence *evidence = new_evidence();
	const struct profile_key lock = key_of(CLASS_LOCK, SYSCALL_FUTEX_NUMBER);
	struct probekit_profile *profile;

	(void)state;
	add(evidence, parse, &lock, 100);
	profile = profile_of(evidence, NULL, 0, true);
	assert_int_equal(probekit_profile_size(profile), 0);
	probekit_profile_free(profile);
	evidence_free(evidence);
}

static void time_on_cpu_is_there_when_it_is_asked_for(void **state)
{
	struct evidence *evidence = new_evidence();
	const struct profile_total total = {key_of(CLASS_ONCPU, NO_SYSCALL), 500};
	struct probekit_profile *profile;

	(void)state;
	add(evidence, parse, &total.key, 100);
	profile = profile_of(evidence, &total, 1, false);
	assert_int_equal(probekit_profile_size(profile), 0);
	probekit_profile_free(profile);
	profile = profile_of(evidence, &total, 1, true);
	assert_int_equal(probekit_profile_size(profile), 1);
	assert_int_equal(entry_in(profile, "parse")->time_ns, 500);
	assert_null(entry_in(profile, "parse")->syscall);
	probekit_profile_free(profile);
	evidence_free(evidence);
}

static void what_shows_the_same_is_one_entry(void **state)
{
	struct evidence *evidence = new_evidence();
	const struct profile_total total = {key_of(CLASS_LOCK, SYSCALL_FUTEX_NUMBER), 500};
	struct probekit_profile *profile;

	(void)state;
	add(evidence, parse, &total.key, 100);
	add(evidence, (function *)((uintptr_t)parse + 1), &total.key, 100);
	profile = profile_of(evidence, &total, 1, false);
	assert_int_equal(probekit_profile_size(profile), 1);
	assert_int_equal(probekit_profile_entry(profile, 0)->samples, 2);
	probekit_profile_free(profile);
	evidence_free(evidence);
}

static void a_wait_that_has_not_ended_keeps_its_very_time(void **state)
{
	struct evidence *evidence = new_evidence();
	const struct profile_key lock = key_of(CLASS_LOCK, SYSCALL_FUTEX_NUMBER);
	const struct profile_total ended = {lock, 100};
	const struct profile_total present = {lock, 7000};
	struct stack_record record = sample_in(compress, &lock, 1);
	struct probekit_profile *profile;

	(void)state;
	record.role = STACK_OPEN;
	add(evidence, parse, &lock, 1000000);
	assert_int_equal(evidence_add_present(evidence, &present, &record, sizeof(record)), 0);
	assert_int_equal(evidence_add_present(evidence, &present, NULL, 0), 0);
	profile = profile_of(evidence, &ended, 1, false);
	assert_int_equal(probekit_profile_size(profile), 3);
	assert_int_equal(sum(profile), 14100);
	assert_int_equal(entry_in(profile, "compress")->time_ns, 7000);
	assert_int_equal(entry_in(profile, "parse")->time_ns, 100);
	probekit_profile_free(profile);
	evidence_forget_present(evidence);
	profile = profile_of(evidence, &ended, 1, false);
	assert_int_equal(sum(profile), 100);
	probekit_profile_free(profile);
	evidence_free(evidence);
}

static void any_number_of_stacks_is_bounded_and_loses_no_time(void **state)
{
	struct evidence *evidence = new_evidence();
	const struct profile_total total = {key_of(CLASS_LOCK, SYSCALL_FUTEX_NUMBER), 123456789};
	struct stack_record record = sample_in(parse, &total.key, 10);
	const uint64_t count = PROFILE_STACKS_MAX + 1000;
	struct probekit_profile *profile;
	uint64_t samples = 0;

	(void)state;
	record.kernel_count = 1;
	for (uint64_t i = 0; i < count; i++) {
		record.kernel[0] = i + 1; /* nothing is there: they show the same */
		record_add(evidence, &record);
	}
	profile = profile_of(evidence, &total, 1, false);
	for (size_t i = 0; i < probekit_profile_size(profile); i++)
		samples += probekit_profile_entry(profile, i)->samples;
	assert_int_equal(samples, count);
	assert_int_equal(sum(profile), total.ns);
	assert_int_equal(probekit_profile_size(profile), 1);
	probekit_profile_free(profile);
	evidence_free(evidence);
}

static void a_process_is_called_as_it_was_last_seen(void **state)
{
	struct evidence *evidence = new_evidence();
	const struct profile_key lock = key_of(CLASS_LOCK, SYSCALL_FUTEX_NUMBER);
	struct stack_record record = sample_in(parse, &lock, 10);

	(void)state;
	assert_null(evidence_comm(evidence, getpid()));
	strcpy(record.comm, "worker");
	record.tid = record.pid + 1;
	record_add(evidence, &record);
	assert_null(evidence_comm(evidence, getpid())); /* a thread's name is its own */
	strcpy(record.comm, "before");
	record.tid = record.pid;
	record_add(evidence, &record);
	assert_string_equal(evidence_comm(evidence, getpid()), "before");
	memcpy(record.comm, "sixteen letters!", sizeof(record.comm));
	record_add(evidence, &record);
	assert_string_equal(evidence_comm(evidence, getpid()), "sixteen letters");
	evidence_free(evidence);
}

static void huge_weights_are_shared_out_all_the_same(void **state)
{
	struct evidence *evidence = new_evidence();
	const struct profile_total total = {key_of(CLASS_LOCK, SYSCALL_FUTEX_NUMBER), UINT64_MAX};
	struct probekit_profile *profile;

	(void)state;
	for (int i = 0; i < 3; i++)
		add(evidence, parse, &total.key, UINT64_MAX);
	add(evidence, compress, &total.key, UINT64_MAX);
	add(evidence, store, &total.key, 0);
	profile = profile_of(evidence, &total, 1, false);
	assert_true(sum(profile) == UINT64_MAX);
	assert_true(entry_in(profile, "parse")->time_ns > UINT64_MAX / 5 * 2);
	probekit_profile_free(profile);
	evidence_free(evidence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_follow_the_weights_and_leave_no_remainder),
		cmocka_unit_test(each_process_class_and_syscall_has_its_own_time),
		cmocka_unit_test(samples_without_any_time_are_no_entries),
		cmocka_unit_test(time_on_cpu_is_there_when_it_is_asked_for),
		cmocka_unit_test(what_shows_the_same_is_one_entry),
		cmocka_unit_test(a_wait_that_has_not_ended_keeps_its_very_time),
		cmocka_unit_test(any_number_of_stacks_is_bounded_and_loses_no_time),
		cmocka_unit_test(a_process_is_called_as_it_was_last_seen),
		cmocka_unit_test(huge_weights_are_shared_out_all_the_same),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
