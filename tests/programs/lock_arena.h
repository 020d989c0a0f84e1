/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LOCK_ARENA_H
#define LOCK_ARENA_H
/*
 * How a thread stays in the C library with a lock of the library's own: the library goes to memory that is
 * forbidden, and what the signal handler does is done with the lock. Of the allocator there is one arena, whose
 * free memory is forbidden, and it notes in it what is left.
 */
#include "lock_truth.h"

#include <malloc.h>

#define ARENA_BYTES (8u << 20)
#define ARENA_PIECE_BYTES (64u << 10)

static void (*with_lock)(void);
static char *forbidden;
static size_t forbidden_bytes;

static inline uintptr_t page_bytes(void)
{
	return (uintptr_t)sysconf(_SC_PAGESIZE);
}

/* What the library goes to now, and a little more. */
static void allow_with_lock(int signal, siginfo_t *fault, void *context)
{
	char *page = (char *)((uintptr_t)fault->si_addr & ~(page_bytes() - 1));
	size_t left = (size_t)(forbidden + forbidden_bytes - page);
	size_t little = 3 * page_bytes();

	(void)signal;
	(void)context;
	with_lock();
	check(mprotect(page, left < little ? left : little, PROT_READ | PROT_WRITE) == 0);
}

static inline void handle_faults(void (*act_with_lock)(void))
{
	const struct sigaction action = {.sa_sigaction = allow_with_lock, .sa_flags = SA_SIGINFO};

	with_lock = act_with_lock;
	check(sigaction(SIGSEGV, &action, NULL) == 0);
}

static inline void forbid(void)
{
	check(mprotect(forbidden, forbidden_bytes, PROT_NONE) == 0);
}

static inline void prepare_arena(void (*act_with_it)(void))
{
	check(mallopt(M_ARENA_MAX, 1) && mallopt(M_TOP_PAD, ARENA_BYTES) &&
	      mallopt(M_TRIM_THRESHOLD, 4 * ARENA_BYTES) &&
	      mallopt(M_MMAP_THRESHOLD, 2 * ARENA_PIECE_BYTES));
	handle_faults(act_with_it);
}

static inline char *allocate_piece(void)
{
	char *piece = malloc(ARENA_PIECE_BYTES);

	check(piece != NULL);
	return piece;
}

/* All behind the last piece, whose own page is not: each of the next ones ends in what is forbidden. */
static inline void forbid_behind(const char *piece)
{
	uintptr_t end = ((uintptr_t)piece + ARENA_PIECE_BYTES) & ~(page_bytes() - 1);

	forbidden = (char *)(end + page_bytes());
	forbidden_bytes = (size_t)((char *)sbrk(0) - forbidden);
	forbid();
}

static inline void allow_all(void)
{
	check(mprotect(forbidden, forbidden_bytes, PROT_READ | PROT_WRITE) == 0);
}

/* Of more than a thread keeps for itself. */
static inline void *allocate_little(void)
{
	void *little = malloc(4000);

	check(little != NULL);
	return little;
}

#endif
