/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_IMAGE_H
#define PROBEKIT_IMAGE_H
/*
 * What processes had mapped when their stacks were taken: one image for each process that was seen
 * last, read again when it no longer fits. Stacks are unwound in them, also of processes that have
 * ended a moment ago. An image never changes; a newer one has another id.
 */
#include "unwind.h"

#define IMAGES_MAX 256
#define IMAGES_ENDED_NS 10000000000u /* since the last stack of a process that has ended: there comes no other */

struct image {
	uint64_t id; /* never 0, never used again */
	pid_t pid;
	uint64_t program; /* changes when the process executes a file; 0: not known */
	uint64_t read_ns; /* the sample's time for which its maps were read, or looked at, last */
	uint64_t used;	  /* order of use */
	uint64_t used_ns; /* time of the last sample */
	struct proc_maps maps;
	struct address_space space;
	struct unwinder *unwinder;
};

struct images {
	struct module_cache *modules;
	struct image *items[IMAGES_MAX];
	size_t size;
	uint64_t next_id;
	uint64_t clock;
	size_t next_look; /* for one that has ended */
	/* the last chance to ask the image; NULL: none */
	void (*on_release)(struct image *image, void *arg);
	void *arg;
};

/* The cache must outlive it. */
void images_init(struct images *images, struct module_cache *modules);
/* Without a call of on_release. */
void images_done(struct images *images);

/* Reads what a process has mapped, while it is there. -ESRCH, -ENOMEM. */
int images_note(struct images *images, pid_t pid, uint64_t at_ns)
	__attribute__((warn_unused_result));

/* Walks a stack of `pid` that was taken at `at_ns`; `*image` is the one that `trace` is of.
 * -ESRCH: the process has gone and was never seen, or ran something else by then. -ENOMEM. */
int images_unwind(struct images *images, pid_t pid, uint64_t at_ns,
		  const struct unwind_registers *registers, const struct unwind_stack *stack,
		  struct unwind_trace *trace, struct image **image)
	__attribute__((warn_unused_result));

#endif
