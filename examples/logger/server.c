/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections and workers. The thread in server_run() accepts; every worker waits on one epoll
 * set. EPOLLONESHOT gives a connection to one worker at a time, so that a connection needs no
 * lock and a worker stuck in the log holds up no other connection.
 */
#define _GNU_SOURCE 1
#include "server.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <probekit/probe.h>

enum { MAX_CONNECTIONS = 256, MAX_REQUEST = 1024 };

struct connection {
	atomic_int fd; /* -1: free; set by the accepting thread, cleared by a worker */
	size_t used;
	char input[MAX_REQUEST];
};

struct server {
	int listener;
	int epoll;
	int stop_event;
	unsigned int threads;
	struct log *log;
	atomic_ulong requests;
	pthread_t workers[SERVER_MAX_THREADS];
	struct connection connections[MAX_CONNECTIONS];
};

static uint64_t fnv1a(const char *text, size_t size)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* Formats outside the log's mutex. A control character must not forge or garble a log line. */
static size_t format_line(char line[static MAX_REQUEST + 64], const char *request, size_t size)
{
	struct timespec now;
	struct tm utc;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	used = strftime(line, 64, "%Y-%m-%dT%H:%M:%S", &utc);
	used += (size_t)sprintf(line + used, ".%06ldZ ", now.tv_nsec / 1000);
	for (size_t i = 0; i < size; i++)
		line[used++] = iscntrl((unsigned char)request[i]) ? '?' : request[i];
	line[used++] = '\n';
	return used;
}

/* Returns -1 when the connection is to be closed: the peer is gone or reads no answers. */
OWN_FRAME static int handle_request(struct server *server, int fd, const char *request, size_t size)
{
	PROBEKIT_SPAN(logger, request);
	bool is_audit = size >= 6 && !memcmp(request, "audit ", 6);
	char line[MAX_REQUEST + 64], answer[64];
	int length;

	atomic_fetch_add(&server->requests, 1);
	if (append_line(server->log, line, format_line(line, request, size), is_audit))
		length = snprintf(answer, sizeof(answer), "error the log cannot be written\n");
	else
		length = snprintf(answer, sizeof(answer), "ok %016" PRIx64 "\n",
				  fnv1a(request, size));
	return send(fd, answer, (size_t)length, MSG_NOSIGNAL) == length ? 0 : -1;
}

/* Handles each complete line of the input and keeps the rest. */
static int handle_input(struct server *server, struct connection *connection, int fd)
{
	char *start = connection->input, *end = start + connection->used, *newline;

	while ((newline = memchr(start, '\n', (size_t)(end - start)))) {
		if (handle_request(server, fd, start, (size_t)(newline - start)))
			return -1;
		start = newline + 1;
	}
	connection->used = (size_t)(end - start);
	memmove(connection->input, start, connection->used);
	return connection->used < sizeof(connection->input) ? 0 : -1;
}

static int watch(struct server *server, struct connection *connection, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = connection};

	return epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event);
}

/*
 * EPOLL_CTL_MOD would do; but of the two ThreadSanitizer takes only an addition to order this
 * worker's turn before the next one's.
 */
static int watch_again(struct server *server, struct connection *connection, int fd)
{
	epoll_ctl(server->epoll, EPOLL_CTL_DEL, fd, NULL);
	return watch(server, connection, fd);
}

/* One turn of a connection that has input: it goes back to the epoll set or is closed. */
static void serve(struct server *server, struct connection *connection)
{
	int fd = atomic_load(&connection->fd);
	ssize_t n = recv(fd, connection->input + connection->used,
			 sizeof(connection->input) - connection->used, 0);

	if (n > 0) {
		connection->used += (size_t)n;
		if (!handle_input(server, connection, fd) && !watch_again(server, connection, fd))
			return;
	} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (!watch_again(server, connection, fd))
			return;
	}
	close(fd);
	atomic_store(&connection->fd, -1);
}

static void *worker_main(void *arg)
{
	struct server *server = arg;
	struct epoll_event event;

	for (;;) {
		if (epoll_wait(server->epoll, &event, 1, -1) != 1)
			continue;
		/* The stop event has no connection, and stays up until all have seen it. */
		if (!event.data.ptr)
			return NULL;
		serve(server, event.data.ptr);
	}
}

