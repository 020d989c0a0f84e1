/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock_rows.h"

#include "lock_told.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCK_BYTES sizeof(pthread_rwlock_t) /* no lock is longer */
#define ALLOWED_NS 20000		    /* of each wait, or */
#define PARTED_WAITS 2
#define ALLOWED_SHARE .01 /* of the time */

/* ---- what is said ---- */

bool lock_row_is_text(const json_t *value, const char *expected)
{
	const char *text = json_string_value(value);

	return expected ? text && strcmp(text, expected) == 0 : json_is_null(value);
}

static bool is_row_of(const json_t *row, const struct lock_kind *kind,
		      const struct lock_told *truth)
{
	const char *text = json_string_value(json_object_get(row, "address"));
	unsigned long long address = text ? strtoull(text, NULL, 16) : 0;

	return (address == truth->address || address == truth->address + kind->word_at) &&
	       (!truth->access || lock_row_is_text(json_object_get(row, "access"), truth->access));
}

/* The only one. */
static const json_t *row_of(const json_t *snapshot, const struct lock_kind *kind,
			    const struct lock_told *truth)
{
	const json_t *found = NULL;
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(snapshot, "locks"), i, row) {
		if (!is_row_of(row, kind, truth))
			continue;
		if (found)
			fail_msg("two rows of %s %s", truth->name, truth->access);
		found = row;
	}
	if (!found)
		fail_msg("no row of %s %s at 0x%llx in: %s", truth->name, truth->access,
			 truth->address,
			 json_dumps(json_object_get(snapshot, "locks"), JSON_REAL_PRECISION(3)));
	return found;
}

int64_t lock_row_count_above(const json_t *row, double ns)
{
	const json_t *histogram = json_object_get(row, "histogram");
	double buckets = ldexp(1, (int)support_integer(histogram, "scale"));
	int64_t least = (int64_t)ceil(log2(ns * 1e-9) * buckets) - 1;
	int64_t count = 0;
	json_t *bucket;
	size_t i;

	json_array_foreach (json_object_get(histogram, "buckets"), i, bucket)
		if (json_integer_value(json_array_get(bucket, 0)) > least)
			count += json_integer_value(json_array_get(bucket, 1));
	return count;
}

/* What all waits together may be off may be in one of them: a host that takes the CPU away, which nobody in the guest
 * sees. */
static bool is_near(const struct lock_told *truth, int64_t ns, long long true_ns)
{
	double allowed =
		fmax(ALLOWED_SHARE * (double)truth->ns, ALLOWED_NS * (double)truth->waits) +
		(double)truth->unsure_ns;

	return fabs((double)(ns - true_ns)) <= allowed;
}

static void check_times(const json_t *row, const struct lock_told *truth)
{
	int64_t waits = lock_row_count_above(row, LOCK_LONG_WAIT_NS);
	int64_t ns = support_integer(row, "wait_ns");
	int64_t max_ns = support_integer(row, "max_ns");
	const json_t *quantiles = json_object_get(row, "quantiles_ns");
	double median = json_number_value(json_object_get(quantiles, "0.5"));
	double high = json_number_value(json_object_get(quantiles, "0.99"));
	/* one in which the thread ran for long before it waited on is two: docs/locks.md */
	int64_t most = truth->waits + (truth->barged ? PARTED_WAITS : 0);

	if (waits < truth->waits || waits > most || support_integer(row, "waits") < waits)
		fail_msg("%s: %lld waits over 100 us of %lld, not %ld", truth->name,
			 (long long)waits, (long long)support_integer(row, "waits"), truth->waits);
	if (!is_near(truth, ns, truth->ns))
		fail_msg("%s: waited %lld ns, not %lld", truth->name, (long long)ns, truth->ns);
	/* one that was barged is several of it */
	if (!truth->barged && !is_near(truth, max_ns, truth->most_ns))
		fail_msg("%s: at most %lld ns, not %lld", truth->name, (long long)max_ns,
			 truth->most_ns);
	assert_true(median > 0 && median <= high && high <= (double)max_ns);
	if (support_integer(row, "barged") != truth->barged)
		fail_msg("%s: barged %lld times, not %ld", truth->name,
			 (long long)support_integer(row, "barged"), truth->barged);
}

