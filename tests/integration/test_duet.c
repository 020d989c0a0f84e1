/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two commands measured by turns: both exactly, with none of the time that they were stopped; and whatever
 * becomes of who measures them, no process is left. As the reaper of all that descends from it, this one
 * knows of every process that is.
 */
#include "breakdown.h"
#include "measure.h"
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SPAN_NS 100000 /* of a CPU, as the program has it */
#define KILLS 15
#define INTERRUPTS 5
#define START_MS 1500 /* about what it takes until both run, and more */

#define MAX_WORDS 24

static char *folder;
static char file[256]; /* for the programs to note what they know */

/* How two of the program "player" are measured. */
struct duet {
	const char *seed; /* NULL: 42 */
	const char *timeout_ms;
	const char *function; /* NULL: all spans */
	const char *base_mode;
	const char *base_count;
	const char *head_mode;
	const char *head_count;
	const char *head_path; /* NULL: the same */
};

static void fill_command(const struct duet *duet, const char *argv[static MAX_WORDS])
{
	const char *player = program_path("player");
	const char *const words[] = {
		program_path("duet"),
		folder,
		duet->seed ? duet->seed : "42",
		duet->timeout_ms ? duet->timeout_ms : "0",
		duet->function ? duet->function : "-",
		player,
		file,
		duet->base_mode,
		duet->base_count,
		"--",
		duet->head_path ? duet->head_path : player,
		file,
		duet->head_mode,
		duet->head_count,
		NULL,
	};

	_Static_assert(sizeof(words) <= MAX_WORDS * sizeof(*words), "they fit");
	memcpy(argv, words, sizeof(words));
}

/* What the programs have noted. Valid until the next call. */
static const char *notes(void)
{
	static char text[16384];
	FILE *stream = fopen(file, "re");
	size_t size;

	text[0] = '\0';
	if (!stream)
		return text;
	size = fread(text, 1, sizeof(text) - 1, stream);
	text[size] = '\0';
	fclose(stream);
	return text;
}

static int start_anew(void **state)
{
	(void)state;
	unlink(file);
	return 0;
}

/* ---- who is left ---- */

