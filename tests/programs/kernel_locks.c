/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slow spans that wait for what another thread has locked inside the kernel: the file that it writes to,
 * or the address space. That thread stays in a page fault meanwhile, which a third one lets wait.
 */
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "scene.h"

#define PAGE 4096

static char *page; /* that is never there */
static int faults;
static int file;
static sem_t is_faulting;
static sem_t is_waited;

/* ---- the one who lets faults wait ---- */

static void await_fault(void)
{
	struct uffd_msg message;

	check(read(faults, &message, sizeof(message)) == sizeof(message));
	check(message.event == UFFD_EVENT_PAGEFAULT);
}

static void end_fault(void)
{
	struct uffdio_zeropage zero = {.range = {.start = (uintptr_t)page, .len = PAGE}};

	check(ioctl(faults, UFFDIO_ZEROPAGE, &zero) == 0);
}

static void *handle_faults(void *arg)
{
	for (;;) {
		await_fault();
		sem_post(&is_faulting);
		sem_await(&is_waited);
		await_state("D");
		pause_ms(SLOW_MS);
		end_fault();
	}
	return arg;
}

static void start_faults(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register area = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	pthread_t thread;

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(page != MAP_FAILED);
	faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (faults < 0)
		missing("userfaultfd");
	area.range = (struct uffdio_range){.start = (uintptr_t)page, .len = PAGE};
	check(ioctl(faults, UFFDIO_API, &api) == 0 && ioctl(faults, UFFDIO_REGISTER, &area) == 0);
	check(sem_init(&is_faulting, 0, 0) == 0 && sem_init(&is_waited, 0, 0) == 0);
	check(pthread_create(&thread, NULL, handle_faults, NULL) == 0);
}

/* ---- the one who has the file ---- */

static void write_slowly(struct actor *actor)
{
	check(madvise(page, PAGE, MADV_DONTNEED) == 0);
	sem_post(&actor->is_set);
	check(pwrite(file, page, PAGE, 0) == PAGE);
}

static struct actor owner = {.act = write_slowly, .name = "owner"};

static void prepare_owner(void)
{
	set_scene(&owner);
	sem_await(&is_faulting);
}

/* ---- the one who wants it ---- */

static NOINLINE void write_line(void)
{
	sem_post(&is_waited);
	check(pwrite(file, "line\n", 5, 0) == 5);
}

static void writes(unsigned long count)
{
	char name[] = "kernel-locks-XXXXXX";

	file = mkstemp(name);
	check(file >= 0 && unlink(name) == 0);
	start_faults();
	start_actor(&owner);
	play((struct scene){prepare_owner, write_line, work}, count);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"writes", writes},
		{NULL, NULL},
	};

	return scene_main(argc, argv, modes);
}
