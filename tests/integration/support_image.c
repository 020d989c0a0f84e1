/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the look into a process's memory: what a tracer has written there. */
#include "support.h"

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct mapping {
	uint64_t start, end, offset;
};

/* The file's address range for .probes, as linked. */
struct probes_section {
	uint64_t address, size_bytes;
};

static uint64_t first_load_address(const char *file)
{
	const Elf64_Ehdr *header = (const void *)file;
	const Elf64_Phdr *segment = (const void *)(file + header->e_phoff);

	for (int i = 0; i < header->e_phnum; i++)
		if (segment[i].p_type == PT_LOAD && segment[i].p_offset == 0)
			return segment[i].p_vaddr;
	fail_msg("no segment begins at the start of the file");
	return 0;
}

static struct probes_section find_probes(const char *file)
{
	const Elf64_Ehdr *header = (const void *)file;
	const Elf64_Shdr *section = (const void *)(file + header->e_shoff);
	const char *names = file + section[header->e_shstrndx].sh_offset;

	for (int i = 0; i < header->e_shnum; i++)
		if (strcmp(names + section[i].sh_name, ".probes") == 0)
			return (struct probes_section){section[i].sh_addr, section[i].sh_size};
	return (struct probes_section){0};
}

/* Calls back for each mapping of `path`, by inode: names may differ. */
static void each_mapping(pid_t pid, const char *path,
			 void (*visit)(const struct mapping *mapping, const char *flags, void *arg),
			 void *arg)
{
	char name[64];
	char line[4352];
	struct stat st;
	FILE *maps;

	assert_int_equal(stat(path, &st), 0);
	snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	maps = fopen(name, "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		struct mapping mapping;
		char flags[5];
		uint64_t inode;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %" SCNu64,
			   &mapping.start, &mapping.end, flags, &mapping.offset, &inode) == 5 &&
		    inode == st.st_ino)
			visit(&mapping, flags, arg);
	}
	fclose(maps);
}

struct look {
	int memory;
	const char *file;
	size_t file_size;
	bool has_code;
	uint64_t base; /* where the file's first byte is mapped */
	size_t changed_bytes;
};

/* Linux 7 leaves a nop10 by restoring its opcode; its operand, which does nothing, keeps what was
 * there. */
static bool is_idle_operand(const struct look *look, uint64_t offset, const char *code, size_t i)
{
	static const char nop10[10] = "\x66\x2e\x0f\x1f\x84";
	const size_t opcode_size = 5;

	for (size_t back = opcode_size; back < sizeof(nop10) && back <= i; back++)
		if (offset + i - back + sizeof(nop10) <= look->file_size &&
		    memcmp(look->file + offset + i - back, nop10, sizeof(nop10)) == 0 &&
		    memcmp(code + i - back, nop10, opcode_size) == 0)
			return true;
	return false;
}

static void compare_code(const struct mapping *mapping, const char *flags, void *arg)
{
	size_t size = mapping->end - mapping->start;
	struct look *look = arg;
	char *code;

	if (mapping->offset == 0)
		look->base = mapping->start;
	if (flags[2] != 'x')
		return;
	code = malloc(size);
	assert_non_null(code);
	assert_int_equal(pread(look->memory, code, size, (off_t)mapping->start), size);
	for (size_t i = 0; i < size && mapping->offset + i < look->file_size; i++)
		look->changed_bytes += code[i] != look->file[mapping->offset + i] &&
				       !is_idle_operand(look, mapping->offset, code, i);
	look->has_code = true;
	free(code);
}

struct support_image support_read_image(pid_t pid, const char *path)
{
	struct support_image image = {0};
	struct probes_section probes;
	struct look look = {0};
	uint16_t *semaphores;
	char name[64];
	char *file;

	file = support_read_file(path, &look.file_size);
	look.file = file;
	snprintf(name, sizeof(name), "/proc/%d/mem", (int)pid);
	look.memory = open(name, O_RDONLY | O_CLOEXEC);
	assert_true(look.memory >= 0);
	each_mapping(pid, path, compare_code, &look);
	assert_true(look.has_code);
	image.changed_bytes = look.changed_bytes;
	probes = find_probes(file);
	semaphores = malloc(probes.size_bytes + 1);
	assert_non_null(semaphores);
	assert_int_equal(pread(look.memory, semaphores, probes.size_bytes,
			       (off_t)(look.base + probes.address - first_load_address(file))),
			 probes.size_bytes);
	for (size_t i = 0; i < probes.size_bytes / sizeof(*semaphores); i++)
		image.semaphores += semaphores[i];
	free(semaphores);
	free(file);
	close(look.memory);
	return image;
}

static void wait_image(pid_t pid, const char *path, unsigned long least, bool untraced)
{
	struct support_image image = {0};

	for (int ms = 0; ms < SUPPORT_DEADLINE_MS; ms += 10) {
		image = support_read_image(pid, path);
		if (untraced ? image.semaphores == 0 && image.changed_bytes == 0
			     : image.semaphores >= least)
			return;
		poll(NULL, 0, 10);
	}
	fail_msg("semaphores stay at %lu, changed code bytes at %zu", image.semaphores,
		 image.changed_bytes);
}

void support_wait_semaphores(pid_t pid, const char *path, unsigned long sum)
{
	wait_image(pid, path, sum, false);
}

void support_wait_untraced(pid_t pid, const char *path)
{
	wait_image(pid, path, 0, true);
}
