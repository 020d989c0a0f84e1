/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the samples of waits, counted together by what was waited for. */
#include "wait_evidence.h"

#include "breakdown.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "stack.h"
#include "stack_view.h"

#define STACKS_MAX 32

struct subject {
	uint32_t probe;
	struct wait_identity wait;
	struct wait_findings findings;
	struct trace *last; /* of the waiters */
	uint64_t last_ns;
	uint32_t last_value; /* that it waited with */
};

static int compare(const void *left, const void *right)
{
	const struct subject *a = left;
	const struct subject *b = right;

	if (a->probe != b->probe)
		return a->probe < b->probe ? -1 : 1;
	if (a->wait.address != b->wait.address)
		return a->wait.address < b->wait.address ? -1 : 1;
	if (a->wait.pid != b->wait.pid)
		return a->wait.pid < b->wait.pid ? -1 : 1;
	if (a->wait.syscall != b->wait.syscall)
		return a->wait.syscall - b->wait.syscall;
	if (a->wait.futex_value != b->wait.futex_value)
		return a->wait.futex_value - b->wait.futex_value;
	return a->wait.time_class - b->wait.time_class;
}

void wait_findings_done(struct wait_findings *findings, struct traces *traces)
{
	tally_done(&findings->waiters, traces);
	tally_done(&findings->kernel, traces);
	tally_done(&findings->holders, traces);
	tally_done(&findings->wakers, traces);
	thread_tally_done(&findings->holder_threads);
	thread_tally_done(&findings->waker_threads);
	thread_stacks_done(&findings->by_holder, traces);
	thread_stacks_done(&findings->by_waker, traces);
}

/* ---- subjects ---- */

static uint64_t weight_of(const struct subject *subject)
{
	return subject->findings.waiters.total + subject->findings.holders.total +
	       subject->findings.wakers.total;
}

static void find_lightest(const void *node, VISIT visit, void *arg)
{
	struct subject *subject = *(struct subject *const *)node;
	struct subject **lightest = arg;

	if ((visit == postorder || visit == leaf) &&
	    (!*lightest || weight_of(subject) < weight_of(*lightest)))
		*lightest = subject;
}

static void remove_subject(struct wait_evidence *evidence, struct traces *traces,
			   struct subject *subject)
{
	tdelete(subject, &evidence->tree, compare);
	evidence->size--;
	wait_findings_done(&subject->findings, traces);
	traces_drop(traces, subject->last);
	free(subject);
}

/* NULL: no memory. */
static struct subject *subject_of(struct wait_evidence *evidence, struct traces *traces,
				  const struct stack_record *record)
{
	struct subject wanted = {.probe = record->probe, .wait = record->wait};
	struct subject **known = tfind(&wanted, &evidence->tree, compare);
	struct subject *lightest = NULL;
	struct subject *subject;

	if (known)
		return *known;
	if (evidence->size == WAIT_SUBJECTS_MAX) {
		twalk_r(evidence->tree, find_lightest, &lightest);
		remove_subject(evidence, traces, lightest);
	}
	subject = malloc(sizeof(*subject));
	if (!subject)
		return NULL;
	*subject = wanted;
	subject->findings.is_lock = record->wait.time_class == CLASS_LOCK && record->wait.pid;
	if (!tsearch(subject, &evidence->tree, compare)) {
		free(subject);
		return NULL;
	}
	evidence->size++;
	return subject;
}

void wait_evidence_done(struct wait_evidence *evidence, struct traces *traces)
{
	while (evidence->tree)
		remove_subject(evidence, traces, *(struct subject **)evidence->tree);
}

/* ---- samples ---- */

static void note_last(struct subject *subject, struct traces *traces,
		      const struct stack_record *record, struct trace *user)
{
	if (!user || record->at_ns < subject->last_ns)
		return;
	traces_drop(traces, subject->last);
	subject->last = trace_use(user);
	subject->last_ns = record->at_ns;
	subject->last_value = (uint32_t)record->registers[UNWIND_ARGUMENT_3];
}

