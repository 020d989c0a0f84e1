/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_FUNCTIONS_H
#define PROBEKIT_FUNCTIONS_H
/*
 * The functions of an object that a pattern names, and where they can be probed. From the file's
 * bytes, its symbols and its debug information alone; nothing here talks to the kernel. All of it
 * is untrusted.
 */
#include "object.h"

/* An instruction that leaves a function: a return, or a jump to another one or, as a call of
 * itself, to its entry. With the stack pointer that the entry had: some jumps that stay within look
 * the same but for that. No exit is an entry of its function; functions that share a piece of code
 * share its exits. */
struct function_exit {
	uint64_t offset; /* in the file */
	/* Of a conditional jump: 16 plus the condition in x86's encoding; else 0. */
	uint8_t condition;
};

/* One body of the function's code: its own, or a clone's. */
struct function_entry {
	uint64_t address;
	uint64_t size_bytes; /* 0: not known */
	/* In the file, of the instruction to probe: the first, or the one behind an endbr64 where
	 * it costs less, and behind nops. */
	uint64_t offset;
	/* Never OPTIMISED: the nop that some kernels jump from is stepped over, as forked children may die
	 * of that. */
	enum probekit_cost cost;
	bool is_part; /* split off by the compiler (.part): its function may call it */
	struct function_exit *exits;
	size_t exit_count;
};

struct function {
	/* Demangled with its parameters, or the symbol; without a clone's suffix; unique. */
	char *name;
	uint64_t size_bytes; /* of all entries */
	struct function_entry *entries;
	size_t entry_count;
	uint32_t inlined; /* as in struct probekit_catalog_entry */
	char *first_inlined;
	char *refused; /* why it is not probed, in words after "cannot be probed: "; NULL: it is */
};

struct functions {
	struct function *items; /* by address of the first entry */
	size_t size;
	/* Their exits are to be probed, and are filled in; else uretprobes are safe. */
	bool are_left_by_exits;
};

/* How much is to be found out. */
enum functions_detail {
	FUNCTIONS_TO_PROBE,
	FUNCTIONS_TO_LIST, /* also where they have been inlined, which reads all debug information */
};

/*
 * Finds the functions of `object` that match the glob(7) `pattern`: the symbol without a clone's
 * suffix (.isra, .part, .constprop, .cold, .lto_priv), or the demangled name with or without its
 * parameters. Symbols come from .symtab, else from the debug file (by build id or debug link),
 * .gnu_debugdata and .dynsym. Names of one address are one function, called by the first that
 * matches; static functions of one name but different files, and one generic Rust function for
 * several types, are one function with an entry each.
 *
 * A uretprobe replaces the return address on the stack. What then unwinds through the function (C++
 * exceptions, Rust panics, a garbage collector that walks stacks) finds no code there, and the
 * program is aborted; where stacks are switched below it the kernel loses its note of the address,
 * and kills the program. `may_unwind`: the caller knows that the process unwinds or switches
 * stacks; else it is told by what the object defines and imports. A function whose exits are needed
 * and cannot all be told is refused.
 *
 * -ENOMEM, -EINVAL (a pattern); none that match is an empty list and 0.
 */
int functions_find(const struct object *object, const char *pattern, enum functions_detail detail,
		   bool may_unwind, struct functions *functions, struct probekit_error *err);
void functions_done(struct functions *functions);

/* Does the object raise or catch exceptions, or switch stacks? By what it defines and imports; that
 * the C library defines swapcontext() does not count. The run times of C++ and the unwinder
 * themselves do. */
bool functions_may_unwind(const struct object *object);

/* Of the files of a process: may what calls back into one of its libraries unwind through that, or switch
 * stacks? The run-time environment's own files are in every process, and do so for others only. */
bool functions_are_unwound(const struct objects *objects);

/* Was it made by the Go compiler, whose functions are all refused? */
bool functions_are_go(const struct object *object);

/* A hint for a pattern that matched nothing: names that are near, or where it is inlined; "" for
 * none. */
void functions_suggest(const struct object *object, const char *pattern, char *text,
		       size_t size_bytes);

/* "LIB:GLOB" parted at its first single colon; the library is "" where there is none. `*glob`
 * points into `pattern`. -ENAMETOOLONG. */
int functions_split(const char *pattern, char *library, size_t size_bytes, const char **glob);
/* Is a file of this path the library that a pattern names: by its name with or without "lib", ".so"
 * and what follows? `library` may be a glob. */
bool functions_is_library(const char *library, const char *path);

#endif
