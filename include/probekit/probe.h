/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probekit/probe.h: spans, values and events that cost nothing until somebody looks.
 *
 * This file is all you need: no library to link, no other header. Mark what you want to know the
 * latency of, build, run; then measure the live process whenever the question comes up.
 *
 *	#include <probekit/probe.h>
 *
 *	int flush(struct log *log)
 *	{
 *		PROBEKIT_SPAN(logger, flush);
 *
 *		if (!log->dirty)
 *			return 0;
 *		return fsync(log->fd);
 *	}
 *
 *	$ sudo probekit latency -p 4242
 *
 * What is in the binary. Each macro leaves ordinary USDT probes (SystemTap v3 notes with
 * semaphores), which other tracers know too. All of these show them:
 *
 *	probekit list ./logger
 *	readelf -n ./logger
 *	bpftrace -l 'usdt:./logger:*'
 *	bpftrace -e 'usdt:./logger:logger:flush__begin { @ = count(); }'
 *	gdb -ex 'info probes' ./logger
 *
 * The probe's name says how it pairs:
 *
 *	PROBEKIT_SPAN, _SPAN_KEY		name__begin		name__end
 *	PROBEKIT_SPAN_BEGIN, _SPAN_END		name__start		name__stop
 *	PROBEKIT_ASYNC_BEGIN, _ASYNC_END	name__async_begin	name__async_end
 *	PROBEKIT_MUTEX_LOCK, _MUTEX_UNLOCK	name__wait_begin	name__acquired, __released
 *	PROBEKIT_VALUE				name__value
 *	PROBEKIT_EVENT				name
 *
 * What it costs. Nobody tracing: a load, a test and a branch not taken at each end of a span; where
 * the compiler can, it folds the two tests into one. The probe itself lies out of the way, at the
 * end of the function. Traced: a few hundred nanoseconds a span, which probekit measures and
 * prints. Arguments (key, id, value, an event's) are evaluated only while somebody traces, so they
 * may be costly and must not have side effects that the program needs.
 *
 * Names. Provider and name are C identifiers, written without quotes; a macro is expanded, so that
 * `#define PROVIDER logger` works. One (provider, name) is one thing however many sites it has: the
 * same span may stand in several files, inline functions and templates. The semaphore's name joins
 * the two by an underscore, so (a_b, c) and (a, b_c) share one: tracing either raises both.
 *
 * Where it works. gcc and clang (tested: 12 and 14), C11 and C++11 and newer, GNU assembler syntax
 * (not -masm=intel), on x86-64 and arm64; elsewhere the macros compile as with PROBEKIT_DISABLE.
 * Executables and shared objects, PIE or not, static or not, LTO, --gc-sections. No macro
 * allocates, locks, or calls anything but pthread_mutex_lock and _unlock where it says so: all
 * others are safe in signal handlers, and before main. They are for use inside functions only.
 *
 * -DPROBEKIT_DISABLE makes every macro compile to nothing. Arguments are type-checked, not
 * evaluated.
 */
#ifndef PROBEKIT_PROBE_H
#define PROBEKIT_PROBE_H

/*
 * PROBEKIT_SPAN(provider, name);
 *
 * A span from here to the end of the enclosing block, however that is left: falling out, return,
 * break, goto, C++ exception. It is a declaration: put it where a variable may be declared, once
 * per block and name. Spans nest and recurse. The end fires only if the begin did, so a tracer
 * that comes in the middle sees no end without its begin.
 *
 * Three ways to leave skip the end, and probekit counts such a span as abandoned: longjmp; exec;
 * and, in C without -fexceptions, pthread_exit and thread cancellation, and a C++ exception passing
 * through. After fork, a span open in the parent ends there as ever; its end in the child has no
 * begin and is counted as unmatched. Do not hold one across co_await or a user-level context
 * switch that may resume on another thread: that is an async span. Beside setjmp() in one function,
 * gcc's -Wclobbered may name the macro's hidden variable: it is written once, before the call.
 */
#define PROBEKIT_SPAN(provider, name) PROBEKIT_PRIV_SPAN(provider, name)

/*
 * PROBEKIT_SPAN_KEY(provider, name, key);
 *
 * The same, with an integer that splits the histogram (a request type, a shard; few values, not an
 * id). A pointer is taken as its address.
 */
#define PROBEKIT_SPAN_KEY(provider, name, key) PROBEKIT_PRIV_SPAN_KEY(provider, name, key)

/*
 * PROBEKIT_SPAN_BEGIN(provider, name);
 * PROBEKIT_SPAN_END(provider, name);
 *
 * An explicit pair for a span that does not follow a block. Both must run on one thread, not
 * necessarily in one function; an end closes the newest open begin of its name.
 */
#define PROBEKIT_SPAN_BEGIN(provider, name) PROBEKIT_PRIV_POINT(provider, name, "__start")
#define PROBEKIT_SPAN_END(provider, name) PROBEKIT_PRIV_POINT(provider, name, "__stop")

/*
 * PROBEKIT_ASYNC_BEGIN(provider, name, id);
 * PROBEKIT_ASYNC_END(provider, name, id);
 *
 * A span that may end on another thread of the same process. The id, an integer or a pointer,
 * joins the two: no two open spans of one name may share it.
 */
#define PROBEKIT_ASYNC_BEGIN(provider, name, id) \
	PROBEKIT_PRIV_NUMBER(provider, name, "__async_begin", id)
#define PROBEKIT_ASYNC_END(provider, name, id) \
	PROBEKIT_PRIV_NUMBER(provider, name, "__async_end", id)

/*
 * PROBEKIT_VALUE(provider, name, v);
 *
 * A sample of a quantity, as a signed 64-bit integer: queue depth, batch size, bytes.
 */
#define PROBEKIT_VALUE(provider, name, v) PROBEKIT_PRIV_NUMBER(provider, name, "__value", v)

/*
 * PROBEKIT_EVENT(provider, name, ...);
 *
 * A plain USDT probe with up to 12 arguments: integers, enums, pointers, float and double. Tracers
 * see each with its own size and sign, and memory that a pointer leads to is up to date. Floating
 * point is noted as sys/sdt.h does (`4f@`, `8f@`); bpftrace 0.17, bcc and gdb 13 still count such
 * a probe but read none of its arguments, so prefer a scaled integer. A bit-field needs a unary
 * plus.
 */
#define PROBEKIT_EVENT(provider, ...) PROBEKIT_PRIV_EVENT(provider, __VA_ARGS__)

/*
 * PROBEKIT_ENABLED(provider, name)
 *
 * Non-zero while somebody traces any probe of this name: for work that only a tracer wants done.
 * Each evaluation reads afresh; the answer may be out of date at once.
 */
#define PROBEKIT_ENABLED(provider, name) PROBEKIT_PRIV_ENABLED(provider, name)

/*
 * int PROBEKIT_MUTEX_LOCK(provider, name, m)
 * int PROBEKIT_MUTEX_UNLOCK(provider, name, m)
 *
 * pthread_mutex_lock(m) and pthread_mutex_unlock(m), with what they return, that also tell how long
 * this thread waited (wait_begin to acquired) and how long it held (acquired to released). `m`, a
 * pthread_mutex_t *, is evaluated once, traced or not. The includer includes <pthread.h>.
 *
 * `acquired` fires when the lock is ours, EOWNERDEAD included. `released` fires just before the
 * unlock: so hold spans of one mutex never overlap, and the time to wake a waiter is not in them.
 * The three read the semaphore each for itself: when tracing starts during a wait, the hold that
 * follows is still seen, and its acquired has no wait_begin.
 */
#define PROBEKIT_MUTEX_LOCK(provider, name, m) PROBEKIT_PRIV_MUTEX_LOCK(provider, name, m)
#define PROBEKIT_MUTEX_UNLOCK(provider, name, m) PROBEKIT_PRIV_MUTEX_UNLOCK(provider, name, m)

/* From here on: mechanics. Nothing below is for use outside of this file. */
/* The formatter knows neither assembler text nor operands. */
/* clang-format off */

#if defined(PROBEKIT_DISABLE) || !defined(__LP64__) || \
	!(defined(__x86_64__) || defined(__aarch64__))
#define PROBEKIT_PRIV_OFF
#endif

#define PROBEKIT_PRIV_STR(x) PROBEKIT_PRIV_STR_(x)
#define PROBEKIT_PRIV_STR_(x) #x
#define PROBEKIT_PRIV_CAT(a, b) PROBEKIT_PRIV_CAT_(a, b)
#define PROBEKIT_PRIV_CAT_(a, b) a##b
#define PROBEKIT_PRIV_LOCAL(provider, name, line) PROBEKIT_PRIV_LOCAL_(provider, name, line)
#define PROBEKIT_PRIV_LOCAL_(provider, name, line) probekit_priv_##provider##_##name##_##line

/*
 * An event's arguments come as one list with the name in front, so that it is never empty: ISO C
 * before C23 has no empty variadic list. EACH_n applies m(1, a1) to m(n, an).
 */
#define PROBEKIT_PRIV_FIRST(name, ...) name
#define PROBEKIT_PRIV_PICK(name, a, b, c, d, e, f, g, h, i, j, k, l, n, ...) n
#define PROBEKIT_PRIV_COUNT(...)								\
	PROBEKIT_PRIV_PICK(__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0)
#define PROBEKIT_PRIV_EVENT(provider, ...)							\
	PROBEKIT_PRIV_EVENT_(provider,								\
			     PROBEKIT_PRIV_CAT(PROBEKIT_PRIV_EACH_,				\
					       PROBEKIT_PRIV_COUNT(__VA_ARGS__)),		\
			     PROBEKIT_PRIV_FIRST(__VA_ARGS__, 0), __VA_ARGS__)
#define PROBEKIT_PRIV_EACH_0(m, name)
#define PROBEKIT_PRIV_EACH_1(m, name, a) m(1, a)
#define PROBEKIT_PRIV_EACH_2(m, name, a, b) PROBEKIT_PRIV_EACH_1(m, name, a) m(2, b)
#define PROBEKIT_PRIV_EACH_3(m, name, a, b, c) PROBEKIT_PRIV_EACH_2(m, name, a, b) m(3, c)
#define PROBEKIT_PRIV_EACH_4(m, name, a, b, c, d) PROBEKIT_PRIV_EACH_3(m, name, a, b, c) m(4, d)
#define PROBEKIT_PRIV_EACH_5(m, name, a, b, c, d, e)						\
	PROBEKIT_PRIV_EACH_4(m, name, a, b, c, d) m(5, e)
#define PROBEKIT_PRIV_EACH_6(m, name, a, b, c, d, e, f)						\
	PROBEKIT_PRIV_EACH_5(m, name, a, b, c, d, e) m(6, f)
#define PROBEKIT_PRIV_EACH_7(m, name, a, b, c, d, e, f, g)					\
	PROBEKIT_PRIV_EACH_6(m, name, a, b, c, d, e, f) m(7, g)
#define PROBEKIT_PRIV_EACH_8(m, name, a, b, c, d, e, f, g, h)					\
	PROBEKIT_PRIV_EACH_7(m, name, a, b, c, d, e, f, g) m(8, h)
#define PROBEKIT_PRIV_EACH_9(m, name, a, b, c, d, e, f, g, h, i)				\
	PROBEKIT_PRIV_EACH_8(m, name, a, b, c, d, e, f, g, h) m(9, i)
#define PROBEKIT_PRIV_EACH_10(m, name, a, b, c, d, e, f, g, h, i, j)				\
	PROBEKIT_PRIV_EACH_9(m, name, a, b, c, d, e, f, g, h, i) m(10, j)
#define PROBEKIT_PRIV_EACH_11(m, name, a, b, c, d, e, f, g, h, i, j, k)				\
	PROBEKIT_PRIV_EACH_10(m, name, a, b, c, d, e, f, g, h, i, j) m(11, k)
#define PROBEKIT_PRIV_EACH_12(m, name, a, b, c, d, e, f, g, h, i, j, k, l)			\
	PROBEKIT_PRIV_EACH_11(m, name, a, b, c, d, e, f, g, h, i, j, k) m(12, l)

#ifdef PROBEKIT_PRIV_OFF

/* Spans stay declarations, so that what compiles without probes compiles with them. */
#ifdef __cplusplus
#define PROBEKIT_PRIV_NOTHING(size) static_assert((size) > 0, "")
#else
#define PROBEKIT_PRIV_NOTHING(size) _Static_assert((size) > 0, "")
#endif
#define PROBEKIT_PRIV_UNUSED(n, x) (void)(x);
#define PROBEKIT_PRIV_SPAN(provider, name) PROBEKIT_PRIV_NOTHING(1)
#define PROBEKIT_PRIV_SPAN_KEY(provider, name, key) PROBEKIT_PRIV_NOTHING(sizeof(key))
#define PROBEKIT_PRIV_POINT(provider, name, suffix)						\
	do {											\
	} while (0)
#define PROBEKIT_PRIV_NUMBER(provider, name, suffix, v)						\
	do {											\
		if (0) {									\
			PROBEKIT_PRIV_UNUSED(1, v)						\
		}										\
	} while (0)
#define PROBEKIT_PRIV_EVENT_(provider, each, name, ...)						\
	do {											\
		if (0) {									\
			each(PROBEKIT_PRIV_UNUSED, __VA_ARGS__)					\
		}										\
	} while (0)
#define PROBEKIT_PRIV_ENABLED(provider, name) 0L
#define PROBEKIT_PRIV_MUTEX_LOCK(provider, name, m) pthread_mutex_lock(m)
#define PROBEKIT_PRIV_MUTEX_UNLOCK(provider, name, m) pthread_mutex_unlock(m)

#else /* !PROBEKIT_PRIV_OFF */

/* gcc guesses an asm's size by its lines, and would not inline what holds a probe but for this. */
#if defined(__clang__)
#define PROBEKIT_PRIV_ASM __asm__ __volatile__
#else
#define PROBEKIT_PRIV_ASM __asm__ __volatile__ __inline__
#endif

/*
 * What differs by architecture: the load of a semaphore, the address of a symbol, the site, and
 * the body of a thunk, which is a site that is called. 990 labels the instruction that the note
 * names.
 *
 * The site on x86-64 offers a tracer three places, and costs nothing beside them:
 *  - nop, where the note points, for a breakpoint: any tracer, any kernel;
 *  - a 10-byte nop, which kernels that can turn it into a call do safely;
 *  - a 5-byte nop, which Linux 6.18 turns into a call that pushes on the user's stack. It would
 *    overwrite the red zone of a leaf function, so the stack pointer steps over that first.
 * A thunk is called, so the compiler keeps no red zone there, and the steps fall away.
 */
#if defined(__x86_64__)
#define PROBEKIT_PRIV_LOAD(symbol) "movzwl " symbol "(%%rip), %k[out]\n"
#define PROBEKIT_PRIV_ADDRESS(symbol) "leaq " symbol "(%%rip), %[out]\n"
#define PROBEKIT_PRIV_NOP10 ".byte 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0\n"
#define PROBEKIT_PRIV_NOP5 ".byte 0x0f, 0x1f, 0x44, 0, 0\n"
#define PROBEKIT_PRIV_NOPS									\
	"990: nop\n" PROBEKIT_PRIV_NOP10 ".byte 0x48, 0x8d, 0x64, 0x24, 0x80\n" PROBEKIT_PRIV_NOP5 \
	".byte 0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0\n"
/* endbr64, as the thunk is called by pointer, also from files built with -fcf-protection. */
#define PROBEKIT_PRIV_THUNK_BODY								\
	".byte 0xf3, 0x0f, 0x1e, 0xfa\n990: nop\n" PROBEKIT_PRIV_NOP10 PROBEKIT_PRIV_NOP5 "ret\n"
#else /* __aarch64__ */
#define PROBEKIT_PRIV_LOAD(symbol)								\
	"adrp %x[out], " symbol "\nldrh %w[out], [%x[out], #:lo12:" symbol "]\n"
#define PROBEKIT_PRIV_ADDRESS(symbol)								\
	"adrp %[out], " symbol "\nadd %[out], %[out], #:lo12:" symbol "\n"
#define PROBEKIT_PRIV_NOPS "990: nop\n"
#define PROBEKIT_PRIV_THUNK_BODY "hint #34\n990: nop\nret\n" /* bti c */
#endif

/*
 * The semaphore: 16 bits that the kernel counts up while a probe is traced. Whoever names it
 * defines it: weak, hidden and in a group of its own, so that the linker keeps one per executable
 * or shared object. It has no C declaration, since a block-scope `extern` inside an anonymous
 * namespace would have internal linkage, and since link-time optimisation then has nothing to
 * resolve.
 */
#define PROBEKIT_PRIV_SEMAPHORE(provider, name)							\
	PROBEKIT_PRIV_STR(provider) "_" PROBEKIT_PRIV_STR(name) "_semaphore"
#define PROBEKIT_PRIV_DEFINE_SEMAPHORE(sem)							\
	".ifndef " sem "\n.pushsection .probes, \"awG\", @progbits, " sem ", comdat\n"		\
	".weak " sem "\n.hidden " sem "\n.type " sem ", @object\n.size " sem ", 2\n"		\
	".balign 2\n" sem ": .zero 2\n.popsection\n.endif\n"

/*
 * The note: type 3 of "stapsdt", as SystemTap documents it. Its section belongs to the code's group
 * ("?") and is ordered by the code's section ("o"), so it goes when the linker drops either.
 * gold knows no such order, and fails on a note of dropped code; it takes any section that is
 * called .gcc_except_table* for a root of --gc-sections, so one byte there keeps the code and the
 * base alive in gold, and is itself dropped by the others. `anchor` is any symbol in the code's
 * section.
 */
#define PROBEKIT_PRIV_NOTE(provider, name, suffix, anchor, args)				\
	".pushsection .note.stapsdt, \"o?\", @note, " anchor "\n"				\
	".balign 4\n.4byte 992f - 991f, 994f - 993f, 3\n"					\
	"991: .asciz \"stapsdt\"\n992: .balign 4\n"						\
	"993: .8byte 990b, _.stapsdt.base, " PROBEKIT_PRIV_SEMAPHORE(provider, name) "\n"	\
	".asciz \"" PROBEKIT_PRIV_STR(provider) "\"\n"						\
	".asciz \"" PROBEKIT_PRIV_STR(name) suffix "\"\n" args ".byte 0\n"			\
	"994: .balign 4\n.popsection\n"								\
	".pushsection .gcc_except_table.probekit, \"a?\", @progbits\n"				\
	".reloc ., BFD_RELOC_NONE, 990b\n.reloc ., BFD_RELOC_NONE, _.stapsdt.base\n"		\
	".byte 0\n.popsection\n"								\
	".ifndef _.stapsdt.base\n"								\
	".pushsection .stapsdt.base, \"aG\", @progbits, .stapsdt.base, comdat\n"		\
	".weak _.stapsdt.base\n.hidden _.stapsdt.base\n_.stapsdt.base: .space 1\n"		\
	".size _.stapsdt.base, 1\n.popsection\n.endif\n"

#define PROBEKIT_PRIV_SITE(provider, name, suffix, args)					\
	PROBEKIT_PRIV_DEFINE_SEMAPHORE(PROBEKIT_PRIV_SEMAPHORE(provider, name))			\
	".Lprobekit%=:\n" PROBEKIT_PRIV_NOPS							\
	PROBEKIT_PRIV_NOTE(provider, name, suffix, ".Lprobekit%=", args)

/* The end of a scoped span: a thunk of its name, one per object, called by the generic cleanup. */
#define PROBEKIT_PRIV_THUNK(provider, name)							\
	"probekit.end." PROBEKIT_PRIV_STR(provider) "." PROBEKIT_PRIV_STR(name)
#define PROBEKIT_PRIV_DEFINE_THUNK(provider, name, thunk)					\
	".ifndef " thunk "\n.pushsection .text." thunk ", \"axG\", @progbits, " thunk ", comdat\n" \
	".weak " thunk "\n.hidden " thunk "\n.type " thunk ", @function\n" thunk ":\n"		\
	PROBEKIT_PRIV_THUNK_BODY ".size " thunk ", . - " thunk "\n"				\
	PROBEKIT_PRIV_NOTE(provider, name, "__end", thunk, "") ".popsection\n.endif\n"

/*
 * volatile: each test reads afresh. A load and a C test, not a compare with flags as output,
 * because the compilers then save the flags in a register when they move other code in between.
 */
#define PROBEKIT_PRIV_COUNTER(sem)								\
	(__extension__({									\
		unsigned int probekit_priv_out;							\
		PROBEKIT_PRIV_ASM(PROBEKIT_PRIV_DEFINE_SEMAPHORE(sem)				\
					  PROBEKIT_PRIV_LOAD(sem)				\
				  : [out] "=r"(probekit_priv_out));				\
		probekit_priv_out;								\
	}))
#define PROBEKIT_PRIV_ENABLED(provider, name)							\
	__builtin_expect(PROBEKIT_PRIV_COUNTER(PROBEKIT_PRIV_SEMAPHORE(provider, name)) != 0, 0)

/*
 * "memory" everywhere: work must not move across a span's edge, and what an argument points to
 * must be stored. It weighs on the traced path alone.
 */
#define PROBEKIT_PRIV_POINT(provider, name, suffix)						\
	do {											\
		if (PROBEKIT_PRIV_ENABLED(provider, name))					\
			PROBEKIT_PRIV_ASM(PROBEKIT_PRIV_SITE(provider, name, suffix, "")	\
					  : : : "memory");					\
	} while (0)

#define PROBEKIT_PRIV_NUMBER(provider, name, suffix, v)						\
	do {											\
		if (PROBEKIT_PRIV_ENABLED(provider, name)) {					\
			const long long probekit_priv_v = PROBEKIT_PRIV_INT64(v);		\
			PROBEKIT_PRIV_ASM(PROBEKIT_PRIV_SITE(provider, name, suffix,		\
							     ".ascii \"-8@%[arg]\"\n")		\
					  : : [arg] "nr"(probekit_priv_v) : "memory");		\
		}										\
	} while (0)

/*
 * The cleanup must be inlined, even at -O0: the stack pointer at the end of a span is the one at
 * its begin, less the call (and less what alloca took meanwhile). So too no tail call, which the
 * empty asm behind the call prevents.
 * The thunk keeps all registers; where the compiler can be told, untraced code is the better for
 * it.
 */
#if defined(__clang__) && defined(__x86_64__)
typedef void probekit_priv_end(void) __attribute__((preserve_most));
#else
typedef void probekit_priv_end(void);
#endif

static inline __attribute__((always_inline, unused, no_instrument_function)) void
probekit_priv_leave(probekit_priv_end **end)
{
	if (__builtin_expect(!!*end, 0)) {
		(*end)();
		__asm__ __volatile__("" : : : "memory");
	}
}

/*
 * The slot, a memory output never read, keeps the begin behind the function's prologue; else gcc
 * may allocate the frame between begin and end. The unreachable tells that the end will be called.
 */
#define PROBEKIT_PRIV_SPAN(provider, name) PROBEKIT_PRIV_SPAN_(provider, name, "", 0)
#define PROBEKIT_PRIV_SPAN_KEY(provider, name, key)						\
	PROBEKIT_PRIV_SPAN_(provider, name, ".ascii \"-8@%[arg]\"\n", key)
#define PROBEKIT_PRIV_SPAN_(provider, name, args, key)						\
	probekit_priv_end *PROBEKIT_PRIV_LOCAL(provider, name, __LINE__)			\
		__attribute__((unused, cleanup(probekit_priv_leave))) = __extension__({		\
			probekit_priv_end *probekit_priv_fn = PROBEKIT_PRIV_NULL;		\
			if (PROBEKIT_PRIV_ENABLED(provider, name)) {				\
				const long long probekit_priv_v = PROBEKIT_PRIV_INT64(key);	\
				char probekit_priv_slot;					\
				PROBEKIT_PRIV_ASM(						\
					PROBEKIT_PRIV_SITE(provider, name, "__begin", args)	\
					PROBEKIT_PRIV_DEFINE_THUNK(				\
						provider, name,					\
						PROBEKIT_PRIV_THUNK(provider, name))		\
					PROBEKIT_PRIV_ADDRESS(PROBEKIT_PRIV_THUNK(provider, name)) \
					: [out] "=r"(probekit_priv_fn), "=m"(probekit_priv_slot) \
					: [arg] "nr"(probekit_priv_v)				\
					: "memory");						\
				if (!probekit_priv_fn)						\
					__builtin_unreachable();				\
			}									\
			probekit_priv_fn;							\
		})

/* Linux's EOWNERDEAD on these architectures, to spare every includer <errno.h>. */
#define PROBEKIT_PRIV_EOWNERDEAD 130
#define PROBEKIT_PRIV_LOCK_POINT(provider, name, suffix, m)					\
	do {											\
		if (PROBEKIT_PRIV_ENABLED(provider, name))					\
			PROBEKIT_PRIV_ASM(PROBEKIT_PRIV_SITE(provider, name, suffix,		\
							     ".ascii \"8@%[arg]\"\n")		\
					  : : [arg] "nr"(m) : "memory");			\
	} while (0)
#define PROBEKIT_PRIV_MUTEX_LOCK(provider, name, m)						\
	(__extension__({									\
		pthread_mutex_t *const probekit_priv_m = (m);					\
		int probekit_priv_rc;								\
		PROBEKIT_PRIV_LOCK_POINT(provider, name, "__wait_begin", probekit_priv_m);	\
		probekit_priv_rc = pthread_mutex_lock(probekit_priv_m);				\
		if (probekit_priv_rc == 0 || probekit_priv_rc == PROBEKIT_PRIV_EOWNERDEAD)	\
			PROBEKIT_PRIV_LOCK_POINT(provider, name, "__acquired", probekit_priv_m); \
		probekit_priv_rc;								\
	}))
#define PROBEKIT_PRIV_MUTEX_UNLOCK(provider, name, m)						\
	(__extension__({									\
		pthread_mutex_t *const probekit_priv_m = (m);					\
		PROBEKIT_PRIV_LOCK_POINT(provider, name, "__released", probekit_priv_m);	\
		pthread_mutex_unlock(probekit_priv_m);						\
	}))

/*
 * An event's argument n is copied (arrays decay, qualifiers go), then described by two operands:
 * its value, and a number that the assembler makes into text: the size, negative when signed, or
 * 16 and the size for floating point. "nor": twelve arguments are more than there are registers.
 * What is no integer constant first passes a register: otherwise the operand may be a symbol, as in
 * `counter(%rip)` or a constant pool's `.LC0(%rip)`, which few tracers can resolve. (gcc before 11
 * keeps `const` in a C copy, so cannot do this there.)
 */
#if defined(__clang__) || defined(__cplusplus) || __GNUC__ >= 11
#define PROBEKIT_PRIV_SETTLE(v)									\
	if (!__builtin_constant_p(v) || PROBEKIT_PRIV_SPEC(v) > 15)				\
		__asm__("" : "+r"(v));
#else
#define PROBEKIT_PRIV_SETTLE(v)
#endif
#define PROBEKIT_PRIV_EVENT_(provider, each, name, ...)						\
	do {											\
		if (PROBEKIT_PRIV_ENABLED(provider, name)) {					\
			each(PROBEKIT_PRIV_COPY, __VA_ARGS__)					\
			PROBEKIT_PRIV_ASM(							\
				PROBEKIT_PRIV_SITE(provider, name, "",				\
						   each(PROBEKIT_PRIV_FORMAT, __VA_ARGS__))	\
				: : [none] "n"(0) each(PROBEKIT_PRIV_OPERAND, __VA_ARGS__)	\
				: "memory");							\
		}										\
	} while (0)
#define PROBEKIT_PRIV_COPY(n, x)								\
	PROBEKIT_PRIV_AUTO probekit_priv_a##n = (x);						\
	PROBEKIT_PRIV_ASSERT(PROBEKIT_PRIV_SPEC(probekit_priv_a##n) != 0,			\
			     "PROBEKIT_EVENT: an argument is a number or a pointer, 8 bytes");\
	PROBEKIT_PRIV_SETTLE(probekit_priv_a##n)
#define PROBEKIT_PRIV_FORMAT(n, x)								\
	".if " #n " > 1\n.ascii \" \"\n.endif\n"						\
	".if %c[s" #n "] > 15\n.byte %c[s" #n "] - 16 + 48\n.ascii \"f\"\n"			\
	".else\n.ascii \"%c[s" #n "]\"\n.endif\n.ascii \"@%[a" #n "]\"\n"
#define PROBEKIT_PRIV_OPERAND(n, x)								\
	, [s##n] "n"(PROBEKIT_PRIV_SPEC(probekit_priv_a##n)), [a##n] "nor"(probekit_priv_a##n)

#ifdef __CHAR_UNSIGNED__
#define PROBEKIT_PRIV_CHAR 1
#else
#define PROBEKIT_PRIV_CHAR -1
#endif

#ifdef __cplusplus

#define PROBEKIT_PRIV_NULL nullptr
#define PROBEKIT_PRIV_AUTO auto
#define PROBEKIT_PRIV_ASSERT(claim, text) static_assert(claim, text)
#define PROBEKIT_PRIV_SPEC(v) (static_cast<int>(::probekit_priv::argument<__typeof__(v)>::spec))
#define PROBEKIT_PRIV_INT64(v) (::probekit_priv::int64(v))

extern "C++" { /* The includer may stand inside extern "C". */
namespace probekit_priv
{
template <typename T, bool is_enum = __is_enum(T)> struct argument {
	enum { spec = 0 };
};
template <typename T> struct argument<T, true> : argument<__underlying_type(T), false> {
};
template <typename T> struct argument<T *, false> {
	enum { spec = sizeof(T *) };
};
#ifdef __WCHAR_UNSIGNED__
#define PROBEKIT_PRIV_WCHAR 1
#else
#define PROBEKIT_PRIV_WCHAR -1
#endif
#define PROBEKIT_PRIV_INTEGER(type, sign)							\
	template <> struct argument<type, false> {						\
		enum { spec = sign * static_cast<int>(sizeof(type)) };				\
	};
PROBEKIT_PRIV_INTEGER(bool, 1)
PROBEKIT_PRIV_INTEGER(char, PROBEKIT_PRIV_CHAR)
PROBEKIT_PRIV_INTEGER(signed char, -1)
PROBEKIT_PRIV_INTEGER(unsigned char, 1)
PROBEKIT_PRIV_INTEGER(wchar_t, PROBEKIT_PRIV_WCHAR)
PROBEKIT_PRIV_INTEGER(char16_t, 1)
PROBEKIT_PRIV_INTEGER(char32_t, 1)
PROBEKIT_PRIV_INTEGER(short, -1)
PROBEKIT_PRIV_INTEGER(unsigned short, 1)
PROBEKIT_PRIV_INTEGER(int, -1)
PROBEKIT_PRIV_INTEGER(unsigned int, 1)
PROBEKIT_PRIV_INTEGER(long, -1)
PROBEKIT_PRIV_INTEGER(unsigned long, 1)
PROBEKIT_PRIV_INTEGER(long long, -1)
PROBEKIT_PRIV_INTEGER(unsigned long long, 1)
#ifdef __cpp_char8_t
PROBEKIT_PRIV_INTEGER(char8_t, 1)
#endif
#undef PROBEKIT_PRIV_INTEGER
template <> struct argument<float, false> {
	enum { spec = 16 + sizeof(float) };
};
template <> struct argument<double, false> {
	enum { spec = 16 + sizeof(double) };
};

template <typename T>
inline __attribute__((always_inline, no_instrument_function)) long long int64(T v)
{
	return static_cast<long long>(v);
}
template <typename T>
inline __attribute__((always_inline, no_instrument_function)) long long int64(T *v)
{
	return reinterpret_cast<long long>(v);
}
}
}

#else /* !__cplusplus */

#define PROBEKIT_PRIV_NULL ((probekit_priv_end *)0)
#define PROBEKIT_PRIV_AUTO __extension__ __auto_type
#define PROBEKIT_PRIV_ASSERT(claim, text) _Static_assert(claim, text)
#define PROBEKIT_PRIV_INT64(v) ((long long)(v))

/* 5 is a pointer's class in __builtin_classify_type. */
#define PROBEKIT_PRIV_SPEC(v)									\
	_Generic((v), char: PROBEKIT_PRIV_CHAR, signed char: -1, short: -2, int: -4,		\
		 long: -(int)sizeof(long), long long: -8, _Bool: 1, unsigned char: 1,		\
		 unsigned short: 2, unsigned int: 4, unsigned long: (int)sizeof(long),		\
		 unsigned long long: 8, float: 16 + 4, double: 16 + 8,				\
		 default: __builtin_classify_type(v) == 5 ? (int)sizeof(void *) : 0)

#endif /* __cplusplus */

#endif /* !PROBEKIT_PRIV_OFF */

/* clang-format on */

#endif /* PROBEKIT_PROBE_H */