static bool has_function(const json_t *owner, const char *function)
{
	const json_t *stack = json_object_get(owner, "stack");
	json_t *frame;
	size_t i;

	json_array_foreach (stack, i, frame) {
		const char *name = json_string_value(json_object_get(frame, "function"));

		/* of C++ with its parameters */
		if (name && strncmp(name, function, strlen(function)) == 0 &&
		    !isalnum((unsigned char)name[strlen(function)]))
			return true;
	}
	return false;
}

/* Of the elements of `list` in whose stack the function is. */
static double share_in(const json_t *row, const char *list, const char *function)
{
	const char *key = strcmp(list, "waiters") == 0 ? "stack_share" : "share";
	double share = 0;
	json_t *element;
	size_t i;

	json_array_foreach (json_object_get(row, list), i, element)
		if (has_function(element, function))
			share += json_number_value(json_object_get(element, key));
	return share;
}

void lock_rows_require_function(const json_t *row, const char *list, const char *function,
				double least)
{
	double share = function ? share_in(row, list, function) : 1;

	if (share < least)
		fail_msg("'%s' is in the stack of %.2f of the %s: %s", function, share, list,
			 json_dumps(json_object_get(row, list), JSON_REAL_PRECISION(3)));
}

/* Each of the holders holds once, and not of each a stack is copied and read before the program ends: those that there
 * are tell where the holder was. */
static void require_function_if_any(const json_t *row, const char *function)
{
	const json_t *holders = json_object_get(row, "holders");
	size_t found = 0;
	size_t stacks = 0;
	json_t *holder;
	size_t i;

	if (!function)
		return;
	json_array_foreach (holders, i, holder) {
		stacks += json_array_size(json_object_get(holder, "stack")) > 0;
		found += has_function(holder, function);
	}
	if (!found || found < stacks)
		fail_msg("'%s' is in %zu of the stacks of %zu of %zu holders: %s", function, found,
			 stacks, json_array_size(holders),
			 json_dumps(holders, JSON_REAL_PRECISION(3)));
}

/* Most of the time that the machine let them do anything. (Each may be one that held it once.) */
static void check_does(const json_t *row, const char *list, const char *what, const char *does,
		       double least)
{
	const json_t *elements = json_object_get(row, list);
	double whole = 0;
	double queued = 0;
	double doing = 0;
	json_t *element;
	size_t i;

	json_array_foreach (elements, i, element) {
		double share = json_number_value(json_object_get(element, "share"));
		const json_t *parts = json_object_get(element, what);

		whole += share;
		queued += share * json_number_value(json_object_get(parts, "runqueue"));
		doing += share * json_number_value(json_object_get(parts, does));
	}
	if (doing < least * (whole - queued))
		fail_msg("the %s are in %s for only %.2f of %.2f: %s", list, does, doing, whole,
			 json_dumps(elements, JSON_REAL_PRECISION(3)));
}

/* No thread is said to have held it for certain that has not; the share of the time for which
 * the right one is told, and in *certain, for which any is. */
static double right_share(const json_t *row, const struct lock_told *truth, double *certain)
{
	double right = 0;
	json_t *holder;
	size_t i;

	*certain = 0;
	json_array_foreach (json_object_get(row, "holders"), i, holder) {
		int64_t tid = support_integer(holder, "tid");
		double share = json_number_value(json_object_get(holder, "share"));

		if (!json_is_true(json_object_get(holder, "is_certain")))
			continue;
		if (lock_told_holder(truth, tid)->share <= 0 ||
		    lock_told_holder(truth, tid)->pid != support_integer(holder, "pid"))
			fail_msg("%s: thread %lld is no holder: %s", truth->name, (long long)tid,
				 json_dumps(row, JSON_REAL_PRECISION(3)));
		right += fmin(share, lock_told_holder(truth, tid)->share);
		*certain += share;
	}
	return right;
}

