/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile LIBRARY FILE: threads with hostile names wait for a lock inside a span, in functions, until
 * standard input ends. Every name that the file has of them is a placeholder, "hostile_KIND_" and more up
 * to "_end": who tests writes what it likes over them, of the same length.
 */
#include <probekit/probe.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "program.h"

#define FILLER abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789
#define JOIN_(a, b, c) hostile_##a##_##b##_##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define NAME(kind) JOIN(kind, FILLER, end)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

/* 64 KiB */
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define TWICE(a) PASTE(a, a)
#define L4 LLLLLLLLLLLLLLLL
#define L5 TWICE(L4)
#define L6 TWICE(L5)
#define L7 TWICE(L6)
#define L8 TWICE(L7)
#define L9 TWICE(L8)
#define L10 TWICE(L9)
#define L11 TWICE(L10)
#define L12 TWICE(L11)
#define L13 TWICE(L12)
#define L14 TWICE(L13)
#define L15 TWICE(L14)
#define L16 TWICE(L15)

#define NOINLINE __attribute__((noinline))
#define LOCK NAME(lock)

static const char *const comms[] = {"\033[31mred\a\033]0;x", "a|b`<i>&\"'</g>",
				    "\xe2\x80\xae\xc2\x9b\xff\r\n\xd8\x9c", "semi;col 12"};
#define THREADS (sizeof(comms) / sizeof(comms[0]))

static pthread_mutex_t LOCK = PTHREAD_MUTEX_INITIALIZER;
static int file;
static void (*call_back)(void (*)(void));

#line 1 "hostile_source_abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789_end"
static NOINLINE void NAME(function)(void)
{
	if (write(file, "x", 1) == 1)
		fsync(file);
	pause_ms(2);
}

static NOINLINE __attribute__((section(TEXT(NAME(section))))) void L16(void)
{
	NAME(function)();
	touch();
}

static void *work(void *comm)
{
	prctl(PR_SET_NAME, comm);
	for (;;) {
		PROBEKIT_SPAN(NAME(provider), NAME(span));
		pthread_mutex_lock(&LOCK);
		call_back(L16);
		pthread_mutex_unlock(&LOCK);
		PROBEKIT_VALUE(NAME(provider), NAME(value), 7);
	}
	return NULL;
}

/* A note of a provider of 64 KiB, which is at `main`. */
__asm__(".pushsection .note.stapsdt,\"?\",\"note\"\n"
	".balign 4\n"
	".4byte 8, 2f-1f, 3\n"
	".asciz \"stapsdt\"\n"
	"1: .8byte main, 0, 0\n"
	".fill 65536, 1, 0x50\n"
	".byte 0\n"
	".asciz \"long\"\n"
	".byte 0\n"
	"2: .balign 4\n"
	".popsection\n");

int main(int argc, char **argv)
{
	void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW) : NULL;
	pthread_t thread;

	if (!library)
		return 2;
	*(void **)&call_back = dlsym(library, "hostile_library");
	file = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	for (size_t i = 0; i < THREADS; i++)
		if (!call_back || pthread_create(&thread, NULL, work, (void *)comms[i]))
			return 2;
	prctl(PR_SET_NAME, "\033c\x9b"
			   "31m;`|<b>");
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