static int add_waiter(struct subject *subject, struct traces *traces,
		      const struct stack_record *record, struct trace *user, struct trace *kernel)
{
	struct wait_findings *findings = &subject->findings;
	struct thread_count holder = {
		.pid = (pid_t)record->holder_pid, .tid = (pid_t)record->holder_tid, .count = 1};

	note_last(subject, traces, record, user);
	if (tally_add(&findings->waiters, traces, user, record->wait_ns, STACKS_MAX) ||
	    tally_add(&findings->kernel, traces, kernel, record->wait_ns, STACKS_MAX))
		return -ENOMEM;
	if (!holder.tid)
		return 0;
	/* It may never be sampled itself, or end before anybody asks. */
	if (!thread_tally_has(&findings->holder_threads, holder.tid))
		process_thread_name(holder.pid, holder.tid, holder.comm);
	return thread_tally_add(&findings->holder_threads, &holder, THREADS_MAX);
}

int wait_evidence_add(struct wait_evidence *evidence, struct traces *traces,
		      const struct stack_record *record, struct trace *user, struct trace *kernel)
{
	struct subject *subject = subject_of(evidence, traces, record);
	struct thread_count thread = {
		.pid = (pid_t)record->pid, .tid = (pid_t)record->tid, .count = 1};
	struct wait_findings *findings;

	if (!subject)
		return -ENOMEM;
	findings = &subject->findings;
	memcpy(thread.comm, record->comm, sizeof(thread.comm) - 1);
	if (record->role == STACK_WAITER)
		return add_waiter(subject, traces, record, user, kernel);
	if (record->role == STACK_HOLDER) {
		if (tally_add(&findings->holders, traces, user, record->wait_ns, STACKS_MAX) ||
		    thread_stacks_add(&findings->by_holder, traces, &thread, user, record->wait_ns))
			return -ENOMEM;
		return thread_tally_add(&findings->holder_threads, &thread, THREADS_MAX);
	}
	if (tally_add(&findings->wakers, traces, user, record->wait_ns, STACKS_MAX) ||
	    thread_stacks_add(&findings->by_waker, traces, &thread, user, record->wait_ns))
		return -ENOMEM;
	return thread_tally_add(&findings->waker_threads, &thread, THREADS_MAX);
}

/* ---- what they show ---- */

struct gathering {
	struct wait_findings findings;
	struct traces *traces;
	bool (*is_of)(const struct wait_identity *wait, void *arg);
	void *arg;
	uint32_t probe;
	bool of_any; /* probe */
	int result;
};

/* Of whoever's waits: a holder may have no span of its own. */
static int add_holders(struct wait_findings *to, struct traces *traces,
		       const struct wait_findings *from)
{
	return tally_add_all(&to->holders, traces, &from->holders) ||
			       thread_tally_add_all(&to->holder_threads, &from->holder_threads) ||
			       thread_stacks_add_all(&to->by_holder, traces, &from->by_holder)
		       ? -ENOMEM
		       : 0;
}

static int add_findings(struct wait_findings *to, struct traces *traces,
			const struct wait_findings *from)
{
	to->is_lock |= from->is_lock;
	if (tally_add_all(&to->waiters, traces, &from->waiters) ||
	    tally_add_all(&to->kernel, traces, &from->kernel) ||
	    tally_add_all(&to->wakers, traces, &from->wakers) || add_holders(to, traces, from) ||
	    thread_tally_add_all(&to->waker_threads, &from->waker_threads) ||
	    thread_stacks_add_all(&to->by_waker, traces, &from->by_waker))
		return -ENOMEM;
	return 0;
}

static void gather(const void *node, VISIT visit, void *arg)
{
	const struct subject *subject = *(struct subject *const *)node;
	struct gathering *gathering = arg;

	if ((visit != postorder && visit != leaf) || gathering->result ||
	    !gathering->is_of(&subject->wait, gathering->arg))
		return;
	if (gathering->of_any || subject->probe == gathering->probe)
		gathering->result =
			add_findings(&gathering->findings, gathering->traces, &subject->findings);
	else
		gathering->result =
			add_holders(&gathering->findings, gathering->traces, &subject->findings);
}

static int fill_holder(const struct wait_findings *findings, struct probekit_holder **out)
{
	struct probekit_holder *holder;

	if (!findings->holder_threads.size)
		return 0;
	holder = calloc(1, sizeof(*holder));
	if (!holder || tally_show(&findings->holders, &holder->stack)) {
		free(holder);
		return -ENOMEM;
	}
	holder->thread = thread_tally_most(&findings->holder_threads);
	holder->threads = (uint32_t)findings->holder_threads.size;
	*out = holder;
	return 0;
}

