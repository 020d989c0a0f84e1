/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor's rows as text. */
#include "out_doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format.h"

#define LONG_COMMAND                                                    \
	"sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_syslog+ep " \
	"/srv/tools/a/folder/of/some/length/probekit"

static const struct probekit_support_row fine = {
	.name = "btf",
	.title = "kernel types (BTF)",
	.group = "kernel",
	.need = PROBEKIT_SUPPORT_REQUIRED,
	.found = "there",
};
static const struct probekit_support_row limited = {
	.name = "quota",
	.title = "CPU quota state",
	.group = "kernel",
	.need = PROBEKIT_SUPPORT_USEFUL,
	.state = PROBEKIT_SUPPORT_LIMITED,
	.found = "cfs_rq.throttle_count",
	.cost = "some waits for a CPU are taken for waits for a quota, which is told here in more "
		"words than one line of eighty columns can hold",
};
static const struct probekit_support_row missing = {
	.name = "kernel_symbols",
	.title = "kernel symbols",
	.group = "user",
	.need = PROBEKIT_SUPPORT_USEFUL,
	.state = PROBEKIT_SUPPORT_MISSING,
	.found = "addresses are hidden",
	.cost = "functions of the kernel cannot be named",
	.advice = "let privileged programs see them",
	.command = "sudo sysctl kernel.kptr_restrict=1",
};
static const struct probekit_support_row obstacle = {
	.name = "bpf",
	.title = "BPF programs",
	.group = "kernel",
	.need = PROBEKIT_SUPPORT_REQUIRED,
	.state = PROBEKIT_SUPPORT_MISSING,
	.found = "CAP_BPF is missing",
	.cost = "nothing can be measured",
	.command = LONG_COMMAND,
};
static const struct probekit_support_row unknown[] = {
	{.name = "cookie",
	 .title = "BPF cookies",
	 .group = "kernel",
	 .need = PROBEKIT_SUPPORT_REQUIRED,
	 .state = PROBEKIT_SUPPORT_UNKNOWN,
	 .found = "cannot be tried"},
	{.name = "loop",
	 .title = "bpf_loop()",
	 .group = "kernel",
	 .need = PROBEKIT_SUPPORT_REQUIRED,
	 .state = PROBEKIT_SUPPORT_UNKNOWN,
	 .found = "cannot be tried"},
	{.name = "jit",
	 .title = "BPF compiler",
	 .group = "kernel",
	 .need = PROBEKIT_SUPPORT_REQUIRED,
	 .state = PROBEKIT_SUPPORT_UNKNOWN,
	 .found = "Invalid argument"},
};
static const struct probekit_support_row information = {
	.name = "session",
	.title = "uprobe sessions",
	.group = "kernel",
	.need = PROBEKIT_SUPPORT_INFORMATION,
	.state = PROBEKIT_SUPPORT_MISSING,
	.found = "not there",
	.cost = "nothing: probekit does not use them",
};

/* The caller frees it. Rows end with NULL; the first obstacle is what to mend first. */
static char *render(bool has_colour, const struct probekit_support_row *const *rows)
{
	struct doctor_view view = {
		.system = "Linux 6.18.0 x86_64",
		.rows = rows,
		.can_measure = true,
		.verdict = "Latency can be measured",
	};
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	for (; rows[view.size]; view.size++) {
		if (rows[view.size] != &obstacle)
			continue;
		view.first = &obstacle;
		view.can_measure = false;
		view.verdict = "Latency cannot be measured: CAP_BPF is missing";
	}
	out_doctor_text(out, has_colour, 80, &view);
	fclose(out);
	return text;
}

#define RENDER(...) render(false, (const struct probekit_support_row *const[]){__VA_ARGS__, NULL})

static size_t position(const char *text, const char *part)
{
	const char *at = strstr(text, part);

	if (!at)
		fail_msg("no \"%s\" in: %s", part, text);
	return (size_t)(at - text);
}

