/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The load generator of logger: connections that send at random moments and, five times a second
 * and all together, an audit request each, as clients on timers do. A latency counts from the
 * moment a request was due, so that one slow answer is not hidden by the requests it held back.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "parse.h"

#define NS_PER_S INT64_C(1000000000)

enum { AUDITS_PER_S = 5, MAX_CONNECTIONS = 256 };

/* Log-linear: 64 buckets an octave, so a quantile is at most 1.6 % too high. */
enum { STEP_BITS = 6, STEPS = 1 << STEP_BITS, BUCKETS = (64 - STEP_BITS + 1) * STEPS };

struct options {
	unsigned int port;
	unsigned int connections;
	unsigned int rate;
	unsigned int duration;
};

struct latencies {
	uint64_t count;
	uint64_t max_ns;
	uint64_t buckets[BUCKETS];
};

/* Shared by all clients; constant once they run, but for the flag. */
struct load {
	struct options options;
	int stop_event;
	int64_t start_ns;
	atomic_bool has_failed;
};

struct client {
	struct load *load;
	unsigned int number;
	unsigned int seed;
	int fd;
	pthread_t thread;
	struct latencies latencies;
};

static size_t bucket_of(uint64_t ns)
{
	unsigned int shift = ns < STEPS ? 0 : 63 - STEP_BITS - (unsigned int)__builtin_clzll(ns);

	return (size_t)shift * STEPS + (size_t)(ns >> shift);
}

static uint64_t bucket_end(size_t bucket)
{
	size_t shift = bucket < 2 * STEPS ? 0 : bucket / STEPS - 1;

	return (uint64_t)(bucket - shift * STEPS + 1) << shift;
}

static void latencies_add(struct latencies *latencies, uint64_t ns)
{
	latencies->count++;
	latencies->buckets[bucket_of(ns)]++;
	if (ns > latencies->max_ns)
		latencies->max_ns = ns;
}

static void latencies_merge(struct latencies *into, const struct latencies *from)
{
	into->count += from->count;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	for (size_t i = 0; i < BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
}

static uint64_t latencies_quantile(const struct latencies *latencies, double quantile)
{
	uint64_t rank = (uint64_t)(quantile * (double)latencies->count), seen = 0;

	for (size_t i = 0; i < BUCKETS; i++) {
		seen += latencies->buckets[i];
		if (seen > rank && bucket_end(i) < latencies->max_ns)
			return bucket_end(i);
	}
	return latencies->max_ns;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* One line for the first failure only: the others mostly follow from it. */
static int fail(struct load *load, const char *what, const char *why)
{
	if (!atomic_exchange(&load->has_failed, true))
		fprintf(stderr, "logger-load: %s 127.0.0.1:%u: %s\n", what, load->options.port,
			why);
	eventfd_write(load->stop_event, 1);
	return -1;
}

static int connect_client(struct client *client)
{
	struct load *load = client->load;
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)load->options.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct timeval patience = {.tv_sec = 10};
	int on = 1;

	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof(address)))
		return fail(load, "cannot connect to", strerror(errno));
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return 0;
}

/* Returns false once the load is to stop. */
static bool wait_until(const struct load *load, int64_t due_ns)
{
	struct pollfd stop = {.fd = load->stop_event, .events = POLLIN};
	int64_t left_ns = due_ns - now_ns();
	struct timespec left = {0};

	if (left_ns > 0) {
		left.tv_sec = left_ns / NS_PER_S;
		left.tv_nsec = left_ns % NS_PER_S;
	}
	return ppoll(&stop, 1, &left, NULL) == 0;
}

static int exchange(struct client *client, bool is_audit)
{
	char request[96], answer[64];
	int length = snprintf(request, sizeof(request), "%s client %u item %d\n",
			      is_audit ? "audit" : "get", client->number, rand_r(&client->seed));
	size_t used = 0;

	if (send(client->fd, request, (size_t)length, MSG_NOSIGNAL) != length)
		return fail(client->load, "cannot send to", strerror(errno));
	while (!used || answer[used - 1] != '\n') {
		ssize_t n = recv(client->fd, answer + used, sizeof(answer) - used, 0);

		if (n < 0)
			return fail(client->load, "no answer from", strerror(errno));
		if (!n)
			return fail(client->load, "no answer from", "it closed the connection");
		used += (size_t)n;
	}
	if (memcmp(answer, "ok ", 3) != 0)
		return fail(client->load, "bad answer from", "not 'ok'");
	return 0;
}

/* Random gaps, or the connections would march in step; the mean is what --rate asks for. */
static int64_t random_gap(struct client *client)
{
	const struct options *options = &client->load->options;
	double mean_ns = (double)NS_PER_S * options->connections / options->rate;

	return (int64_t)(2 * mean_ns * rand_r(&client->seed) / RAND_MAX);
}

