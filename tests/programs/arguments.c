/* SPDX-License-Identifier: BSD-2-Clause */
/* Sites of every kind whose arguments the program adds up itself: constants, registers, and what finds
 * room only on the stack, of every width and sign. */
#include <probekit/probe.h>

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "program.h"

#define NOINLINE __attribute__((noinline))
#define THREADS 4
#define SENT 12

struct worker {
	pthread_t thread;
	unsigned long number;
	unsigned long count;
	long long sums[SENT]; /* of each argument, as the tracer must have them */
	long long keys;
	long long ids;
	long long values;
};

static struct worker workers[THREADS];

static NOINLINE void send(struct worker *worker, long long i)
{
	uint8_t byte = (uint8_t)(200 + i);
	int8_t negative_byte = (int8_t)(-100 - i % 28);
	uint16_t word = (uint16_t)(60000 + i);
	int16_t negative_word = (int16_t)(-30000 + i);
	uint32_t number = 4000000000u + (uint32_t)i;
	int32_t negative_number = -2000000000 + (int32_t)i;
	uint64_t large = UINT64_MAX - (uint64_t)i;
	int64_t negative_large = INT64_MIN + i;
	_Bool is_odd = i & 1;
	const void *pointer = worker;

	PROBEKIT_EVENT(arguments, sent, byte, negative_byte, word, negative_word, number,
		       negative_number, large, negative_large, is_odd, pointer, -42, i);
	worker->sums[0] += byte;
	worker->sums[1] += negative_byte;
	worker->sums[2] += word;
	worker->sums[3] += negative_word;
	worker->sums[4] += number;
	worker->sums[5] += negative_number;
	/* two's complement: they wrap */
	worker->sums[6] = (long long)((uint64_t)worker->sums[6] + large);
	worker->sums[7] = (long long)((uint64_t)worker->sums[7] + (uint64_t)negative_large);
	worker->sums[8] += is_odd;
	worker->sums[9] = (long long)((uint64_t)worker->sums[9] + (uint64_t)(uintptr_t)pointer);
	worker->sums[10] += -42;
	worker->sums[11] += i;
}

static NOINLINE void request(struct worker *worker, long key, long long i)
{
	PROBEKIT_SPAN_KEY(arguments, request, key);
	send(worker, i);
	worker->keys += key;
}

static NOINLINE void job(struct worker *worker, unsigned long i)
{
	uint64_t id = (uint64_t)worker->number << 32 | i;

	PROBEKIT_ASYNC_BEGIN(arguments, job, id);
	PROBEKIT_SPAN_BEGIN(arguments, step);
	PROBEKIT_VALUE(arguments, depth, (long)i - 10);
	PROBEKIT_SPAN_END(arguments, step);
	PROBEKIT_ASYNC_END(arguments, job, id);
	worker->ids += (long long)id;
	worker->values += (long)i - 10;
}

static void *run(void *arg)
{
	struct worker *worker = arg;

	for (unsigned long i = 0; i < worker->count; i++) {
		request(worker, (long)(i % 7) - 3, (long long)i);
		job(worker, i);
	}
	return NULL;
}

static long long total(size_t at)
{
	uint64_t sum = 0;

	for (int i = 0; i < THREADS; i++) {
		long long part;

		memcpy(&part, (const char *)&workers[i] + at, sizeof(part));
		sum += (uint64_t)part;
	}
	return (long long)sum;
}

static void all(unsigned long count)
{
	char name[16];

	for (unsigned long i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.number = i, .count = count};
		if (pthread_create(&workers[i].thread, NULL, run, &workers[i]))
			abort();
	}
	for (int i = 0; i < THREADS; i++)
		if (pthread_join(workers[i].thread, NULL))
			abort();
	for (size_t n = 0; n < SENT; n++) {
		snprintf(name, sizeof(name), "sent%zu", n);
		tell(name, total(offsetof(struct worker, sums) + n * sizeof(long long)));
	}
	tell("keys", total(offsetof(struct worker, keys)));
	tell("ids", total(offsetof(struct worker, ids)));
	tell("values", total(offsetof(struct worker, values)));
}

/* ---- locks, and what cannot be read ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void locks(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++)
		if (PROBEKIT_MUTEX_LOCK(arguments, guard, &mutex) ||
		    PROBEKIT_MUTEX_UNLOCK(arguments, guard, &mutex))
			abort();
	tell("mutex", (long long)(uintptr_t)&mutex);
}

static void floats(unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		double ratio = (double)i / 3;

		PROBEKIT_EVENT(arguments, ratio, ratio, i);
	}
}

/* ---- functions ---- */

static NOINLINE long weigh(long a, long b, long c, long d, long e, long f)
{
	return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f;
}

static void calls(unsigned long count)
{
	/* Else the compiler makes a clone that is given less. */
	long (*volatile call)(long, long, long, long, long, long) = weigh;
	long given[6] = {0};
	long result = 0;
	char name[16];

	for (long i = 0; i < (long)count; i++) {
		long each[6] = {i, -i, 3, i * i, -7, i + 1000000000000};

		for (int n = 0; n < 6; n++)
			given[n] += each[n];
		result += call(each[0], each[1], each[2], each[3], each[4], each[5]);
	}
	for (int n = 0; n < 6; n++) {
		snprintf(name, sizeof(name), "given%d", n);
		tell(name, given[n]);
	}
	tell("result", result);
}

static int is_traced(void)
{
	return PROBEKIT_ENABLED(arguments, request) || PROBEKIT_ENABLED(arguments, sent);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{"all", all}, {"locks", locks}, {"floats", floats}, {"calls", calls}, {NULL, NULL},
	};

	return program_main(argc, argv, modes, is_traced);
}