/* In no wait one that has not is said to have had it longest; of how many it is said who has. */
static long count_longest(const json_t *row, const struct lock_told *truth)
{
	long count = 0;
	json_t *holder;
	size_t i;

	json_array_foreach (json_object_get(row, "holders"), i, holder) {
		long told = (long)support_integer(holder, "long_waits");
		int64_t tid = support_integer(holder, "tid");
		const struct lock_told_holder *known = lock_told_holder(truth, tid);

		if (told > known->long_waits + known->rival_waits)
			fail_msg("%s: thread %lld had it longest in %ld waits, not %ld",
				 truth->name, (long long)tid, known->long_waits, told);
		count += told;
	}
	return count;
}

static void check_longest(const json_t *row, const struct lock_told *truth)
{
	long told = count_longest(row, truth);
	long all = 0;

	for (size_t i = 0; i < truth->holder_count; i++)
		all += truth->holders[i].long_waits;
	/* (one in twenty, of few as well) */
	if (told < all - 1 && (double)told < LOCK_ENOUGH * (double)all)
		fail_msg("%s: who had it longest is told for %ld waits of %ld", truth->name, told,
			 all);
}

static void check_holders(const json_t *row, const struct lock_kind *kind,
			  const struct lock_told *truth)
{
	const json_t *first = json_array_get(json_object_get(row, "holders"), 0);
	double unowned = json_number_value(json_object_get(row, "unowned_share"));
	long longest = lock_told_longest_holder(truth);
	double certain;
	double right = right_share(row, truth, &certain);

	if (fabs(certain + unowned - 1) > 1 - LOCK_ENOUGH)
		fail_msg("%s: %.3f owned and %.3f unowned are not the whole", truth->name, certain,
			 unowned);
	if (!kind->is_owned)
		return;
	check_longest(row, truth);
	if (right < LOCK_ENOUGH * lock_told_shares(truth))
		fail_msg(
			"%s: the right holder is told for %.3f of the time, any for %.3f, of %.3f: %s",
			truth->name, right, certain, lock_told_shares(truth),
			json_dumps(json_object_get(row, "holders"), JSON_REAL_PRECISION(3)));
	if (!kind->has_many_holders &&
	    lock_told_holder(truth, support_integer(first, "tid"))->share <
		    lock_told_holder(truth, longest)->share - .02)
		fail_msg("%s: thread %ld is not told first", truth->name, longest);
	if (kind->has_many_holders)
		require_function_if_any(row, kind->holder);
	else
		lock_rows_require_function(row, "holders", kind->holder, LOCK_ENOUGH);
	if (kind->does)
		check_does(row, "holders", "blocked_in", kind->does,
			   kind->does_only_that ? LOCK_ENOUGH : LOCK_MOST);
}

static void check_wakers(const json_t *row, const struct lock_kind *kind,
			 const struct lock_told *truth)
{
	double share = 0;
	json_t *waker;
	size_t i;

	if (!kind->waker)
		return;
	json_array_foreach (json_object_get(row, "wakers"), i, waker)
		if (support_integer(waker, "tid") == truth->waker)
			share += json_number_value(json_object_get(waker, "share"));
	if (share < LOCK_ENOUGH)
		fail_msg("%s: thread %ld woke in %.2f: %s", truth->name, truth->waker, share,
			 json_dumps(json_object_get(row, "wakers"), JSON_REAL_PRECISION(3)));
	lock_rows_require_function(row, "wakers", kind->waker, LOCK_ENOUGH);
	if (kind->does)
		check_does(row, "wakers", "did", kind->does, LOCK_MOST);
}

/* Behind the first lock that is told, but not behind the last one. */
static void check_chain(const json_t *row, const struct lock_kind *kind,
			const struct lock_told *truth)
{
	const json_t *holder = json_array_get(json_object_get(row, "holders"), 0);
	const json_t *behind = json_object_get(json_object_get(holder, "waits_for"), "lock");

	if (!kind->waits_for)
		return;
	if (strcmp(truth->name, kind->waits_for) == 0)
		assert_true(json_is_null(json_object_get(holder, "waits_for")));
	else if (!lock_row_is_text(json_object_get(behind, "symbol"), kind->waits_for))
		fail_msg("the holder waits not for '%s': %s", kind->waits_for,
			 json_dumps(holder, JSON_REAL_PRECISION(3)));
}

