/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owns which causes of different runs are one. Addresses, PIDs and descriptors differ from run to
 * run, so it is names that count: of the class, the system call, the lock, the file or peer.
 *
 * Tails begin elsewhere in each run, and what differs in every span would stand in them with a
 * hundredth of its size: so the causes are those of the tails, where their evidence is, but their
 * time is of all spans. What of a class is no known wait is one more, as in a tail, so that the
 * causes of a class add up to its time.
 *
 * Where a thread ran is known of each run's hottest function alone, in its share of the samples. What is
 * hot in both builds is hardly what makes them differ, so that is asked of the shares too.
 */
#include "compare_causes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "breakdown.h"

enum side { BASE, HEAD, SIDES };

/* What a time was spent on, as far as it is the same in every run. Texts are of snapshots. */
struct identity {
	enum probekit_class time_class;
	const char *syscall;
	const char *object;
	const char *direction;
	const char *lock;      /* its variable, its place, or who waits for it; NULL: not known */
	const char *lock_kind; /* beside who waits for it */
};

struct group {
	struct identity identity;
	double ns[SIDES]; /* of a span, summed over runs */
	const struct probekit_cause *most[SIDES];
	size_t runs; /* that have it */
	size_t last_run;
};

struct groups {
	struct group *items;
	size_t size;
	size_t capacity;
};

/* ---- what is the same ---- */

static const char *waiting_function(const struct probekit_stack *stack)
{
	for (size_t i = 0; i < stack->size; i++) {
		const struct probekit_frame *frame = &stack->frames[i];

		if (frame->function && !probekit_frame_is_library(frame))
			return frame->function;
	}
	return NULL;
}

/* A cause of the row's tail that tells who waits for the lock; NULL: none does. */
static const struct probekit_cause *told_of(const struct probekit_probe *row, pid_t pid,
					    uint64_t address)
{
	for (size_t i = 0; i < row->cause_count; i++)
		if (row->causes[i].address == address && row->causes[i].pid == pid &&
		    row->causes[i].stack.size)
			return &row->causes[i];
	return NULL;
}

static void name_lock(const struct probekit_probe *row, pid_t pid, uint64_t address,
		      const char *symbol, const char *place, struct identity *identity)
{
	const struct probekit_cause *told;

	/* "[heap]" is no place of one lock */
	identity->lock = symbol ? symbol : place && *place != '[' ? place : NULL;
	told = address && !identity->lock ? told_of(row, pid, address) : NULL;
	if (!told)
		return;
	identity->lock = waiting_function(&told->stack);
	identity->lock_kind = told->lock_kind;
}

static struct identity identity_of_wait(const struct probekit_probe *row,
					const struct probekit_wait *wait)
{
	struct identity identity = {
		.time_class = wait->time_class,
		.syscall = wait->syscall,
		.object = wait->object,
		.direction = wait->direction,
	};

	name_lock(row, wait->pid, wait->address, wait->symbol, wait->place, &identity);
	return identity;
}

static struct identity identity_of_cause(const struct probekit_probe *row,
					 const struct probekit_cause *cause)
{
	struct identity identity = {
		.time_class = cause->time_class,
		.syscall = cause->syscall,
		.object = cause->object,
		.direction = cause->direction,
	};

	name_lock(row, cause->pid, cause->address, cause->symbol, cause->place, &identity);
	return identity;
}

static bool is_same(const struct identity *a, const struct identity *b)
{
	return a->time_class == b->time_class && breakdown_is_same(a->lock, b->lock) &&
	       breakdown_is_same(a->lock_kind, b->lock_kind) &&
	       breakdown_is_same(a->syscall, b->syscall) &&
	       breakdown_is_same(a->object, b->object) &&
	       breakdown_is_same(a->direction, b->direction);
}

/* ---- groups ---- */

