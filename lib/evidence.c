/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what comes of records: checks them, and hands each to those that keep its kind. */
#include "evidence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lock_evidence.h"
#include "oncpu_evidence.h"
#include "slow_spans.h"
#include "stack.h"
#include "stack_view.h"
#include "wait_evidence.h"

struct evidence {
	struct traces traces;
	struct wait_evidence waits;
	struct oncpu_evidence oncpu;
	struct slow_spans slow;
	struct profile_evidence profile;
};

int evidence_new(struct evidence **out)
{
	struct evidence *evidence = calloc(1, sizeof(*evidence));

	if (!evidence || traces_init(&evidence->traces)) {
		free(evidence);
		return -ENOMEM;
	}
	*out = evidence;
	return 0;
}

void evidence_free(struct evidence *evidence)
{
	if (!evidence)
		return;
	wait_evidence_done(&evidence->waits, &evidence->traces);
	oncpu_evidence_done(&evidence->oncpu, &evidence->traces);
	slow_spans_done(&evidence->slow);
	profile_evidence_done(&evidence->profile, &evidence->traces);
	traces_done(&evidence->traces);
	free(evidence);
}

/* ---- records ---- */

/* The header, copied as records need not be aligned. */
static bool read_stack(const void *record, size_t size_bytes, struct stack_record *header)
{
	if (size_bytes < sizeof(*header))
		return false;
	memcpy(header, record, sizeof(*header));
	return header->kind == RECORD_STACK && header->role <= STACK_PROFILED &&
	       header->wait.time_class < CLASS_COUNT && header->probe <= MAX_PROBES &&
	       header->pid && header->kernel_count <= SAMPLE_KERNEL_FRAMES &&
	       header->return_count <= SAMPLE_RETURNS && header->size_bytes <= SAMPLE_BYTES_MAX &&
	       header->size_bytes <= size_bytes - sizeof(*header);
}

static int keep_stack(struct evidence *evidence, const struct stack_record *record,
		      struct trace *user, struct trace *kernel)
{
	struct traces *traces = &evidence->traces;

	if (record->role == STACK_PROFILED)
		return profile_evidence_add(&evidence->profile, traces, record, user, kernel);
	if (record->role == STACK_ONCPU)
		return oncpu_evidence_add(&evidence->oncpu, traces, record, user, kernel);
	return wait_evidence_add(&evidence->waits, traces, record, user, kernel);
}

static int add_stack(struct evidence *evidence, const void *record, size_t size_bytes)
{
	struct traces *traces = &evidence->traces;
	struct trace *kernel = NULL;
	struct trace *user = NULL;
	struct stack_record header;
	int result;

	if (!read_stack(record, size_bytes, &header) || header.role == STACK_OPEN)
		return -EINVAL;
	result = traces_add_user(traces, &header, (const char *)record + sizeof(header), &user);
	if (!result)
		result = traces_add_kernel(traces, &header, &kernel);
	if (!result)
		result = keep_stack(evidence, &header, user, kernel);
	traces_drop(traces, user);
	traces_drop(traces, kernel);
	return result;
}

static int add_span(struct evidence *evidence, const void *record, size_t size_bytes)
{
	struct span_record span;
	int result;

	if (size_bytes < sizeof(span))
		return -EINVAL;
	memcpy(&span, record, sizeof(span));
	if (span.probe > MAX_PROBES)
		return -EINVAL;
	result = slow_spans_add(&evidence->slow, &span);
	return result ? result : oncpu_evidence_match(&evidence->oncpu, &evidence->traces, &span);
}

int evidence_add(struct evidence *evidence, const void *record, size_t size_bytes)
{
	uint32_t kind;

	if (size_bytes < sizeof(kind))
		return -EINVAL;
	memcpy(&kind, record, sizeof(kind));
	if (kind == RECORD_STACK)
		return add_stack(evidence, record, size_bytes);
	return kind == RECORD_SPAN ? add_span(evidence, record, size_bytes) : -EINVAL;
}

uint64_t evidence_stacks(const struct evidence *evidence, enum probekit_stack_end end)
{
	return evidence->traces.ended[end];
}

/* ---- what they show ---- */

/* Stacks that cannot be followed to their end by longer copies are few. */
#define CUT_SHORT_SHARE 0.002

bool evidence_wants_longer_copies(struct evidence *evidence)
{
	struct traces *traces = &evidence->traces;
	bool is_wanted = (double)traces->cut_short > CUT_SHORT_SHARE * (double)traces->unwound;

	traces->cut_short = 0;
	traces->unwound = 0;
	return is_wanted;
}

int evidence_fill(struct evidence *evidence,
		  bool (*is_of)(const struct wait_identity *wait, void *arg), void *arg,
		  uint32_t probe, struct probekit_cause *cause)
{
	return wait_evidence_fill(&evidence->waits, &evidence->traces, is_of, arg, probe, cause);
}

