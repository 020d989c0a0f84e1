/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading the runs of a snapshot: large ones by several threads at once, each of which takes the next run
 * that nobody has. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "json_parts.h"
#include "runs_json.h"

#define THREADS_MAX 4
#define THREAD_BYTES (1 << 20) /* of text, for which a thread is worth its while */

struct runs {
	const struct json_value *list;
	struct probekit_snapshot **into;
	size_t count;
	atomic_size_t next;
	atomic_bool has_failed;
};

struct worker {
	struct runs *runs;
	struct json_reader reader;
	struct probekit_error err;
	int result;
	size_t failed; /* number of the run, where there is a result */
	pthread_t thread;
	bool is_started;
};

static int read_run(struct json_reader *r, const struct runs *runs, size_t i)
{
	const struct json_value *object = json_value_at(runs->list, i);
	size_t outside = json_enter(r, "runs", (long)i);
	int result = json_value_is(object, VALUE_OBJECT)
			     ? snapshot_body_from_json(r, object, &runs->into[i])
			     : json_malformed(r, "", "is not an object");

	json_leave(r, outside);
	return result;
}

/* A run that was taken is read to its end: of those that fail, the first is always among them. */
static void *read_some(void *arg)
{
	struct worker *worker = arg;
	struct runs *runs = worker->runs;

	while (!worker->result && !atomic_load(&runs->has_failed)) {
		size_t i = atomic_fetch_add(&runs->next, 1);

		if (i >= runs->count)
			break;
		worker->result = read_run(&worker->reader, runs, i);
		worker->failed = i;
		if (worker->result)
			atomic_store(&runs->has_failed, true);
	}
	json_tree_done(&worker->reader.row);
	return NULL;
}

static size_t thread_count(const struct json_reader *r, size_t runs)
{
	size_t count = 1 + (size_t)(r->end - r->text) / THREAD_BYTES;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (count > THREADS_MAX)
		count = THREADS_MAX;
	if (cpus > 0 && count > (size_t)cpus)
		count = (size_t)cpus;
	return count < runs ? count : runs;
}

/* The first worker is this thread. */
static void read_all(struct worker *workers, size_t count)
{
	for (size_t i = 1; i < count; i++)
		workers[i].is_started =
			pthread_create(&workers[i].thread, NULL, read_some, &workers[i]) == 0;
	read_some(&workers[0]);
	for (size_t i = 1; i < count; i++)
		if (workers[i].is_started)
			pthread_join(workers[i].thread, NULL);
}

int runs_from_json(struct json_reader *r, const struct json_value *root,
		   struct probekit_snapshot *snapshot)
{
	struct worker *workers;
	const struct worker *first = NULL;
	struct runs runs = {.list = json_value_get(root, "runs")};
	size_t threads;
	void *room;
	int result = json_read_room(r, root, "runs", sizeof(*runs.into), &room, &runs.count);

	snapshot->runs = runs.into = room;
	snapshot->run_count = runs.count;
	if (result || !runs.count)
		return result;
	threads = thread_count(r, runs.count);
	workers = calloc(threads, sizeof(*workers));
	if (!workers)
		return error_no_memory(r->err);
	for (size_t i = 0; i < threads; i++) {
		workers[i].runs = &runs;
		workers[i].reader = (struct json_reader){
			.name = r->name, .text = r->text, .end = r->end, .err = &workers[i].err};
	}
	read_all(workers, threads);
	for (size_t i = 0; i < threads; i++)
		if (workers[i].result && (!first || workers[i].failed < first->failed))
			first = &workers[i];
	if (first) {
		result = first->result;
		if (r->err)
			*r->err = first->err;
	}
	free(workers);
	return result;
}
