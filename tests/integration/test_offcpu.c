/* SPDX-License-Identifier: BSD-2-Clause */
/* `probekit offcpu` of programs that know what their threads waited for, where, and for how long. */
#include <errno.h>
#include <probekit/probekit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

#define SHARE_ALLOWED 0.02
#define ALLOWED_NS 5000000 /* for the start and the end of threads, */
#define SLOWER 4	   /* which takes so much longer where counts are scaled */

struct profiled {
	struct support_child probekit;
	json_t *profile;
	const char *truth; /* what the command has printed */
};

static void profiled_done(struct profiled *profiled)
{
	json_decref(profiled->profile);
	support_done(&profiled->probekit);
}

static void read_profile(struct profiled *profiled)
{
	profiled->profile = support_json(profiled->probekit.out.text);
	profiled->truth = profiled->probekit.err.text;
	assert_string_equal(json_string_value(json_object_get(profiled->profile, "schema")),
			    "probekit.profile/1");
}

/* A mode of the program from its first instruction on; `option` may be NULL. */
static void profile_program(const char *option, const char *value, const char *mode,
			    const char *count, struct profiled *profiled)
{
	const char *words[SUPPORT_MAX_WORDS] = {support_probekit(), "offcpu", "--json", "--oncpu"};
	size_t n = 4;

	support_require_tracing();
	if (option) {
		words[n++] = option;
		words[n++] = value;
	}
	words[n++] = "--";
	words[n++] = support_program("profiled");
	words[n++] = mode;
	words[n++] = count;
	words[n] = NULL;
	support_start(&profiled->probekit, NULL, words);
	if (support_finish(&profiled->probekit))
		fail_msg("probekit failed: %s", profiled->probekit.err.text);
	read_profile(profiled);
}

/* A profile of everything that threads may wait for, which more than one test looks at. */
static const struct profiled *known_profile(void)
{
	static struct profiled known;

	if (!known.profile)
		profile_program(NULL, NULL, "known", "2000", &known);
	return &known;
}

/* ---- what a profile says ---- */

static int64_t class_time(const struct profiled *profiled, const char *name)
{
	return support_integer(json_object_get(profiled->profile, "time_ns"), name);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static bool is_of_class(const json_t *entry, const char *name)
{
	return strcmp(text_of(entry, "class"), name) == 0;
}

/* The innermost function that is the program's own. */
static const char *own_function(const json_t *entry)
{
	json_t *frame;
	size_t i;

	json_array_foreach (json_object_get(entry, "stack"), i, frame) {
		const char *module = text_of(frame, "module");
		const char *name = text_of(frame, "function");

		if (strstr(module, "/profiled") && strcmp(name, "pause_ms") != 0 &&
		    strcmp(name, "sem_await") != 0 && strcmp(name, "touch") != 0 &&
		    strcmp(name, "burn") != 0)
			return name;
	}
	return "";
}

/* Of all entries of a class whose own function this is; NULL: any. */
static int64_t time_in(const struct profiled *profiled, const char *name, const char *function)
{
	int64_t ns = 0;
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(profiled->profile, "entries"), i, entry)
		if (is_of_class(entry, name) &&
		    (!function || strcmp(own_function(entry), function) == 0))
			ns += support_integer(entry, "time_ns");
	return ns;
}

static int64_t time_of_process(const struct profiled *profiled, int64_t pid)
{
	int64_t ns = 0;
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(profiled->profile, "entries"), i, entry)
		if (support_integer(entry, "pid") == pid)
			ns += support_integer(entry, "time_ns");
	return ns;
}

static void assert_near(const char *what, int64_t ns, int64_t expected, int64_t more_ns)
{
	int64_t allowed = (int64_t)(SHARE_ALLOWED * (double)expected) + more_ns;

	print_message("%-9s %12lld of %12lld ns\n", what, (long long)ns, (long long)expected);
	if (ns < expected - allowed || ns > expected + allowed)
		fail_msg("%s: %lld ns, not %lld within %lld", what, (long long)ns,
			 (long long)expected, (long long)allowed);
}

static void assert_entries_add_up(const struct profiled *profiled)
{
	const char *name;
	json_t *value;

	json_object_foreach (json_object_get(profiled->profile, "time_ns"), name, value)
		assert_int_equal(time_in(profiled, name, NULL), json_integer_value(value));
}