int evidence_fill_lock(struct evidence *evidence,
		       bool (*is_of)(const struct wait_identity *wait, void *arg), void *arg,
		       struct probekit_lock *lock)
{
	struct wait_findings findings;
	int result =
		wait_evidence_gather(&evidence->waits, &evidence->traces, is_of, arg, &findings);

	if (result)
		return result;
	result = lock_evidence_show(&findings, lock);
	wait_findings_done(&findings, &evidence->traces);
	return result;
}

struct lock_use evidence_lock_use(struct evidence *evidence, struct futex_place place)
{
	return wait_evidence_lock_use(&evidence->waits, &evidence->traces, place);
}

int evidence_fill_oncpu(struct evidence *evidence, uint32_t probe, struct probekit_cause *cause)
{
	return oncpu_evidence_fill(&evidence->oncpu, &evidence->traces, probe, cause);
}

int evidence_stack(struct evidence *evidence, const void *record, size_t size_bytes,
		   struct probekit_stack *stack, const char **lock_kind)
{
	struct traces *traces = &evidence->traces;
	struct stack_record header;
	struct trace *trace;
	int result;

	if (!read_stack(record, size_bytes, &header))
		return -EINVAL;
	result = traces_add_user(traces, &header, (const char *)record + sizeof(header), &trace);
	if (result)
		return result;
	*stack = (struct probekit_stack){0};
	*lock_kind = NULL;
	if (trace) {
		result = traces_resolve(traces, trace);
		*lock_kind = result ? NULL : trace->lock_kind;
		if (!result)
			result = trace_show(trace, 1, stack);
	}
	traces_drop(traces, trace);
	return result;
}

int evidence_running_stack(struct evidence *evidence, uint32_t tid, uint64_t begin_ns,
			   struct probekit_stack *stack)
{
	struct trace *trace = oncpu_evidence_newest(&evidence->oncpu, tid, begin_ns);
	int result = 0;

	*stack = (struct probekit_stack){0};
	if (trace)
		result = traces_resolve(&evidence->traces, trace);
	return result || !trace ? result : trace_show(trace, 1, stack);
}

bool evidence_has_owner(const char *lock_kind)
{
	return stack_view_has_owner(lock_kind);
}

int evidence_slowest(struct evidence *evidence, uint32_t probe, struct probekit_slow_span **list,
		     size_t *count)
{
	return slow_spans_list(&evidence->slow, probe, list, count);
}

/* ---- profiles ---- */

int evidence_add_present(struct evidence *evidence, const struct profile_total *wait,
			 const void *record, size_t size_bytes)
{
	struct traces *traces = &evidence->traces;
	struct trace *kernel = NULL;
	struct trace *user = NULL;
	struct stack_record header;
	int result = 0;

	if (record && read_stack(record, size_bytes, &header)) {
		result = traces_add_user(traces, &header, (const char *)record + sizeof(header),
					 &user);
		if (!result)
			result = traces_add_kernel(traces, &header, &kernel);
	}
	if (!result)
		result = profile_evidence_add_present(&evidence->profile, wait, user, kernel);
	traces_drop(traces, user);
	traces_drop(traces, kernel);
	return result;
}

void evidence_forget_present(struct evidence *evidence)
{
	profile_evidence_forget_present(&evidence->profile, &evidence->traces);
}

int evidence_note_process(struct evidence *evidence, pid_t pid, uint64_t at_ns, const char *comm)
{
	int result = images_note(&evidence->traces.images, pid, at_ns);

	if (!result || result == -ESRCH)
		result = *comm ? profile_evidence_name(&evidence->profile, pid, comm) : 0;
	return result;
}

const char *evidence_comm(const struct evidence *evidence, pid_t pid)
{
	return profile_evidence_comm(&evidence->profile, pid);
}

static int show(const struct profile_stack *stack, struct probekit_profile *profile)
{
	struct probekit_profile_entry *entry = &profile->entries[profile->size++];
	int result = 0;

	entry->time_class = (enum probekit_class)stack->key.time_class;
	entry->pid = (pid_t)stack->key.pid;
	entry->time_ns = stack->ns;
	entry->samples = stack->samples;
	if (stack->key.syscall != NO_SYSCALL)
		result = profile_name_syscall(profile, stack->key.syscall, &entry->syscall);
	if (!result && stack->user)
		result = trace_show(stack->user, 1, &entry->stack);
	if (!result && stack->kernel)
		result = trace_show(stack->kernel, 1, &entry->kernel_stack);
	return result;
}

int evidence_profile(struct evidence *evidence, const struct profile_total *totals,
		     size_t total_count, bool for_oncpu, struct probekit_profile *profile)
{
	struct profile_stacks shared;
	int result = profile_evidence_share(&evidence->profile, &evidence->traces, totals,
					    total_count, for_oncpu, &shared);

	if (result)
		return result;
	profile->entries = calloc(shared.size + 1, sizeof(*profile->entries));
	if (!profile->entries)
		result = -ENOMEM;
	for (size_t i = 0; i < shared.size && !result; i++)
		result = show(&shared.items[i], profile);
	free(shared.items);
	return result;
}
