/* SPDX-License-Identifier: BSD-2-Clause */
/* One waiter and one owner for each kind of lock of the C++ library: `lock_kinds_cxx KIND
 * [ROUNDS]`. */
#include "lock_pair.h"

#include <condition_variable>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <thread>

/* Taken and given back by the same functions on both sides. */
static struct lock_pair pair_of(const char *name, const volatile void *address, void (*take)(),
				void (*give)(), void (*wait)())
{
	struct lock_pair pair = {};

	pair.name = name;
	pair.address = address;
	pair.take = take;
	pair.give = give;
	pair.wait = wait;
	pair.after = take ? give : nullptr;
	return pair;
}

/* ---- mutexes ---- */

static std::mutex guard;
static std::recursive_mutex again_guard;
static std::timed_mutex timed_guard;

template <typename Mutex, Mutex &mutex> static void lock()
{
	mutex.lock();
}

template <typename Mutex, Mutex &mutex> static void unlock()
{
	mutex.unlock();
}

template <typename Mutex, Mutex &mutex> static void run_mutex(const char *name, unsigned long count)
{
	void (*take)() = lock<Mutex, mutex>;

	run_pair(pair_of(name, &mutex, take, unlock<Mutex, mutex>, take), count);
}

static void std_mutex(unsigned long count)
{
	run_mutex<std::mutex, guard>("guard", count);
}

static void std_recursive_mutex(unsigned long count)
{
	run_mutex<std::recursive_mutex, again_guard>("again_guard", count);
}

static void std_timed_mutex(unsigned long count)
{
	run_mutex<std::timed_mutex, timed_guard>("timed_guard", count);
}

/* ---- shared_mutex ---- */

static std::shared_mutex table;

static void lock_to_read()
{
	table.lock_shared();
}

static void lock_to_write()
{
	table.lock();
}

/* The same call of the C library for both, in libstdc++. */
static void unlock_table()
{
	table.unlock();
}

static void std_readers_for_writer(unsigned long count)
{
	run_pair(pair_of("table/read", &table, lock_to_write, unlock_table, lock_to_read), count);
}

static void std_writers_for_readers(unsigned long count)
{
	run_pair(pair_of("table/write", &table, lock_to_read, unlock_table, lock_to_write), count);
}

/* ---- condition_variable ---- */

static std::mutex state_mutex;
static std::condition_variable is_changed;
static bool is_signalled;

static NOINLINE void signal_change()
{
	{
		std::lock_guard<std::mutex> hold(state_mutex);

		is_signalled = true;
	}
	is_changed.notify_one();
	touch();
}

static NOINLINE void await_change()
{
	std::unique_lock<std::mutex> hold(state_mutex);

	is_changed.wait(hold, [] { return is_signalled; });
	is_signalled = false;
}

static void std_condition_variable(unsigned long count)
{
	run_pair(pair_of("is_changed", &is_changed, nullptr, signal_change, await_change), count);
}

/* ---- call_once, join and futures ---- */

static std::once_flag is_begun;

static void begin_once()
{
	std::call_once(is_begun, hold_while_wanted);
}

static void begin_again()
{
	is_begun.~once_flag();
	new (&is_begun) std::once_flag();
}

static void std_call_once(unsigned long count)
{
	struct lock_pair pair = {};

	pair.name = "is_begun";
	pair.address = &is_begun;
	pair.own = pair.wait = begin_once;
	pair.after = begin_again;
	run_pair(pair, count);
}

static std::thread joined;

static void start_joined(pthread_t *)
{
	joined = std::thread([] { live_while_wanted(nullptr); });
}

static void join_joined(pthread_t)
{
	joined.join();
}

static void std_join(unsigned long count)
{
	run_joins(start_joined, join_joined, count);
}

static std::promise<int> promise;
static std::future<int> future;

/* Of the waiter, before the owner can give. What is shared is freed first, so that the next has
 * the same address. */
static void renew_promise()
{
	future = std::future<int>();
	promise.~promise();
	new (&promise) std::promise<int>();
	future = promise.get_future();
}

static NOINLINE void keep_promise()
{
	promise.set_value(1);
	touch();
}

static NOINLINE void await_promise()
{
	check(future.get() == 1);
}

static void std_future(unsigned long count)
{
	struct lock_pair pair = pair_of("promise", nullptr, nullptr, keep_promise, await_promise);

	pair.after = renew_promise;
	renew_promise();
	run_pair(pair, count);
}

static const struct mode modes[] = {
	{"mutex", std_mutex},
	{"recursive_mutex", std_recursive_mutex},
	{"timed_mutex", std_timed_mutex},
	{"readers_for_writer", std_readers_for_writer},
	{"writers_for_readers", std_writers_for_readers},
	{"condition_variable", std_condition_variable},
	{"call_once", std_call_once},
	{"join", std_join},
	{"future", std_future},
	{nullptr, nullptr},
};

int main(int argc, char **argv)
{
	return lock_main(argc, argv, modes);
}