static struct group *find(const struct groups *groups, const struct identity *identity)
{
	for (size_t i = 0; i < groups->size; i++)
		if (is_same(&groups->items[i].identity, identity))
			return &groups->items[i];
	return NULL;
}

/* NULL: no memory. */
static struct group *find_or_add(struct groups *groups, const struct identity *identity)
{
	struct group *found = find(groups, identity);

	if (found)
		return found;
	if (groups->size == groups->capacity) {
		size_t capacity = groups->capacity ? 2 * groups->capacity : 32;
		struct group *grown = reallocarray(groups->items, capacity, sizeof(*groups->items));

		if (!grown)
			return NULL;
		groups->items = grown;
		groups->capacity = capacity;
	}
	groups->items[groups->size] = (struct group){.identity = *identity};
	return &groups->items[groups->size++];
}

/* `run` counts from 1. */
static int spend(struct groups *groups, const struct identity *identity, enum side side, size_t run,
		 double ns)
{
	struct group *group = find_or_add(groups, identity);

	if (!group)
		return -ENOMEM;
	group->ns[side] += ns;
	group->runs += group->last_run != run;
	group->last_run = run;
	return 0;
}

static void keep_most(struct group *group, enum side side, const struct probekit_cause *cause)
{
	if (cause && (!group->most[side] || cause->time_ns > group->most[side]->time_ns))
		group->most[side] = cause;
}

static int add_row(struct groups *groups, const struct probekit_probe *row, enum side side,
		   size_t run)
{
	double spans = (double)row->count;
	double rest[PROBEKIT_CLASS_COUNT];
	int result = 0;

	for (int c = 0; c < PROBEKIT_CLASS_COUNT; c++)
		rest[c] = (double)row->time_ns[c];
	for (size_t i = 0; i < row->wait_count && !result; i++) {
		const struct probekit_wait *wait = &row->waits[i];
		struct identity identity = identity_of_wait(row, wait);

		rest[wait->time_class] -= (double)wait->time_ns;
		result = spend(groups, &identity, side, run, (double)wait->time_ns / spans);
	}
	for (int c = 0; c < PROBEKIT_CLASS_COUNT && !result; c++) {
		const struct identity unknown = {.time_class = (enum probekit_class)c};

		if (rest[c] > 0)
			result = spend(groups, &unknown, side, run, rest[c] / spans);
	}
	for (size_t i = 0; i < row->cause_count && !result; i++) {
		struct identity identity = identity_of_cause(row, &row->causes[i]);
		struct group *group = find(groups, &identity);

		if (group)
			keep_most(group, side, &row->causes[i]);
	}
	return result;
}

/* The name of a temporary file or a pipe is seen in one run alone: it tells runs apart, and not
 * builds. */
static int forget_names_of_one_run(struct groups *groups)
{
	for (size_t i = 0; i < groups->size; i++) {
		struct identity nameless = groups->items[i].identity;
		struct group *all;
		struct group *one;

		if (!nameless.object || groups->items[i].runs > 1)
			continue;
		nameless.object = NULL;
		all = find_or_add(groups, &nameless);
		if (!all)
			return -ENOMEM;
		one = &groups->items[i];
		for (enum side side = BASE; side < SIDES; side++) {
			all->ns[side] += one->ns[side];
			keep_most(all, side, one->most[side]);
		}
		*one = (struct group){.identity = one->identity, .runs = one->runs};
	}
	return 0;
}

/* ---- where threads ran ---- */

/* Of smaller ones the shares, which scatter, tell nothing. */
#define LEAST_GROWTH 0.25

static const struct probekit_cause *place_of(const struct probekit_probe *row)
{
	for (size_t i = 0; i < row->cause_count; i++)
		if (row->causes[i].time_class == PROBEKIT_CLASS_ONCPU && row->causes[i].stack.size)
			return &row->causes[i];
	return NULL;
}

/* The mean share of the runs that have one. Where another function was the hottest, the least that it may have
 * been, or the most; and so where no run has any. */
