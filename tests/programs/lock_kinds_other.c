/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One waiter and one owner for each kind of lock that is not of POSIX: those of C11, of the C
 * library itself, and futexes of the program's own. `lock_kinds_other KIND [ROUNDS]`.
 */
#include "lock_arena.h"
#include "lock_pair.h"

#include <threads.h>

/* ---- C11 ---- */

static mtx_t c11_guard;
static mtx_t c11_state;
static cnd_t c11_changed;
static bool is_c11_signalled;

static void lock_mtx(void)
{
	check(mtx_lock(&c11_guard) == thrd_success);
}

static void unlock_mtx(void)
{
	check(mtx_unlock(&c11_guard) == thrd_success);
}

static void c11_mutex(unsigned long count)
{
	check(mtx_init(&c11_guard, mtx_plain) == thrd_success);
	run_pair((struct lock_pair){.name = "c11_guard",
				    .address = &c11_guard,
				    .take = lock_mtx,
				    .give = unlock_mtx,
				    .wait = lock_mtx,
				    .after = unlock_mtx},
		 count);
}

static NOINLINE void signal_cnd(void)
{
	check(mtx_lock(&c11_state) == thrd_success);
	is_c11_signalled = true;
	check(mtx_unlock(&c11_state) == thrd_success);
	check(cnd_signal(&c11_changed) == thrd_success);
	touch();
}

static NOINLINE void await_cnd(void)
{
	check(mtx_lock(&c11_state) == thrd_success);
	while (!is_c11_signalled)
		check(cnd_wait(&c11_changed, &c11_state) == thrd_success);
	is_c11_signalled = false;
	check(mtx_unlock(&c11_state) == thrd_success);
}

static void c11_condvar(unsigned long count)
{
	check(mtx_init(&c11_state, mtx_plain) == thrd_success);
	check(cnd_init(&c11_changed) == thrd_success);
	run_pair((struct lock_pair){.name = "c11_changed",
				    .address = &c11_changed,
				    .give = signal_cnd,
				    .wait = await_cnd},
		 count);
}

static once_flag is_started;

static void start_over(void)
{
	is_started = (once_flag)ONCE_FLAG_INIT;
}

static NOINLINE void start_once(void)
{
	call_once(&is_started, hold_while_wanted);
	touch();
}

static void c11_once(unsigned long count)
{
	run_pair((struct lock_pair){.name = "is_started",
				    .address = &is_started,
				    .own = start_once,
				    .wait = start_once,
				    .after = start_over},
		 count);
}

static int live_as_thrd(void *arg)
{
	return live_while_wanted(arg) != NULL;
}

static void start_thrd(thrd_t *thread)
{
	check(thrd_create(thread, live_as_thrd, NULL) == thrd_success);
}

static void join_thrd(thrd_t thread)
{
	check(thrd_join(thread, NULL) == thrd_success);
}

static void c11_join(unsigned long count)
{
	run_joins(start_thrd, join_thrd, count);
}

/* ---- locks inside of the library ---- */

static FILE *stream;

static void lock_stream(void)
{
	flockfile(stream);
}

static void unlock_stream(void)
{
	funlockfile(stream);
}

static void print_to_stream(void)
{
	check(fprintf(stream, "%d\n", 1) == 2);
}

static void stdio(unsigned long count)
{
	stream = fopen("/dev/null", "we");
	check(stream != NULL);
	run_pair((struct lock_pair){.name = "stream",
				    .take = lock_stream,
				    .give = unlock_stream,
				    .wait = print_to_stream},
		 count);
}

static void own_arena(void)
{
	char *piece = allocate_piece();
	char *second;

	forbid_behind(piece);
	second = allocate_piece();
	allow_all();
	free(second);
	free(piece);
}

static void *allocated;

static void allocate(void)
{
	allocated = allocate_little();
}

static void free_allocated(void)
{
	free(allocated);
}

static void arena(unsigned long count)
{
	prepare_arena(hold_while_wanted);
	run_pair((struct lock_pair){.name = "arena",
				    .own = own_arena,
				    .wait = allocate,
				    .after = free_allocated},
		 count);
}

