/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long measurements of busy programs, beside which others begin and end: soak SECONDS. A server under load
 * is measured by two commands, threads that come and go by a third, processes that do by a fourth, all for
 * the whole time; every few seconds something is recorded, and the server measured for a moment. Every
 * span must be counted, every program end well, and what the measuring takes must not grow in the second
 * half: until then tables of names fill, those of the kernel among them, when they are asked for first.
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support.h"

enum {
	SAMPLES = 60,
	PAUSE_MS = 50,	   /* between rounds of coming and going */
	RESTART_S = 10,	   /* between measurements that begin and end */
	SETTLING_S = 300,  /* not looked at, either */
	THREADS = 8,	   /* of a round, as the program makes them */
	SPANS = 1000,	   /* of each thread */
	CHILDREN = 10,	   /* of a round */
	CHILD_SPANS = 100, /* as the program makes them */
	RECORDED_RUNS = 2,
};

/* Processes whose memory is looked at. */
enum place { SERVER_LATENCY, SERVER_LOCKS, THREAD_LATENCY, PROCESS_LATENCY, SERVER, PLACES };

static const char *const titles[PLACES] = {
	[SERVER_LATENCY] = "latency, server",  [SERVER_LOCKS] = "locks, server",
	[THREAD_LATENCY] = "latency, threads", [PROCESS_LATENCY] = "latency, processes",
	[SERVER] = "the server itself",
};

struct sample {
	double at_s;
	struct support_usage usage[PLACES];
};

struct soak {
	int64_t seconds;
	int64_t begin_ms;
	char *folder;
	struct support_child children[PLACES]; /* the first ones are probekit */
	char *outputs[PLACES];
	struct support_child load;
	struct support_child threads;
	struct support_child family;
	char port[16];
	int64_t rounds;
	int64_t recordings;
	int64_t looks;
	int64_t looked_at; /* requests */
	int mistakes;	   /* counts that are not exact */
	struct sample samples[SAMPLES + 2];
	size_t sample_count;
};

static int64_t seconds_wanted;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static double elapsed_s(const struct soak *soak)
{
	return (double)(now_ms() - soak->begin_ms) / 1000;
}

static const char *decimal(int64_t number, char text[static 24])
{
	snprintf(text, 24, "%" PRId64, number);
	return text;
}

/* ---- begin ---- */

static void start_server(struct soak *soak)
{
	const char *const words[] = {support_example("logger"), NULL};
	struct support_child *server = &soak->children[SERVER];
	const char *port;

	support_start(server, NULL, words);
	if (!support_wait_text(server, &server->out, "\n"))
		fail_msg("the server does not start: %s", server->err.text);
	port = strrchr(server->out.text, ':');
	assert_non_null(port);
	snprintf(soak->port, sizeof(soak->port), "%.*s", (int)strcspn(port + 1, "\n"), port + 1);
}

static void start_load(struct soak *soak)
{
	char seconds[24];
	const char *const words[] = {
		support_example("logger-load"),	 "--port", soak->port, "--duration",
		decimal(soak->seconds, seconds), NULL};

	support_start(&soak->load, NULL, words);
}

static void start_comers(struct support_child *child, const char *program, const char *mode,
			 int64_t count)
{
	char text[24];
	const char *const words[] = {support_program(program), mode, decimal(count, text), "wait",
				     NULL};

	support_start(child, NULL, words);
	assert_true(support_wait_text(child, &child->out, "ready\n"));
}

/* `whom` is a process, or the path of what processes run. */
static void start_probekit(struct soak *soak, enum place place, const char *command, pid_t pid,
			   const char *path)
{
	struct support_child *probekit = &soak->children[place];
	char text[24];
	const char *words[SUPPORT_MAX_WORDS] = {
		support_probekit(), command, "-v", "-i", "10", "-o"};

	soak->outputs[place] = support_join(soak->folder, decimal(place, text));
	words[6] = soak->outputs[place];
	words[7] = path ? path : "-p";
	words[8] = path ? NULL : decimal(pid, text);
	support_start(probekit, NULL, words);
	support_wait_measuring(probekit);
}

static void start_all(struct soak *soak)
{
	pid_t server;

	start_server(soak);
	start_comers(&soak->threads, "threads", "hot", SPANS);
	start_comers(&soak->family, "family", "churn", CHILDREN);
	server = soak->children[SERVER].pid;
	start_probekit(soak, SERVER_LATENCY, "latency", server, NULL);
	start_probekit(soak, SERVER_LOCKS, "locks", server, NULL);
	start_probekit(soak, THREAD_LATENCY, "latency", 0, support_program("threads"));
	start_probekit(soak, PROCESS_LATENCY, "latency", 0, support_program("family"));
	start_load(soak);
}