static void check_starving(const json_t *row, const struct lock_kind *kind, const char *told,
			   const struct lock_told *truth)
{
	const json_t *holder = json_array_get(json_object_get(row, "holders"), 0);
	const json_t *shares = json_object_get(holder, "blocked_in");
	double share = json_number_value(json_object_get(shares, "runqueue"));
	double starved;

	if (!kind->is_starved)
		return;
	starved = (double)support_number(told, "starved") / (double)truth->ns;
	if (fabs(share - starved) > .05)
		fail_msg("the holder had no CPU for %.3f, not %.3f", share, starved);
	/* another thread of its process had it */
	assert_int_equal(support_integer(json_object_get(holder, "thief"), "pid"),
			 support_integer(holder, "pid"));
}

static void check_lock(const json_t *snapshot, const struct lock_kind *kind,
		       const struct lock_told *truth)
{
	const json_t *row = row_of(snapshot, kind, truth);
	const json_t *symbol = json_object_get(row, "symbol");

	if (!lock_row_is_text(json_object_get(row, "kind"), kind->kind))
		fail_msg("%s: kind '%s', not '%s'", truth->name,
			 json_string_value(json_object_get(row, "kind")), kind->kind);
	if (kind->word_at)
		assert_int_equal(
			strncmp(json_string_value(symbol), truth->name, strlen(truth->name)), 0);
	else if (!lock_row_is_text(symbol, kind->has_no_symbol ? NULL : truth->name))
		fail_msg("%s: symbol '%s'", truth->name, json_string_value(symbol));
	if (!truth->access)
		assert_true(json_is_null(json_object_get(row, "access")));
	assert_true(support_integer(row, "threads") >= (int64_t)truth->waiter_count);
	if (!kind->has_brief_waits)
		assert_int_equal(support_integer(row, "threads"), truth->waiter_count);
	check_times(row, truth);
	check_holders(row, kind, truth);
	check_wakers(row, kind, truth);
	check_chain(row, kind, truth);
	lock_rows_require_function(row, "waiters", kind->waiter, LOCK_ENOUGH);
}

/* All locks of which the program has told. */
void lock_rows_check(const json_t *snapshot, const struct lock_kind *kind, const char *told)
{
	struct lock_told truth;
	size_t locks = 0;

	for (const char *line = told; line; line = lock_told_next_line(line)) {
		if (!lock_told_read(told, line, &truth))
			continue;
		check_lock(snapshot, kind, &truth);
		check_starving(row_of(snapshot, kind, &truth), kind, told, &truth);
		locks++;
	}
	assert_true(locks > 0);
}

void lock_rows_check_holders(const json_t *snapshot, const struct lock_kind *kind, const char *told)
{
	struct lock_told truth;

	while (told && !lock_told_read(told, told, &truth))
		told = lock_told_next_line(told);
	assert_non_null(told);
	count_longest(row_of(snapshot, kind, &truth), &truth);
}

void lock_rows_check_counts(const json_t *snapshot, const char *told)
{
	struct lock_told truth;
	int64_t waits = 0;
	json_t *row;
	size_t i;

	while (told && !lock_told_read(told, told, &truth))
		told = lock_told_next_line(told);
	assert_non_null(told);
	json_array_foreach (json_object_get(snapshot, "locks"), i, row) {
		const char *text = json_string_value(json_object_get(row, "address"));
		unsigned long long address = text ? strtoull(text, NULL, 16) : 0;

		if (address >= truth.address && address < truth.address + LOCK_BYTES)
			waits += lock_row_count_above(row, LOCK_LONG_WAIT_NS);
	}
	if (waits != truth.waits)
		fail_msg("%s: %lld waits over 100 us, not %ld", truth.name, (long long)waits,
			 truth.waits);
}

const json_t *lock_row_with(const json_t *snapshot, const char *key, const char *value)
{
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(snapshot, "locks"), i, row)
		if (lock_row_is_text(json_object_get(row, key), value))
			return row;
	fail_msg("no lock whose %s is '%s' in: %s", key, value,
		 json_dumps(json_object_get(snapshot, "locks"), JSON_REAL_PRECISION(3)));
	return NULL;
}
