/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock_told.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

const char *lock_told_next_line(const char *line)
{
	line = strchr(line, '\n');
	return line && line[1] ? line + 1 : NULL;
}

static struct lock_told_holder *holder_of(struct lock_told *told, long tid)
{
	size_t i = 0;

	while (i < told->holder_count && told->holders[i].tid != tid)
		i++;
	assert_true(i < LOCK_HOLDERS_MAX);
	told->holder_count += i == told->holder_count;
	told->holders[i].tid = tid;
	return &told->holders[i];
}

static void read_holder(struct lock_told *told, const char *line)
{
	long long ns;
	long waits;
	long tid;
	long pid;

	if (sscanf(line, "held %*s %ld ns %lld pid %ld", &tid, &ns, &pid) == 3) {
		holder_of(told, tid)->share = (double)ns / (double)told->ns;
		holder_of(told, tid)->pid = pid;
	}
	if (sscanf(line, "rival %*s %ld waits %ld", &tid, &waits) == 2)
		holder_of(told, tid)->rival_waits = waits;
	if (sscanf(line, "holder %*s %ld waits %ld", &tid, &waits) == 2)
		holder_of(told, tid)->long_waits = waits;
}

static void read_facts(struct lock_told *told, const char *text, const char *name)
{
	for (const char *line = text; line; line = lock_told_next_line(line)) {
		char what[16];
		char of[64];

		if (sscanf(line, "%15s %63s", what, of) < 2 || strcmp(of, name) != 0)
			continue;
		read_holder(told, line);
		told->waiter_count += strcmp(what, "waiter") == 0;
		sscanf(line, "waker %*s %ld", &told->waker);
		sscanf(line, "most %*s ns %lld", &told->most_ns);
		sscanf(line, "unsure %*s ns %lld", &told->unsure_ns);
		sscanf(line, "barged %*s waits %ld", &told->barged);
	}
}

bool lock_told_read(const char *text, const char *line, struct lock_told *told)
{
	char name[64];
	char *slash;

	*told = (struct lock_told){0};
	if (sscanf(line, "lock %63s %llx waits %ld ns %lld", name, &told->address, &told->waits,
		   &told->ns) != 4)
		return false;
	read_facts(told, text, name);
	strcpy(told->name, name);
	slash = strchr(told->name, '/');
	if (slash) {
		*slash = '\0';
		told->access = strcmp(slash + 1, "read") == 0 ? "read" : "write";
	}
	return true;
}

const struct lock_told_holder *lock_told_holder(const struct lock_told *told, int64_t tid)
{
	static const struct lock_told_holder none;

	for (size_t i = 0; i < told->holder_count; i++)
		if (told->holders[i].tid == tid)
			return &told->holders[i];
	return &none;
}

long lock_told_longest_holder(const struct lock_told *told)
{
	const struct lock_told_holder *longest = &told->holders[0];

	for (size_t i = 1; i < told->holder_count; i++)
		if (told->holders[i].long_waits > longest->long_waits)
			longest = &told->holders[i];
	return longest->tid;
}

double lock_told_shares(const struct lock_told *told)
{
	double share = 0;

	for (size_t i = 0; i < told->holder_count; i++)
		share += told->holders[i].share;
	return fmin(share, 1);
}
