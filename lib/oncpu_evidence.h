/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_ONCPU_EVIDENCE_H
#define PROBEKIT_ONCPU_EVIDENCE_H
/* Where threads ran inside of spans. Which spans are slow is known when they end: samples wait for
 * that, and those of which it is never told count only where there are no others. */
#include "tally.h"

#define ONCPU_PENDING_MAX 4096

struct oncpu_sample {
	uint32_t probe;
	uint32_t tid;
	uint64_t span_begin_ns;
	uint64_t at_ns;
	uint64_t weight;
	struct trace *user;
	struct trace *kernel;
	bool is_slow;
};

/* All zero is empty. */
struct oncpu_evidence {
	void *tree;		      /* by probe */
	struct oncpu_sample *pending; /* a ring */
	size_t first;
	size_t size;
};

int oncpu_evidence_add(struct oncpu_evidence *evidence, struct traces *traces,
		       const struct stack_record *record, struct trace *user, struct trace *kernel)
	__attribute__((warn_unused_result));
/* A slow span ended: samples of its thread from within it are its, also where another span was
 * inside of it. */
int oncpu_evidence_match(struct oncpu_evidence *evidence, struct traces *traces,
			 const struct span_record *span) __attribute__((warn_unused_result));
/* The newest user stack of a span that has not ended; NULL: none. */
struct trace *oncpu_evidence_newest(struct oncpu_evidence *evidence, uint32_t tid,
				    uint64_t begin_ns);
void oncpu_evidence_done(struct oncpu_evidence *evidence, struct traces *traces);

/* As evidence_fill_oncpu(). */
int oncpu_evidence_fill(struct oncpu_evidence *evidence, struct traces *traces, uint32_t probe,
			struct probekit_cause *cause) __attribute__((warn_unused_result));

#endif
