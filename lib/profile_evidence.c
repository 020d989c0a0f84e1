/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the stacks of a profile: bounded, as those that show the same become one. */
#include "profile_evidence.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"

struct process_comm {
	pid_t pid;
	char comm[16];
};

/* ---- order ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_keys(const struct profile_key *a, const struct profile_key *b)
{
	int order = compare_numbers(a->pid, b->pid);

	if (!order)
		order = (int)a->time_class - (int)b->time_class;
	return order ? order : (int)a->syscall - (int)b->syscall;
}

static int by_trace(const void *left, const void *right)
{
	const struct profile_stack *a = left;
	const struct profile_stack *b = right;
	int order = compare_keys(&a->key, &b->key);

	if (!order)
		order = compare_numbers((uintptr_t)a->user, (uintptr_t)b->user);
	return order ? order : compare_numbers((uintptr_t)a->kernel, (uintptr_t)b->kernel);
}

static int compare_texts(const char *a, const char *b)
{
	if (a == b || !a || !b)
		return a == b ? 0 : a ? 1 : -1;
	return strcmp(a, b);
}

static int compare_frames(const struct symbol_frame *a, const struct symbol_frame *b)
{
	int order = compare_texts(a->function, b->function);

	if (!order)
		order = compare_numbers(a->line, b->line);
	if (!order && !a->function)
		order = compare_numbers(a->module_offset, b->module_offset);
	return order ? order : compare_texts(a->module, b->module);
}

/* Of what resolved ones show. */
static int compare_shown(const struct trace *a, const struct trace *b)
{
	size_t size;

	if (a == b || !a || !b)
		return a == b ? 0 : a ? 1 : -1;
	size = a->frame_count - a->hidden;
	if (size != b->frame_count - b->hidden)
		return size < b->frame_count - b->hidden ? -1 : 1;
	for (size_t i = 0; i < size; i++) {
		int order = compare_frames(&a->frames[a->hidden + i], &b->frames[b->hidden + i]);

		if (order)
			return order;
	}
	return (int)a->end - (int)b->end;
}

static int by_shown(const void *left, const void *right)
{
	const struct profile_stack *a = left;
	const struct profile_stack *b = right;
	int order = compare_keys(&a->key, &b->key);

	if (!order)
		order = compare_shown(a->user, b->user);
	return order ? order : compare_shown(a->kernel, b->kernel);
}

static int longest_first(const void *left, const void *right)
{
	const struct profile_stack *a = left;
	const struct profile_stack *b = right;

	return a->ns == b->ns ? by_shown(a, b) : compare_numbers(b->ns, a->ns);
}

