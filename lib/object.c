/* SPDX-License-Identifier: BSD-2-Clause */
#include "object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mapped_file.h"

static int identify(struct object *object)
{
	struct stat status;

	if (fstat(object->fd, &status))
		return -errno;
	object->size_bytes = status.st_size;
	return mapped_file_identity(object->fd, &object->device, &object->inode);
}

static int fill(struct object *object, const char *path, int fd, struct probekit_error *err)
{
	int elf_fd;
	int result;

	object->fd = fd >= 0 ? fd : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (object->fd < 0)
		return error_errno(err, -errno, "cannot open '%s'", path);
	object->path = strdup(path);
	if (!object->path)
		return error_no_memory(err);
	elf_fd = fcntl(object->fd, F_DUPFD_CLOEXEC, 3);
	if (elf_fd < 0)
		return error_errno(err, -errno, "cannot open '%s'", path);
	result = elf_file_open(path, elf_fd, &object->elf, err);
	if (result)
		return result;
	result = identify(object);
	if (result)
		return error_errno(err, result, "cannot examine '%s'", path);
	return sdt_sites_read(object->elf, &object->sites, err);
}

int object_open(const char *path, int fd, struct object **out, struct probekit_error *err)
{
	struct object *object = calloc(1, sizeof(*object));
	int result;

	if (!object) {
		if (fd >= 0)
			close(fd);
		return error_no_memory(err);
	}
	result = fill(object, path, fd, err);
	if (result) {
		object_free(object);
		return result;
	}
	*out = object;
	return 0;
}

void object_free(struct object *object)
{
	if (!object)
		return;
	sdt_sites_done(&object->sites);
	elf_file_free(object->elf);
	if (object->fd >= 0)
		close(object->fd);
	free(object->path);
	free(object);
}

bool object_is_mapped(const struct object *object, const struct proc_map *map)
{
	return map->inode == object->inode &&
	       makedev(map->dev_major, map->dev_minor) == object->device;
}

static ssize_t find(const struct objects *objects, dev_t device, ino_t inode)
{
	for (size_t i = 0; i < objects->size; i++)
		if (objects->items[i]->device == device && objects->items[i]->inode == inode)
			return (ssize_t)i;
	return -1;
}

bool objects_have(const struct objects *objects, dev_t device, ino_t inode)
{
	return find(objects, device, inode) >= 0;
}

static bool is_copy(const struct object *one, const struct object *other)
{
	const char *id = elf_file_build_id(one->elf);
	const char *other_id = elf_file_build_id(other->elf);

	return one->size_bytes == other->size_bytes &&
	       (id && other_id ? strcmp(id, other_id) == 0 : id == other_id);
}

bool objects_have_copy(const struct objects *objects, size_t index)
{
	for (size_t i = 0; i < objects->size; i++)
		if (i != index && is_copy(objects->items[i], objects->items[index]))
			return true;
	return false;
}

ssize_t objects_add(struct objects *objects, struct object *object)
{
	ssize_t known = find(objects, object->device, object->inode);
	struct object **items;

	if (known >= 0) {
		object_free(object);
		return known;
	}
	items = reallocarray(objects->items, objects->size + 1, sizeof(*items));
	if (!items) {
		object_free(object);
		return -ENOMEM;
	}
	objects->items = items;
	items[objects->size] = object;
	return (ssize_t)objects->size++;
}

void objects_done(struct objects *objects)
{
	for (size_t i = 0; i < objects->size; i++)
		object_free(objects->items[i]);
	free(objects->items);
	*objects = (struct objects){0};
}
