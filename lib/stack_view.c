/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the names that stacks are read by. */
#include "stack_view.h"

#include <linux/futex.h>
#include <probekit/thread.h>
#include <string.h>

#include "../bpf/shared.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool starts_with_any(const char *text, const char *const *prefixes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (starts_with(text, prefixes[i]))
			return true;
	return false;
}

bool stack_view_is_runtime(const char *module)
{
	static const char *const names[] = {"libc.so.", "libc-2.",    "libpthread", "ld-linux",
					    "ld-2.",	"ld-musl-",   "libstdc++",  "libc++",
					    "libgcc_s", "linux-vdso", "[vdso]"};
	const char *slash = module ? strrchr(module, '/') : NULL;

	return module && starts_with_any(slash ? slash + 1 : module, names, LENGTH(names));
}

bool probekit_frame_is_library(const struct probekit_frame *frame)
{
	static const char *const prefixes[] = {
		"pthread_", "__pthread_", "___pthread_",   "__gthread",	  "sem_",
		"std::",    "core::",	  "runtime.futex", "runtime.note"};

	return stack_view_is_runtime(frame->module) ||
	       (frame->function && starts_with_any(frame->function, prefixes, LENGTH(prefixes)));
}

/* ---- kinds of locks ---- */

static const char *kind_of(const char *function)
{
	/* The first that fits. In a static program, and with debug information, the names are those
	 * inside of the C library: __pthread_rwlock_wrlock_full64, __new_sem_wait_slow64. */
	static const struct {
		const char *part;
		const char *kind;
	} kinds[] = {
		{"pthread_mutex_", "mutex"},	 {"pthread_rwlock_", "rwlock"},
		{"pthread_cond_", "condvar"},	 {"condvar_", "condvar"},
		{"sem_wait", "semaphore"},	 {"sem_timedwait", "semaphore"},
		{"sem_clockwait", "semaphore"},	 {"pthread_join", "join"},
		{"pthread_timedjoin", "join"},	 {"pthread_clockjoin", "join"},
		{"pthread_barrier_", "barrier"}, {"pthread_once", "once"},
		{"thrd_join", "join"},		 {"::thread::join", "join"},
		{"call_once", "once"},
	};

	for (size_t i = 0; function && i < LENGTH(kinds); i++)
		if (strstr(function, kinds[i].part))
			return kinds[i].kind;
	return NULL;
}

bool stack_view_has_owner(const char *lock_kind)
{
	return lock_kind && (strcmp(lock_kind, "mutex") == 0 || strcmp(lock_kind, "rwlock") == 0 ||
			     strcmp(lock_kind, "join") == 0);
}

/* ---- what is hidden ---- */

/* A static program has its C library in its own file. */
static size_t hidden_by_name(const struct symbol_frame *frames, size_t size)
{
	static const char *const prefixes[] = {"__lll_", "__futex_",	"futex_",    "__pthread",
					       "__GI_",	 "__internal_", "___pthread"};
	size_t hidden = 0;

	while (hidden < size && frames[hidden].function &&
	       starts_with_any(frames[hidden].function, prefixes, LENGTH(prefixes)))
		hidden++;
	/* what the application called may have such a name itself */
	if (hidden && kind_of(frames[hidden - 1].function) &&
	    (hidden == size || !kind_of(frames[hidden].function)))
		hidden--;
	return hidden < size ? hidden : 0;
}

static size_t runtime_frames(const struct symbol_frame *frames, size_t size)
{
	size_t count = 0;

	while (count < size && stack_view_is_runtime(frames[count].module))
		count++;
	return count;
}

size_t stack_view_hidden(const struct symbol_frame *frames, size_t size)
{
	size_t runtime = runtime_frames(frames, size);

	if (!runtime)
		return hidden_by_name(frames, size);
	/* no application in it: nothing tells what is internal */
	return runtime < size ? runtime - 1 : 0;
}

/* How many innermost frames are of an interrupt, through which a thread was sampled or lost its CPU. */
static size_t interrupt_frames(const struct symbol_frame *frames, size_t size)
{
	static const char *const entries[] = {"asm_sysvec_", "asm_common_interrupt", "el1h_64_irq"};

	for (size_t i = 0; i < size; i++)
		if (frames[i].function &&
		    starts_with_any(frames[i].function, entries, LENGTH(entries)))
			return i + 1;
	return 0;
}

