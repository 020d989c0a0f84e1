/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_OBJECT_H
#define PROBEKIT_OBJECT_H
/* A binary or library that is measured: its open file and its sites. */
#include <sys/types.h>

#include "elf_file.h"
#include "proc_maps.h"
#include "sdt_note.h"

struct object {
	char *path;   /* as the user knows it */
	int fd;	      /* kept open: attaching by /proc/self/fd/N means this very file */
	dev_t device; /* as /proc/PID/maps has them */
	ino_t inode;
	off_t size_bytes;
	bool is_program; /* what the user means by the target: a given file, or a process's executable */
	struct elf_file *elf;
	struct sdt_sites sites;
};

/* `path` names the object in messages; `fd` is taken over, or -1 to open `path`. */
int object_open(const char *path, int fd, struct object **object, struct probekit_error *err);
void object_free(struct object *object);

/* Is the map of this file? */
bool object_is_mapped(const struct object *object, const struct proc_map *map);

/* Set of objects, each file once. */
struct objects {
	struct object **items;
	size_t size;
};
bool objects_have(const struct objects *objects, dev_t device, ino_t inode);
/* Is there another of the same content, as far as is known? */
bool objects_have_copy(const struct objects *objects, size_t index);
/* Takes `object` over; frees it where the file is there already, and on error. The index, or
 * -ENOMEM. */
ssize_t objects_add(struct objects *objects, struct object *object);
void objects_done(struct objects *objects);

#endif