static void assert_heaviest(const struct profiled *profiled, const char *name, const char *function)
{
	json_t *entry;
	size_t i;

	/* entries come with most time first */
	json_array_foreach (json_object_get(profiled->profile, "entries"), i, entry) {
		if (!is_of_class(entry, name))
			continue;
		if (strcmp(own_function(entry), function) != 0) {
			json_dumpf(entry, stdout, JSON_INDENT(1));
			fail_msg("not in %s, but '%s'", function, own_function(entry));
		}
		return;
	}
	fail_msg("no entry of class %s", name);
}

/* ---- a command ---- */

static void the_times_of_a_command_are_its_own(void **state)
{
	static const char *const waits[] = {"sleep", "ipc", "lock", "poll"};
	int64_t ends = support_scaled(2) < 2 ? SLOWER * ALLOWED_NS : ALLOWED_NS;
	const struct profiled *profiled = known_profile();
	int64_t stolen;
	int64_t early;

	(void)state;
	stolen = (int64_t)support_number(profiled->truth, "stolen");
	early = (int64_t)support_number(profiled->truth, "early");
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		assert_near(waits[i], class_time(profiled, waits[i]),
			    (int64_t)support_number(profiled->truth, waits[i]), ends + stolen);
	assert_near("oncpu", class_time(profiled, "oncpu"),
		    (int64_t)support_number(profiled->truth, "oncpu"), 4 * ends + stolen);
	/* Between what the threads know and as much more as main() was too late to know. */
	assert_near("runqueue", class_time(profiled, "runqueue"),
		    (int64_t)support_number(profiled->truth, "runqueue") + early / 2,
		    8 * ends + stolen + early / 2);
	assert_entries_add_up(profiled);
}

static double samples_of(const struct profiled *profiled, const char *name)
{
	double samples = 0;
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(profiled->profile, "entries"), i, entry)
		if (is_of_class(entry, name))
			samples += (double)support_integer(entry, "samples");
	return samples;
}

/* Of a class's time, the program says, `part` was in a function: how much of it depends on the machine. Stacks are
 * samples, of which a slow machine takes few: five standard deviations of such a share are allowed. */
static void assert_share(const struct profiled *profiled, const char *name, const char *function,
			 const char *part, double allowed)
{
	double share =
		(double)time_in(profiled, name, function) / (double)class_time(profiled, name);
	double expected = (double)support_number(profiled->truth, part) /
			  (double)support_number(profiled->truth, name);
	double samples = samples_of(profiled, name);

	allowed = fmax(allowed, 5 * sqrt(expected * (1 - expected) / samples));
	print_message("%-9s %.3f, expected %.3f +- %.3f of %.0f samples\n", function, share,
		      expected, allowed, samples);
	assert_true(share > expected - allowed);
	assert_true(share < expected + allowed);
}

static void each_wait_is_where_the_program_waits(void **state)
{
	const struct profiled *profiled = known_profile();

	(void)state;
	assert_heaviest(profiled, "sleep", "want_time");
	assert_heaviest(profiled, "ipc", "want_byte");
	assert_heaviest(profiled, "poll", "want_event");
	/* Of the three threads that sleep one does so elsewhere. */
	assert_share(profiled, "sleep", "hold_lock", "held", 0.05);
	/* The thread waits for two locks in turns. */
	assert_share(profiled, "lock", "want_lock", "wanted_lock", 0.05);
}

static void running_functions_have_their_share(void **state)
{
	struct profiled profiled;
	double once, twice;

	(void)state;
	profile_program(NULL, NULL, "known", "3000", &profiled);
	if (json_is_false(json_object_get(profiled.profile, "has_oncpu"))) {
		print_message("skipped: the kernel's tick cannot be used for samples\n");
		profiled_done(&profiled);
		skip();
	}
	once = (double)time_in(&profiled, "oncpu", "burn_once");
	twice = (double)time_in(&profiled, "oncpu", "burn_twice");
	print_message("once %.0f, twice %.0f ns\n", once, twice);
	assert_true(once + twice > 0.5 * (double)class_time(&profiled, "oncpu"));
	/* About 500 samples: six standard deviations of the share. */
	assert_true(twice / (once + twice) > 2. / 3 - 0.13);
	assert_true(twice / (once + twice) < 2. / 3 + 0.13);
	profiled_done(&profiled);
}

