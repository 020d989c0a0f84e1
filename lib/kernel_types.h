/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_KERNEL_TYPES_H
#define PROBEKIT_KERNEL_TYPES_H
/*
 * The running kernel's types (BTF). To relocate programs libbpf reads all of them, and looks through all
 * for each type that programs know by name: this reads them once, for whoever asks, and makes an
 * excerpt of what programs can ask for.
 */
#include <bpf/btf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_TYPES_PATH "/sys/kernel/btf/vmlinux"

struct kernel_types {
	uint8_t *bytes;
	size_t size;
	bool is_mapped;
	const uint8_t *types; /* what of it they are, */
	const char *strings;  /* and their names */
	uint32_t string_bytes;
	uint32_t *offsets; /* in `types`, by id */
	uint32_t count;	   /* ids are below it; 0 is no type */
	uint32_t *slots;   /* ids of those that are asked for by name, by a hash of it; 0: free */
	uint32_t slot_mask;
};

/* -errno. */
int kernel_types_new(struct kernel_types **out);
void kernel_types_free(struct kernel_types *types);
/* NULL: there is none, or it is void. */
const struct btf_type *kernel_types_at(const struct kernel_types *types, uint32_t id);
const char *kernel_types_name(const struct kernel_types *types, uint32_t offset);
/* The type without what qualifies it, and what else it is called. */
uint32_t kernel_types_plain(const struct kernel_types *types, uint32_t id);
/* The id of a type by its name and kind; 0: there is none. */
uint32_t kernel_types_find(const struct kernel_types *types, const char *name, unsigned int kind);
/* Writes to a file the structs of the kernel that have a namesake in `local`, with what they contain. Their ids are
 * others than in the kernel. -errno. */
int kernel_types_excerpt(const struct kernel_types *types, const struct btf *local, int fd);

#endif
