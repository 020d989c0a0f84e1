/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the samples of running threads. */
#include "oncpu_evidence.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

/* Each instruction of a hot loop may be another stack, until they are joined. */
#define STACKS_MAX 256

struct places {
	struct tally user;
	struct tally kernel; /* `total` is of all samples: most may have run in user space */
};

struct ran {
	uint32_t probe;
	struct places slow;
	struct places any; /* spans of which it was not told that they were slow */
};

static int compare(const void *left, const void *right)
{
	const struct ran *a = left;
	const struct ran *b = right;

	return a->probe < b->probe ? -1 : a->probe > b->probe;
}

static struct ran *find(struct oncpu_evidence *evidence, uint32_t probe)
{
	struct ran **known = tfind(&(struct ran){.probe = probe}, &evidence->tree, compare);

	return known ? *known : NULL;
}

static struct ran *find_or_add(struct oncpu_evidence *evidence, uint32_t probe)
{
	struct ran *ran = find(evidence, probe);

	if (ran)
		return ran;
	ran = calloc(1, sizeof(*ran));
	if (!ran)
		return NULL;
	ran->probe = probe;
	if (tsearch(ran, &evidence->tree, compare))
		return ran;
	free(ran);
	return NULL;
}

static int places_add(struct places *places, struct traces *traces,
		      const struct oncpu_sample *sample)
{
	if (tally_add(&places->user, traces, sample->user, sample->weight, STACKS_MAX) ||
	    tally_add(&places->kernel, traces, sample->kernel, sample->weight, STACKS_MAX))
		return -ENOMEM;
	if (!sample->kernel)
		places->kernel.total += sample->weight;
	return 0;
}

static void places_done(struct places *places, struct traces *traces)
{
	tally_done(&places->user, traces);
	tally_done(&places->kernel, traces);
}

/* ---- pending samples ---- */

static struct oncpu_sample *pending(struct oncpu_evidence *evidence, size_t i)
{
	return &evidence->pending[(evidence->first + i) % ONCPU_PENDING_MAX];
}

static int drop_first(struct oncpu_evidence *evidence, struct traces *traces)
{
	struct oncpu_sample sample = *pending(evidence, 0);
	struct ran *ran = sample.is_slow ? NULL : find_or_add(evidence, sample.probe);
	int result = 0;

	if (!sample.is_slow)
		result = ran ? places_add(&ran->any, traces, &sample) : -ENOMEM;
	traces_drop(traces, sample.user);
	traces_drop(traces, sample.kernel);
	evidence->first = (evidence->first + 1) % ONCPU_PENDING_MAX;
	evidence->size--;
	return result;
}

int oncpu_evidence_add(struct oncpu_evidence *evidence, struct traces *traces,
		       const struct stack_record *record, struct trace *user, struct trace *kernel)
{
	int result = 0;

	if (!evidence->pending)
		evidence->pending = calloc(ONCPU_PENDING_MAX, sizeof(*evidence->pending));
	if (!evidence->pending)
		return -ENOMEM;
	if (evidence->size == ONCPU_PENDING_MAX)
		result = drop_first(evidence, traces);
	*pending(evidence, evidence->size++) = (struct oncpu_sample){
		.probe = record->probe,
		.tid = record->tid,
		.span_begin_ns = record->span_begin_ns,
		.at_ns = record->at_ns,
		.weight = record->wait_ns,
		.user = trace_use(user),
		.kernel = trace_use(kernel),
	};
	return result;
}

int oncpu_evidence_match(struct oncpu_evidence *evidence, struct traces *traces,
			 const struct span_record *span)
{
	struct ran *ran = NULL;

	for (size_t i = 0; i < evidence->size; i++) {
		struct oncpu_sample *sample = pending(evidence, i);

		if (sample->tid != span->tid ||
		    sample->at_ns - span->begin_ns > span->end_ns - span->begin_ns)
			continue;
		if (sample->probe == span->probe && sample->span_begin_ns == span->begin_ns)
			sample->is_slow = true;
		else if (sample->probe == span->probe)
			continue; /* of another span in it, which counts for itself */
		ran = ran ? ran : find_or_add(evidence, span->probe);
		if (!ran || places_add(&ran->slow, traces, sample))
			return -ENOMEM;
	}
	return 0;
}

struct trace *oncpu_evidence_newest(struct oncpu_evidence *evidence, uint32_t tid,
				    uint64_t begin_ns)
{
	for (size_t i = evidence->size; i-- > 0;) {
		const struct oncpu_sample *sample = pending(evidence, i);

		if (sample->tid == tid && sample->at_ns > begin_ns && sample->user)
			return sample->user;
	}
	return NULL;
}

static void ran_free(struct oncpu_evidence *evidence, struct traces *traces, struct ran *ran)
{
	tdelete(ran, &evidence->tree, compare);
	places_done(&ran->slow, traces);
	places_done(&ran->any, traces);
	free(ran);
}

void oncpu_evidence_done(struct oncpu_evidence *evidence, struct traces *traces)
{
	for (size_t i = 0; i < evidence->size; i++) {
		traces_drop(traces, pending(evidence, i)->user);
		traces_drop(traces, pending(evidence, i)->kernel);
	}
	free(evidence->pending);
	while (evidence->tree)
		ran_free(evidence, traces, *(struct ran **)evidence->tree);
	*evidence = (struct oncpu_evidence){0};
}

/* ---- what they show ---- */

/* Slow ones alone where there are any. */
static int gather(struct oncpu_evidence *evidence, struct traces *traces, uint32_t probe,
		  struct places *places)
{
	const struct ran *ran = find(evidence, probe);
	bool is_slow_known = ran && ran->slow.user.total + ran->slow.kernel.total;
	const struct places *from = is_slow_known ? &ran->slow : ran ? &ran->any : NULL;

	if (from && (tally_add_all(&places->user, traces, &from->user) ||
		     tally_add_all(&places->kernel, traces, &from->kernel)))
		return -ENOMEM;
	for (size_t i = 0; !is_slow_known && i < evidence->size; i++)
		if (pending(evidence, i)->probe == probe &&
		    places_add(places, traces, pending(evidence, i)))
			return -ENOMEM;
	return 0;
}

static bool is_mostly_in_kernel(const struct tally *kernel)
{
	uint64_t in_user = kernel->total;

	for (size_t i = 0; i < kernel->size; i++)
		in_user -= kernel->items[i].weight;
	return kernel->size && kernel->items[0].weight > in_user;
}

int oncpu_evidence_fill(struct oncpu_evidence *evidence, struct traces *traces, uint32_t probe,
			struct probekit_cause *cause)
{
	struct places places = {0};
	int result = gather(evidence, traces, probe, &places);

	if (!result)
		result = tally_join(&places.user, traces);
	if (!result)
		result = tally_join(&places.kernel, traces);
	if (!result)
		result = tally_show_hottest(&places.user, &cause->stack);
	if (!result && is_mostly_in_kernel(&places.kernel))
		result = tally_show(&places.kernel, &cause->kernel_stack);
	places_done(&places, traces);
	return result;
}
