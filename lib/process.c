/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading /proc. A process may end at any moment: every failure is either an error or skipped.
 */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mapped_file.h"

static int no_process(pid_t pid, struct probekit_error *err)
{
	error_failed(err, -ESRCH, "no process has PID %d", pid);
	return error_hint(
		err, -ESRCH,
		"see 'ps -e'; a process that restarts gets another PID, a path does not change");
}

static int no_access(pid_t pid, int code, struct probekit_error *err)
{
	error_unavailable(
		err, code,
		"process %d belongs to another user (or may not be traced): its memory map cannot be read",
		pid);
	return error_hint(err, code, "run as root or as that user, or grant CAP_SYS_PTRACE");
}

static int no_executable(pid_t pid, struct probekit_error *err)
{
	return error_failed(err, -ESRCH,
			    "process %d has no executable: it has ended, or is a kernel thread",
			    pid);
}

int process_open(pid_t pid, int *pidfd, struct probekit_error *err)
{
	char link[64];
	char name[2];
	int fd;

	if (pid <= 0)
		return error_usage(err, "'%d' is not a PID", pid);
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 &&
	    (errno == ESRCH || errno == EINVAL)) /* EINVAL: a thread that leads no process */
		return no_process(pid, err);
	if (fd < 0)
		return error_errno(err, -errno, "cannot watch process %d", pid);
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	if (readlink(link, name, sizeof(name)) < 0 && errno == ENOENT) {
		close(fd);
		return no_executable(pid, err);
	}
	*pidfd = fd;
	return 0;
}

bool process_has_ended(pid_t pid)
{
	return kill(pid, 0) && errno == ESRCH;
}

static int read_all(int fd, char **text, size_t *size_bytes)
{
	size_t capacity = 1 << 16;
	size_t have = 0;
	char *buffer = malloc(capacity);

	while (buffer) {
		ssize_t got = read(fd, buffer + have, capacity - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int code = -errno;

			free(buffer);
			return code;
		}
		if (got == 0) {
			*text = buffer;
			*size_bytes = have;
			return 0;
		}
		have += (size_t)got;
		if (have == capacity) {
			char *larger = realloc(buffer, capacity *= 2);

			if (!larger)
				free(buffer);
			buffer = larger;
		}
	}
	return -ENOMEM;
}

int process_read_maps(pid_t pid, struct proc_maps *maps, struct probekit_error *err)
{
	size_t size_bytes = 0;
	char path[64];
	char *text = NULL;
	int result;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	result = fd < 0 ? -errno : read_all(fd, &text, &size_bytes);
	if (fd >= 0)
		close(fd);
	if (result == -EACCES || result == -EPERM)
		return no_access(pid, result, err);
	if (result == -ENOENT || result == -ESRCH)
		return no_process(pid, err);
	if (result)
		return error_errno(err, result, "cannot read '%s'", path);
	result = proc_maps_parse(text, size_bytes, maps);
	free(text);
	return result ? error_no_memory(err) : 0;
}

/* The namespace's number, for good: PROC_PID_INIT_INO. */
bool process_has_kernel_pids(void)
{
	char name[32];
	ssize_t length = readlink("/proc/self/ns/pid", name, sizeof(name) - 1);

	if (length < 0)
		return false;
	name[length] = '\0';
	return strcmp(name, "pid:[4026531836]") == 0;
}

int process_check_proc(struct probekit_error *err)
{
	char number[16];
	ssize_t length = readlink("/proc/self", number, sizeof(number) - 1);

	number[length > 0 ? length : 0] = '\0';
	if (atoi(number) == getpid())
		return 0;
	error_unavailable(err, -ENOTSUP,
			  "/proc is not mounted, or not that of probekit's own PID namespace");
	return error_hint(err, -ENOTSUP, "mount it there, as 'unshare --mount-proc' does");
}

void process_thread_name(pid_t pid, pid_t tid, char name[static 16])
{
	ssize_t length = 0;
	char path[64];
	int fd;

	name[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)pid, (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	length = read(fd, name, 16); /* with a line feed */
	close(fd);
	name[length > 0 ? length - 1 : 0] = '\0';
}

static int add_executable(pid_t pid, struct objects *objects, struct probekit_error *err)
{
	char link[64];
	char name[4096];
	struct object *object;
	ssize_t length;
	ssize_t index;
	int result;
	int fd;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	length = readlink(link, name, sizeof(name) - 1);
	fd = length < 0 ? -1 : open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return no_access(pid, -errno, err);
	if (fd < 0) {
		if (errno != ENOENT && errno != ESRCH)
			return error_errno(err, -errno, "cannot open the executable of process %d",
					   pid);
		return no_executable(pid, err);
	}
	name[length] = '\0';
	result = object_open(name, fd, &object, err);
	if (result)
		return result;
	index = objects_add(objects, object);
	if (index < 0)
		return error_no_memory(err);
	objects->items[index]->is_program = true;
	return 0;
}

static bool is_code_file(const struct proc_map *map)
{
	return map->is_executable && map->inode && map->path[0] == '/';
}

static int add_mapped(pid_t pid, const struct proc_maps *maps, struct objects *objects,
		      size_t *skipped, struct probekit_error *err)
{
	for (size_t i = 0; i < maps->size; i++) {
		char root[MAPPED_FILE_ROOT_BYTES];
		struct object *object;
		int fd;

		if (!is_code_file(&maps->maps[i]) ||
		    objects_have(objects, makedev(maps->maps[i].dev_major, maps->maps[i].dev_minor),
				 maps->maps[i].inode))
			continue;
		fd = mapped_file_open(pid, &maps->maps[i], root);
		if (fd < 0 || object_open(maps->maps[i].path, fd, &object, NULL)) {
			++*skipped;
			continue;
		}
		if (objects_add(objects, object) < 0)
			return error_no_memory(err);
	}
	return 0;
}

int process_objects(pid_t pid, struct objects *objects, size_t *skipped, struct probekit_error *err)
{
	struct proc_maps maps;
	int result = process_read_maps(pid, &maps, err);

	*skipped = 0;
	if (result)
		return result;
	result = add_executable(pid, objects, err);
	if (!result)
		result = add_mapped(pid, &maps, objects, skipped, err);
	proc_maps_done(&maps);
	return result;
}

int process_maps(pid_t pid, const struct object *object, bool *is_mapped,
		 struct probekit_error *err)
{
	struct proc_maps maps;
	int result = process_read_maps(pid, &maps, err);

	if (result)
		return result;
	*is_mapped = false;
	for (size_t i = 0; i < maps.size && !*is_mapped; i++)
		*is_mapped = maps.maps[i].is_executable && object_is_mapped(object, &maps.maps[i]);
	proc_maps_done(&maps);
	return 0;
}

void process_each_user(const struct object *object, void (*visit)(pid_t pid, void *arg), void *arg)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return;
	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)atoi(entry->d_name);
		bool is_mapped;

		if (pid > 0 && pid != getpid() &&
		    process_maps(pid, object, &is_mapped, NULL) == 0 && is_mapped)
			visit(pid, arg);
	}
	closedir(proc);
}

static void count_one(pid_t pid, void *arg)
{
	size_t *users = arg;

	(void)pid;
	++*users;
}

size_t process_count_users(const struct object *object)
{
	size_t users = 0;

	process_each_user(object, count_one, &users);
	return users;
}