size_t stack_view_hidden_kernel(const struct symbol_frame *frames, size_t size)
{
	static const char *const prefixes[] = {"schedule",	   "__schedule",    "io_schedule",
					       "preempt_schedule", "bpf_",	    "__bpf_",
					       "__traceiter",	   "trace_",	    "__probestub",
					       "perf_trace",	   "trace_call_bpf"};
	size_t hidden = interrupt_frames(frames, size);

	if (hidden == size)
		hidden = 0;
	while (hidden < size &&
	       ((frames[hidden].module && strcmp(frames[hidden].module, "[bpf]") == 0) ||
		(frames[hidden].function &&
		 starts_with_any(frames[hidden].function, prefixes, LENGTH(prefixes)))))
		hidden++;
	return hidden < size ? hidden : 0;
}

/* ---- what is waited for ---- */

/* Of the locks that the C library has for itself; none of them says who owns it. */
static const char *private_kind(const struct symbol_frame *frames, size_t inside)
{
	static const char *const memory[] = {"malloc",	"calloc",	 "realloc",
					     "free",	"memalign",	 "valloc",
					     "pvalloc", "aligned_alloc", "posix_memalign"};
	static const char *const streams[] = {"IO_",	 "fprintf", "printf", "vfprintf", "vprintf",
					      "fput",	 "fwrite",  "fread",  "fget",	  "fflush",
					      "fclose",	 "fseek",   "ftell",  "setvb",	  "perror",
					      "ungetc",	 "fscanf",  "scanf",  "fopen",	  "getline",
					      "getdelim"};
	/* others begin with these that have locks of their own: getservbyname, putenv, rewinddir */
	static const char *const whole[] = {"getc",	"getchar",  "gets",    "getwc",
					    "getwchar", "putc",	    "putchar", "puts",
					    "putwc",	"putwchar", "rewind",  "flockfile"};
	const char *kind = NULL;

	for (size_t i = 0; i < inside && !kind; i++) {
		const char *name = frames[i].function ? frames[i].function : "";

		name += strspn(name, "_");
		if (starts_with(name, "libc_") || starts_with(name, "int_"))
			name = strchr(name, '_') + 1;
		if (starts_with_any(name, memory, LENGTH(memory)))
			kind = "malloc";
		else if (starts_with_any(name, streams, LENGTH(streams)))
			kind = "stdio";
		for (size_t k = 0; k < LENGTH(whole) && !kind; k++)
			if (strcmp(name, whole[k]) == 0)
				kind = "stdio";
	}
	return kind ? kind : "libc";
}

/* Does a wait `depth` frames inside of this function take the mutex again? The functions between may have no
 * names. Waits for the condition variable itself are of other commands; its inner lock has the values of a mutex,
 * but nothing of its own to call. */
static bool takes_mutex(const char *function, size_t depth, const struct futex_call *call)
{
	if (!strstr(function, "pthread_cond_") || !strstr(function, "wait"))
		return false;
	if (futex_is_pi(call->operation))
		return true;
	return (call->operation & FUTEX_COMMAND_BITS) == FUTEX_WAIT &&
	       (call->value & FUTEX_WAITED_FOR || (call->value == MUTEX_CONTENDED && depth > 1));
}

const char *stack_view_lock_kind(const struct symbol_frame *frames, size_t size,
				 const struct futex_call *call)
{
	size_t inside = runtime_frames(frames, size);
	const char *kind = NULL;

	if (!inside && size)
		inside = hidden_by_name(frames, size) + 1;
	for (size_t i = 0; i < inside && !kind; i++) {
		const char *function = frames[i].function;

		if (function && strstr(function, "lll_lock_wait_private"))
			return private_kind(frames, inside);
		kind = kind_of(function);
		if (kind && takes_mutex(function, i, call))
			kind = "mutex";
	}
	/* without its caller: the copy was short */
	for (size_t i = 0; i < inside && !kind; i++)
		if (frames[i].function && strstr(frames[i].function, "lll_lock_wait"))
			kind = "mutex";
	return kind;
}

/* ---- the same ---- */

static bool is_same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool stack_view_is_same_function(const struct symbol_frame *a, const struct symbol_frame *b)
{
	return is_same_text(a->function, b->function) && is_same_text(a->module, b->module) &&
	       (a->function || a->module_offset == b->module_offset);
}

bool stack_view_is_same_place(const struct symbol_frame *a, const struct symbol_frame *b)
{
	return a->line == b->line && stack_view_is_same_function(a, b);
}
