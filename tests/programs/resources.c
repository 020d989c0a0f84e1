/* SPDX-License-Identifier: BSD-2-Clause */
/* Spans that lack a CPU, are stopped, or wait for storage: one cause each. */
#include <linux/io_uring.h>
#include <linux/magic.h>
#include <mntent.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "truth.h"

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

static void pin(void)
{
	cpu_set_t all;
	cpu_set_t one;
	int cpu = 0;

	check(sched_getaffinity(0, sizeof(all), &all) == 0);
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	check(sched_setaffinity(0, sizeof(one), &one) == 0);
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

static void put(const char *folder, const char *name, const char *text)
{
	char path[320];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		missing("cgroup-cpu: a cgroup CPU controller that can be written");
	close(fd);
}

/* The mount of the version 1 hierarchy with the cpu controller, else of version 2. */
static bool find_cgroup(char folder[static 256], bool *is_v2)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	bool is_found = false;
	struct mntent *mount;

	*is_v2 = true;
	while (*is_v2 && mounts && (mount = getmntent(mounts))) {
		bool is_v1 = strcmp(mount->mnt_type, "cgroup") == 0 && hasmntopt(mount, "cpu");

		if (!is_v1 && strcmp(mount->mnt_type, "cgroup2") != 0)
			continue;
		snprintf(folder, 256, "%s", mount->mnt_dir);
		is_found = true;
		*is_v2 = !is_v1;
	}
	if (mounts)
		endmntent(mounts);
	return is_found;
}

/* Of all tasks in the group, as the kernel counts it. */
static long long throttled_ns(const char *group)
{
	char path[320];
	char name[64];
	long long value;
	long long ns = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/cpu.stat", group);
	file = fopen(path, "re");
	while (file && fscanf(file, "%63s %lld", name, &value) == 2) {
		if (strcmp(name, "throttled_time") == 0)
			ns = value;
		else if (strcmp(name, "throttled_usec") == 0)
			ns = value * 1000;
	}
	if (file)
		fclose(file);
	return ns;
}

/* A quarter of a CPU for this process alone. */
static void enter_group(const char *root, const char *group, bool is_v2)
{
	if (is_v2)
		put(root, "cgroup.subtree_control", "+cpu");
	if (mkdir(group, 0755) && errno != EEXIST)
		missing("cgroup-cpu: a cgroup CPU controller that can be written");
	if (is_v2) {
		put(group, "cpu.max", "5000 20000");
	} else {
		put(group, "cpu.cfs_period_us", "20000");
		put(group, "cpu.cfs_quota_us", "5000");
	}
	put(group, "cgroup.procs", "0");
}

static void throttles(unsigned long count)
{
	char root[256];
	char group[300];
	bool is_v2;

	if (!find_cgroup(root, &is_v2))
		missing("cgroup-cpu: a cgroup CPU controller");
	snprintf(group, sizeof(group), "%s/probekit-waits-%d", root, (int)getpid());
	pin();
	enter_group(root, group, is_v2);
	rounds(count, burn);
	tell("throttled", throttled_ns(group));
	put(root, "cgroup.procs", "0");
	rmdir(group);
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

/* An unlinked file where storage is behind the file system. */
static int open_stored(void)
{
	static const char *const folders[] = {".", "/var/tmp", "/root", "/"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		char path[64];
		struct statfs about;
		int fd;

		snprintf(path, sizeof(path), "%s/probekit-waits-XXXXXX", folders[i]);
		if (statfs(folders[i], &about) || about.f_type == TMPFS_MAGIC ||
		    about.f_type == RAMFS_MAGIC)
			continue;
		fd = mkostemp(path, O_CLOEXEC);
		if (fd < 0)
			continue;
		unlink(path);
		return fd;
	}
	missing("storage: a file system on a disk");
	return -1;
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
	char *text = malloc(PAGE_GAP);

	fds[0] = open_stored();
	check(text != NULL);
	memset(text, 'x', PAGE_GAP);
	for (size_t i = 0; i < PAGES; i++)
		check(write(fds[0], text, PAGE_GAP) == PAGE_GAP);
	free(text);
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
