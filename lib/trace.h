/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TRACE_H
#define PROBEKIT_TRACE_H
/*
 * The distinct stacks that samples had, each once, as addresses; functions are looked up when they
 * are asked for, or when the image that the addresses are in is let go.
 */
#include <probekit/probekit.h>

#include "../bpf/shared.h"
#include "image.h"
#include "kallsyms.h"
#include "stack_view.h"
#include "symbolize.h"

struct trace_step {
	uint64_t address;
	bool is_return;
};

struct trace {
	uint64_t image_id; /* 0: of the kernel */
	uint32_t users;
	enum probekit_stack_end end;
	bool is_resolved;
	struct image *image;	/* until it is resolved */
	struct futex_call call; /* of the first thread that was seen there, if it was in futex() */
	/* once it is resolved */
	struct symbol_frame *frames;
	size_t frame_count;
	size_t hidden;	       /* innermost frames that are not shown */
	const char *lock_kind; /* as struct probekit_cause has it */
	size_t size;
	struct trace_step steps[]; /* innermost first */
};

struct traces {
	struct symbolizer *symbolizer;
	struct images images;
	struct kallsyms *kallsyms;
	bool is_kallsyms_tried;
	void *tree;
	uint64_t unwound;			  /* user stacks */
	uint64_t cut_short;			  /* of them, those that went on above the copy */
	uint64_t ended[PROBEKIT_STACK_END_COUNT]; /* user stacks, by how */
};

int traces_init(struct traces *traces) __attribute__((warn_unused_result));
void traces_done(struct traces *traces);

/* The stacks of a record whose header has been checked, each with one more user; NULL: there is
 * none. -ENOMEM. */
int traces_add_user(struct traces *traces, const struct stack_record *record, const void *bytes,
		    struct trace **trace) __attribute__((warn_unused_result));
int traces_add_kernel(struct traces *traces, const struct stack_record *record,
		      struct trace **trace) __attribute__((warn_unused_result));
struct trace *trace_use(struct trace *trace);
/* One user less; NULL is none. */
void traces_drop(struct traces *traces, struct trace *trace);

/* Looks up its functions, once. -ENOMEM. */
int traces_resolve(struct traces *traces, struct trace *trace) __attribute__((warn_unused_result));

/* Of resolved ones: do they show the same functions and lines? */
bool trace_is_shown_same(const struct trace *a, const struct trace *b);
/* Would they be told apart by the innermost function that they show? */
bool trace_is_at_same_function(const struct trace *a, const struct trace *b);
/* What a resolved one shows; the stack owns all its texts. -ENOMEM. */
int trace_show(const struct trace *trace, double share, struct probekit_stack *stack)
	__attribute__((warn_unused_result));

#endif
