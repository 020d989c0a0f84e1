/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the images of processes: which are kept, and when one is read again. */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

#define REREAD_NS 100000000u
#define REREAD_FOR_CODE_NS 5000000u /* where code is that was not: the program has just started */
#define LOOKS 2			    /* for each that is new, so that those of processes that have ended become fewer */

void images_init(struct images *images, struct module_cache *modules)
{
	*images = (struct images){.modules = modules, .next_id = 1};
}

static void image_free(struct image *image)
{
	unwinder_free(image->unwinder);
	address_space_done(&image->space);
	proc_maps_done(&image->maps);
	free(image);
}

void images_done(struct images *images)
{
	for (size_t i = 0; i < images->size; i++)
		image_free(images->items[i]);
	images->size = 0;
}

/* ---- reading ---- */

/* What tells two programs of one process apart, as maps cannot: the auxiliary vector has the
 * addresses of the program, its loader, the vdso and 16 random bytes on its first stack. */
static uint64_t program_of(pid_t pid)
{
	uint64_t hash = 0xcbf29ce484222325;
	unsigned char bytes[1024];
	char path[64];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	size = read(fd, bytes, sizeof(bytes));
	close(fd);
	for (ssize_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return size > 0 ? hash : 0;
}

/* Takes over `maps`. */
static struct image *image_new(struct images *images, pid_t pid, uint64_t at_ns, uint64_t program,
			       struct proc_maps *maps)
{
	struct image *image = calloc(1, sizeof(*image));

	if (!image) {
		proc_maps_done(maps);
		return NULL;
	}
	image->pid = pid;
	image->program = program;
	image->read_ns = at_ns;
	image->used_ns = at_ns;
	image->maps = *maps;
	if (address_space_init(&image->space, images->modules, pid, &image->maps) ||
	    unwinder_new(&image->space, &image->unwinder)) {
		image_free(image);
		return NULL;
	}
	image->id = images->next_id++;
	return image;
}

/* A process that has ended, and was not waited for yet, has no maps. */
static int read_maps(pid_t pid, struct proc_maps *maps)
{
	int result = process_read_maps(pid, maps, NULL);

	if (result)
		return result == -ENOMEM ? result : -ESRCH;
	if (maps->size)
		return 0;
	proc_maps_done(maps);
	return -ESRCH;
}

static bool is_same_map(const struct proc_map *a, const struct proc_map *b)
{
	return a->start == b->start && a->end == b->end && a->offset == b->offset &&
	       a->inode == b->inode && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor && a->is_executable == b->is_executable;
}

static bool are_same_maps(const struct proc_maps *a, const struct proc_maps *b)
{
	if (a->size != b->size)
		return false;
	for (size_t i = 0; i < a->size; i++)
		if (!is_same_map(&a->maps[i], &b->maps[i]))
			return false;
	return true;
}

/* ---- which are kept ---- */

static struct image **find(struct images *images, pid_t pid)
{
	for (size_t i = 0; i < images->size; i++)
		if (images->items[i]->pid == pid)
			return &images->items[i];
	return NULL;
}

static void release(struct images *images, struct image *image)
{
	if (images->on_release)
		images->on_release(image, images->arg);
	image_free(image);
}

static void replace(struct images *images, struct image **slot, struct image *image)
{
	release(images, *slot);
	*slot = image;
}

static void release_ended(struct images *images, uint64_t at_ns)
{
	for (int i = 0; i < LOOKS && images->size; i++) {
		size_t at = images->next_look % images->size;
		struct image *image = images->items[at];

		if (at_ns < image->used_ns + IMAGES_ENDED_NS || !process_has_ended(image->pid)) {
			images->next_look = at + 1;
			continue;
		}
		images->items[at] = images->items[--images->size];
		release(images, image);
	}
}

static struct image **least_used(struct images *images)
{
	struct image **least = &images->items[0];

	for (size_t i = 1; i < images->size; i++)
		if (images->items[i]->used < (*least)->used)
			least = &images->items[i];
	return least;
}

static int add(struct images *images, pid_t pid, uint64_t at_ns, uint64_t program,
	       struct image **image)
{
	struct proc_maps maps;
	int result = read_maps(pid, &maps);

	if (result)
		return result;
	*image = image_new(images, pid, at_ns, program, &maps);
	if (!*image)
		return -ENOMEM;
	release_ended(images, at_ns);
	if (images->size < IMAGES_MAX)
		images->items[images->size++] = *image;
	else
		replace(images, least_used(images), *image);
	return 0;
}

/* Reads the maps again, but not too often. Leaves *image where they have not changed. */
static int refresh(struct images *images, uint64_t at_ns, uint64_t program, uint64_t spacing_ns,
		   struct image **image)
{
	struct image *old = *image;
	struct proc_maps maps;
	int result;

	if (program == old->program && at_ns < old->read_ns + spacing_ns)
		return 0;
	old->read_ns = at_ns;
	result = read_maps(old->pid, &maps);
	if (result)
		return result == -ESRCH ? 0 : result; /* the old one has to do */
	if (program == old->program && are_same_maps(&old->maps, &maps)) {
		proc_maps_done(&maps);
		return 0;
	}
	*image = image_new(images, old->pid, at_ns, program, &maps);
	if (!*image) {
		*image = old;
		return -ENOMEM;
	}
	replace(images, find(images, old->pid), *image);
	return 0;
}

/* ---- stacks ---- */

static bool is_code(struct image *image, uint64_t address)
{
	struct location location = address_space_locate(&image->space, address);

	return location.map && location.map->is_executable;
}

static bool fits(struct image *image, const struct unwind_registers *registers,
		 const struct unwind_stack *stack)
{
	return is_code(image, registers->ip) &&
	       address_space_locate(&image->space, stack->address).map;
}

/* The image as the process is now, as far as the sample asks for it. */
static int find_image(struct images *images, pid_t pid, uint64_t at_ns,
		      const struct unwind_registers *registers, const struct unwind_stack *stack,
		      struct image **image)
{
	uint64_t program = program_of(pid);
	uint64_t spacing_ns = REREAD_NS;
	struct image **known = find(images, pid);
	int result = 0;

	if (!known)
		return add(images, pid, at_ns, program, image);
	*image = *known;
	if (!is_code(*image, registers->ip))
		spacing_ns = REREAD_FOR_CODE_NS;
	if ((program && program != (*image)->program) || !fits(*image, registers, stack))
		result = refresh(images, at_ns, program ? program : (*image)->program, spacing_ns,
				 image);
	return result;
}

int images_note(struct images *images, pid_t pid, uint64_t at_ns)
{
	uint64_t program = program_of(pid);
	struct image **known = find(images, pid);
	struct image *image = known ? *known : NULL;

	return image ? refresh(images, at_ns, program ? program : image->program, 0, &image)
		     : add(images, pid, at_ns, program, &image);
}

int images_unwind(struct images *images, pid_t pid, uint64_t at_ns,
		  const struct unwind_registers *registers, const struct unwind_stack *stack,
		  struct unwind_trace *trace, struct image **out)
{
	struct image *image;
	struct image *newer;
	int result = find_image(images, pid, at_ns, registers, stack, &image);

	if (result)
		return result;
	image->used = ++images->clock;
	image->used_ns = at_ns;
	if (!is_code(image, registers->ip))
		return -ESRCH;
	unwind_copied(image->unwinder, registers, stack, trace);
	newer = image;
	if (trace->end == PROBEKIT_STACK_LOST || trace->end == PROBEKIT_STACK_NO_CFI)
		result = refresh(images, at_ns, image->program, REREAD_NS, &newer);
	if (result)
		return result;
	if (newer != image) {
		newer->used = images->clock;
		unwind_copied(newer->unwinder, registers, stack, trace);
	}
	*out = newer;
	return trace->size ? 0 : -ESRCH;
}
