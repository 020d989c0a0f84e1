/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several threads and one mutex, or one behind the other: `lock_queues KIND [ROUNDS]`. Each comes
 * once the one before is seen to wait.
 */
#include "lock_arena.h"
#include "lock_round.h"

#include <sched.h>

#define THREADS 4
#define HOLDS_IN_A_ROW 3

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t inner_guard = PTHREAD_MUTEX_INITIALIZER;

/* ---- a queue: 12, 6 and 3 ms, so that everybody waits for the first one most ---- */

static NOINLINE void hold_in_turn(unsigned int place)
{
	struct lock_event *hold = hold_begin(0);

	if (place == 0) {
		turn_give(&has_first);
		turn_await(&is_free);
	}
	pause_ms(12u >> place);
	hold_end(hold);
}

static void queue_up(struct member *member)
{
	struct lock_event *wait = member->place ? wait_begin(0) : NULL;

	check(pthread_mutex_lock(&guard) == 0);
	if (wait)
		wait_end(wait);
	hold_in_turn(member->place);
	check(pthread_mutex_unlock(&guard) == 0);
}

static void queue(unsigned long count)
{
	lock_declare("guard", &guard);
	start_members(THREADS, queue_up);
	for (unsigned long i = 0; i < count; i++)
		play_round();
	check_waits_once();
	tell_lock_truth();
}

/* ---- barging: who gives it takes it again, before who was woken can ---- */

static bool is_through; /* the waiter */

static bool has_come_through(void)
{
	return __atomic_load_n(&is_through, __ATOMIC_SEQ_CST);
}

/* With the lock. */
static void hold_until_wanted(void)
{
	struct lock_event *hold = hold_begin(0);
	uint64_t word = 0;

	while (!has_come_through() && !(word = futex_of(getpid(), round_member(1)->tid)))
		wait_a_moment();
	if (word)
		lock_log->locks[0].address = word;
	pause_ms(HOLD_MS);
	hold_end(hold);
}

/* What is taken that often. */
struct barged_lock {
	void (*take)(void);
	bool (*take_if_free)(void);
	void (*give)(void);
	void (*wait)(void);
	void (*after)(void); /* of the waiter */
};

static struct barged_lock barged;

/* Until the waiter was faster. */
static void hold_again_and_again(void)
{
	int holds = 0;

	barged.take();
	__atomic_store_n(&is_through, false, __ATOMIC_SEQ_CST);
	turn_give(&has_first);
	turn_await(&is_free);
	do {
		hold_until_wanted();
		barged.give();
	} while (++holds < HOLDS_IN_A_ROW && !has_come_through() && barged.take_if_free());
}

static void barge(struct member *member)
{
	struct lock_event *wait;

	if (member->place == 0) {
		hold_again_and_again();
		return;
	}
	wait = wait_begin(0);
	barged.wait();
	wait_end(wait);
	__atomic_store_n(&is_through, true, __ATOMIC_SEQ_CST);
	barged.after();
}

static void play_barging(struct barged_lock lock, unsigned long count)
{
	barged = lock;
	start_members(2, barge);
	for (unsigned long i = 0; i < count; i++)
		play_round();
	tell_lock_truth();
}

static void take_guard(void)
{
	check(pthread_mutex_lock(&guard) == 0);
}

static bool take_guard_if_free(void)
{
	return pthread_mutex_trylock(&guard) == 0;
}

static void give_guard(void)
{
	check(pthread_mutex_unlock(&guard) == 0);
}

static void barging(unsigned long count)
{
	lock_declare("guard", &guard);
	play_barging((struct barged_lock){.take = take_guard,
					  .take_if_free = take_guard_if_free,
					  .give = give_guard,
					  .wait = take_guard,
					  .after = give_guard},
		     count);
}

/* In whose word is who has it. */
static void barging_robust(unsigned long count)
{
	pthread_mutexattr_t how;

	check(pthread_mutexattr_init(&how) == 0);
	check(pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST) == 0);
	check(pthread_mutex_init(&guard, &how) == 0);
	barging(count);
}

static FILE *stream;
static bool has_arena; /* once in this round */

static void take_stream(void)
{
	flockfile(stream);
}

static bool take_stream_if_free(void)
{
	return ftrylockfile(stream) == 0;
}

static void give_stream(void)
{
	funlockfile(stream);
}