static void *client_main(void *arg)
{
	struct client *client = arg;
	struct load *load = client->load;
	bool is_paced = load->options.rate > 0;
	int64_t next_audit = load->start_ns + NS_PER_S / AUDITS_PER_S;
	int64_t next_get = load->start_ns + (is_paced ? random_gap(client) : 0);

	/* The default slack of 50 us would blur the moments at which clients send. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	for (;;) {
		int64_t get_due = is_paced ? next_get : now_ns();
		bool is_audit = next_audit <= get_due, is_late;
		int64_t due = is_audit ? next_audit : get_due, from;

		/* A wake-up later than asked for is our timer's delay, not the service's. */
		is_late = due <= now_ns();
		if (!wait_until(load, due))
			return NULL;
		from = is_late ? due : now_ns();
		if (exchange(client, is_audit))
			return NULL;
		latencies_add(&client->latencies, (uint64_t)(now_ns() - from));
		if (is_audit)
			next_audit += NS_PER_S / AUDITS_PER_S;
		else if (is_paced)
			next_get += random_gap(client);
	}
}

static const char usage[] =
	"usage: logger-load --port PORT [options]\n"
	"Sends requests to a logger on 127.0.0.1 and prints the latencies it saw.\n"
	"  --port PORT         where logger listens\n"
	"  --connections N     connections, with one request under way on each (16)\n"
	"  --rate N            requests a second over all connections (4000; 0: no pause)\n"
	"  --duration SECONDS  stop after so long (10; 0: at SIGINT or SIGTERM)\n"
	"  --help              print this text\n";

static unsigned int number(const char *option, unsigned int min, unsigned int max)
{
	return parse_number("logger-load", option, optarg, min, max);
}

static struct options parse_options(int argc, char **argv)
{
	static const struct option known[] = {
		{"port", required_argument, NULL, 'p'},
		{"connections", required_argument, NULL, 'c'},
		{"rate", required_argument, NULL, 'r'},
		{"duration", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct options options = {.connections = 16, .rate = 4000, .duration = 10};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'p')
			options.port = number("port", 1, 65535);
		else if (option == 'c')
			options.connections = number("connections", 1, MAX_CONNECTIONS);
		else if (option == 'r')
			options.rate = number("rate", 0, 10000000);
		else if (option == 'd')
			options.duration = number("duration", 0, 1000000);
		else if (option == 'h')
			exit(fputs(usage, stdout) < 0);
		else
			exit(2);
	}
	if (optind < argc || !options.port) {
		fprintf(stderr, "logger-load: %s; try --help\n",
			options.port ? "unexpected argument" : "--port is missing");
		exit(2);
	}
	return options;
}

static void wait_for_end(struct load *load, const sigset_t *signals)
{
	struct pollfd fds[] = {
		{.fd = load->stop_event, .events = POLLIN},
		{.fd = signalfd(-1, signals, SFD_CLOEXEC), .events = POLLIN},
	};
	struct timespec duration = {.tv_sec = load->options.duration};

	ppoll(fds, 2, load->options.duration ? &duration : NULL, NULL);
	eventfd_write(load->stop_event, 1);
	close(fds[1].fd);
}

static void print_latencies(const struct latencies *latencies, int64_t elapsed_ns)
{
	double seconds = (double)elapsed_ns / (double)NS_PER_S;

	printf("%llu requests in %.1f s: %.0f/s\n", (unsigned long long)latencies->count, seconds,
	       (double)latencies->count / seconds);
	if (latencies->count)
		printf("latency p50 %.1f us  p99 %.1f us  max %.1f us\n",
		       (double)latencies_quantile(latencies, 0.5) / 1e3,
		       (double)latencies_quantile(latencies, 0.99) / 1e3,
		       (double)latencies->max_ns / 1e3);
}

/* Runs every client to the end; the clients' latencies are summed in the first one's. */
static void run(struct load *load, struct client *clients, const sigset_t *signals)
{
	unsigned int connections = load->options.connections, started = 0;
	int error = 0;

	for (unsigned int i = 0; i < connections; i++) {
		clients[i] = (struct client){.load = load, .number = i, .seed = i + 1, .fd = -1};
		if (!atomic_load(&load->has_failed))
			connect_client(&clients[i]);
	}
	load->start_ns = now_ns();
	while (started < connections && !atomic_load(&load->has_failed)) {
		error = pthread_create(&clients[started].thread, NULL, client_main,
				       &clients[started]);
		if (error)
			fail(load, "cannot start a thread for", strerror(error));
		else
			started++;
	}
	wait_for_end(load, signals);
	for (unsigned int i = 0; i < started; i++) {
		pthread_join(clients[i].thread, NULL);
		if (i)
			latencies_merge(&clients[0].latencies, &clients[i].latencies);
	}
	if (started)
		print_latencies(&clients[0].latencies, now_ns() - load->start_ns);
	for (unsigned int i = 0; i < connections; i++)
		if (clients[i].fd >= 0)
			close(clients[i].fd);
}

int main(int argc, char **argv)
{
	struct load load = {.options = parse_options(argc, argv)};
	struct client *clients = calloc(load.options.connections, sizeof(*clients));
	sigset_t signals;

	/* Before any thread starts: all inherit the mask, and the main one polls for them. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	load.stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!clients || load.stop_event < 0) {
		fprintf(stderr, "logger-load: cannot start: %s\n", strerror(errno));
		free(clients);
		return 1;
	}
	run(&load, clients, &signals);
	close(load.stop_event);
	free(clients);
	return atomic_load(&load.has_failed) ? 1 : 0;
}
