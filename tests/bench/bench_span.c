/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cost of a span (begin and end) in one running target, by what is attached: nothing, an empty
 * program, probekit, bpftrace. Every round runs all of them in random order on the same process, so
 * that ratios hold on a machine that others use too.
 */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attachment.h"
#include "features.h"
#include "object.h"
#include "statistics.h"

#define MAX_ROUNDS 64
#define SPANS 200000l
#define UNTRACED_SPANS 20000000l

enum side {
	UNTRACED,
	EMPTY_NOP,
	EMPTY_FAST,
	PROBEKIT_NOP,
	PROBEKIT_FAST,
	BPFTRACE,
	SIDES,
};

static const char *const side_names[SIDES] = {
	[UNTRACED] = "untraced",
	[EMPTY_NOP] = "empty program, plain nop",
	[EMPTY_FAST] = "empty program, fast site",
	[PROBEKIT_NOP] = "probekit, plain nop",
	[PROBEKIT_FAST] = "probekit, fast site",
	[BPFTRACE] = "bpftrace histogram",
};

struct target {
	pid_t pid;
	FILE *to;
	FILE *from;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "bench_span: %s\n", what);
	exit(1);
}

static void start_target(const char *path, struct target *target)
{
	int to[2];
	int from[2];

	if (pipe(to) || pipe(from))
		fail("no pipe");
	target->pid = fork();
	if (target->pid == 0) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		close(to[1]);
		close(from[0]);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	target->to = fdopen(to[1], "w");
	target->from = fdopen(from[0], "r");
}

static double ns_per_span(struct target *target, long spans)
{
	uint64_t ns;

	fprintf(target->to, "%ld\n", spans);
	fflush(target->to);
	if (fscanf(target->from, "%" SCNu64, &ns) != 1)
		fail("the target has died");
	return (double)ns / (double)spans;
}

/* ---- probekit and the empty program ---- */

static double run_session(struct target *target, bool is_fast)
{
	struct probekit_session *session;
	struct probekit_error err;
	double ns;

	/* the target does not fork */
	setenv("PROBEKIT_DISABLE_FEATURES", is_fast ? "fork_check" : "nop5,nop10", 1);
	if (probekit_session_new(NULL, &session, &err) ||
	    probekit_session_add_pid(session, target->pid, &err) ||
	    probekit_session_start(session, &err))
		fail(err.text);
	ns_per_span(target, SPANS / 10);
	ns = ns_per_span(target, SPANS);
	if (probekit_session_stop(session, &err))
		fail(err.text);
	probekit_session_free(session);
	return ns;
}

static double run_empty(struct target *target, const char *path, enum point point)
{
	struct engine_options options = {
		.use_multi = true, .probes = 1, .rows = 1, .sites = 1, .key_limit = 1};
	struct attachment attachment = {.use_multi = true};
	struct probekit_error err;
	struct object *object;
	double ns;

	if (object_open(path, -1, &object, &err) || engine_new(&options, &attachment.engine, &err))
		fail(err.text);
	for (size_t i = 0; i < object->sites.size; i++) {
		struct placement placement;

		placement_choose(&object->sites.sites[i], point, &placement);
		if (attachment_add_site(&attachment, object, &placement,
					object->sites.sites[i].semaphore_offset, PROGRAM_COUNT_HIT,
					0, target->pid))
			fail("cannot attach the empty program");
	}
	ns_per_span(target, SPANS / 10);
	ns = ns_per_span(target, SPANS);
	if (engine_hits(attachment.engine) != 2 * (SPANS + SPANS / 10))
		fail("the empty program missed a site");
	attach_links_close(&attachment.links, 0);
	engine_free(attachment.engine);
	object_free(object);
	return ns;
}

/* ---- bpftrace ---- */

