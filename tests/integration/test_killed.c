/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SIGKILL of probekit, or of what it measures, at any moment of its life: nothing stays attached, no semaphore
 * up, nobody stopped, no file half written, and the target says what it says untraced.
 *
 * PROBEKIT_TEST_KILLS is how often, PROBEKIT_TEST_SEED which moments; the seed is printed.
 */
#include "support.h"
#include "support_user.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNDECIDED 5   /* compare's exit code of so few pairs */
#define SECONDS "0.3" /* of a measurement */
#define PAUSE_US "500"
#define OUT "out"

/* Nobody else's: the kernel tells who has loaded a program. */
static unsigned int own_user;

/* What is measured, and how. TARGET stands for its PID. */
#define TARGET "TARGET"
#define PROGRAM "PROGRAM"
#define BUILDS "BUILDS"

static const char *const commands[][16] = {
	{"latency", "-d", SECONDS, "--json", "-o", OUT, "-p", TARGET},
	{"latency", "-d", SECONDS, "-f", "steady_*", "-s", "*", "-o", OUT, "-p", TARGET},
	{"latency", "-d", SECONDS, "-o", OUT, PROGRAM},
	{"locks", "-d", SECONDS, "--hold", "-o", OUT, "-p", TARGET},
	{"offcpu", "-d", SECONDS, "--oncpu", "-s", "*", "--svg", OUT, "-p", TARGET},
	{"record", "-d", SECONDS, "-o", OUT, "-p", TARGET},
	{"compare", "--mode", "sliced", "--pairs", "1", "--warm-up", "0", "-o", OUT, "--base",
	 BUILDS, "--head", BUILDS, "--", "400"},
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))
#define COMPARE (COMMANDS - 1) /* which has processes of its own to measure */

/* When it is killed. */
enum aim {
	AIM_ANY,       /* some time in the life it would have */
	AIM_ATTACHING, /* once the first semaphore is up */
	AIM_DETACHING, /* once it has been told to end */
};

static const char *const aims[] = {"any time", "attaching", "detaching"};

#define AIMS (sizeof(aims) / sizeof(*aims))

static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return random_state >> 33;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void sleep_s(double seconds)
{
	struct timespec left;

	left.tv_sec = (time_t)seconds;
	left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

/* ---- one trial's processes ---- */

struct trial {
	const char *const *command;
	char *folder;
	struct support_child target;
	struct support_child probekit;
};

static void become_own_user(void *arg)
{
	(void)arg;
	support_become_other(own_user);
}

static void start_target(struct trial *trial)
{
	const char *const words[] = {support_program("steady"), "0", PAUSE_US, NULL};

	support_start(&trial->target, NULL, words);
	assert_true(support_wait_text(&trial->target, &trial->target.out, "ready\n"));
}

static void start_probekit(struct trial *trial)
{
	const struct support_how how = {.prepare = become_own_user, .folder = trial->folder};
	const char *words[SUPPORT_MAX_WORDS] = {support_probekit()};
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)trial->target.pid);
	for (int i = 0; trial->command[i]; i++) {
		const char *word = trial->command[i];

		words[i + 1] = strcmp(word, TARGET) == 0    ? pid
			       : strcmp(word, PROGRAM) == 0 ? support_program("steady")
			       : strcmp(word, BUILDS) == 0  ? support_program("builds")
							    : word;
	}
	support_start(&trial->probekit, &how, words);
}

static void trial_start(struct trial *trial, size_t command)
{
	*trial = (struct trial){.command = commands[command], .folder = support_new_folder()};
	start_target(trial);
	start_probekit(trial);
}

static void trial_done(struct trial *trial)
{
	support_done(&trial->probekit);
	support_done(&trial->target);
	support_remove_folder(trial->folder);
}

/* ---- what is left ---- */

static size_t count_own_programs(void)
{
	size_t count = 0;
	uint32_t id = 0;

	while (bpf_prog_get_next_id(id, &id) == 0) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			continue; /* gone meanwhile */
		if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
			count += info.created_by_uid == own_user;
		close(fd);
	}
	return count;
}