static void only_time_inside_of_spans_counts(void **state)
{
	struct profiled profiled;

	(void)state;
	profile_program("-s", "profiled:span", "spans", "200", &profiled);
	assert_string_equal(text_of(profiled.profile, "scope"), "spans");
	assert_near("sleep", class_time(&profiled, "sleep"),
		    (int64_t)support_number(profiled.truth, "sleep"), 0);
	assert_int_equal(class_time(&profiled, "poll"), 0);
	assert_true(class_time(&profiled, "oncpu") > 0);
	assert_true(class_time(&profiled, "oncpu") <=
		    (int64_t)support_number(profiled.truth, "oncpu"));
	assert_heaviest(&profiled, "sleep", "want_time");
	assert_entries_add_up(&profiled);
	profiled_done(&profiled);
}

static void a_commands_status_and_output_are_told(void **state)
{
	struct support_child probekit;

	(void)state;
	support_require_tracing();
	assert_int_equal(support_run(&probekit, NULL, support_probekit(), "offcpu", "--", "/bin/sh",
				     "-c", "sleep 0.1; echo spoken; exit 7", NULL),
			 0);
	assert_non_null(strstr(probekit.out.text, "spoken\n"));
	assert_non_null(strstr(probekit.out.text, "status 7\n"));
	/* of the child's, which did nothing else */
	assert_non_null(strstr(probekit.out.text, "sleep in clock_nanosleep   sleep (pid "));
	support_done(&probekit);
}

/* ---- processes that were there before ---- */

struct waiting {
	struct support_child program;
	int64_t pid;
};

static void start_waiting(struct waiting *waiting)
{
	const char *const words[] = {support_program("profiled"), "forever", "1", NULL};

	support_start(&waiting->program, NULL, words);
	if (!support_wait_text(&waiting->program, &waiting->program.out, "waiting\n"))
		fail_msg("the program ended early: %s", waiting->program.err.text);
	waiting->pid = (int64_t)support_number(waiting->program.out.text, "pid");
}

static void waits_that_began_before_and_do_not_end_count(void **state)
{
	static const char *const waits[][2] = {
		{"ipc", "want_byte"}, {"lock", "want_lock"}, {"poll", "want_event"}};
	struct waiting waiting;
	struct profiled profiled;
	char pid[16];
	int64_t duration;

	(void)state;
	support_require_tracing();
	start_waiting(&waiting);
	snprintf(pid, sizeof(pid), "%lld", (long long)waiting.pid);
	assert_int_equal(support_run(&profiled.probekit, NULL, support_probekit(), "offcpu",
				     "--json", "-d", "500ms", "-p", pid, NULL),
			 0);
	read_profile(&profiled);
	duration = support_integer(profiled.profile, "duration_ns");
	for (size_t i = 0; i < 3; i++) {
		assert_near(waits[i][0], class_time(&profiled, waits[i][0]), duration, 0);
		assert_heaviest(&profiled, waits[i][0], waits[i][1]);
	}
	assert_int_equal(
		json_integer_value(json_object_get(
			json_array_get(json_object_get(profiled.profile, "entries"), 0), "pid")),
		waiting.pid);
	profiled_done(&profiled);
	support_done(&waiting.program);
}

static void processes_of_one_file_are_kept_apart(void **state)
{
	struct profiled profiled;
	struct waiting waiting[2];
	int64_t duration;

	(void)state;
	support_require_tracing();
	for (int i = 0; i < 2; i++)
		start_waiting(&waiting[i]);
	assert_int_equal(support_run(&profiled.probekit, NULL, support_probekit(), "offcpu",
				     "--json", "-d", "500ms", support_program("profiled"), NULL),
			 0);
	read_profile(&profiled);
	duration = support_integer(profiled.profile, "duration_ns");
	for (int i = 0; i < 2; i++) {
		assert_near("process", time_of_process(&profiled, waiting[i].pid), 3 * duration, 0);
		support_done(&waiting[i].program);
	}
	profiled_done(&profiled);
}

/* Of three threads, all of which wait. */
static uint64_t take_profile(struct probekit_session *session, pid_t pid)
{
	const struct probekit_profile_info *info;
	struct probekit_profile *profile;
	struct probekit_error err;
	uint64_t ns = 0;

	if (probekit_session_profile(session, &profile, &err))
		fail_msg("%s", err.text);
	info = probekit_profile_info(profile);
	for (size_t i = 0; i < probekit_profile_size(profile); i++) {
		assert_int_equal(probekit_profile_entry(profile, i)->pid, pid);
		assert_string_equal(probekit_profile_entry(profile, i)->comm, "profiled");
		ns += probekit_profile_entry(profile, i)->time_ns;
	}
	assert_near("so far", (int64_t)ns, 3 * (int64_t)info->duration_ns, 0);
	probekit_profile_free(profile);
	return ns;
}

