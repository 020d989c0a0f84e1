/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tool of one's own on top of probekit: what the argument of an event adds up to for each key of a
 * span, beside the span's latency.
 *
 *	bytes SPAN EVENT ARGUMENT PID [SECONDS]
 *	bytes SPAN EVENT ARGUMENT COMMAND [ARGS]
 */
#include <probekit/probekit.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "bytes.skel.h"

static int add_target(struct probekit_session *session, char **target, struct probekit_error *err)
{
	pid_t pid = atoi(target[0]);

	return pid > 0 ? probekit_session_add_pid(session, pid, err)
		       : probekit_session_add_command(session, target, err);
}

/* Which links a session uses, and so what its programs are loaded for, follows from its targets. */
static struct bytes_bpf *load(const struct probekit_session *session, unsigned int argument,
			      struct probekit_error *err)
{
	int type = probekit_session_attach_type(session, err);
	struct bytes_bpf *bpf = type < 0 ? NULL : bytes_bpf__open();
	struct bpf_program *program;

	if (!bpf)
		return NULL;
	bpf->rodata->argument = argument;
	bpf_object__for_each_program (program, bpf->obj)
		bpf_program__set_expected_attach_type(program, (enum bpf_attach_type)type);
	if (bytes_bpf__load(bpf) == 0)
		return bpf;
	bytes_bpf__destroy(bpf);
	return NULL;
}

static int add_programs(struct probekit_session *session, const struct bytes_bpf *bpf,
			const char *span, const char *event, struct probekit_error *err)
{
	const struct {
		const struct bpf_program *program;
		unsigned int roles;
		const char *events;
	} added[] = {
		{bpf->progs.span_begin, PROBEKIT_AT_BEGIN, NULL},
		{bpf->progs.span_end, PROBEKIT_AT_END, NULL},
		{bpf->progs.event, 0, event},
	};
	int result = probekit_session_add_span(session, span, err);

	for (size_t i = 0; i < sizeof(added) / sizeof(*added) && !result; i++) {
		const struct probekit_program program = {
			.size = sizeof(program),
			.fd = bpf_program__fd(added[i].program),
			.sites_fd = bpf_map__fd(bpf->maps.probekit_sites),
			.roles = added[i].roles,
			.events = added[i].events,
		};

		result = probekit_session_add_program(session, &program, err);
	}
	return result;
}

static int run(struct probekit_session *session, int seconds, struct probekit_error *err)
{
	int result = probekit_session_start(session, err);

	for (int i = 0; (i < 20 * seconds || seconds == 0) && result == 0; i++)
		result = probekit_session_poll(session, 50, err);
	return result < 0 ? result : probekit_session_stop(session, err);
}

static double p99_us(const struct probekit_snapshot *snapshot, long long key)
{
	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++) {
		const struct probekit_probe *row = probekit_snapshot_probe(snapshot, i);

		if (row->has_key && !row->is_key_overflow && row->key == key)
			return probekit_probe_quantile(row, 0.99) / 1000;
	}
	return 0;
}

struct line {
	__s64 key;
	struct total total;
};

static int compare_lines(const void *a, const void *b)
{
	const struct line *left = a;
	const struct line *right = b;

	return (left->key > right->key) - (left->key < right->key);
}

static void print(const struct bytes_bpf *bpf, const struct probekit_snapshot *snapshot)
{
	static struct line lines[MAX_KEYS];
	int map = bpf_map__fd(bpf->maps.totals);
	size_t count = 0;
	__s64 key;

	for (int more = bpf_map_get_next_key(map, NULL, &key); more == 0 && count < MAX_KEYS;
	     more = bpf_map_get_next_key(map, &key, &key)) {
		lines[count].key = key;
		count += bpf_map_lookup_elem(map, &key, &lines[count].total) == 0;
	}
	qsort(lines, count, sizeof(*lines), compare_lines);
	printf("%8s %10s %10s %10s %14s %12s\n", "key", "spans", "p99 us", "events", "bytes",
	       "bytes/span");
	for (size_t i = 0; i < count; i++) {
		const struct total *total = &lines[i].total;

		printf("%8lld %10llu %10.1f %10llu %14lld %12.0f\n", (long long)lines[i].key,
		       (unsigned long long)total->spans, p99_us(snapshot, lines[i].key),
		       (unsigned long long)total->events, (long long)total->bytes,
		       (double)total->bytes / (double)total->spans);
	}
	if (bpf->bss->outside || bpf->bss->lost)
		printf("%llu events outside of spans, %llu lost\n",
		       (unsigned long long)bpf->bss->outside, (unsigned long long)bpf->bss->lost);
}

static int measure(struct probekit_session *session, char **argv, struct probekit_error *err)
{
	int seconds = atoi(argv[4]) > 0 && argv[5] ? atoi(argv[5]) : 0;
	struct probekit_snapshot *snapshot;
	struct bytes_bpf *bpf;
	int result = add_target(session, argv + 4, err);

	if (result)
		return result;
	bpf = load(session, (unsigned int)atoi(argv[3]), err);
	if (!bpf)
		return -1;
	result = add_programs(session, bpf, argv[1], argv[2], err);
	if (!result)
		result = run(session, seconds, err);
	if (!result)
		result = probekit_session_snapshot(session, &snapshot, err);
	if (!result) {
		print(bpf, snapshot);
		probekit_snapshot_free(snapshot);
	}
	bytes_bpf__destroy(bpf);
	return result;
}

int main(int argc, char **argv)
{
	struct probekit_error err = {.text = "the BPF programs cannot be loaded"};
	struct probekit_session *session;
	int result;

	if (argc < 5) {
		fprintf(stderr, "usage: bytes SPAN EVENT ARGUMENT PID [SECONDS]\n"
				"       bytes SPAN EVENT ARGUMENT COMMAND [ARGS]\n");
		return 2;
	}
	result = probekit_session_new(NULL, &session, &err);
	if (!result) {
		result = measure(session, argv, &err);
		probekit_session_free(session);
	}
	if (result)
		fprintf(stderr, "bytes: %s%s%s\n", err.text, *err.hint ? "; " : "", err.hint);
	return result ? 1 : 0;
}
