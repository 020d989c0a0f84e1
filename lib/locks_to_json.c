/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns writing locks: who waited for them, who held them, who woke those who waited. */
#include <stdio.h>
#include <string.h>

#include "causes_json.h"
#include "locks_json.h"

static const char *access_name(const struct probekit_lock *lock)
{
	if (lock->access == PROBEKIT_LOCK_ANY)
		return NULL;
	return lock->access == PROBEKIT_LOCK_READ ? "read" : "write";
}

static void quantiles(struct json_text *json, const struct probekit_probe *times)
{
	static const struct {
		const char *name;
		double q;
	} wanted[] = {{"0.5", 0.5}, {"0.9", 0.9}, {"0.99", 0.99}};

	json_text_open_inline(json, "quantiles_ns", '{');
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (times->count)
			json_text_rounded(json, wanted[i].name,
					  probekit_probe_quantile(times, wanted[i].q));
		else
			json_text_null(json, wanted[i].name);
	}
	json_text_close(json, '}');
}

static void holds(struct json_text *json, const char *key, const struct probekit_probe *times,
		  bool is_measured)
{
	if (!is_measured) {
		json_text_null(json, key);
		return;
	}
	json_text_open(json, key, '{');
	json_text_unsigned(json, "count", times->count);
	json_text_integer(json, "sum_ns", times->sum);
	json_text_integer(json, "min_ns", times->min);
	json_text_integer(json, "max_ns", times->max);
	quantiles(json, times);
	json_histogram(json, "s", &times->histogram);
	json_text_close(json, '}');
}

static void spans(struct json_text *json, const struct probekit_lock *lock)
{
	json_text_open(json, "spans", '[');
	for (size_t i = 0; i < lock->span_count; i++) {
		json_text_open_inline(json, NULL, '{');
		json_text_string(json, "name", lock->spans[i].name);
		json_share(json, "share", lock->spans[i].share);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}

static void waiters(struct json_text *json, const struct probekit_lock *lock)
{
	json_text_open(json, "waiters", '[');
	for (size_t i = 0; i < lock->waiter_count; i++) {
		json_text_open_inline(json, NULL, '{');
		json_stack(json, "stack", &lock->waiters[i]);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}

static void holders(struct json_text *json, const struct probekit_lock *lock)
{
	json_text_open(json, "holders", '[');
	for (size_t i = 0; i < lock->holder_count; i++) {
		const struct probekit_lock_holder *holder = &lock->holders[i];

		json_text_open_inline(json, NULL, '{');
		json_share(json, "share", holder->share);
		json_text_bool(json, "is_certain", holder->is_certain);
		json_text_unsigned(json, "long_waits", holder->long_waits);
		holder_members_to_json(json, holder->holder);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}

static void wakers(struct json_text *json, const struct probekit_lock *lock)
{
	json_text_open(json, "wakers", '[');
	for (size_t i = 0; i < lock->waker_count; i++) {
		const struct probekit_lock_waker *waker = &lock->wakers[i];

		json_text_open_inline(json, NULL, '{');
		json_thread_ids(json, &waker->thread);
		json_share(json, "share", waker->share);
		json_stack(json, "stack", &waker->stack);
		activities_to_json(json, "did", waker->did, waker->did_count);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}

static void identity(struct json_text *json, const struct probekit_lock *lock)
{
	json_text_integer(json, "pid", lock->pid);
	json_address(json, "address", lock->address);
	json_text_string(json, "symbol", lock->symbol);
	json_text_string(json, "place", lock->place);
	json_text_string(json, "name", lock->name);
	json_text_string(json, "kind", lock->kind);
	json_text_string(json, "access", access_name(lock));
	json_text_bool(json, "is_shared", lock->is_shared);
	json_text_unsigned(json, "objects", lock->objects);
}

static void lock_to_json(struct json_text *json, const struct probekit_lock *lock,
			 bool is_hold_measured)
{
	const struct probekit_probe *waits = &lock->waits;

	json_text_open(json, NULL, '{');
	identity(json, lock);
	json_text_unsigned(json, "waits", waits->count);
	json_text_integer(json, "wait_ns", waits->sum);
	json_text_integer(json, "min_ns", waits->min);
	json_text_integer(json, "max_ns", waits->max);
	json_text_unsigned(json, "runqueue_ns", lock->runqueue_ns);
	quantiles(json, waits);
	json_text_unsigned(json, "threads", lock->threads);
	json_text_unsigned(json, "waiting", lock->waiting);
	json_text_unsigned(json, "waiting_ns", lock->waiting_ns);
	json_histogram(json, "s", &waits->histogram);
	holds(json, "holds", &lock->holds, is_hold_measured);
	holds(json, "read_holds", &lock->read_holds, is_hold_measured);
	spans(json, lock);
	json_text_unsigned(json, "handoffs", lock->handoffs);
	json_text_unsigned(json, "barged", lock->barged);
	waiters(json, lock);
	holders(json, lock);
	json_text_unsigned(json, "holder_threads", lock->holder_threads);
	json_share(json, "unowned_share", lock->unowned_share);
	wakers(json, lock);
	json_text_close(json, '}');
}

static bool has_holds(const struct probekit_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->size; i++)
		if (strcmp(snapshot->probes[i].name, PROBEKIT_HOLDS_NAME) == 0)
			return true;
	return false;
}

static void deadlock_to_json(struct json_text *json, const struct probekit_deadlock *deadlock)
{
	json_text_open(json, NULL, '[');
	for (size_t i = 0; i < deadlock->size; i++) {
		const struct probekit_blocker *thread = &deadlock->threads[i];
		const struct json_lock lock = {thread->lock_address, thread->lock_symbol,
					       thread->lock_place, NULL};

		json_text_open_inline(json, NULL, '{');
		json_thread_ids(json, &thread->thread);
		json_lock(json, "lock", &lock);
		json_stack(json, "stack", &thread->stack);
		json_text_close(json, '}');
	}
	json_text_close(json, ']');
}

void locks_to_json(struct json_text *json, const struct probekit_snapshot *snapshot)
{
	if (!snapshot->info.has_locks) {
		json_text_null(json, "locks");
		json_text_null(json, "deadlocks");
		return;
	}
	json_text_open(json, "locks", '[');
	for (size_t i = 0; i < snapshot->lock_count; i++)
		lock_to_json(json, &snapshot->locks[i], has_holds(snapshot));
	json_text_close(json, ']');
	json_text_open(json, "deadlocks", '[');
	for (size_t i = 0; i < snapshot->deadlock_count; i++)
		deadlock_to_json(json, &snapshot->deadlocks[i]);
	json_text_close(json, ']');
}