static void print_to_stream(void)
{
	check(fprintf(stream, "%d\n", 1) == 2);
}

static void nothing(void)
{
}

static void barging_stdio(unsigned long count)
{
	stream = fopen("/dev/null", "we");
	check(stream != NULL);
	lock_declare("stream", NULL);
	play_barging((struct barged_lock){.take = take_stream,
					  .take_if_free = take_stream_if_free,
					  .give = give_stream,
					  .wait = print_to_stream,
					  .after = nothing},
		     count);
}

/* An allocation each; before they are given back, all is over. */
static void with_arena_again(void)
{
	check(own_tid() == round_member(0)->tid);
	if (!has_arena) {
		turn_give(&has_first);
		turn_await(&is_free);
		has_arena = true;
	}
	hold_until_wanted();
}

static void barge_arena(struct member *member)
{
	char *pieces[HOLDS_IN_A_ROW + 1] = {NULL};
	static void *little;
	struct lock_event *wait;
	int held = 0;

	if (member->place == 0) {
		pieces[0] = allocate_piece();
		forbid_behind(pieces[0]);
		has_arena = false;
		__atomic_store_n(&is_through, false, __ATOMIC_SEQ_CST);
		do {
			pieces[++held] = allocate_piece();
		} while (held < HOLDS_IN_A_ROW && !has_come_through());
		while (!has_come_through())
			wait_a_moment();
		allow_all();
		free(little);
		while (held >= 0)
			free(pieces[held--]);
		return;
	}
	wait = wait_begin(0);
	little = allocate_little();
	wait_end(wait);
	__atomic_store_n(&is_through, true, __ATOMIC_SEQ_CST);
}

static void barging_malloc(unsigned long count)
{
	prepare_arena(with_arena_again);
	lock_declare("arena", NULL);
	start_members(2, barge_arena);
	for (unsigned long i = 0; i < count; i++)
		play_round();
	tell_lock_truth();
}

/* ---- a chain: the last waits for the second, who waits for the first ---- */

static void link_chain(struct member *member)
{
	struct lock_event *wait = NULL;
	struct lock_event *hold;

	if (member->place == 0) {
		check(pthread_mutex_lock(&inner_guard) == 0);
		hold = hold_begin(1);
		turn_give(&has_first);
		turn_await(&is_free);
		pause_ms(HOLD_MS);
		hold_end(hold);
		check(pthread_mutex_unlock(&inner_guard) == 0);
		return;
	}
	if (member->place == 2)
		wait = wait_begin(0);
	check(pthread_mutex_lock(&guard) == 0);
	if (wait)
		wait_end(wait);
	hold = hold_begin(0);
	if (member->place == 1) {
		wait = wait_begin(1);
		check(pthread_mutex_lock(&inner_guard) == 0);
		wait_end(wait);
		check(pthread_mutex_unlock(&inner_guard) == 0);
	}
	hold_end(hold);
	check(pthread_mutex_unlock(&guard) == 0);
}

static void chain(unsigned long count)
{
	lock_declare("guard", &guard);
	lock_declare("inner_guard", &inner_guard);
	start_members(3, link_chain);
	for (unsigned long i = 0; i < count; i++)
		play_round();
	check_waits_once();
	tell_lock_truth();
}

/* ---- a holder that may run, but has no CPU: another thread has it, of a higher priority ---- */

static bool is_spinning;
static long long starved_ns;

static void stay_on_first_cpu(void)
{
	cpu_set_t allowed;
	cpu_set_t first;
	size_t cpu = 0;

	check(sched_getaffinity(0, sizeof(allowed), &allowed) == 0);
	while (!CPU_ISSET(cpu, &allowed))
		cpu++;
	CPU_ZERO(&first);
	CPU_SET(cpu, &first);
	check(sched_setaffinity(0, sizeof(first), &first) == 0);
}

static void *spin_when_told(void *arg)
{
	stay_on_first_cpu();
	prctl(PR_SET_NAME, "spinner");
	check(setpriority(PRIO_PROCESS, (id_t)own_tid(), 0) == 0);
	for (;;) {
		turn_await(arg);
		while (__atomic_load_n(&is_spinning, __ATOMIC_SEQ_CST))
			touch();
	}
	return NULL;
}

static struct turn must_spin;