/* ---- what goes on meanwhile ---- */

/* What it said before is forgotten. */
static void go(struct support_child *child)
{
	child->out.size_bytes = 0;
	child->out.text[0] = '\0';
	support_write(child, "go\n");
	if (!support_wait_text(child, &child->out, "done\n"))
		fail_msg("a measured program has ended: %s", child->err.text);
}

static json_t *read_json(const char *path)
{
	size_t size;
	char *text = support_read_file(path, &size);
	json_t *json = support_json(text);

	free(text);
	return json;
}

/* The row's count. What is lost of it is told and noted: after an hour all the rest is told too. */
static int64_t exact_count(struct soak *soak, json_t *snapshot, const char *name)
{
	const json_t *row = support_row(snapshot, name);
	const char *kind;
	json_t *value;

	json_object_foreach (json_object_get(row, "lost"), kind, value) {
		if (!json_integer_value(value) || strncmp(kind, "samples_", 8) == 0 ||
		    strcmp(kind, "sched_repaired") == 0 || strcmp(kind, "waits_unnamed") == 0)
			continue;
		print_message("%s: LOST: %s %lld\n", name, kind,
			      (long long)json_integer_value(value));
		soak->mistakes++;
	}
	return support_integer(row, "count");
}

/* A command from its first instruction to its end, which a measurement of all such processes counts too. */
static void record(struct soak *soak)
{
	char *path = support_join(soak->folder, "recorded");
	char runs[24];
	char spans[24];
	struct support_child child;
	json_t *snapshot;

	if (support_run(&child, NULL, support_probekit(), "record", "-o", path, "--runs",
			decimal(RECORDED_RUNS, runs), "--", support_program("threads"), "hot",
			decimal(SPANS, spans), NULL))
		fail_msg("probekit record: %s", child.err.text);
	snapshot = read_json(path);
	soak->mistakes +=
		exact_count(soak, snapshot, "threads:hot") != RECORDED_RUNS * THREADS * SPANS;
	json_decref(snapshot);
	support_done(&child);
	free(path);
	soak->recordings++;
}

/* Another measurement of the server, for a moment. */
static void look(struct soak *soak)
{
	char pid[24];
	struct support_child child;
	json_t *snapshot;

	if (support_run(&child, NULL, support_probekit(), "latency", "--json", "-d", "500ms", "-p",
			decimal(soak->children[SERVER].pid, pid), NULL))
		fail_msg("probekit latency: %s", child.err.text);
	snapshot = support_json(child.out.text);
	soak->looked_at += exact_count(soak, snapshot, "logger:request");
	json_decref(snapshot);
	support_done(&child);
	soak->looks++;
}

static double mib(uint64_t kib)
{
	return (double)kib / 1024;
}

static void take_sample(struct soak *soak)
{
	struct sample *sample = &soak->samples[soak->sample_count++];

	assert_true(soak->sample_count <= SAMPLES + 2);
	sample->at_s = elapsed_s(soak);
	for (int i = 0; i < PLACES; i++)
		sample->usage[i] = support_read_usage(soak->children[i].pid);
	print_message("%6.0f s", sample->at_s);
	for (int i = 0; i < PLACES; i++) {
		const struct support_usage *usage = &sample->usage[i];

		print_message("  | %5.2f %5.2f %4.1f %3" PRIu64, mib(usage->resident_kib),
			      mib(usage->own_kib), mib(usage->bpf_kib), usage->files);
	}
	print_message("\n");
	fflush(stdout);
}

static void run(struct soak *soak)
{
	double period_s = soak->seconds > SAMPLES ? (double)soak->seconds / SAMPLES : 1;
	double sample_at_s = 0;
	double restart_at_s = 0;

	soak->begin_ms = now_ms();
	print_message("of each: resident MiB, with shared pages divided, BPF MiB, descriptors\n");
	for (int i = 0; i < PLACES; i++)
		print_message("%s%s", i ? " | " : "", titles[i]);
	print_message("\n");
	while (elapsed_s(soak) < (double)soak->seconds) {
		go(&soak->threads);
		go(&soak->family);
		soak->rounds++;
		for (int i = 0; i < SERVER; i++)
			support_take_output(&soak->children[i]);
		if (elapsed_s(soak) >= restart_at_s) {
			record(soak);
			look(soak);
			restart_at_s = elapsed_s(soak) + RESTART_S;
		}
		if (elapsed_s(soak) >= sample_at_s) {
			take_sample(soak);
			sample_at_s = elapsed_s(soak) + period_s;
		}
		poll(NULL, 0, PAUSE_MS);
	}
}

