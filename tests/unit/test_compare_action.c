/* SPDX-License-Identifier: BSD-2-Clause */
/* The step of the GitHub action, with a program in probekit's place that notes what it is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define STEP "../.github/actions/compare/compare.sh"
/* Each argument on a line of its own, in brackets; the Markdown goes where -o and its like say. */
#define PROBEKIT                                                          \
	"#!/bin/sh\n"                                                     \
	"for argument; do echo \"[$argument]\" >>\"$NOTES\"; done\n"      \
	"if [ \"$CODE\" = 1 ]; then\n"                                    \
	"	seq -f 'line %g' 30 >\"$TMPDIR/probekit-run-a1b2c3\"; exit 1\n" \
	"fi\n"                                                            \
	"while [ $# -gt 0 ]; do\n"                                        \
	"	[ \"$1\" != --markdown ] || echo '### table' >\"$2\"\n"         \
	"	shift\n"                                                        \
	"done\n"                                                          \
	"echo '100 % is the outcome'\n"                                   \
	"exit \"$CODE\"\n"

struct step {
	char folder[64];
	char *printed;
	int status;
};

static void write_program(const struct step *step, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", step->folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static int setup(void **state)
{
	struct step *step = calloc(1, sizeof(*step));

	*state = step;
	if (!step)
		return -1;
	strcpy(step->folder, "/tmp/probekit-action-XXXXXX");
	if (!mkdtemp(step->folder))
		return -1;
	write_program(step, "probekit", PROBEKIT);
	/* Who runs the tests may be anybody. */
	write_program(step, "sudo", "#!/bin/sh\nexec \"$@\"\n");
	return 0;
}

static int teardown(void **state)
{
	struct step *step = *state;
	char command[128];
	int status;

	snprintf(command, sizeof(command), "rm -rf '%s'", step->folder);
	status = system(command);
	free(step->printed);
	free(step);
	return status;
}

static char *read_all(FILE *file)
{
	char *text = NULL;
	size_t capacity = 0;

	assert_non_null(file);
	if (getdelim(&text, &capacity, '\0', file) < 0) {
		free(text);
		text = strdup("");
	}
	assert_non_null(text);
	return text;
}

/* Runs it with these assignments before it, over the action's defaults. */
static void run(struct step *step, int code, const char *assignments)
{
	char command[2048];
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "cd '%s' && rm -f notes output summary && "
		 "NOTES=$PWD/notes GITHUB_OUTPUT=$PWD/output GITHUB_STEP_SUMMARY=$PWD/summary "
		 "RUNNER_TEMP=$PWD PATH=$PWD:$PATH CODE=%d "
		 "BASE=./old HEAD=./new ARGS= FAIL_ON= PAIRS=10 MODE=auto OPTIONS= STRICT=false "
		 "STEP_SUMMARY=true PROBEKIT=probekit %s sh \"$OLDPWD/" STEP "\" 2>&1",
		 step->folder, code, assignments);
	free(step->printed);
	pipe = popen(command, "re");
	step->printed = read_all(pipe);
	step->status = WEXITSTATUS(pclose(pipe));
}

static void assert_in_file(const struct step *step, const char *name, const char *part)
{
	char path[128];
	FILE *file;
	char *text;

	snprintf(path, sizeof(path), "%s/%s", step->folder, name);
	file = fopen(path, "re");
	if (!file)
		fail_msg("no file '%s' after:\n%s", name, step->printed);
	text = read_all(file);
	fclose(file);
	if (!strstr(text, part))
		fail_msg("no '%s' in '%s':\n%s", part, name, text);
	free(text);
}