static struct connection *free_connection(struct server *server)
{
	for (size_t i = 0; i < MAX_CONNECTIONS; i++)
		if (atomic_load(&server->connections[i].fd) < 0)
			return &server->connections[i];
	return NULL;
}

static int accept_connection(struct server *server)
{
	int fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
	struct connection *connection = free_connection(server);

	if (fd < 0) {
		/* The peer may have left the queue again before we came to it. */
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return 0;
		fprintf(stderr, "logger: cannot accept a connection: %s\n", strerror(errno));
		return -1;
	}
	if (!connection) {
		close(fd);
		return 0;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	connection->used = 0;
	atomic_store(&connection->fd, fd);
	if (watch(server, connection, fd)) {
		fprintf(stderr, "logger: cannot watch a connection: %s\n", strerror(errno));
		atomic_store(&connection->fd, -1);
		close(fd);
		return -1;
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

int server_run(struct server *server, int stop_fd, unsigned int seconds)
{
	struct pollfd fds[] = {
		{.fd = stop_fd, .events = POLLIN},
		{.fd = server->listener, .events = POLLIN},
	};
	int64_t end = now_ms() + seconds * INT64_C(1000);

	for (;;) {
		int64_t left = seconds ? end - now_ms() : -1;

		if (seconds && left <= 0)
			return 0;
		if (poll(fds, 2, (int)left) < 0 && errno != EINTR) {
			fprintf(stderr, "logger: cannot wait for connections: %s\n",
				strerror(errno));
			return -1;
		}
		if (fds[0].revents)
			return 0;
		if (fds[1].revents && accept_connection(server))
			return -1;
	}
}

static int listen_on(struct server *server, unsigned int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int on = 1;

	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (server->listener < 0 ||
	    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(server->listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(server->listener, MAX_CONNECTIONS)) {
		fprintf(stderr, "logger: cannot listen on 127.0.0.1:%u: %s\n", port,
			strerror(errno));
		return -1;
	}
	return 0;
}

static int start_workers(struct server *server, unsigned int threads)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	int error = 0;

	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->epoll < 0 || server->stop_event < 0 ||
	    epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->stop_event, &event)) {
		fprintf(stderr, "logger: cannot create an event queue: %s\n", strerror(errno));
		return -1;
	}
	while (server->threads < threads && !error) {
		pthread_t *worker = &server->workers[server->threads];

		error = pthread_create(worker, NULL, worker_main, server);
		server->threads += !error;
	}
	if (error)
		fprintf(stderr, "logger: cannot start a thread: %s\n", strerror(error));
	return error ? -1 : 0;
}

struct server *server_start(unsigned int port, unsigned int threads, struct log *log)
{
	struct server *server = calloc(1, sizeof(*server));
	unsigned long requests;

	if (!server) {
		fprintf(stderr, "logger: out of memory\n");
		return NULL;
	}
	server->log = log;
	server->listener = server->epoll = server->stop_event = -1;
	for (size_t i = 0; i < MAX_CONNECTIONS; i++)
		atomic_init(&server->connections[i].fd, -1);
	if (listen_on(server, port) || start_workers(server, threads)) {
		server_stop(server, &requests);
		return NULL;
	}
	return server;
}

unsigned int server_port(const struct server *server)
{
	struct sockaddr_in address = {.sin_port = 0};
	socklen_t size = sizeof(address);

	getsockname(server->listener, (struct sockaddr *)&address, &size);
	return ntohs(address.sin_port);
}

void server_stop(struct server *server, unsigned long *requests)
{
	if (server->stop_event >= 0)
		eventfd_write(server->stop_event, 1);
	for (unsigned int i = 0; i < server->threads; i++)
		pthread_join(server->workers[i], NULL);
	*requests = atomic_load(&server->requests);

	for (size_t i = 0; i < MAX_CONNECTIONS; i++)
		if (atomic_load(&server->connections[i].fd) >= 0)
			close(atomic_load(&server->connections[i].fd));
	if (server->stop_event >= 0)
		close(server->stop_event);
	if (server->epoll >= 0)
		close(server->epoll);
	if (server->listener >= 0)
		close(server->listener);
	free(server);
}