static double share_of(const char *function, const struct probekit_probe *const *rows, size_t pairs,
		       bool is_most)
{
	double sum = 0;
	size_t known = 0;

	for (size_t i = 0; i < pairs; i++) {
		const struct probekit_cause *place = place_of(rows[i]);

		if (!place)
			continue;
		known++;
		if (breakdown_is_same(place->stack.frames[0].function, function))
			sum += place->stack.share;
		else if (is_most)
			sum += fmin(place->stack.share, 1 - place->stack.share);
	}
	return known ? sum / (double)known : is_most;
}

/* Whether most of the difference is in the function that is hot where it took more. */
static bool is_located(const struct probekit_cause_difference *found,
		       const struct probekit_probe *const *base,
		       const struct probekit_probe *const *head, size_t pairs)
{
	bool is_head = found->head_ns > found->base_ns;
	double more_ns = is_head ? found->head_ns : found->base_ns;
	double less_ns = is_head ? found->base_ns : found->head_ns;
	double growth_ns = more_ns - less_ns;
	const struct probekit_stack *stack = &found->cause->stack;
	double more;
	double less;

	if (found->cause->time_class != PROBEKIT_CLASS_ONCPU || !stack->size ||
	    !stack->frames[0].function || found->is_of_head != is_head)
		return false;
	more = share_of(stack->frames[0].function, is_head ? head : base, pairs, false);
	less = share_of(stack->frames[0].function, is_head ? base : head, pairs, true);
	if ((1 - more) * more_ns <= growth_ns / 2)
		return true; /* there is too little else */
	return growth_ns >= LEAST_GROWTH * less_ns && more >= less &&
	       more * more_ns - less * less_ns >= growth_ns / 2;
}

/* ---- differences ---- */

static int by_difference(const void *left, const void *right)
{
	const struct probekit_cause_difference *a = left;
	const struct probekit_cause_difference *b = right;
	double x = fabs(a->head_ns - a->base_ns);
	double y = fabs(b->head_ns - b->base_ns);

	return x < y ? 1 : -(x > y);
}

static int list(const struct groups *groups, size_t pairs, size_t most,
		struct probekit_cause_difference **causes, size_t *count)
{
	struct probekit_cause_difference *made = calloc(groups->size + 1, sizeof(*made));
	size_t size = 0;

	if (!made)
		return -ENOMEM;
	for (size_t i = 0; i < groups->size; i++) {
		const struct group *group = &groups->items[i];
		enum side more = group->ns[HEAD] > group->ns[BASE] ? HEAD : BASE;
		enum side told = group->most[more] ? more : (enum side) !more;

		if (group->most[told])
			made[size++] = (struct probekit_cause_difference){
				.cause = group->most[told],
				.is_of_head = told == HEAD,
				.base_ns = group->ns[BASE] / (double)pairs,
				.head_ns = group->ns[HEAD] / (double)pairs,
			};
	}
	qsort(made, size, sizeof(*made), by_difference);
	*causes = made;
	*count = size < most ? size : most;
	return 0;
}

int compare_causes(const struct probekit_probe *const *base,
		   const struct probekit_probe *const *head, size_t pairs, size_t most,
		   struct probekit_cause_difference **causes, size_t *count)
{
	struct groups groups = {0};
	int result = 0;

	for (size_t i = 0; i < pairs && !result; i++) {
		result = add_row(&groups, base[i], BASE, 2 * i + 1);
		if (!result)
			result = add_row(&groups, head[i], HEAD, 2 * i + 2);
	}
	if (!result && pairs > 1)
		result = forget_names_of_one_run(&groups);
	if (!result)
		result = list(&groups, pairs, most, causes, count);
	for (size_t i = 0; !result && i < *count; i++)
		(*causes)[i].is_located = is_located(&(*causes)[i], base, head, pairs);
	free(groups.items);
	return result;
}
