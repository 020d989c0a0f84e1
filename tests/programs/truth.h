/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TRUTH_H
#define TRUTH_H
/*
 * How a program knows where the time of its spans went: from readings of the kernel's own accounts,
 * taken just inside of each span and just outside of it, between which the truth lies; and a peer
 * that lets the waiting thread wait for a known time once it has seen it blocked.
 */
#include <probekit/probe.h>

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "program.h"

#define NOINLINE __attribute__((noinline))
#define HOLD_MS 5

static inline void check(bool is_good)
{
	if (!is_good)
		abort();
}

/* ---- readings ---- */

struct reading {
	long long wall;
	long long cpu;
	long long delay; /* runnable without a CPU */
	long long waits; /* times it has blocked */
	long long preemptions;
};

static struct reading inner; /* sums over all spans */
static struct reading outer;

/* The machine lacks what the mode needs. */
static inline void missing(const char *what)
{
	printf("missing %s\n", what);
	fflush(stdout);
	_exit(0);
}

/* Of the calling thread, for delay_of(). */
static inline int open_schedstat(void)
{
	int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		missing("/proc/thread-self/schedstat");
	return fd;
}

static inline long long delay_of(int fd)
{
	char text[96] = "";
	long long delay;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0 || sscanf(text, "%*d %lld", &delay) != 1)
		abort();
	return delay;
}

static inline long long cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

#define AT_ONCE_NS 500000

/* Of the calling thread, whose schedstat this is, all at one moment: a thread that is preempted between two
 * of them has been delayed; one whose machine stands still there, as a guest may, has run. */
static inline struct reading read_at_once(int schedstat)
{
	struct rusage usage;
	struct reading now;
	long long cpu;

	do {
		now.delay = delay_of(schedstat);
		cpu = cpu_ns();
		now.wall = now_ns();
		now.cpu = cpu_ns();
		getrusage(RUSAGE_THREAD, &usage);
	} while (delay_of(schedstat) != now.delay || now.cpu - cpu > AT_ONCE_NS);
	now.waits = usage.ru_nvcsw;
	now.preemptions = usage.ru_nivcsw;
	return now;
}

/* Of the thread that is the only one to call it. */
static inline struct reading read_truth(void)
{
	static int schedstat = -1;

	if (schedstat < 0)
		schedstat = open_schedstat();
	return read_at_once(schedstat);
}

static inline void add_since(struct reading *sum, const struct reading *begin)
{
	struct reading end = read_truth();

	sum->wall += end.wall - begin->wall;
	sum->cpu += end.cpu - begin->cpu;
	sum->delay += end.delay - begin->delay;
	sum->waits += end.waits - begin->waits;
	sum->preemptions += end.preemptions - begin->preemptions;
}

/* What hypervisor and interrupts took from running threads, of all CPUs: probekit says that they
 * ran, the kernel's clock of a thread may not. */
static inline long long stolen_ns(void)
{
	long long irq = 0;
	long long softirq = 0;
	long long steal = 0;
	FILE *file = fopen("/proc/stat", "re");

	if (!file ||
	    fscanf(file, "cpu %*d %*d %*d %*d %*d %lld %lld %lld", &irq, &softirq, &steal) != 3)
		abort();
	fclose(file);
	return (irq + softirq + steal) * (1000000000 / sysconf(_SC_CLK_TCK));
}

/* ---- the peer ---- */

/* Shared with a peer that is a process. */
static struct shared {
	sem_t is_next;	/* a round begins */
	sem_t is_ready; /* the peer has taken what the round waits for */
	sem_t is_asked; /* the thread is about to wait */
	atomic_int is_released;
	atomic_llong least_ns; /* it has waited for so long, in sum, at least */
	atomic_llong most_ns;  /* at most, where that is known */
} * shared;

struct peer {
	void (*take)(void);    /* before each round; NULL: nothing */
	void (*release)(void); /* once the thread is about to wait */
	bool is_process;
};

static inline void shared_init(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED || sem_init(&shared->is_next, 1, 0) ||
	    sem_init(&shared->is_ready, 1, 0) || sem_init(&shared->is_asked, 1, 0))
		abort();
}

static inline void sem_await(sem_t *sem)
{
	while (sem_wait(sem))
		if (errno != EINTR)
			abort();
}