static void what_is_wrong_precedes_what_is_right_worst_first(void **state)
{
	char *text = RENDER(&fine, &limited, &unknown[2], &missing, &obstacle);
	size_t worst = position(text, "MISSING  BPF programs: CAP_BPF is missing");
	size_t second = position(text, "missing  kernel symbols: addresses are hidden");
	size_t third = position(text, "limited  CPU quota state: cfs_rq.throttle_count");
	size_t fourth = position(text, "unknown  Invalid argument: BPF compiler");

	(void)state;
	assert_true(worst < second && second < third && third < fourth);
	assert_true(fourth < position(text, "ok       kernel types (BTF)"));
	free(text);
}

static void each_says_what_it_costs_and_what_mends_it(void **state)
{
	char *text = RENDER(&missing);

	(void)state;
	assert_non_null(strstr(text, "missing  kernel symbols: addresses are hidden\n"
				     "         costs  functions of the kernel cannot be named\n"
				     "         mend   let privileged programs see them\n"
				     "                sudo sysctl kernel.kptr_restrict=1\n"));
	free(text);
}

static void the_verdict_ends_the_text_with_the_first_thing_to_do(void **state)
{
	const char *end = "Latency cannot be measured: CAP_BPF is missing; first:\n"
			  "    " LONG_COMMAND "\n";
	char *text = RENDER(&fine, &obstacle);

	(void)state;
	assert_string_equal(text + strlen(text) - strlen(end), end);
	free(text);
	text = RENDER(&fine);
	end = "\n\nLatency can be measured\n";
	assert_string_equal(text + strlen(text) - strlen(end), end);
	free(text);
}

static void commands_are_whole_and_everything_else_fits_the_width(void **state)
{
	char *text = RENDER(&fine, &limited, &unknown[0], &unknown[1], &missing, &obstacle);
	size_t commands = 0;

	(void)state;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (strstr(line, "setcap")) {
			assert_non_null(strstr(line, LONG_COMMAND));
			commands++;
		} else if (format_width(line) > 80) {
			fail_msg("too long: %s", line);
		}
	}
	assert_int_equal(commands, 2);
	free(text);
}

static void what_is_unknown_for_one_reason_is_one_paragraph(void **state)
{
	char *text = RENDER(&unknown[0], &unknown[1], &unknown[2]);

	(void)state;
	position(text, "unknown  cannot be tried: BPF cookies, bpf_loop()\n");
	position(text, "unknown  Invalid argument: BPF compiler\n");
	free(text);
}

static void information_is_never_a_problem(void **state)
{
	char *text = RENDER(&information);

	(void)state;
	position(text, "         uprobe sessions            not there\n");
	assert_null(strstr(text, "missing"));
	assert_null(strstr(text, "costs"));
	free(text);
}

static void rows_stand_in_their_group(void **state)
{
	struct probekit_support_row target = fine;
	struct probekit_support_row user = fine;
	char *text;

	(void)state;
	target.group = "target";
	user.group = "user";
	text = RENDER(&user, &fine, &target);
	assert_true(position(text, "The target\n") < position(text, "The kernel\n"));
	assert_true(position(text, "The kernel\n") < position(text, "This user\n"));
	assert_null(strstr(text, "This system"));
	free(text);
}

static void colour_is_there_only_when_asked_for(void **state)
{
	const struct probekit_support_row *const rows[] = {&obstacle, &fine, NULL};
	char *plain = render(false, rows);
	char *coloured = render(true, rows);

	(void)state;
	assert_null(strchr(plain, '\033'));
	position(coloured, "\033[1;31mMISSING\033[0m  BPF programs");
	free(plain);
	free(coloured);
}

static void a_word_longer_than_a_line_stays_whole(void **state)
{
	struct probekit_support_row row = fine;
	char word[400];
	char *text;

	(void)state;
	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	row.found = word;
	text = RENDER(&row);
	position(text, word);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_precedes_what_is_right_worst_first),
		cmocka_unit_test(each_says_what_it_costs_and_what_mends_it),
		cmocka_unit_test(the_verdict_ends_the_text_with_the_first_thing_to_do),
		cmocka_unit_test(commands_are_whole_and_everything_else_fits_the_width),
		cmocka_unit_test(what_is_unknown_for_one_reason_is_one_paragraph),
		cmocka_unit_test(information_is_never_a_problem),
		cmocka_unit_test(rows_stand_in_their_group),
		cmocka_unit_test(colour_is_there_only_when_asked_for),
		cmocka_unit_test(a_word_longer_than_a_line_stays_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