static void sort(struct profile_stacks *stacks, int (*order)(const void *, const void *))
{
	if (stacks->size)
		qsort(stacks->items, stacks->size, sizeof(stacks->items[0]), order);
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

/* Of sorted ones those that show the same become one. */
static void merge(struct profile_stacks *stacks)
{
	size_t kept = 0;

	for (size_t i = 0; i < stacks->size; i++) {
		struct profile_stack *item = &stacks->items[i];
		struct profile_stack *last = &stacks->items[kept ? kept - 1 : 0];

		if (!kept || by_shown(last, item) != 0) {
			stacks->items[kept++] = *item;
			continue;
		}
		last->ns = add_saturated(last->ns, item->ns);
		last->samples += item->samples;
	}
	stacks->size = kept;
}

static int resolve(struct profile_stacks *stacks, struct traces *traces)
{
	for (size_t i = 0; i < stacks->size; i++) {
		const struct profile_stack *item = &stacks->items[i];

		if ((item->user && traces_resolve(traces, item->user)) ||
		    (item->kernel && traces_resolve(traces, item->kernel)))
			return -ENOMEM;
	}
	return 0;
}

/* ---- samples ---- */

static void gather(const void *node, VISIT visit, void *arg)
{
	struct profile_stacks *stacks = arg;

	if (visit == postorder || visit == leaf)
		stacks->items[stacks->size++] = **(struct profile_stack *const *)node;
}

/* Copies of all, resolved: each that shows something else once, in that order. */
static int list_sampled(const struct profile_evidence *evidence, struct traces *traces,
			struct profile_stacks *stacks)
{
	*stacks = (struct profile_stacks){0};
	stacks->items = calloc(evidence->size + 1, sizeof(*stacks->items));
	if (!stacks->items)
		return -ENOMEM;
	twalk_r(evidence->tree, gather, stacks);
	if (resolve(stacks, traces)) {
		free(stacks->items);
		stacks->items = NULL;
		return -ENOMEM;
	}
	sort(stacks, by_shown);
	merge(stacks);
	return 0;
}

/* The tree's element for the key and traces of `wanted`, new with none of its weight; NULL: no memory. */
static struct profile_stack *find_or_add(struct profile_evidence *evidence,
					 const struct profile_stack *wanted)
{
	struct profile_stack **known = tfind(wanted, &evidence->tree, by_trace);
	struct profile_stack *added;

	if (known)
		return *known;
	added = malloc(sizeof(*added));
	if (!added)
		return NULL;
	*added = (struct profile_stack){
		.key = wanted->key, .user = wanted->user, .kernel = wanted->kernel};
	if (!tsearch(added, &evidence->tree, by_trace)) {
		free(added);
		return NULL;
	}
	evidence->size++;
	trace_use(added->user);
	trace_use(added->kernel);
	return added;
}

static void clear(struct profile_evidence *evidence, struct traces *traces)
{
	while (evidence->tree) {
		struct profile_stack *item = *(struct profile_stack **)evidence->tree;

		tdelete(item, &evidence->tree, by_trace);
		traces_drop(traces, item->user);
		traces_drop(traces, item->kernel);
		free(item);
	}
	evidence->size = 0;
}

/* Makes one of those that show the same. */
static int compact(struct profile_evidence *evidence, struct traces *traces)
{
	struct profile_evidence compacted = {0};
	struct profile_stacks stacks;
	int result = list_sampled(evidence, traces, &stacks);

	if (result)
		return result;
	for (size_t i = 0; i < stacks.size && !result; i++) {
		struct profile_stack *item = find_or_add(&compacted, &stacks.items[i]);

		if (!item) {
			result = -ENOMEM;
			break;
		}
		item->ns = stacks.items[i].ns;
		item->samples = stacks.items[i].samples;
	}
	free(stacks.items);
	if (result) {
		clear(&compacted, traces);
		return result;
	}
	clear(evidence, traces);
	evidence->tree = compacted.tree;
	evidence->size = compacted.size;
	evidence->is_full = evidence->size > PROFILE_STACKS_MAX / 2;
	return 0;
}

static int compare_pids(const void *left, const void *right)
{
	const struct process_comm *a = left;
	const struct process_comm *b = right;

	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

int profile_evidence_name(struct profile_evidence *evidence, pid_t pid, const char *comm)
{
	struct process_comm wanted = {.pid = pid};
	struct process_comm **known = tfind(&wanted, &evidence->names, compare_pids);
	struct process_comm *name = known ? *known : NULL;

	if (!name) {
		name = malloc(sizeof(*name));
		if (!name)
			return -ENOMEM;
		*name = wanted;
		if (!tsearch(name, &evidence->names, compare_pids)) {
			free(name);
			return -ENOMEM;
		}
	}
	snprintf(name->comm, sizeof(name->comm), "%s", comm);
	return 0;
}

int profile_evidence_add(struct profile_evidence *evidence, struct traces *traces,
			 const struct stack_record *record, struct trace *user,
			 struct trace *kernel)
{
	struct profile_stack wanted = {
		.key = {.pid = record->pid,
			.syscall = record->wait.syscall,
			.time_class = record->wait.time_class},
		.user = user,
		.kernel = kernel,
	};
	struct profile_stack *item;
	char comm[sizeof(record->comm) + 1] = "";

	/* The first thread is called as its process is. */
	memcpy(comm, record->comm, sizeof(record->comm));
	if (record->pid == record->tid && profile_evidence_name(evidence, (pid_t)record->pid, comm))
		return -ENOMEM;
	if (evidence->size >= PROFILE_STACKS_MAX && !evidence->is_full && compact(evidence, traces))
		return -ENOMEM;
	if (evidence->is_full && evidence->size >= PROFILE_STACKS_MAX &&
	    !tfind(&wanted, &evidence->tree, by_trace))
		wanted.user = wanted.kernel = NULL;
	item = find_or_add(evidence, &wanted);
	if (!item)
		return -ENOMEM;
	/* what has no length weighs all the same */
	item->ns = add_saturated(item->ns, record->wait_ns ? record->wait_ns : 1);
	item->samples++;
	return 0;
}

const char *profile_evidence_comm(const struct profile_evidence *evidence, pid_t pid)
{
	struct process_comm wanted = {.pid = pid};
	struct process_comm **known = tfind(&wanted, &evidence->names, compare_pids);

	return known ? (*known)->comm : NULL;
}

/* ---- waits that have not ended ---- */

int profile_evidence_add_present(struct profile_evidence *evidence,
				 const struct profile_total *wait, struct trace *user,
				 struct trace *kernel)
{
	struct profile_stacks *present = &evidence->present;
	struct profile_stack *grown = array_grow(present->items, present->size, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	present->items = grown;
	present->items[present->size++] = (struct profile_stack){
		.key = wait->key,
		.user = trace_use(user),
		.kernel = trace_use(kernel),
		.ns = wait->ns,
		.samples = user || kernel,
	};
	return 0;
}

void profile_evidence_forget_present(struct profile_evidence *evidence, struct traces *traces)
{
	for (size_t i = 0; i < evidence->present.size; i++) {
		traces_drop(traces, evidence->present.items[i].user);
		traces_drop(traces, evidence->present.items[i].kernel);
	}
	free(evidence->present.items);
	evidence->present = (struct profile_stacks){0};
}

void profile_evidence_done(struct profile_evidence *evidence, struct traces *traces)
{
	profile_evidence_forget_present(evidence, traces);
	clear(evidence, traces);
	tdestroy(evidence->names, free);
	*evidence = (struct profile_evidence){0};
}

/* ---- shares ---- */

static int by_key(const void *key, const void *element)
{
	return compare_keys(key, &((const struct profile_stack *)element)->key);
}

/* The first of the key's stacks, and their number. */
static struct profile_stack *stacks_of(const struct profile_stacks *stacks,
				       const struct profile_key *key, size_t *count)
{
	struct profile_stack *first = stacks->size ? bsearch(key, stacks->items, stacks->size,
							     sizeof(*stacks->items), by_key)
						   : NULL;
	struct profile_stack *end = stacks->items + stacks->size;

	*count = 0;
	while (first && first > stacks->items && compare_keys(key, &first[-1].key) == 0)
		first--;
	while (first && first + *count < end && compare_keys(key, &first[*count].key) == 0)
		++*count;
	return first;
}

/* Shares `ns` out by weight, without a remainder. */
static void share_out(uint64_t ns, const struct profile_stack *sampled, size_t count,
		      struct profile_stacks *shared)
{
	double whole = 0;
	double upto = 0;
	uint64_t given = 0;

	for (size_t i = 0; i < count; i++)
		whole += (double)sampled[i].ns;
	for (size_t i = 0; i < count; i++) {
		struct profile_stack *item = &shared->items[shared->size++];
		uint64_t all = ns;

		upto += (double)sampled[i].ns;
		if (i + 1 < count && upto < whole)
			all = (uint64_t)((double)ns * (upto / whole));
		if (all < given || all > ns) /* doubles are not as fine as integers */
			all = all < given ? given : ns;
		*item = sampled[i];
		item->ns = all - given;
		given = all;
	}
}

/* What nothing is known of but its time counts no samples. */
static void clean(struct profile_stacks *shared)
{
	size_t kept = 0;

	for (size_t i = 0; i < shared->size; i++) {
		struct profile_stack *item = &shared->items[i];

		if (!item->user && !item->kernel)
			item->samples = 0;
		if (item->ns)
			shared->items[kept++] = *item;
	}
	shared->size = kept;
}

int profile_evidence_share(struct profile_evidence *evidence, struct traces *traces,
			   const struct profile_total *totals, size_t total_count, bool for_oncpu,
			   struct profile_stacks *out)
{
	size_t most = total_count + evidence->size + evidence->present.size;
	struct profile_stacks shared = {.items = calloc(most + 1, sizeof(*shared.items))};
	struct profile_stacks sampled = {0};
	int result = shared.items ? 0 : -ENOMEM;

	if (!result)
		result = list_sampled(evidence, traces, &sampled);
	if (!result)
		result = resolve(&evidence->present, traces);
	if (result) {
		free(shared.items);
		free(sampled.items);
		return result;
	}
	for (size_t i = 0; i < total_count; i++) {
		const struct profile_stack none = {.key = totals[i].key, .ns = 1};
		const struct profile_stack *stacks;
		size_t count;

		if (totals[i].key.time_class == CLASS_ONCPU && !for_oncpu)
			continue;
		stacks = stacks_of(&sampled, &totals[i].key, &count);
		share_out(totals[i].ns, count ? stacks : &none, count ? count : 1, &shared);
	}
	for (size_t i = 0; i < evidence->present.size; i++)
		shared.items[shared.size++] = evidence->present.items[i];
	sort(&shared, by_shown);
	merge(&shared);
	clean(&shared);
	sort(&shared, longest_first);
	free(sampled.items);
	*out = shared;
	return 0;
}