/* Of the main thread, which is the one that waits: 'R', 'S', 'D', 'T'. */
static inline char state_of(pid_t pid)
{
	char path[64];
	char state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		abort();
	fclose(file);
	return state;
}

static pid_t waiter; /* the measured process */

static inline void await_state(const char *states)
{
	const struct timespec moment = {.tv_nsec = 100000};

	while (!strchr(states, state_of(waiter)))
		nanosleep(&moment, NULL);
}

/* Lets the waiter wait, once it does. */
static inline void hold(void)
{
	long long begin;

	await_state("SD");
	begin = now_ns();
	pause_ms(HOLD_MS);
	atomic_fetch_add(&shared->least_ns, now_ns() - begin);
}

static int fds[2]; /* to wait on, and for the peer to write to */

static inline void read_eight(void)
{
	uint64_t word;

	check(read(fds[0], &word, sizeof(word)) == sizeof(word));
}

static inline void write_eight(void)
{
	const uint64_t word = 1;

	hold();
	check(write(fds[1], &word, sizeof(word)) == sizeof(word));
}

static struct peer peer;
static unsigned long peer_rounds;

static inline void *serve(void *arg)
{
	for (unsigned long i = 0; i < peer_rounds; i++) {
		sem_await(&shared->is_next);
		if (peer.take)
			peer.take();
		sem_post(&shared->is_ready);
		sem_await(&shared->is_asked);
		peer.release();
	}
	return arg;
}

static inline void peer_start(struct peer wanted, unsigned long count)
{
	pthread_t thread;
	pid_t child = 0;

	peer = wanted;
	peer_rounds = count;
	if (wanted.is_process) {
		child = fork();
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve(NULL);
			_exit(0);
		}
	} else if (pthread_create(&thread, NULL, serve, NULL) || pthread_detach(thread)) {
		abort();
	}
	if (child < 0)
		abort();
}

static inline void await_peer(void)
{
	sem_post(&shared->is_next);
	sem_await(&shared->is_ready);
}

/* ---- rounds ---- */

static void (*waiting)(void);

/* The span's body. */
static inline void inside(void)
{
	struct reading begin = read_truth();

	sem_post(&shared->is_asked);
	waiting();
	add_since(&inner, &begin);
}

static inline void bracket(void (*span)(void))
{
	struct reading begin = read_truth();

	span();
	add_since(&outer, &begin);
}

static inline void tell_truth(long long stolen)
{
	tell("inner-wall", inner.wall);
	tell("inner-cpu", inner.cpu);
	tell("inner-delay", inner.delay);
	tell("outer-wall", outer.wall);
	tell("outer-cpu", outer.cpu);
	tell("outer-delay", outer.delay);
	tell("waits", outer.waits);
	tell("preemptions", outer.preemptions);
	tell("stolen", stolen);
	tell("least", atomic_load(&shared->least_ns));
	tell("most", atomic_load(&shared->most_ns));
}

/* `span` is a span around inside(), which waits. `prepare` runs before each and may be NULL. */
static inline void run_rounds(unsigned long count, void (*prepare)(void), void (*span)(void),
			      void (*wait)(void))
{
	long long stolen = stolen_ns();

	waiting = wait;
	for (unsigned long i = 0; i < count; i++) {
		if (prepare)
			prepare();
		bracket(span);
	}
	tell_truth(stolen_ns() - stolen);
}

static NOINLINE void scoped(void)
{
	PROBEKIT_SPAN(waits, round);
	inside();
}

static inline void rounds(unsigned long count, void (*wait)(void))
{
	run_rounds(count, NULL, scoped, wait);
}

static inline void rounds_with(struct peer with, unsigned long count, void (*wait)(void))
{
	peer_start(with, count);
	run_rounds(count, await_peer, scoped, wait);
}

/* ---- what several programs do inside ---- */

static inline void nap(void)
{
	pause_ms(HOLD_MS);
}

static inline void burn_us(int us)
{
	long long end = cpu_ns() + us * 1000ll;

	while (cpu_ns() < end)
		for (int i = 0; i < 100; i++)
			touch();
}

static inline int truth_main(int argc, char **argv, const struct mode *modes)
{
	waiter = getpid();
	shared_init();
	return program_main(argc, argv, modes, NULL);
}

#endif