/* Computes for as long as it takes to be preempted for most of the time. */
static NOINLINE void compute_with_it(void)
{
	long long end_ns = now_ns() + 10 * HOLD_MS * 1000000ll;

	while (now_ns() < end_ns)
		touch();
}

static void starve(struct member *member)
{
	struct lock_event *event;
	long long before_ns;

	if (member->place) {
		event = wait_begin(0);
		check(pthread_mutex_lock(&guard) == 0);
		wait_end(event);
		check(pthread_mutex_unlock(&guard) == 0);
		return;
	}
	stay_on_first_cpu();
	check(setpriority(PRIO_PROCESS, (id_t)own_tid(), 10) == 0);
	check(pthread_mutex_lock(&guard) == 0);
	event = hold_begin(0);
	turn_give(&has_first);
	turn_await(&is_free);
	before_ns = own_delay_ns();
	__atomic_store_n(&is_spinning, true, __ATOMIC_SEQ_CST);
	turn_give(&must_spin);
	compute_with_it();
	starved_ns += own_delay_ns() - before_ns;
	__atomic_store_n(&is_spinning, false, __ATOMIC_SEQ_CST);
	hold_end(event);
	check(pthread_mutex_unlock(&guard) == 0);
}

static void starving(unsigned long count)
{
	pthread_t spinner;

	lock_declare("guard", &guard);
	turn_init(&must_spin);
	check(pthread_create(&spinner, NULL, spin_when_told, &must_spin) == 0);
	start_members(2, starve);
	for (unsigned long i = 0; i < count; i++)
		play_round();
	check_waits_once();
	tell_lock_truth();
	tell("starved", starved_ns);
}

/* ---- one that comes while no owner stands there yet is woken first; who let it go comes back for it ---- */

static void futex_of_guard(int operation, int value)
{
	check(syscall(SYS_futex, &guard.__data.__lock, operation | FUTEX_PRIVATE_FLAG, value, NULL,
		      NULL, 0) >= 0);
}

static void want_guard(void)
{
	struct lock_event *wait = wait_begin(0);

	check(pthread_mutex_lock(&guard) == 0);
	wait_end(wait);
	check(pthread_mutex_unlock(&guard) == 0);
}

static void let_go_and_come_back(void)
{
	struct lock_event *hold;

	check(pthread_mutex_lock(&guard) == 0);
	hold = hold_begin(0);
	turn_give(&has_first);
	turn_await(&is_free);
	pause_ms(HOLD_MS);
	hold_end(hold);
	check(pthread_mutex_unlock(&guard) == 0);
	pause_ms(3 * HOLD_MS);
	want_guard();
}

/* As the C library does, but for the owner. */
static void take_unseeing(void)
{
	struct lock_event *event;

	guard.__data.__owner = 0;
	check(__atomic_exchange_n(&guard.__data.__lock, 2, __ATOMIC_SEQ_CST) != 0);
	event = wait_begin(0);
	futex_of_guard(FUTEX_WAIT, 2);
	wait_end(event);
	check(__atomic_exchange_n(&guard.__data.__lock, 2, __ATOMIC_SEQ_CST) == 0);
	guard.__data.__owner = own_tid();
	event = hold_begin(0);
	await_futex(getpid(), round_member(0)->tid);
	pause_ms(HOLD_MS);
	hold_end(event);
	guard.__data.__owner = 0;
	check(__atomic_exchange_n(&guard.__data.__lock, 0, __ATOMIC_SEQ_CST) == 2);
	futex_of_guard(FUTEX_WAKE, 1);
}

static void let_go_unseen(struct member *member)
{
	if (member->place == 0) {
		let_go_and_come_back();
	} else if (member->place == 1) {
		take_unseeing();
	} else {
		guard.__data.__owner = round_member(0)->tid;
		want_guard();
	}
}

static void unseen(unsigned long count)
{
	lock_declare("guard", &guard);
	start_members(3, let_go_unseen);
	for (unsigned long i = 0; i < count; i++)
		play_round();
	check_waits_once();
	tell_lock_truth();
	tell("back", round_member(0)->tid);
}

static const struct mode modes[] = {
	{"queue", queue},
	{"barging", barging},
	{"barging_robust", barging_robust},
	{"barging_stdio", barging_stdio},
	{"barging_malloc", barging_malloc},
	{"chain", chain},
	{"starving", starving},
	{"unseen", unseen},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return lock_main(argc, argv, modes);
}
