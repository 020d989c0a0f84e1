/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program for containers: says "ready"; for each line of input COUNT spans, the last of which waits, then
 * "did TOTAL". "contained jit" runs code that it wrote itself, and told of in /tmp/perf-PID.map, until its input ends.
 */
#include <probekit/probe.h>

#include <poll.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "program.h"

#define NOINLINE __attribute__((noinline))

static NOINLINE void linger(void)
{
	pause_ms(30);
	touch();
}

static NOINLINE void handle(int is_slow)
{
	if (is_slow)
		linger();
	touch();
}

static NOINLINE void serve(int is_slow)
{
	PROBEKIT_SPAN(contained, request);
	handle(is_slow);
}

static int obey_lines(unsigned long count)
{
	unsigned long total = 0;
	char line[16];

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		for (unsigned long i = 0; i < count; i++, total++)
			serve(i + 1 == count);
		tell("did", (long long)total);
	}
	return 0;
}

/* A loop of so many rounds, the first argument. */
static const unsigned char loop[] = {0x48, 0xff, 0xcf, 0x75, 0xfb, 0xc3};

static int run_compiled(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	unsigned char *code = mmap(NULL, sizeof(loop), PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void (*run)(uint64_t rounds);
	char path[64];
	FILE *map;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	map = fopen(path, "w");
	if (code == MAP_FAILED || !map)
		abort();
	memcpy(code, loop, sizeof(loop));
	memcpy(&run, &code, sizeof(run));
	fprintf(map, "%llx %zx compiled_inside\n", (unsigned long long)(uintptr_t)code,
		sizeof(loop));
	fclose(map);
	puts("ready");
	fflush(stdout);
	while (poll(&input, 1, 0) == 0)
		run(10000000);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "jit") == 0)
		return run_compiled();
	return obey_lines(argc > 1 ? strtoul(argv[1], NULL, 10) : 1);
}