/* ---- end ---- */

static json_t *end_probekit(struct soak *soak, enum place place)
{
	struct support_child *probekit = &soak->children[place];

	assert_int_equal(kill(probekit->pid, SIGINT), 0);
	if (support_finish(probekit))
		fail_msg("%s: %s", titles[place], probekit->err.text);
	return read_json(soak->outputs[place]);
}

static void check_count(struct soak *soak, enum place place, const char *row, int64_t counted,
			int64_t truth)
{
	print_message("%s: %s counted %" PRId64 " times of %" PRId64 "%s\n", titles[place], row,
		      counted, truth, counted == truth ? "" : ": WRONG");
	soak->mistakes += counted != truth;
}

static void end_comers(struct support_child *child)
{
	support_close_input(child);
	assert_int_equal(support_finish(child), 0);
	support_done(child);
}

static void check_comers(struct soak *soak)
{
	json_t *snapshot = end_probekit(soak, THREAD_LATENCY);

	check_count(soak, THREAD_LATENCY, "threads:hot", exact_count(soak, snapshot, "threads:hot"),
		    (soak->rounds + soak->recordings * RECORDED_RUNS) * THREADS * SPANS);
	json_decref(snapshot);
	snapshot = end_probekit(soak, PROCESS_LATENCY);
	check_count(soak, PROCESS_LATENCY, "family:work",
		    exact_count(soak, snapshot, "family:work"),
		    soak->rounds * CHILDREN * CHILD_SPANS);
	json_decref(snapshot);
}

/* A row without a process is of waits that found no room. */
static void check_locks(struct soak *soak)
{
	json_t *snapshot = end_probekit(soak, SERVER_LOCKS);
	int64_t waits = 0;
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(snapshot, "locks"), i, row) {
		assert_int_not_equal(support_integer(row, "pid"), 0);
		waits += support_integer(row, "waits");
	}
	print_message("%s: %" PRId64 " waits, none without room\n", titles[SERVER_LOCKS], waits);
	assert_true(waits > 0);
	json_decref(snapshot);
}

/* The load is over, so all that the server has served was counted; what is left in its log it flushes later. */
static void check_server(struct soak *soak)
{
	struct support_child *server = &soak->children[SERVER];
	json_t *snapshot = end_probekit(soak, SERVER_LATENCY);
	int64_t requests = exact_count(soak, snapshot, "logger:request");
	int64_t flushes = exact_count(soak, snapshot, "logger:flush");
	int64_t sent = strtoll(soak->load.out.text, NULL, 10);
	const char *told;
	long long served;
	long long flushed;

	support_wait_untraced(server->pid, support_example("logger"));
	assert_int_equal(kill(server->pid, SIGTERM), 0);
	assert_int_equal(support_finish(server), 0);
	told = strstr(server->out.text, "served ");
	assert_non_null(told);
	assert_int_equal(sscanf(told, "served %lld requests\nflushed the log %lld times", &served,
				&flushed),
			 2);
	assert_int_equal(served, sent);
	check_count(soak, SERVER_LATENCY, "logger:request", requests, served);
	check_count(soak, SERVER_LATENCY, "logger:append",
		    exact_count(soak, snapshot, "logger:append"), served);
	check_count(soak, SERVER_LATENCY, "logger:lock", exact_count(soak, snapshot, "logger:lock"),
		    served);
	print_message("%s: logger:flush counted %" PRId64 " times of %lld\n",
		      titles[SERVER_LATENCY], flushes, flushed);
	assert_in_range(flushed - flushes, 0, 1);
	json_decref(snapshot);
}

/* ---- memory ---- */

/* What must not grow: the line through its samples rises by `limit` at most over all of them. */
static const struct amount {
	const char *name;
	size_t offset; /* in struct support_usage */
	double limit;
} amounts[] = {
	{"KiB resident", offsetof(struct support_usage, resident_kib), 1024},
	/* grows too where others that share pages end */
	{"KiB, shared pages divided", offsetof(struct support_usage, own_kib), 2048},
	{"KiB for BPF", offsetof(struct support_usage, bpf_kib), 1024},
	{"descriptors", offsetof(struct support_usage, files), 2},
};

