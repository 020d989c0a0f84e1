/* SPDX-License-Identifier: BSD-2-Clause */
/* Measures another process through the library alone: embed PID [SECONDS]. */
#include <probekit/probekit.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const struct probekit_error *err)
{
	fprintf(stderr, "embed: %s%s%s\n", err->text, *err->hint ? "; " : "", err->hint);
	return err->kind;
}

static void print(const struct probekit_snapshot *snapshot)
{
	for (size_t i = 0; i < probekit_snapshot_size(snapshot); i++) {
		const struct probekit_probe *probe = probekit_snapshot_probe(snapshot, i);

		if (probe->kind != PROBEKIT_KIND_VALUE && !probe->has_key)
			printf("%-24s %10llu spans  p50 %10.1f us  p99 %10.1f us\n", probe->name,
			       (unsigned long long)probe->count,
			       probekit_probe_quantile(probe, 0.5) / 1000,
			       probekit_probe_quantile(probe, 0.99) / 1000);
	}
}

static int measure(struct probekit_session *session, pid_t pid, int seconds,
		   struct probekit_error *err)
{
	struct probekit_snapshot *snapshot;
	int result = probekit_session_add_pid(session, pid, err);

	if (result == 0)
		result = probekit_session_start(session, err);
	for (int i = 0; i < seconds && result == 0; i++)
		result = probekit_session_poll(session, 1000, err);
	if (result >= 0) /* not only 0: the process may have ended, which is fine */
		result = probekit_session_stop(session, err);
	if (result == 0)
		result = probekit_session_snapshot(session, &snapshot, err);
	if (result)
		return result;
	print(snapshot);
	probekit_snapshot_free(snapshot);
	return 0;
}

int main(int argc, char **argv)
{
	struct probekit_session *session;
	struct probekit_error err;
	int result;

	if (argc < 2 || atoi(argv[1]) <= 0) {
		fprintf(stderr, "usage: embed PID [SECONDS]\n");
		return 2;
	}
	if (probekit_session_new(NULL, &session, &err))
		return fail(&err);
	result = measure(session, atoi(argv[1]), argc > 2 ? atoi(argv[2]) : 5, &err);
	probekit_session_free(session);
	return result ? fail(&err) : 0;
}