static void a_profile_can_be_taken_while_it_is_measured(void **state)
{
	struct probekit_session_options options = {.size = sizeof(options),
						   .profiling = PROBEKIT_PROFILING_WHOLE};
	struct probekit_session *session;
	struct probekit_profile *profile;
	struct probekit_error err;
	struct waiting waiting;
	uint64_t first, second, last;
	pid_t pid;

	(void)state;
	support_require_tracing();
	start_waiting(&waiting);
	pid = (pid_t)waiting.pid;
	assert_int_equal(probekit_session_new(&options, &session, &err), 0);
	assert_int_equal(probekit_session_add_pid(session, pid, &err), 0);
	assert_int_equal(probekit_session_profile(session, &profile, &err), -EINVAL);
	if (probekit_session_start(session, &err))
		fail_msg("%s", err.text);
	assert_int_equal(probekit_session_poll(session, 50, &err), 0);
	first = take_profile(session, pid);
	assert_int_equal(probekit_session_poll(session, 50, &err), 0);
	second = take_profile(session, pid);
	assert_int_equal(probekit_session_stop(session, &err), 0);
	last = take_profile(session, pid);
	assert_true(first < second && second <= last);
	probekit_session_free(session);
	support_done(&waiting.program);
}

/* ---- files ---- */

static void a_file_is_replaced_as_a_whole_and_no_link_followed(void **state)
{
	char *folder = support_new_folder();
	char *file = support_join(folder, "stacks.txt");
	char *link = support_join(folder, "link.txt");
	struct support_child probekit;
	struct stat st;
	size_t size;
	char *text;

	(void)state;
	support_require_tracing();
	support_write_file(file, "old", 3);
	assert_int_equal(symlink(file, link), 0);
	assert_int_equal(support_run(&probekit, NULL, support_probekit(), "offcpu", "--folded",
				     link, "--", "/bin/sleep", "0.1", NULL),
			 1);
	assert_non_null(strstr(probekit.err.text, "link.txt"));
	support_done(&probekit);
	text = support_read_file(file, &size);
	assert_int_equal(size, 3);
	free(text);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(support_run(&probekit, NULL, support_probekit(), "offcpu", "--folded",
				     file, "--", "/bin/sleep", "0.1", NULL),
			 0);
	support_done(&probekit);
	text = support_read_file(file, &size);
	assert_true(size > 3);
	free(text);
	assert_int_equal(support_count_files(folder), 2);
	free(file);
	free(link);
	support_remove_folder(folder);
}

/* ---- usage ---- */

static void what_cannot_be_done_is_refused(void **state)
{
	struct support_child probekit;

	(void)state;
	assert_int_equal(support_run(&probekit, NULL, support_probekit(), "offcpu", NULL), 2);
	support_done(&probekit);
	assert_int_equal(support_run(&probekit, NULL, support_probekit(), "offcpu", "-p", "1", "--",
				     "/bin/true", NULL),
			 2);
	support_done(&probekit);
	assert_int_equal(support_run(&probekit, NULL, support_probekit(), "offcpu", "--svg",
				     "/nowhere/at/all.svg", "--", "/bin/true", NULL),
			 1);
	support_done(&probekit);
	assert_int_equal(support_run(&probekit, NULL, support_probekit(), "offcpu",
				     "/nowhere/at/all", NULL),
			 1);
	support_done(&probekit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_times_of_a_command_are_its_own),
		cmocka_unit_test(each_wait_is_where_the_program_waits),
		cmocka_unit_test(running_functions_have_their_share),
		cmocka_unit_test(only_time_inside_of_spans_counts),
		cmocka_unit_test(a_commands_status_and_output_are_told),
		cmocka_unit_test(waits_that_began_before_and_do_not_end_count),
		cmocka_unit_test(processes_of_one_file_are_kept_apart),
		cmocka_unit_test(a_profile_can_be_taken_while_it_is_measured),
		cmocka_unit_test(a_file_is_replaced_as_a_whole_and_no_link_followed),
		cmocka_unit_test(what_cannot_be_done_is_refused),
	};

	return cmocka_run_group_tests_name("offcpu", tests, NULL, NULL);
}