static double amount_of(const struct sample *sample, enum place place, const struct amount *amount)
{
	uint64_t number;

	memcpy(&number, (const char *)&sample->usage[place] + amount->offset, sizeof(number));
	return (double)number;
}

/* Of the line of least squares through the samples from `first` on, a second. */
static double slope(const struct soak *soak, size_t first, enum place place,
		    const struct amount *amount)
{
	double count = (double)(soak->sample_count - first);
	double mean_s = 0, mean = 0, product = 0, square = 0;

	for (size_t i = first; i < soak->sample_count; i++) {
		mean_s += soak->samples[i].at_s / count;
		mean += amount_of(&soak->samples[i], place, amount) / count;
	}
	for (size_t i = first; i < soak->sample_count; i++) {
		double from_mean_s = soak->samples[i].at_s - mean_s;

		product += from_mean_s * (amount_of(&soak->samples[i], place, amount) - mean);
		square += from_mean_s * from_mean_s;
	}
	return square > 0 ? product / square : 0;
}

/* How many grow. */
static int check_place(const struct soak *soak, size_t first, enum place place)
{
	const struct sample *from = &soak->samples[first];
	const struct sample *to = &soak->samples[soak->sample_count - 1];
	int growing = 0;

	for (size_t i = 0; i < sizeof(amounts) / sizeof(*amounts); i++) {
		double rise = slope(soak, first, place, &amounts[i]) * (to->at_s - from->at_s);
		bool grows = rise > amounts[i].limit;

		print_message("%s: %.0f -> %.0f %s, the line through all rises by %.1f%s\n",
			      titles[place], amount_of(from, place, &amounts[i]),
			      amount_of(to, place, &amounts[i]), amounts[i].name, rise,
			      grows ? ": GROWS" : "");
		growing += grows;
	}
	return growing;
}

static size_t first_after(const struct soak *soak, double at_s)
{
	size_t first = 0;

	while (first + 1 < soak->sample_count && soak->samples[first].at_s < at_s)
		first++;
	return first;
}

static void check_memory(const struct soak *soak)
{
	double half_s = (double)soak->seconds / 2;
	int growing = 0;

	if (half_s < SETTLING_S) {
		print_message("too short to say whether memory grows\n");
		return;
	}
	print_message("after %d s:\n", SETTLING_S);
	for (int i = 0; i < PLACES; i++)
		check_place(soak, first_after(soak, SETTLING_S), (enum place)i);
	print_message("in the second half:\n");
	for (int i = 0; i < PLACES; i++)
		growing += check_place(soak, first_after(soak, half_s), (enum place)i);
	assert_int_equal(growing, 0);
}

/* ---- all ---- */

static void long_measurements_are_exact_and_do_not_grow(void **state)
{
	static struct soak soak;

	(void)state;
	support_require_tracing();
	soak.seconds = seconds_wanted;
	soak.folder = support_new_folder();
	start_all(&soak);
	run(&soak);
	assert_int_equal(support_finish(&soak.load), 0);
	take_sample(&soak);
	print_message("%" PRId64 " rounds: %" PRId64 " threads and %" PRId64 " processes; %" PRId64
		      " recordings; %" PRId64 " short measurements, of %" PRId64
		      " requests; in all %s",
		      soak.rounds, soak.rounds * THREADS, soak.rounds * CHILDREN, soak.recordings,
		      soak.looks, soak.looked_at, soak.load.out.text);
	check_comers(&soak);
	check_locks(&soak);
	check_server(&soak);
	end_comers(&soak.threads);
	end_comers(&soak.family);
	check_memory(&soak);
	assert_int_equal(soak.mistakes, 0);
	for (int i = 0; i < PLACES; i++) {
		support_done(&soak.children[i]);
		free(soak.outputs[i]);
	}
	support_done(&soak.load);
	support_remove_folder(soak.folder);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_measurements_are_exact_and_do_not_grow),
	};

	seconds_wanted = argc == 2 ? strtoll(argv[1], NULL, 10) : 0;
	if (seconds_wanted <= 0) {
		fprintf(stderr, "usage: soak SECONDS\n");
		return 2;
	}
	return cmocka_run_group_tests_name("soak", tests, NULL, NULL);
}
