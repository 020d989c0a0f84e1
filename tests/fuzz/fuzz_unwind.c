/* SPDX-License-Identifier: BSD-2-Clause */
/* A copied stack of any bytes, in a file whose call frame information is of any bytes. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "parts.h"
#include "unwind.h"

#define CODE 0x400000
#define STACK 0x7ff000000000
#define STACK_BYTES 0x21000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[] = "/tmp/probekit-fuzz-XXXXXX";
static int file = -1;

static void remove_file(void)
{
	unlink(path);
}

/* One file that is written again and again; as a mapping of it would be told. */
static void map_file(const struct elf_builder *builder, struct proc_maps *maps)
{
	struct stat status;
	char text[512];
	int length;

	if (file < 0) {
		file = mkstemp(path);
		atexit(remove_file);
	}
	if (file < 0 || ftruncate(file, 0) || fstat(file, &status) ||
	    pwrite(file, builder->bytes, builder->size_bytes, 0) != (ssize_t)builder->size_bytes)
		abort();
	length = snprintf(text, sizeof(text),
			  "%x-%x r-xp 00000000 %02x:%02x %lu %s\n"
			  "%lx-%lx rw-p 00000000 00:00 0 [stack]\n",
			  CODE, CODE + PARTS_REST, major(status.st_dev), minor(status.st_dev),
			  (unsigned long)status.st_ino, path, STACK, STACK + STACK_BYTES);
	if (proc_maps_parse(text, (size_t)length, maps) || maps->size != 2)
		abort();
}

/* Small values are places in the code and on the stack. */
static uint64_t place(uint64_t value)
{
	if (value < 0x1000)
		return CODE + PARTS_TEXT + value;
	return value < 0x10000 ? STACK + (value & 0xfff) : value;
}

static void unwind(struct address_space *space, const uint8_t *data, size_t size)
{
	struct unwind_registers registers = {.known = UINT32_MAX};
	static struct unwind_trace trace;
	struct unwind_stack stack = {.address = STACK};
	struct unwinder *unwinder;
	size_t part_size;
	const uint8_t *part = parts_find(data, size, PART_REGISTERS, &part_size);
	uint64_t values[1 + UNWIND_REGISTERS] = {0};
	uint8_t *bytes;

	if (part)
		memcpy(values, part, part_size < sizeof(values) ? part_size : sizeof(values));
	registers.ip = place(values[0]);
	for (size_t i = 0; i < UNWIND_REGISTERS; i++)
		registers.values[i] = place(values[1 + i]);
	/* of the exact size, so that a sanitizer sees every overrun */
	part = parts_find(data, size, PART_STACK, &part_size);
	stack.size_bytes = part_size;
	bytes = malloc(part_size + !part_size);
	if (!bytes)
		abort();
	stack.bytes = memcpy(bytes, part ? part : data, part_size);
	if (unwinder_new(space, &unwinder) == 0) {
		unwind_copied(unwinder, &registers, &stack, &trace);
		if (trace.size > UNWIND_FRAMES_MAX || trace.end >= PROBEKIT_STACK_END_COUNT)
			__builtin_trap();
		unwinder_free(unwinder);
	}
	free((void *)stack.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct elf_builder builder;
	struct address_space space;
	struct module_cache *cache;
	struct proc_maps maps;

	parts_build(data, size, PF_R | PF_X, &builder);
	map_file(&builder, &maps);
	if (module_cache_new(&cache))
		abort();
	if (address_space_init(&space, cache, getpid(), &maps) == 0) {
		unwind(&space, data, size);
		address_space_done(&space);
	}
	module_cache_free(cache);
	proc_maps_done(&maps);
	return 0;
}