static void inputs_become_arguments_as_they_are(void **state)
{
	struct step *step = *state;

	run(step, 0,
	    "STRICT=true ARGS='--name\n\na b\n$(touch pwned)' "
	    "FAIL_ON='p99>+10%\nlogger:* p50>+50us' OPTIONS='-f\nparse *'");
	assert_in_file(step, "notes",
		       "[compare]\n[--base]\n[./old]\n[--head]\n[./new]\n[--pairs]\n[10]\n"
		       "[--mode]\n[auto]\n[-o]\n");
	assert_in_file(step, "notes",
		       "[--strict]\n[--fail-on]\n[p99>+10%]\n[--fail-on]\n[logger:* p50>+50us]\n"
		       "[-f]\n[parse *]\n[--]\n[--name]\n[a b]\n[$(touch pwned)]\n");
	assert_int_equal(step->status, 0);
}

static void the_verdict_is_an_output_and_the_table_in_the_summary(void **state)
{
	struct step *step = *state;

	run(step, 0, "");
	assert_int_equal(step->status, 0);
	assert_in_file(step, "output", "verdict=passed\nexit-code=0\nreport=");
	assert_in_file(step, "output", "/comparison.md\n");
	assert_in_file(step, "summary", "### table\n");
	assert_non_null(strstr(step->printed, "100 % is the outcome\n"));
	assert_null(strstr(step->printed, "::"));
}

static void a_regression_fails_the_step(void **state)
{
	struct step *step = *state;

	run(step, 4, "STEP_SUMMARY=false");
	assert_int_equal(step->status, 4);
	assert_in_file(step, "output", "verdict=failed\nexit-code=4\n");
	assert_non_null(
		strstr(step->printed, "::error title=probekit compare::100 %25 is the outcome\n"));
	run(step, 4, "");
	assert_in_file(step, "summary", "### table\n");
}

static void what_is_undecided_fails_the_step_only_where_that_is_wanted(void **state)
{
	struct step *step = *state;

	run(step, 5, "");
	assert_int_equal(step->status, 0);
	assert_in_file(step, "output", "verdict=undecided\nexit-code=5\n");
	assert_non_null(strstr(step->printed, "::warning title=probekit compare::100 %25"));
	run(step, 5, "STRICT=true");
	assert_int_equal(step->status, 5);
	assert_non_null(strstr(step->printed, "::error title=probekit compare::100 %25"));
}

static void errors_fail_the_step(void **state)
{
	struct step *step = *state;

	run(step, 3, "");
	assert_int_equal(step->status, 3);
	assert_in_file(step, "output", "verdict=error\nexit-code=3\n");
	run(step, 0, "PROBEKIT=no-such-probekit");
	assert_int_equal(step->status, 127);
	assert_in_file(step, "output", "verdict=error\n");
	assert_non_null(strstr(step->printed, "there is no program 'no-such-probekit'"));
}

static bool has_in_file(const struct step *step, const char *name, const char *part)
{
	char path[128];
	FILE *file;
	char *text;
	bool has;

	snprintf(path, sizeof(path), "%s/%s", step->folder, name);
	file = fopen(path, "re");
	text = read_all(file);
	fclose(file);
	has = strstr(text, part);
	free(text);
	return has;
}

static void a_failing_run_leaves_no_paths_but_its_last_lines(void **state)
{
	struct step *step = *state;

	run(step, 1, "");
	assert_int_equal(step->status, 1);
	assert_in_file(step, "output", "verdict=error\nexit-code=1\n");
	assert_false(has_in_file(step, "output", "=/"));
	assert_non_null(strstr(step->printed, "line 11\nline 12\n"));
	assert_non_null(strstr(step->printed, "line 30\n"));
	assert_null(strstr(step->printed, "line 10\n"));
	run(step, 0, "");
	assert_true(has_in_file(step, "output", "report=/"));
	assert_true(has_in_file(step, "output", "markdown=/"));
	assert_false(has_in_file(step, "output", "junit="));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(inputs_become_arguments_as_they_are, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			the_verdict_is_an_output_and_the_table_in_the_summary, setup, teardown),
		cmocka_unit_test_setup_teardown(a_regression_fails_the_step, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_is_undecided_fails_the_step_only_where_that_is_wanted, setup,
			teardown),
		cmocka_unit_test_setup_teardown(errors_fail_the_step, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failing_run_leaves_no_paths_but_its_last_lines,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
