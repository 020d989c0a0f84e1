/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TCP side of the service: connections on 127.0.0.1, served by a pool of worker threads.
 * A request is a line of text; the answer is "ok" and the checksum of that line. Each request is
 * logged; one that begins with "audit " is urgent to the log.
 */
#ifndef LOGGER_SERVER_H
#define LOGGER_SERVER_H

#include "log.h"

enum { SERVER_MAX_THREADS = 64 };

struct server;

/*
 * Listens on 127.0.0.1:port, or on a free port for 0, with the given number of workers (at most
 * SERVER_MAX_THREADS). NULL after an error, which is printed. The log must outlive the server.
 */
struct server *server_start(unsigned int port, unsigned int threads, struct log *log);

unsigned int server_port(const struct server *server);

/*
 * Accepts connections until stop_fd is readable or the seconds have passed (0: no limit).
 * Returns -1 after an error, which is printed.
 */
int server_run(struct server *server, int stop_fd, unsigned int seconds);

/* Lets requests that are being handled finish, closes every connection, frees the server. */
void server_stop(struct server *server, unsigned long *requests);

#endif