/* A child of ours, as all who lose their parent become, but for the target. 0: none. */
static pid_t find_other_child(const struct trial *trial)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	pid_t other = 0;

	assert_non_null(dir);
	while (!other && (entry = readdir(dir))) {
		pid_t pid = atoi(entry->d_name);
		int parent = 0;
		char path[64];
		FILE *file;

		if (pid <= 0 || pid == trial->target.pid)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		file = fopen(path, "re");
		if (file && fscanf(file, "%*d (%*[^)]) %*c %d", &parent) == 1 && parent == getpid())
			other = pid;
		if (file)
			fclose(file);
	}
	closedir(dir);
	return other;
}

static void wait_for_nobody(const struct trial *trial)
{
	double end_s = now_s() + SUPPORT_DEADLINE_MS / 1e3;
	pid_t other;

	while ((other = find_other_child(trial)) != 0) {
		if (waitpid(other, NULL, WNOHANG) == other)
			continue;
		if (now_s() > end_s)
			fail_msg("process %d is left", (int)other);
		poll(NULL, 0, 2);
	}
}

static void wait_for_no_program(void)
{
	double end_s = now_s() + SUPPORT_DEADLINE_MS / 1e3;

	while (count_own_programs() > 0) {
		if (now_s() > end_s)
			fail_msg("%zu programs are left", count_own_programs());
		poll(NULL, 0, 2);
	}
}

/* The path of the C library that the target maps. */
static void find_libc(pid_t pid, char path[static 256])
{
	char name[64];
	char line[512];
	FILE *maps;

	path[0] = '\0';
	snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	maps = fopen(name, "re");
	assert_non_null(maps);
	while (!path[0] && fgets(line, sizeof(line), maps))
		if (strstr(line, "/libc.so.6"))
			sscanf(line, "%*s %*s %*s %*s %*s %255s", path);
	fclose(maps);
	assert_true(path[0] == '/');
}

/* What is there is whole. */
static void check_files(const struct trial *trial)
{
	char *path = support_join(trial->folder, OUT);
	bool has_output = access(path, F_OK) == 0;
	size_t size = 0;
	char *text;

	assert_int_equal(support_count_files(trial->folder), has_output ? 1 : 0);
	if (has_output) {
		text = support_read_file(path, &size);
		if (text[0] == '{')
			json_decref(support_json(text));
		else
			assert_non_null(strstr(text, "</svg>"));
		free(text);
	}
	free(path);
}

/* ---- what the target says ---- */

/* It is the same, up to where it was killed, as that of an untraced run of as many rounds. */
static void check_output(const struct trial *trial, bool is_killed)
{
	const char *text = trial->target.out.text;
	size_t lines = support_count_lines(text);
	size_t rounds = is_killed ? lines - 1 : lines - 2;
	struct support_child untraced;
	char number[32];
	size_t same;

	if (rounds == 0)
		return;
	snprintf(number, sizeof(number), "%zu", rounds);
	assert_int_equal(support_run(&untraced, NULL, support_program("steady"), number, "0", NULL),
			 0);
	same = is_killed ? (size_t)(strrchr(text, '\n') + 1 - text) : strlen(text);
	if (strncmp(untraced.out.text, text, same) != 0 ||
	    (!is_killed && untraced.out.size_bytes != same))
		fail_msg("traced: %s\nuntraced: %s", text, untraced.out.text);
	support_done(&untraced);
}

static void check_target(struct trial *trial)
{
	char libc[256];

	find_libc(trial->target.pid, libc);
	support_wait_untraced(trial->target.pid, support_program("steady"));
	support_wait_untraced(trial->target.pid, libc);
	support_close_input(&trial->target);
	assert_int_equal(support_finish(&trial->target), 0);
	check_output(trial, false);
}

/* ---- the moment ---- */

/* How long a command takes when nobody kills it, which its target survives. */
static double measure_life(size_t command)
{
	double begin_s = now_s();
	struct trial trial;
	double life_s;

	trial_start(&trial, command);
	if (support_finish(&trial.probekit) != 0 && trial.probekit.status != UNDECIDED)
		fail_msg("%s: %d: %s", trial.command[0], trial.probekit.status,
			 trial.probekit.err.text);
	life_s = now_s() - begin_s;
	check_target(&trial);
	trial_done(&trial);
	return life_s;
}

