// SPDX-License-Identifier: BSD-2-Clause
/*
 * The in-process tracer of trace.h. A site is a one-byte nop, so int3 in its place needs no
 * single-step: execution goes on behind it. The handler touches preallocated memory only.
 */
#define _GNU_SOURCE
#include "trace.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#define MAX_SITES 256
#define MAX_HITS 256

struct site {
	uint8_t *pc;
	uint16_t *semaphore;
	char name[48];
};

struct hit {
	const struct site *site;
	uintptr_t sp;
};

static struct site sites[MAX_SITES];
static int site_count;
static struct hit hits[MAX_HITS];
static volatile int hit_count;
static volatile int stray_hits;
static volatile int is_tracing;

static void die(const char *what, const char *object)
{
	fprintf(stderr, "trace: %s in '%s'\n", what, object);
	exit(2);
}

static void on_breakpoint(int sig, siginfo_t *info, void *context)
{
	const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uint8_t *pc = (const uint8_t *)regs[REG_RIP] - 1;

	(void)sig;
	(void)info;
	for (int i = 0; i < site_count; i++) {
		if (sites[i].pc != pc)
			continue;
		if (!is_tracing)
			stray_hits++;
		else if (hit_count < MAX_HITS)
			hits[hit_count++] = (struct hit){&sites[i], (uintptr_t)regs[REG_RSP]};
		return;
	}
	abort();
}

/* The bytes by which probekit knows a site of probe.h: in a function, and as a thunk. */
static const uint8_t inline_site[] = {
	0x90,					     /* nop */
	0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, /* nop10 */
	0x48, 0x8d, 0x64, 0x24, 0x80,		     /* lea -128(%rsp), %rsp */
	0x0f, 0x1f, 0x44, 0,	0,		     /* nop5 */
	0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0,	     /* lea 128(%rsp), %rsp */
};
static const uint8_t thunk_site[] = {
	0x90, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x0f, 0x1f, 0x44, 0, 0, 0xc3 /* ret */
};

static int is_site(const struct site *site)
{
	if (strstr(site->name, "__end") && !strstr(site->name, "async"))
		return !memcmp(site->pc, thunk_site, sizeof(thunk_site));
	return !memcmp(site->pc, inline_site, sizeof(inline_site));
}

static void plant(uint8_t *pc, const char *object)
{
	uintptr_t page = (uintptr_t)pc & ~(uintptr_t)4095;

	if (mprotect((void *)page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) &&
	    mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC))
		die("text that cannot be written", object);
	*pc = 0xcc;
}

static void add_note(const char *desc, uintptr_t bias, uint64_t base, const char *object)
{
	const char *provider = desc + 24, *name = provider + strlen(provider) + 1;
	struct site *site = &sites[site_count];
	uint64_t value[3];

	if (strcmp(provider, "matrix") != 0)
		return;
	if (site_count == MAX_SITES || strlen(name) >= sizeof(site->name))
		die("too many or too long probes", object);
	memcpy(value, desc, sizeof(value));
	if (base && value[1] != base)
		die("a note with a wrong base", object);
	site->pc = (uint8_t *)(value[0] + bias);
	site->semaphore = (uint16_t *)(value[2] + bias);
	strcpy(site->name, name);
	site_count++;
	if (!is_site(site))
		die("a note that does not point at a site", object);
	plant(site->pc, object);
}

static void add_notes(const uint8_t *file, uintptr_t bias, const char *object)
{
	const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)file;
	const Elf64_Shdr *shdr = (const Elf64_Shdr *)(file + ehdr->e_shoff);
	const char *names = (const char *)file + shdr[ehdr->e_shstrndx].sh_offset;
	uint64_t base = 0;

	for (int i = 0; i < ehdr->e_shnum; i++)
		if (!strcmp(names + shdr[i].sh_name, ".stapsdt.base"))
			base = shdr[i].sh_addr;
	for (int i = 0; i < ehdr->e_shnum; i++) {
		const uint8_t *at = file + shdr[i].sh_offset, *end = at + shdr[i].sh_size;

		if (strcmp(names + shdr[i].sh_name, ".note.stapsdt") != 0)
			continue;
		while (at < end) {
			const Elf64_Nhdr *note = (const Elf64_Nhdr *)at;

			at += sizeof(*note) + ((note->n_namesz + 3) & ~3u);
			add_note((const char *)at, bias, base, object);
			at += (note->n_descsz + 3) & ~3u;
		}
	}
}

static int on_object(struct dl_phdr_info *info, size_t size, void *data)
{
	const char *path = info->dlpi_name[0] ? info->dlpi_name : "/proc/self/exe";
	struct stat st;
	void *file;
	int fd;

	(void)size;
	(void)data;
	if (info->dlpi_name[0] && !strstr(path, "matrix"))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		die("no file", path);
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		die("no memory", path);
	add_notes(file, info->dlpi_addr, path);
	munmap(file, (size_t)st.st_size);
	close(fd);
	return 0;
}

void trace_init(void)
{
	struct sigaction action = {.sa_sigaction = on_breakpoint, .sa_flags = SA_SIGINFO};

	sigaction(SIGTRAP, &action, NULL);
	dl_iterate_phdr(on_object, NULL);
	if (!site_count)
		die("no probes", "/proc/self/exe");
}

static void add_to_semaphores(int n)
{
	for (int i = 0; i < site_count; i++)
		__atomic_fetch_add(sites[i].semaphore, (uint16_t)n, __ATOMIC_SEQ_CST);
}

void trace_start(void)
{
	hit_count = 0;
	is_tracing = 1;
	add_to_semaphores(1);
}

void trace_stop(void)
{
	add_to_semaphores(-1);
	is_tracing = 0;
}

const char *trace_names(void)
{
	static char text[MAX_HITS * sizeof(sites[0].name)];
	char *at = text;

	*at = '\0';
	for (int i = 0; i < hit_count; i++)
		at += sprintf(at, "%s%s", i ? " " : "", hits[i].site->name);
	return text;
}

static int is_named(const struct hit *hit, const char *suffix)
{
	size_t len = strlen(hit->site->name), n = strlen(suffix);

	return len > n && !strcmp(hit->site->name + len - n, suffix) &&
	       (len < n + 6 || memcmp(hit->site->name + len - n - 6, "_async", 6) != 0);
}

static int is_fault(const struct hit *begin, const struct hit *end)
{
	if (strstr(end->site->name, "alloca"))
		return end->sp > begin->sp - 8;
	return end->sp != begin->sp - 8;
}

int trace_sp_faults(void)
{
	const struct hit *open[MAX_HITS];
	int depth = 0, faults = 0;

	for (int i = 0; i < hit_count; i++) {
		const char *name = hits[i].site->name;

		if (is_named(&hits[i], "__begin") && !is_named(&hits[i], "__wait_begin"))
			open[depth++] = &hits[i];
		if (!is_named(&hits[i], "__end"))
			continue;
		if (!depth || strncmp(open[depth - 1]->site->name, name, strlen(name) - 3) != 0)
			return -1;
		faults += is_fault(open[--depth], &hits[i]);
	}
	return faults;
}

int trace_stray_hits(void)
{
	return stray_hits;
}
