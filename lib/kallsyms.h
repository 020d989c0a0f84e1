/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_KALLSYMS_H
#define PROBEKIT_KALLSYMS_H
/* The kernel's functions by address, from the text of /proc/kallsyms. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct kallsyms;

/* Reads /proc/kallsyms, about 40 bytes of memory for a function. Without CAP_SYSLOG, and with
 * kernel.kptr_restrict = 2, all its addresses are zero: that succeeds, and kallsyms_are_hidden().
 * The table is as old as this call: modules loaded later are not in it. */
int kallsyms_load(struct kallsyms **kallsyms, struct probekit_error *err)
	__attribute__((warn_unused_result));
/* The same from text; lines that are not understood are left out. -ENOMEM. */
int kallsyms_parse(const char *text, size_t size_bytes, struct kallsyms **kallsyms)
	__attribute__((warn_unused_result));
void kallsyms_free(struct kallsyms *kallsyms);

/* Names were there, addresses were not. */
bool kallsyms_are_hidden(const struct kallsyms *kallsyms);
size_t kallsyms_size(const struct kallsyms *kallsyms);

struct kernel_symbol {
	const char *name;   /* lives as long as the table */
	const char *module; /* "" for the kernel itself; "bpf" for a BPF program */
	uint64_t offset;    /* of the address in the function */
};

/* The function that `address` lies in. A return address is asked for as address - 1, as a call may
 * be its function's last instruction. -ENOENT: none, or hidden. */
int kallsyms_find(const struct kallsyms *kallsyms, uint64_t address, struct kernel_symbol *symbol);

#endif
