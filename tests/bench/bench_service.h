/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_BENCH_SERVICE_H
#define PROBEKIT_BENCH_SERVICE_H
/* Real servers under their own load tools, and the probes whose price their throughput pays. */
#include <stdint.h>

#include "bench.h"

struct load {
	double requests; /* answered, by the load tool's own count */
	double per_s;
};

struct server {
	const struct service *service;
	struct bench_child child; /* pid 0: not started */
	char object[512];	  /* the file that is traced */
	char place[512];	  /* folder or port, for its load tool */
};

/* What is traced is a list of spans, each from one site of the file to another, or one function. */
struct traced_span {
	const char *name;
	const char *provider; /* NULL: `begin` is a function, from entry to return */
	const char *begin;
	const char *end;
};

struct service {
	const char *name;
	/* Returns once it takes requests; on failure server->child is over. */
	int (*start)(struct bench_run *run, struct server *server);
	void (*stop)(struct server *server);
	/* About a second of requests, as fast as the server answers. */
	int (*load)(struct bench_run *run, struct server *server, struct load *load);
	bool is_traced_by_path; /* it forks; all its processes are traced */
	/* The first is the request; its count is checked. Ends with a NULL name. */
	const struct traced_span *spans;
	const char *probekit_options[4]; /* what selects the spans */
	const char *probekit_name;	 /* what it calls the first */
};

extern const struct service service_redis;
extern const struct service service_postgresql;
extern const struct service service_postgresql_function;
extern const struct service service_nginx;
extern const struct service service_logger;

/* A program that only counts its runs, on all begins and ends of these spans. */
struct service_empty {
	int map;
	int program;
	int links[2];
};

int service_empty_attach(struct bench_run *run, struct service_empty *empty,
			 const struct server *server);
void service_empty_detach(struct service_empty *empty);
/* Times that it ran; negative errno. */
int64_t service_empty_runs(const struct service_empty *empty);

#endif
