/* SPDX-License-Identifier: BSD-2-Clause */
/* Spans that lack a CPU, are stopped, or wait for storage: one cause each. */
#include <linux/io_uring.h>
#include <signal.h>
#include <sys/syscall.h>

#include "machine.h"

#define BURN_MS 10
#define PAGES 16
#define PAGE_GAP (256 * 1024)

/* ---- CPU ---- */

static void burn(void)
{
	burn_us(BURN_MS * 1000);
}

static void burns(unsigned long count)
{
	rounds(count, burn);
}

static void *burn_on(void *arg)
{
	for (;;)
		burn();
	return arg;
}

static void *yield_on(void *arg)
{
	for (;;)
		sched_yield();
	return arg;
}

/* On the same CPU, to the end of the program. */
static void start_rival(void *(*run)(void *))
{
	pthread_t thread;

	pin();
	check(pthread_create(&thread, NULL, run, NULL) == 0);
}

static void rivals(unsigned long count)
{
	start_rival(burn_on);
	rounds(count, burn);
}

static void yield_often(void)
{
	for (int i = 0; i < 10 * BURN_MS; i++) {
		burn_us(100);
		sched_yield();
	}
}

static void yields(unsigned long count)
{
	start_rival(yield_on);
	rounds(count, yield_often);
}

/* ---- CPU quota ---- */

static void throttles(unsigned long count)
{
	struct group group;

	pin();
	enter_group(&group);
	rounds(count, burn);
	tell("throttled", throttled_ns(&group));
	leave_group(&group);
}

/* ---- stopped ---- */

static void stop_waiter(void)
{
	long long begin = now_ns();
	long long stopped;

	kill(waiter, SIGSTOP);
	await_state("T");
	stopped = now_ns();
	pause_ms(HOLD_MS);
	atomic_fetch_add(&shared->least_ns, now_ns() - stopped);
	kill(waiter, SIGCONT);
	atomic_fetch_add(&shared->most_ns, now_ns() - begin);
	atomic_store(&shared->is_released, 1);
}

static void spin_until_released(void)
{
	while (!atomic_exchange(&shared->is_released, 0))
		;
}

static void stops(unsigned long count)
{
	rounds_with((struct peer){NULL, stop_waiter, true}, count, spin_until_released);
}

static void stop_sleeper(void)
{
	await_state("SD");
	stop_waiter();
}

static void sleep_long(void)
{
	pause_ms(4 * HOLD_MS);
}

static void stops_asleep(unsigned long count)
{
	rounds_with((struct peer){NULL, stop_sleeper, true}, count, sleep_long);
}

/* ---- storage ---- */

static int open_stored(void)
{
	char path[PATH_MAX];
	int fd = create_stored(path);

	unlink(path);
	return fd;
}

static void dirty(void)
{
	static const char text[4096] = "text";

	check(pwrite(fds[0], text, sizeof(text), 0) == sizeof(text));
}

static void sync_file(void)
{
	check(fsync(fds[0]) == 0);
}

static void syncs(unsigned long count)
{
	fds[0] = open_stored();
	run_rounds(count, dirty, scoped, sync_file);
}

static const volatile char *mapping;

/* Maps the file anew with none of it in memory. */
static void evict(void)
{
	unsigned char is_there[PAGES * PAGE_GAP / 4096] = {0};

	if (mapping)
		munmap((void *)(uintptr_t)mapping, PAGES * PAGE_GAP);
	check(fsync(fds[0]) == 0);
	posix_fadvise(fds[0], 0, 0, POSIX_FADV_DONTNEED);
	mapping = mmap(NULL, PAGES * PAGE_GAP, PROT_READ, MAP_SHARED, fds[0], 0);
	check(mapping != MAP_FAILED &&
	      madvise((void *)(uintptr_t)mapping, PAGES * PAGE_GAP, MADV_RANDOM) == 0 &&
	      mincore((void *)(uintptr_t)mapping, PAGES * PAGE_GAP, is_there) == 0);
	for (size_t i = 0; i < PAGES; i++)
		if (is_there[i * (PAGE_GAP / 4096)] & 1)
			missing("storage: a file system that evicts pages when told to");
}

static void touch_pages(void)
{
	for (size_t i = 0; i < PAGES; i++)
		(void)mapping[i * PAGE_GAP];
}

static void faults(unsigned long count)
{
	fds[0] = open_stored();
	fill_file(fds[0], PAGES * PAGE_GAP, PAGE_GAP);
	run_rounds(count, evict, scoped, touch_pages);
}

/* ---- io_uring ---- */

static struct {
	int fd;
	_Atomic unsigned int *sq_tail;
	_Atomic unsigned int *cq_head;
	struct io_uring_sqe *sqes;
} ring;

static void open_ring(void)
{
	struct io_uring_params params = {0};
	char *rings;

	ring.fd = (int)syscall(SYS_io_uring_setup, 1, &params);
	if (ring.fd < 0 || !(params.features & IORING_FEAT_SINGLE_MMAP))
		missing("io_uring");
	rings = mmap(NULL, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe),
		     PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQ_RING);
	ring.sqes = mmap(NULL, params.sq_entries * sizeof(struct io_uring_sqe),
			 PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQES);
	check(rings != MAP_FAILED && ring.sqes != MAP_FAILED);
	ring.sq_tail = (_Atomic unsigned int *)(rings + params.sq_off.tail);
	ring.cq_head = (_Atomic unsigned int *)(rings + params.cq_off.head);
}

static void await_completion(void)
{
	static const struct __kernel_timespec wait = {.tv_nsec = HOLD_MS * 1000000};

	ring.sqes[0] = (struct io_uring_sqe){
		.opcode = IORING_OP_TIMEOUT,
		.fd = -1,
		.addr = (uintptr_t)&wait,
		.len = 1,
	};
	atomic_fetch_add(ring.sq_tail, 1);
	check(syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1);
	atomic_fetch_add(ring.cq_head, 1);
}

static void rings(unsigned long count)
{
	open_ring();
	rounds(count, await_completion);
}

static const struct mode modes[] = {
	{"burn", burns},   {"rival", rivals},
	{"yield", yields}, {"throttle", throttles},
	{"stop", stops},   {"stop_asleep", stops_asleep},
	{"sync", syncs},   {"fault", faults},
	{"ring", rings},   {NULL, NULL},
};

int main(int argc, char **argv)
{
	return truth_main(argc, argv, modes);
}