/* The value of TZ is read with the lock of the time zone, from memory that is forbidden. */
static void set_forbidden_zone(void)
{
	forbid();
	tzset();
	touch();
}

static void ask_time(void)
{
	const time_t begin = 0;
	struct tm broken_down;

	check(localtime_r(&begin, &broken_down) != NULL);
}

static void zone(unsigned long count)
{
	static const char name[] = "TZ=";
	static const char value[] = "UTC0";
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *variable = pages + page - strlen(name);

	check(pages != MAP_FAILED);
	forbidden = pages + page;
	forbidden_bytes = page;
	memcpy(variable, name, strlen(name));
	memcpy(forbidden, value, sizeof(value));
	check(putenv(variable) == 0);
	tzset();
	handle_faults(hold_while_wanted);
	run_pair((struct lock_pair){.name = "zone", .own = set_forbidden_zone, .wait = ask_time},
		 count);
}

/* ---- own futexes ---- */

static uint32_t is_open;
static struct {
	uint32_t word; /* 0: free, 1: taken, 2: somebody may wait for it */
	uint32_t nothing;
	uint32_t bystander; /* a thread, where a pthread_mutex_t has its owner */
} rust_mutex;

static long futex(uint32_t *word, int operation, uint32_t value)
{
	return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL,
		       FUTEX_BITSET_MATCH_ANY);
}

static NOINLINE void open_word(void)
{
	__atomic_store_n(&is_open, 1, __ATOMIC_SEQ_CST);
	futex(&is_open, FUTEX_WAKE, 1);
	touch();
}

static NOINLINE void await_open(void)
{
	while (!__atomic_exchange_n(&is_open, 0, __ATOMIC_SEQ_CST))
		futex(&is_open, FUTEX_WAIT, 0);
}

static void raw(unsigned long count)
{
	run_pair((struct lock_pair){.name = "is_open",
				    .address = &is_open,
				    .give = open_word,
				    .wait = await_open},
		 count);
}

/* As Rust's standard library calls it. */
void rust_lock_contended(uint32_t *word) __asm__(
	"_ZN3std3sys4sync5mutex5futex5Mutex14lock_contended17h5f1c2b3a4d5e6f70E");

NOINLINE void rust_lock_contended(uint32_t *word)
{
	while (__atomic_exchange_n(word, 2, __ATOMIC_SEQ_CST) != 0)
		futex(word, FUTEX_WAIT_BITSET, 2);
}

static void lock_rust(void)
{
	uint32_t expected = 0;

	if (!__atomic_compare_exchange_n(&rust_mutex.word, &expected, 1, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		rust_lock_contended(&rust_mutex.word);
	touch();
}

static void unlock_rust(void)
{
	if (__atomic_exchange_n(&rust_mutex.word, 0, __ATOMIC_SEQ_CST) == 2)
		futex(&rust_mutex.word, FUTEX_WAKE, 1);
	touch();
}

static void *stand_by(void *arg)
{
	__atomic_store_n(&rust_mutex.bystander, own_tid(), __ATOMIC_SEQ_CST);
	turn_give(arg);
	for (;;)
		pause();
	return NULL;
}

static void rust(unsigned long count)
{
	struct turn is_there;
	pthread_t bystander;

	turn_init(&is_there);
	check(pthread_create(&bystander, NULL, stand_by, &is_there) == 0);
	turn_await(&is_there);
	run_pair((struct lock_pair){.name = "rust_mutex",
				    .address = &rust_mutex,
				    .take = lock_rust,
				    .give = unlock_rust,
				    .wait = lock_rust,
				    .after = unlock_rust},
		 count);
}

static const struct mode modes[] = {
	{"c11_mutex", c11_mutex}, {"c11_condvar", c11_condvar},
	{"c11_join", c11_join},	  {"c11_once", c11_once},
	{"stdio", stdio},	  {"malloc", arena},
	{"zone", zone},		  {"raw", raw},
	{"rust", rust},		  {NULL, NULL},
};

int main(int argc, char **argv)
{
	return lock_main(argc, argv, modes);
}