/* All but one take about as long. */
static double life_of(size_t command)
{
	static double lives_s[COMMANDS];

	command = command == COMPARE ? COMPARE : 0;
	if (lives_s[command] <= 0)
		lives_s[command] = measure_life(command);
	return lives_s[command];
}

/* Or until it has ended. */
static void await_semaphore(const struct trial *trial)
{
	struct pollfd out = {.fd = trial->probekit.err.fd};

	while (support_read_image(trial->target.pid, support_program("steady")).semaphores == 0 &&
	       !(poll(&out, 1, 0) && out.revents & POLLHUP))
		continue;
}

static double random_share(void)
{
	return (double)(next_random() % 10000) / 10000;
}

/* Starts a command, and returns at the moment. */
static void start_until(struct trial *trial, size_t command, enum aim aim)
{
	double life_s = life_of(command);

	print_message("  %s, %s\n", commands[command][0], aims[aim]);
	trial_start(trial, command);
	if (aim != AIM_ANY && command != COMPARE)
		await_semaphore(trial);
	switch (aim) {
	case AIM_ANY:
		sleep_s(random_share() * life_s * 1.1);
		break;
	case AIM_ATTACHING:
		sleep_s(random_share() * 0.005);
		break;
	case AIM_DETACHING:
		sleep_s(random_share() * life_s / 10);
		kill(trial->probekit.pid, SIGINT);
		sleep_s(random_share() * 0.2);
		break;
	}
}

/* ---- tests ---- */

static unsigned long number_of(const char *variable, unsigned long otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

static unsigned long kills_wanted(unsigned long otherwise)
{
	return number_of("PROBEKIT_TEST_KILLS", support_scaled(otherwise));
}

static int set_up(void **state)
{
	(void)state;
	own_user = 1000000 + (unsigned int)getpid();
	random_state = number_of("PROBEKIT_TEST_SEED", (unsigned long)time(NULL));
	print_message("PROBEKIT_TEST_SEED=%lu\n", (unsigned long)random_state);
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void probekit_killed_at_any_moment_leaves_nothing_behind(void **state)
{
	unsigned long kills = kills_wanted(12);
	size_t had_ended = 0;

	(void)state;
	support_require_tracing();
	for (unsigned long i = 0; i < kills; i++) {
		struct trial trial;

		start_until(&trial, next_random() % COMMANDS, next_random() % AIMS);
		kill(trial.probekit.pid, SIGKILL);
		had_ended += support_finish(&trial.probekit) != 128 + SIGKILL;
		wait_for_nobody(&trial);
		wait_for_no_program();
		check_target(&trial);
		check_files(&trial);
		trial_done(&trial);
	}
	print_message("%lu killed, %zu of them had ended\n", kills, had_ended);
}

static void a_target_killed_at_any_moment_ends_its_measurement(void **state)
{
	unsigned long kills = kills_wanted(6);
	size_t measured = 0;

	(void)state;
	support_require_tracing();
	for (unsigned long i = 0; i < kills; i++) {
		struct trial trial;

		start_until(&trial, next_random() % COMPARE, next_random() % AIMS);
		kill(trial.target.pid, SIGKILL);
		assert_int_equal(support_finish(&trial.target), 128 + SIGKILL);
		if (support_finish(&trial.probekit) == 0)
			measured++;
		else if (trial.probekit.status != 1 ||
			 (!strstr(trial.probekit.err.text, "has ended") &&
			  !strstr(trial.probekit.err.text, "no process has PID")))
			fail_msg("status %d: %s", trial.probekit.status, trial.probekit.err.text);
		wait_for_nobody(&trial);
		wait_for_no_program();
		check_output(&trial, true);
		check_files(&trial);
		trial_done(&trial);
	}
	print_message("%lu killed, %zu of them had been measured\n", kills, measured);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probekit_killed_at_any_moment_leaves_nothing_behind),
		cmocka_unit_test(a_target_killed_at_any_moment_ends_its_measurement),
	};

	return cmocka_run_group_tests_name("killed", tests, set_up, NULL);
}
