/* SPDX-License-Identifier: BSD-2-Clause */
#include "mapped_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Takes over `found`, from O_PATH. To open a device, or a FIFO that somebody waits at, does something to
 * it: what was looked at is what is opened, and only a regular file. */
static int open_regular(int found)
{
	struct stat status;
	char link[32];
	int result;
	int fd;

	if (found < 0)
		return -errno;
	if (fstat(found, &status) || !S_ISREG(status.st_mode)) {
		close(found);
		return -ENOENT;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	result = fd < 0 ? -errno : fd;
	close(found);
	return result;
}

int mapped_file_open_below(const char *root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)(O_PATH | O_CLOEXEC | flags),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int directory = open(root[0] ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int result;

	if (directory < 0)
		return -errno;
	result = open_regular((int)syscall(SYS_openat2, directory, path, &how, sizeof(how)));
	close(directory);
	return result;
}

/* ---- which file it is ---- */

static bool has_own_devices(int fd)
{
	struct statfs system;

	return fstatfs(fd, &system) == 0 &&
	       (system.f_type == BTRFS_SUPER_MAGIC || system.f_type == OVERLAYFS_SUPER_MAGIC);
}

/* From the line of our own maps that begins at `start`. */
static int read_identity(const void *start, dev_t *device, ino_t *inode)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned int major;
	unsigned int minor;
	unsigned long number;
	char line[4352];
	int result = -ENOENT;
	void *at;

	if (!maps)
		return -errno;
	while (result && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%p-%*x %*s %*x %x:%x %lu", &at, &major, &minor, &number) != 4 ||
		    at != start)
			continue;
		*device = makedev(major, minor);
		*inode = number;
		result = 0;
	}
	fclose(maps);
	return result;
}

int mapped_file_identity(int fd, dev_t *device, ino_t *inode)
{
	struct stat status;
	void *start;
	int result;

	if (fstat(fd, &status))
		return -errno;
	*device = status.st_dev;
	*inode = status.st_ino;
	if (!has_own_devices(fd))
		return 0;
	start = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0);
	if (start == MAP_FAILED)
		return -errno;
	result = read_identity(start, device, inode);
	munmap(start, 1);
	return result;
}

static int checked(int fd, const struct proc_map *map)
{
	dev_t device;
	ino_t inode;

	if (fd < 0)
		return fd;
	if (mapped_file_identity(fd, &device, &inode) == 0 && inode == map->inode &&
	    device == makedev(map->dev_major, map->dev_minor))
		return fd;
	close(fd);
	return -ESTALE;
}

/* ---- opening ---- */

int mapped_file_open(pid_t pid, const struct proc_map *map, char root[MAPPED_FILE_ROOT_BYTES])
{
	char path[96];
	int fd;
	int own;

	if (!map->inode || map->path[0] != '/')
		return -ENOENT;
	snprintf(root, MAPPED_FILE_ROOT_BYTES, "/proc/%d/root", pid);
	fd = checked(mapped_file_open_below(root, map->path, 0), map);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid,
		 (unsigned long long)map->start, (unsigned long long)map->end);
	fd = checked(open_regular(open(path, O_PATH | O_CLOEXEC)), map);
	if (fd >= 0)
		return fd;
	root[0] = '\0';
	own = checked(mapped_file_open_below("", map->path, 0), map);
	return own >= 0 || own == -ESTALE ? own : fd;
}