static int fill_cause(struct wait_findings *findings, struct traces *traces,
		      struct probekit_cause *cause)
{
	const char *kind;

	if (tally_join(&findings->waiters, traces) || tally_join(&findings->kernel, traces) ||
	    tally_join(&findings->holders, traces) || tally_join(&findings->wakers, traces) ||
	    tally_show(&findings->waiters, &cause->stack) ||
	    tally_show(&findings->kernel, &cause->kernel_stack) ||
	    tally_show(&findings->wakers, &cause->waker_stack))
		return -ENOMEM;
	if (findings->waker_threads.size)
		cause->waker = thread_tally_most(&findings->waker_threads);
	kind = findings->is_lock ? tally_lock_kind(&findings->waiters) : NULL;
	if (breakdown_copy_text(kind, &cause->lock_kind))
		return -ENOMEM;
	/* Of the kernel's own locks the owners are sure. */
	if (findings->is_lock && !stack_view_has_owner(kind))
		return 0;
	return fill_holder(findings, &cause->holder);
}

int wait_evidence_fill(struct wait_evidence *evidence, struct traces *traces,
		       bool (*is_of)(const struct wait_identity *wait, void *arg), void *arg,
		       uint32_t probe, struct probekit_cause *cause)
{
	struct gathering gathering = {.traces = traces, .is_of = is_of, .arg = arg, .probe = probe};

	twalk_r(evidence->tree, gather, &gathering);
	if (!gathering.findings.waiters.size) { /* those of spans inside tell as much */
		wait_findings_done(&gathering.findings, traces);
		gathering.findings = (struct wait_findings){0};
		gathering.of_any = true;
		twalk_r(evidence->tree, gather, &gathering);
	}
	if (!gathering.result)
		gathering.result = fill_cause(&gathering.findings, traces, cause);
	wait_findings_done(&gathering.findings, traces);
	return gathering.result;
}

int wait_evidence_gather(struct wait_evidence *evidence, struct traces *traces,
			 bool (*is_of)(const struct wait_identity *wait, void *arg), void *arg,
			 struct wait_findings *findings)
{
	struct gathering gathering = {.traces = traces, .is_of = is_of, .arg = arg, .of_any = true};
	int result;

	twalk_r(evidence->tree, gather, &gathering);
	result = gathering.result;
	if (!result)
		result = tally_join(&gathering.findings.waiters, traces);
	if (!result)
		result = thread_stacks_join(&gathering.findings.by_holder, traces);
	if (!result)
		result = thread_stacks_join(&gathering.findings.by_waker, traces);
	if (result) {
		wait_findings_done(&gathering.findings, traces);
		return result;
	}
	*findings = gathering.findings;
	return 0;
}

/* ---- what a lock is ---- */

struct lock_question {
	struct traces *traces;
	struct futex_place place;
	struct lock_use use;
	uint64_t at_ns;
};

/* By the last waiter; if that does not tell, by those before. */
static const char *kind_of(struct subject *subject, struct traces *traces)
{
	if (subject->last && traces_resolve(traces, subject->last) == 0 && subject->last->lock_kind)
		return subject->last->lock_kind;
	return tally_join(&subject->findings.waiters, traces) == 0
		       ? tally_lock_kind(&subject->findings.waiters)
		       : NULL;
}

static void ask_use(const void *node, VISIT visit, void *arg)
{
	struct subject *subject = *(struct subject *const *)node;
	struct lock_question *question = arg;
	const char *kind;

	if ((visit != postorder && visit != leaf) ||
	    subject->wait.address != question->place.address ||
	    subject->wait.pid != question->place.space || !subject->findings.is_lock ||
	    (question->use.kind && subject->last_ns <= question->at_ns))
		return;
	kind = kind_of(subject, question->traces);
	if (!kind)
		return;
	question->use = (struct lock_use){kind, subject->last_value};
	question->at_ns = subject->last_ns;
}

struct lock_use wait_evidence_lock_use(struct wait_evidence *evidence, struct traces *traces,
				       struct futex_place place)
{
	struct lock_question question = {.traces = traces, .place = place};

	twalk_r(evidence->tree, ask_use, &question);
	return question.use;
}
