/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_PUBLIC_THREAD_H
#define PROBEKIT_PUBLIC_THREAD_H
/* Threads: where one stood, what it did, and whom it waited for. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <probekit/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One function of a stack. Texts come from the target and are untrusted. */
struct probekit_frame {
	const char *function; /* demangled; NULL: not known */
	const char *module;   /* path of the file, or "[vdso]", "[jit]", "[kernel]" ... */
	uint64_t module_offset;
	const char *file; /* of the source; NULL: not known */
	uint32_t line;	  /* 0: not known */
	bool is_inlined;
};

/* Is it a part of the run-time environment of C or C++, by its file, or by its name, as what is inlined or linked
 * into the program, those of Rust and Go among it? Readers pass over such frames on the way to the program's own. */
PROBEKIT_API bool probekit_frame_is_library(const struct probekit_frame *frame);

/* Where the callers of a stack end. */
enum probekit_stack_end {
	PROBEKIT_STACK_NONE,	   /* no frame: the process had gone, or stood at what is no code */
	PROBEKIT_STACK_COMPLETE,   /* at the thread's first function */
	PROBEKIT_STACK_COPY_SHORT, /* above the part of the stack that was copied */
	PROBEKIT_STACK_UNREADABLE, /* in memory that could not be copied: swapped out, say */
	PROBEKIT_STACK_NO_CFI, /* at code of a file without unwind information or frame pointer */
	PROBEKIT_STACK_GENERATED, /* at such code of no file, as run-time compilers make */
	PROBEKIT_STACK_SWITCHED, /* on another stack: of what a signal's handler interrupted, say */
	PROBEKIT_STACK_LOST,	 /* at what is no code, or needs what is not known */
	PROBEKIT_STACK_TOO_DEEP, /* at more frames than are kept */
	PROBEKIT_STACK_TOO_SLOW, /* at unwind information that takes too long */
	PROBEKIT_STACK_FAILED,	 /* for want of memory */
	PROBEKIT_STACK_END_COUNT
};

/* As the formats have it: "complete", "copy_short" ...; NULL: unknown. */
PROBEKIT_API const char *probekit_stack_end_name(enum probekit_stack_end end);

/* Innermost first; none: not seen. */
struct probekit_stack {
	struct probekit_frame *frames;
	size_t size;
	bool is_complete;	     /* down to the thread's first function */
	enum probekit_stack_end end; /* NONE with frames: it was not told */
	double share; /* of the samples that had a stack, those that had this one: the most, [0, 1] */
};

struct probekit_thread {
	pid_t pid; /* 0: not known */
	pid_t tid;
	char comm[16];
};

/* What a thread did: blocked in a system call of this name, or "oncpu", "runqueue", "pagefault"... */
struct probekit_activity {
	const char *name;
	double share; /* of the time that others waited for it, [0, 1] */
};

/* Who held a lock while others waited for it, and what the lock's holders did meanwhile. */
struct probekit_holder {
	struct probekit_thread thread;	      /* seen most often; tid 0: not known */
	uint32_t threads;		      /* how many different ones were seen */
	struct probekit_activity *activities; /* most time first; what is missing to 1 is not known */
	size_t activity_count;
	struct probekit_stack stack; /* where it stood */
	const char *file;	     /* of its longest wait for a disk; NULL: none, or not known */
	const char *file_activity;   /* the name of the activity that was; NULL: not known */
	struct probekit_thread thief; /* "runqueue": the process that had its CPU; pid 0: not known */
	/* Where it waited for a lock itself: that one, as struct probekit_cause has it, and its holder. */
	uint64_t next_address; /* 0: it did not */
	const char *next_symbol;
	const char *next_place;
	struct probekit_holder *next; /* NULL: not known */
};

/* A thread that others wait for. */
struct probekit_blocker {
	struct probekit_thread thread;
	uint64_t lock_address; /* that it waits for itself; 0: none */
	const char *lock_symbol;
	const char *lock_place;
	struct probekit_stack stack; /* where it waits; empty: not known */
};

#ifdef __cplusplus
}
#endif
#endif