/* Reaps all that has ended: is that all there is? */
static bool is_alone(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static void show_children(void)
{
	if (system("ps -e -o pid,ppid,pgid,stat,args --forest | tail -n 12 >&2"))
		print_error("(no ps)\n");
}

static void expect_nobody(void)
{
	uint64_t since = 0;

	while (!is_alone())
		if (!keep_waiting(&since, 60)) {
			show_children();
			fail_msg("processes are left");
		}
}

/* ---- both are measured ---- */

struct both {
	struct probekit_snapshot *base;
	struct probekit_snapshot *head;
};

static struct probekit_snapshot *read_snapshot(const char *name)
{
	struct probekit_snapshot *snapshot;
	struct probekit_error err;
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (probekit_snapshot_read(path, &snapshot, &err))
		fail_msg("%s", err.text);
	unlink(path);
	check_rows(snapshot);
	return snapshot;
}

static struct both play(const struct duet *duet)
{
	const char *argv[MAX_WORDS];
	struct output output;

	require_tracing();
	fill_command(duet, argv);
	run_captured(argv, &output);
	if (output.status)
		fail_msg("%d: %s", output.status, output.err);
	output_done(&output);
	expect_nobody();
	return (struct both){read_snapshot("base.json"), read_snapshot("head.json")};
}

static void both_done(struct both *both)
{
	probekit_snapshot_free(both->base);
	probekit_snapshot_free(both->head);
}

static void check_row(const struct probekit_snapshot *snapshot, const char *name, uint64_t count)
{
	const struct probekit_probe *row = find_row(snapshot, name);

	assert_int_equal(probekit_snapshot_info(snapshot)->child_status, 0);
	assert_true(probekit_snapshot_info(snapshot)->excludes_stopped);
	assert_row(snapshot, name, .count = count);
	assert_true(row->min >= SPAN_NS);
	assert_int_equal(breakdown_sum(row->time_ns), row->sum);
	if (!row->lost.sched_repaired)
		assert_int_equal(row->time_ns[PROBEKIT_CLASS_STOPPED], 0);
}

/* Of each that has ended: how often it was continued. */
static void check_turns(int least)
{
	const char *text = notes();
	int ended = 0;
	int begun = 0;
	int leader, group, cpus, continued;

	for (; *text; text += strcspn(text, "\n") + 1) {
		if (sscanf(text, "begins %d group %d cpus %d", &leader, &group, &cpus) == 3) {
			begun++;
			assert_int_equal(group, leader);
			assert_int_equal(cpus, 1);
		}
		if (sscanf(text, "ends %*d continued %d", &continued) == 1) {
			ended++;
			print_message("  continued %d times\n", continued);
			assert_true(continued >= least);
		}
	}
	assert_int_equal(begun, 2);
	assert_int_equal(ended, 2);
}

static void both_are_measured_exactly_and_run_by_turns(void **state)
{
	struct both both = play(&(struct duet){
		.base_mode = "work",
		.base_count = scaled_text(4000, 50),
		.head_mode = "work",
		.head_count = scaled_text(3000, 40),
	});

	(void)state;
	check_row(both.base, "player:work", scaled(4000, 50));
	check_row(both.head, "player:work", scaled(3000, 40));
	check_turns(test_scale() == 1 ? 5 : 0); /* under emulation they may take one turn each */
	both_done(&both);
}

static void check_functions(void)
{
	uint64_t count = scaled(2000, 40);
	struct both both = play(&(struct duet){
		.function = "play",
		.base_mode = "work",
		.base_count = number_text(count),
		.head_mode = "work",
		.head_count = number_text(count),
	});

	check_row(both.base, "play", count);
	check_row(both.head, "play", count);
	both_done(&both);
}

static void functions_are_measured_exactly_too(void **state)
{
	(void)state;
	check_functions();
}

/* A perf event of one process is told of the returns of the other. */
static void functions_are_measured_exactly_with_perf_events(void **state)
{
	(void)state;
	setenv("PROBEKIT_DISABLE_FEATURES", "uprobe_multi", 1);
	check_functions();
	unsetenv("PROBEKIT_DISABLE_FEATURES");
}

static void the_longer_one_runs_on_alone(void **state)
{
	struct both both = play(&(struct duet){
		.base_mode = "work",
		.base_count = "1",
		.head_mode = "work",
		.head_count = scaled_text(3000, 60),
	});

	(void)state;
	check_row(both.base, "player:work", 1);
	check_row(both.head, "player:work", scaled(3000, 60));
	both_done(&both);
}

/* ---- what goes wrong ---- */

static void play_badly(const struct duet *duet, int code, struct output *output)
{
	const char *argv[MAX_WORDS];

	require_tracing();
	fill_command(duet, argv);
	run_captured(argv, output);
	print_message("  %s", output->err);
	assert_int_equal(output->status, code);
	expect_nobody();
}

static void one_that_fails_ends_both_and_its_output_is_kept(void **state)
{
	const char *kept = "what it printed is in '";
	struct output output;
	char path[512] = "";
	char text[64] = "";
	FILE *file_kept;

	(void)state;
	play_badly(&(struct duet){.base_mode = "on",
				  .base_count = "0",
				  .head_mode = "fail",
				  .head_count = "20"},
		   ECHILD, &output);
	assert_non_null(strstr(output.err, "status 3"));
	assert_non_null(strstr(output.err, kept));
	assert_int_equal(sscanf(strstr(output.err, kept) + strlen(kept), "%511[^']", path), 1);
	file_kept = fopen(path, "re");
	assert_non_null(file_kept);
	assert_non_null(fgets(text, sizeof(text), file_kept));
	assert_string_equal(text, "it fails on purpose\n");
	fclose(file_kept);
	unlink(path);
	output_done(&output);
}

static void those_that_do_not_end_are_ended(void **state)
{
	struct output output;

	(void)state;
	play_badly(&(struct duet){.timeout_ms = "150",
				  .base_mode = "on",
				  .base_count = "0",
				  .head_mode = "family",
				  .head_count = "0"},
		   ETIMEDOUT, &output);
	assert_non_null(strstr(output.err, "timeout of 150 ms"));
	output_done(&output);
}

static void one_of_which_a_part_cannot_be_stopped_is_an_error(void **state)
{
	struct output output;

	(void)state;
	play_badly(&(struct duet){.base_mode = "on",
				  .base_count = "0",
				  .head_mode = "leave",
				  .head_count = "0"},
		   ENOTSUP, &output);
	assert_non_null(strstr(output.err, "has left the process group"));
	assert_non_null(strstr(output.err, "--mode pairs"));
	output_done(&output);
}

static void one_that_cannot_be_run_ends_both(void **state)
{
	struct output output;

	(void)state;
	play_badly(&(struct duet){.base_mode = "on",
				  .base_count = "0",
				  .head_path = "/nonexistent/player",
				  .head_mode = "on",
				  .head_count = "0"},
		   ENOENT, &output);
	assert_non_null(strstr(output.err, "kind 127 "));
	output_done(&output);
}

/* ---- whatever ends us ---- */

/* Leads a group, as a command does that a terminal interrupts. */
static pid_t start_controller(uint64_t seed)
{
	const char *argv[MAX_WORDS];
	pid_t pid;

	fill_command(&(struct duet){.seed = number_text(seed),
				    .base_mode = "family",
				    .base_count = "0",
				    .head_mode = "family",
				    .head_count = "0"},
		     argv);
	pid = fork();
	assert_true(pid >= 0);
	if (pid) {
		setpgid(pid, pid); /* who comes first does it */
		return pid;
	}
	setpgid(0, 0);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static size_t count_members(void)
{
	const char *text = notes();
	size_t count = 0;

	while ((text = strstr(text, "member "))) {
		count++;
		text++;
	}
	return count;
}

static void pause_us(uint64_t us)
{
	const struct timespec moment = {.tv_sec = (time_t)(us / 1000000),
					.tv_nsec = (long)(us % 1000000) * 1000};

	nanosleep(&moment, NULL);
}

/* Every other time once both families are complete, by some turns. */
static void wait_for_moment(int i, uint64_t random)
{
	uint64_t since = 0;

	if (i % 2) {
		pause_us(random % (START_MS * 1000));
		return;
	}
	while (count_members() < 6)
		if (!keep_waiting(&since, 60))
			fail_msg("the families are not complete:\n%s", notes());
	pause_us(random % 40000);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 20;
}

static int controller_status(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Ends it by a signal at a random moment, again and again. */
static void end_controllers(int number, int times, int expected)
{
	uint64_t seed = (uint64_t)time(NULL);

	require_tracing();
	print_message("  seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < times; i++) {
		pid_t pid = start_controller(seed + (uint64_t)i);
		int status;

		wait_for_moment(i, next_random(&seed));
		assert_int_equal(kill(number == SIGINT ? -pid : pid, number), 0);
		status = controller_status(pid);
		/* (It may have come before it was expected.) */
		if (status != expected && status != 128 + number)
			fail_msg("round %d: status %d", i, status);
		expect_nobody();
		start_anew(NULL);
	}
}

static void nobody_is_left_when_it_is_killed_at_any_moment(void **state)
{
	(void)state;
	end_controllers(SIGKILL, (int)scaled(KILLS, 2), 128 + SIGKILL);
}

static void an_interrupt_ends_both_and_leaves_nobody(void **state)
{
	(void)state;
	end_controllers(SIGINT, (int)scaled(INTERRUPTS, 2), EINTR);
}

/* What those that are killed leave of files is there too. */
static int prepare(void **state)
{
	(void)state;
	folder = support_new_folder();
	snprintf(file, sizeof(file), "%s/notes", folder);
	return setenv("TMPDIR", folder, 1) || prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static int clean_up(void **state)
{
	(void)state;
	support_remove_folder(folder);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup(f, start_anew)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_are_measured_exactly_and_run_by_turns),
		TEST(functions_are_measured_exactly_too),
		TEST(functions_are_measured_exactly_with_perf_events),
		TEST(the_longer_one_runs_on_alone),
		TEST(one_that_fails_ends_both_and_its_output_is_kept),
		TEST(those_that_do_not_end_are_ended),
		TEST(one_of_which_a_part_cannot_be_stopped_is_an_error),
		TEST(one_that_cannot_be_run_ends_both),
		TEST(nobody_is_left_when_it_is_killed_at_any_moment),
		TEST(an_interrupt_ends_both_and_leaves_nobody),
	};

	return cmocka_run_group_tests_name("duet", tests, prepare, clean_up);
}
