/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ADDRESS_SPACE_H
#define PROBEKIT_ADDRESS_SPACE_H
/*
 * What lies at the addresses of one process, as its maps were when they were read; usable after it
 * has ended. Costs nothing for a mapping until an address in it is asked for.
 */
#include "jit_map.h"
#include "module.h"
#include "proc_maps.h"

struct address_space {
	struct module_cache *modules;
	const struct proc_maps *maps;
	pid_t pid;
	struct mapped_module *mapped; /* for each map */
	struct jit_map jit;
};

struct location {
	const struct proc_map *map; /* NULL: nothing is mapped there */
	struct module *module;	    /* NULL: no file, or one that cannot be read */
	uint64_t address;	    /* as the module's file has it */
};

/* The cache and `maps`, in ascending order as the kernel writes them, must outlive it. -ENOMEM. */
int address_space_init(struct address_space *space, struct module_cache *modules, pid_t pid,
		       const struct proc_maps *maps) __attribute__((warn_unused_result));
void address_space_done(struct address_space *space);

struct location address_space_locate(struct address_space *space, uint64_t address);
/* Eight bytes of code, as the file has them: in memory a breakpoint may stand there. */
bool address_space_read_code(struct address_space *space, uint64_t address,
			     unsigned char code[static 8]);

/* What a run-time compiler wrote in /tmp/perf-PID.map about an address, or NULL; the name lives
 * until the next call. The file is read when it has grown. */
const char *address_space_jit_name(struct address_space *space, uint64_t address, uint64_t *offset);

#endif