static double run_bpftrace(struct target *target, const char *path)
{
	char script[4096];
	char pid[32];
	char line[256];
	int out[2];
	pid_t child;
	FILE *from;
	double ns;

	snprintf(
		script, sizeof(script),
		"BEGIN { printf(\"ready\\n\"); } "
		"usdt:%s:bench:span__begin { @s[tid] = nsecs; } "
		"usdt:%s:bench:span__end /@s[tid]/ { @h = hist(nsecs - @s[tid]); delete(@s[tid]); }",
		path, path);
	snprintf(pid, sizeof(pid), "%d", target->pid);
	if (pipe(out))
		fail("no pipe");
	child = fork();
	if (child == 0) {
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		execlp("bpftrace", "bpftrace", "-p", pid, "-e", script, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	from = fdopen(out[0], "r");
	do {
		if (!fgets(line, sizeof(line), from)) {
			fclose(from);
			waitpid(child, NULL, 0);
			return NAN;
		}
	} while (strcmp(line, "ready\n") != 0);
	while (ns_per_span(target, 1000) < 100) /* BEGIN runs before the rest is attached */
		;
	ns = ns_per_span(target, SPANS);
	kill(child, SIGINT);
	while (fgets(line, sizeof(line), from))
		;
	fclose(from);
	waitpid(child, NULL, 0);
	return ns;
}

/* ---- rounds ---- */

static double run_side(enum side side, struct target *target, const char *path)
{
	switch (side) {
	case UNTRACED:
		return ns_per_span(target, UNTRACED_SPANS);
	case EMPTY_NOP:
		return run_empty(target, path, POINT_NOP);
	case EMPTY_FAST:
		return run_empty(target, path, POINT_NOP5);
	case PROBEKIT_NOP:
		return run_session(target, false);
	case PROBEKIT_FAST:
		return run_session(target, true);
	default:
		return run_bpftrace(target, path);
	}
}

static void print_ratio(double ns[SIDES][MAX_ROUNDS], size_t rounds, enum side a, enum side b,
			const char *aim)
{
	struct ratio ratio = ratio_of(ns[a], ns[b], rounds);

	if (isnan(ratio.value))
		printf("  %-26s / %-26s   no figure: bpftrace did not run\n", side_names[a],
		       side_names[b]);
	else
		printf("  %-26s / %-26s %6.3f  (%.3f .. %.3f)%s\n", side_names[a], side_names[b],
		       ratio.value, ratio.low, ratio.high, aim);
}

int main(int argc, char **argv)
{
	static double ns[SIDES][MAX_ROUNDS];
	size_t rounds = argc > 2 ? (size_t)atoi(argv[2]) : 10;
	struct target target;

	if (argc < 2 || rounds < 2 || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: bench_span TARGET [ROUNDS: 2 to %d]\n", MAX_ROUNDS);
		return 2;
	}
	start_target(argv[1], &target);
	srandom((unsigned int)time(NULL));
	for (size_t round = 0; round < rounds; round++) {
		enum side order[SIDES] = {0, 1, 2, 3, 4, 5};

		for (int i = SIDES - 1; i > 0; i--) {
			int other = (int)(random() % (i + 1));
			enum side swapped = order[i];

			order[i] = order[other];
			order[other] = swapped;
		}
		for (int i = 0; i < SIDES; i++)
			ns[order[i]][round] = run_side(order[i], &target, argv[1]);
	}
	printf("ns for one span, begin and end (median of %zu rounds)\n", rounds);
	for (int i = 0; i < SIDES; i++)
		printf("  %-26s %8.1f\n", side_names[i], median(ns[i], rounds));
	printf("ratios (geometric mean, 95 %% interval)\n");
	print_ratio(ns, rounds, PROBEKIT_FAST, EMPTY_FAST, "  aim: <= 1.25");
	print_ratio(ns, rounds, PROBEKIT_FAST, BPFTRACE, "  aim: <= 0.50");
	print_ratio(ns, rounds, PROBEKIT_NOP, EMPTY_NOP, "");
	print_ratio(ns, rounds, PROBEKIT_NOP, BPFTRACE, "");
	print_ratio(ns, rounds, PROBEKIT_FAST, PROBEKIT_NOP, "");
	fclose(target.to);
	waitpid(target.pid, NULL, 0);
	return 0;
}
