/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_KERNEL_TYPES_H
#define PROBEKIT_KERNEL_TYPES_H
/*
 * The running kernel's types (BTF). To relocate programs libbpf reads all of them, and looks through all
 * for each type that programs know by name: this reads them once, for whoever asks, and makes an
 * excerpt of what programs can ask for.
 */
#include <bpf/btf.h>
#include <stdint.h>

#define KERNEL_TYPES_PATH "/sys/kernel/btf/vmlinux"

struct kernel_types {
	struct btf *btf;
	uint32_t *slots; /* ids of those that are asked for by name, by a hash of it; 0: free */
	uint32_t slot_mask;
};

/* -errno. */
int kernel_types_new(struct kernel_types **out);
void kernel_types_free(struct kernel_types *types);
/* The id of a type by its name and kind; 0: there is none. */
uint32_t kernel_types_find(const struct kernel_types *types, const char *name, unsigned int kind);
/* Writes to a file the structs of the kernel that have a namesake in `local`, with what they contain. Their ids are
 * others than in the kernel. -errno. */
int kernel_types_excerpt(const struct kernel_types *types, const struct btf *local, int fd);

#endif
