/* SPDX-License-Identifier: BSD-2-Clause */
/* Something to look at: threads that serve objects to tenants, a piece at a time, and know how much they
 * have sent to whom. store [REQUESTS] */
#include <probekit/probe.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TENANTS 5
#define THREADS 4
#define PIECE 65536

static atomic_llong bytes_sent[TENANTS];
static atomic_llong requests[TENANTS];
static long requests_each;
static int sink;

static uint32_t next(uint32_t *random)
{
	*random = *random * 1664525 + 1013904223;
	return *random >> 8;
}

static void send_piece(int tenant, const char *data, size_t size)
{
	ssize_t written = write(sink, data, size);

	if (written < 0)
		abort();
	PROBEKIT_EVENT(store, sent, sink, written);
	atomic_fetch_add(&bytes_sent[tenant], written);
}

/* The fifth tenant keeps backups here. */
static void serve(int tenant, uint32_t *random)
{
	static const char data[PIECE];
	size_t left = tenant == 4 ? 2000000 + next(random) % 4000000 : 500 + next(random) % 80000;

	PROBEKIT_SPAN_KEY(store, request, tenant + 1);
	while (left) {
		size_t size = left < PIECE ? left : PIECE;

		send_piece(tenant, data, size);
		left -= size;
	}
	atomic_fetch_add(&requests[tenant], 1);
}

static void *work(void *arg)
{
	uint32_t random = (uint32_t)(uintptr_t)arg;

	for (long i = 0; i < requests_each; i++)
		serve((int)(next(&random) % 97 % TENANTS), &random);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	requests_each = (argc > 1 ? strtol(argv[1], NULL, 10) : 20000) / THREADS;
	sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (sink < 0)
		abort();
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)(i + 1)))
			abort();
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < TENANTS; i++)
		printf("tenant %d: %lld requests, %lld bytes\n", i + 1, requests[i], bytes_sent[i]);
	return 0;
}
