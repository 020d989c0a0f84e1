/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded, it makes one allocation of a program fail: the one of number NO_MEMORY_AT, counted from 1. Those that the
 * libraries make are counted too, but for libdw's, whose version 0.188 goes on with what it could not allocate;
 * commands that the program starts are left alone. With NO_MEMORY_AT=0 none fails. The number of all is written to
 * the file NO_MEMORY_COUNT at the end.
 */
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The C library's own, which these replace. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_ulong allocations;
static unsigned long failing;
static const char *count_path;
static atomic_bool is_counting;
static uintptr_t spared_from;
static uintptr_t spared_to;

static bool fails(const void *caller)
{
	uintptr_t at = (uintptr_t)caller;

	if (!atomic_load(&is_counting) || (at >= spared_from && at < spared_to) ||
	    atomic_fetch_add(&allocations, 1) + 1 != failing)
		return false;
	errno = ENOMEM;
	return true;
}

#define FAILS() fails(__builtin_return_address(0))

void *malloc(size_t size)
{
	return FAILS() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return FAILS() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
	return FAILS() ? NULL : __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return FAILS() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
	void *found = FAILS() ? NULL : __libc_memalign(alignment, size);

	if (!found)
		return ENOMEM;
	*memory = found;
	return 0;
}

static int spare_libdw(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size, (void)arg;
	if (!strstr(info->dlpi_name, "/libdw.so"))
		return 0;
	spared_from = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t end = info->dlpi_addr + segment->p_vaddr + segment->p_memsz;

		if (segment->p_type == PT_LOAD && end > spared_to)
			spared_to = end;
	}
	return 1;
}

__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("NO_MEMORY_AT");

	failing = text ? strtoul(text, NULL, 10) : 0;
	count_path = getenv("NO_MEMORY_COUNT");
	dl_iterate_phdr(spare_libdw, NULL);
	unsetenv("LD_PRELOAD");
	atomic_store(&is_counting, true);
}

__attribute__((destructor)) static void end(void)
{
	FILE *file;

	atomic_store(&is_counting, false);
	file = count_path ? fopen(count_path, "we") : NULL;
	if (!file)
		return;
	fprintf(file, "%lu\n", atomic_load(&allocations));
	fclose(file);
}
