/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the search for separate debug files. libdwfl's own goes on to ask debuginfod servers, and
 * looks beside the path that it opened, which for a container's file is not where it lies. */
#include "debug_file.h"

#include <elfutils/libdwelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "inflated_size.h"
#include "mapped_file.h"
#include "module.h"
#include "shared_file.h"

static bool has_build_id(int fd, const struct module *module)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	const void *build_id;
	bool is_it = elf &&
		     dwelf_elf_gnu_build_id(elf, &build_id) == (ssize_t)module->build_id_size &&
		     memcmp(build_id, module->build_id, module->build_id_size) == 0;

	elf_end(elf);
	return is_it;
}

static bool has_crc(int fd, GElf_Word wanted)
{
	unsigned char buffer[16384];
	uLong crc = crc32(0, NULL, 0);
	off_t at = 0;
	ssize_t got;

	while ((got = pread(fd, buffer, sizeof(buffer), at)) > 0) {
		crc = crc32(crc, buffer, (uInt)got);
		at += got;
	}
	return got == 0 && crc == wanted;
}

static bool inflates_safely(int fd, struct module *module)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	bool is_safe = elf && inflated_debug_size(elf) <= module_budget(module)->left_bytes;

	elf_end(elf);
	return is_safe;
}

static bool is_wanted(int fd, struct module *module, GElf_Word crc)
{
	return (module->build_id_size ? has_build_id(fd, module) : has_crc(fd, crc)) &&
	       inflates_safely(fd, module);
}

/* With zeros behind it, as libdw reads on where a hostile file is cut short. */
static int copy_of(int fd, struct module *module, GElf_Word crc)
{
	int copy = shared_file_copy(fd, module_budget(module));
	struct stat status;

	if (copy < 0)
		return copy;
	if (is_wanted(copy, module, crc) && fstat(copy, &status) == 0 &&
	    ftruncate(copy, status.st_size + ELF_IMAGE_SLACK) == 0)
		return copy;
	close(copy);
	return -1;
}

/* libdwfl maps what it is given. Takes over `fd`; negative when it is not the file that is looked for. */
static int make_safe(int fd, struct module *module, GElf_Word crc)
{
	struct stat status;
	int safe = -1;
	bool may_change;
	bool fits;

	if (fstat(fd, &status)) {
		close(fd);
		return -1;
	}
	may_change = shared_file_may_change(&status, module->pid);
	fits = (uint64_t)status.st_size <= module_budget(module)->left_bytes;

	if ((!may_change || fits) && is_wanted(fd, module, crc))
		safe = may_change ? copy_of(fd, module, crc) : fd;
	if (safe != fd)
		close(fd);
	return safe;
}

static int try_file(struct module *module, const char *root, const char *path, GElf_Word crc,
		    char **found)
{
	int fd = mapped_file_open_below(root, path, 0);

	if (fd >= 0)
		fd = make_safe(fd, module, crc);
	if (fd < 0)
		return -1;
	*found = strdup(path);
	if (*found)
		return fd;
	close(fd);
	return -1;
}

static int find_by_link(struct module *module, const char *link, GElf_Word crc, char **found)
{
	static const char *const forms[] = {"%.*s/%s", "%.*s/.debug/%s", "/usr/lib/debug%.*s/%s"};
	const char *slash = strrchr(module->path, '/');
	const char *roots[] = {module->debug_root, ""};
	char path[PATH_MAX];

	/* the name comes from the file: it may not lead elsewhere */
	if (!slash || strchr(link, '/'))
		return -1;
	for (size_t root = module->debug_root[0] ? 0 : 1; root < 2; root++) {
		for (size_t form = 0; form < sizeof(forms) / sizeof(forms[0]); form++) {
			int length = (int)(slash - module->path);
			int fd;

			if (snprintf(path, sizeof(path), forms[form], length, module->path, link) >=
			    (int)sizeof(path))
				continue;
			fd = try_file(module, roots[root], path, crc, found);
			if (fd >= 0)
				return fd;
		}
	}
	return -1;
}

int debug_file_find(Dwfl_Module *dwfl_module, void **user, const char *name, Dwarf_Addr base,
		    const char *file_name, const char *link, GElf_Word crc, char **found)
{
	struct module *module = *user;
	int fd;

	if (!module)
		return -1;
	fd = dwfl_build_id_find_debuginfo(dwfl_module, user, name, base, file_name, link, crc,
					  found);
	if (fd < 0 && link)
		fd = find_by_link(module, link, crc, found);
	module->debug_files += fd >= 0;
	return fd;
}
