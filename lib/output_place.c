/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns the walk along an output's path, a component at a time. The kernel has such a rule for links in
 * sticky folders, fs.protected_symlinks, which may be off.
 */
#include "output_place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LINKS_MAX 40

struct walk {
	struct output_place *place;
	char rest[PATH_MAX]; /* not walked yet */
	bool follows_last;
	int links;
};

static bool is_in_proc(int folder)
{
	struct statfs fs;

	return fstatfs(folder, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* May everybody put things there? When that cannot be told, it is so. */
static bool is_shared(int folder)
{
	struct stat status;

	return fstat(folder, &status) || (status.st_mode & S_IWOTH);
}

/* Takes over `folder`, or is a negative errno. */
static int enter(struct walk *walk, int folder)
{
	if (folder < 0)
		return -errno;
	if (walk->place->folder >= 0)
		close(walk->place->folder);
	walk->place->folder = folder;
	return 0;
}

/* Cuts the first component off; -EISDIR where there is none. */
static int next_component(struct walk *walk, bool *is_last)
{
	const char *begin = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(begin, "/");
	const char *after = begin + length;

	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	if (length == 0)
		return -EISDIR;
	memcpy(walk->place->name, begin, length);
	walk->place->name[length] = '\0';
	*is_last = *after == '\0';
	memmove(walk->rest, after, strlen(after) + 1);
	return 0;
}

/* What is left to walk begins with what the link names. */
static int follow(struct walk *walk)
{
	char target[PATH_MAX];
	size_t left = strlen(walk->rest);
	ssize_t length =
		readlinkat(walk->place->folder, walk->place->name, target, sizeof(target) - 1);

	if (length < 0)
		return -errno;
	if (++walk->links > LINKS_MAX)
		return -ELOOP;
	if ((size_t)length + left >= sizeof(walk->rest))
		return -ENAMETOOLONG;
	memmove(walk->rest + length, walk->rest, left + 1);
	memcpy(walk->rest, target, (size_t)length);
	return walk->rest[0] == '/' ? enter(walk, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) : 0;
}

static int step_into(struct walk *walk, int more_flags)
{
	return enter(walk, openat(walk->place->folder, walk->place->name,
				  O_PATH | O_DIRECTORY | O_CLOEXEC | more_flags));
}

/* A step along the path; *has_arrived when place->name is where it ends. */
static int step(struct walk *walk, bool *has_arrived)
{
	struct output_place *place = walk->place;
	struct stat status;
	bool is_last;
	int result = next_component(walk, &is_last);

	if (result)
		return result;
	place->is_in_proc = is_in_proc(place->folder);
	*has_arrived = is_last;
	if (fstatat(place->folder, place->name, &status, AT_SYMLINK_NOFOLLOW))
		return is_last && errno == ENOENT && !place->is_in_proc ? 0 : -errno;
	if (place->is_in_proc) /* its links are not what they read as */
		return is_last ? 0 : step_into(walk, 0);
	if (!S_ISLNK(status.st_mode))
		return is_last ? 0 : step_into(walk, O_NOFOLLOW);
	if (is_shared(place->folder))
		return -EPERM;
	if (is_last && !walk->follows_last)
		return -ELOOP;
	*has_arrived = false;
	return follow(walk);
}

int output_place_find(const char *path, bool follows_last, struct output_place *place)
{
	struct walk walk = {.place = place, .follows_last = follows_last};
	bool has_arrived = false;
	int result;

	if (!*path)
		return -ENOENT;
	if (strlen(path) >= sizeof(walk.rest))
		return -ENAMETOOLONG;
	memcpy(walk.rest, path, strlen(path) + 1);
	*place = (struct output_place){.folder = -1};
	result = enter(&walk, open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
	while (!result && !has_arrived)
		result = step(&walk, &has_arrived);
	if (result)
		output_place_done(place);
	return result;
}

static int may_write_to(const struct output_place *place, int fd)
{
	struct stat status;

	if (fstat(fd, &status))
		return -errno;
	return S_ISLNK(status.st_mode) || (status.st_uid != geteuid() && is_shared(place->folder))
		       ? -EPERM
		       : 0;
}

/* What was looked at is what is opened: by its own descriptor, not once more by name. */
int output_place_open(const struct output_place *place)
{
	int found = openat(place->folder, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char link[32];
	int result;
	int fd;

	if (found < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
	result = may_write_to(place, found);
	if (!result) {
		fd = open(link, O_WRONLY | O_NOCTTY | O_CLOEXEC);
		result = fd < 0 ? -errno : fd;
	}
	close(found);
	return result;
}

void output_place_done(struct output_place *place)
{
	if (place->folder >= 0)
		close(place->folder);
	place->folder = -1;
}
