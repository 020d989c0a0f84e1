/* SPDX-License-Identifier: BSD-2-Clause */
/* Command lines read by an option table, and the documents made from it. */
#include "opts.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cmd.h"

struct values {
	struct opt_pids pids;
	struct opt_texts globs;
	struct opt_integer key;
	uint64_t duration_ns;
	const char *file;
	bool is_json;
	bool is_verbose;
};

static const struct opt table[] = {
	{'p', "pid", OPT_PIDS, "PID", offsetof(struct values, pids), "A process."},
	{'s', "span", OPT_TEXTS, "GLOB", offsetof(struct values, globs), "Spans."},
	{0, "key", OPT_INTEGER, "N", offsetof(struct values, key), "A key."},
	{'d', "duration", OPT_DURATION, "SECONDS", offsetof(struct values, duration_ns),
	 "How long."},
	{'o', "output", OPT_FILE, "FILE", offsetof(struct values, file), "A file."},
	{0, "json", OPT_FLAG, NULL, offsetof(struct values, is_json), "JSON."},
	{'v', "verbose", OPT_FLAG, NULL, offsetof(struct values, is_verbose), "More."},
	{0},
};

static const struct command command = {
	.name = "sample",
	.summary = "a sample",
	.synopsis = (const char *const[]){"TARGET", NULL},
	.description = (const char *const[]){".starts with a dot", NULL},
	.options = table,
	.examples = (const struct example[]){{"probekit sample x", "An example:"}, {NULL, NULL}},
	.takes_command = true,
};

struct parsed {
	struct values values;
	struct opt_operands operands;
	struct probekit_error err;
	int ret;
};

/* Parses `line`, of which blanks part the words. */
static struct parsed *parse(const char *line)
{
	static struct parsed parsed;
	static char copy[256];
	static char *argv[32];
	int argc = 0;

	opts_done(&command, &parsed.values);
	memset(&parsed, 0, sizeof(parsed));
	snprintf(copy, sizeof(copy), "sample %s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	parsed.ret =
		opts_parse(&command, argc, argv, &parsed.values, &parsed.operands, &parsed.err);
	return &parsed;
}

static void assert_refused(const char *line, const char *text)
{
	struct parsed *parsed = parse(line);

	assert_int_equal(parsed->ret, -EINVAL);
	assert_int_equal(parsed->err.kind, PROBEKIT_ERROR_USAGE);
	assert_string_equal(parsed->err.text, text);
}

static void every_type_is_stored_in_its_field(void **state)
{
	struct parsed *parsed =
		parse("-p 42 --pid=43 -s a:* -s b:* --key -7 -d 1.5 -oout --json -v target");

	(void)state;
	assert_int_equal(parsed->ret, 0);
	assert_int_equal(parsed->values.pids.count, 2);
	assert_int_equal(parsed->values.pids.items[0], 42);
	assert_int_equal(parsed->values.pids.items[1], 43);
	assert_int_equal(parsed->values.globs.count, 2);
	assert_string_equal(parsed->values.globs.items[1], "b:*");
	assert_true(parsed->values.key.is_given);
	assert_int_equal(parsed->values.key.value, -7);
	assert_int_equal(parsed->values.duration_ns, 1500000000);
	assert_string_equal(parsed->values.file, "out");
	assert_true(parsed->values.is_json);
	assert_true(parsed->values.is_verbose);
	assert_string_equal(parsed->operands.target, "target");
	assert_null(parsed->operands.command);
}

static void nothing_given_leaves_everything_zero(void **state)
{
	static const struct values zero;
	struct parsed *parsed = parse("");

	(void)state;
	assert_int_equal(parsed->ret, 0);
	assert_memory_equal(&parsed->values, &zero, sizeof(zero));
	assert_null(parsed->operands.target);
}

static void options_may_follow_the_target(void **state)
{
	struct parsed *parsed = parse("target --json");

	(void)state;
	assert_int_equal(parsed->ret, 0);
	assert_string_equal(parsed->operands.target, "target");
	assert_true(parsed->values.is_json);
}

static void words_after_two_dashes_are_the_command(void **state)
{
	struct parsed *parsed = parse("target -v -- cmd --json -d x -- y");

	(void)state;
	assert_int_equal(parsed->ret, 0);
	assert_string_equal(parsed->operands.target, "target");
	assert_string_equal(parsed->operands.command[0], "cmd");
	assert_string_equal(parsed->operands.command[1], "--json");
	assert_string_equal(parsed->operands.command[5], "y");
	assert_null(parsed->operands.command[6]);
	assert_false(parsed->values.is_json);
}

static void two_dashes_may_be_an_argument(void **state)
{
	struct parsed *parsed = parse("target -o --");

	(void)state;
	assert_int_equal(parsed->ret, 0);
	assert_string_equal(parsed->values.file, "--");
	assert_null(parsed->operands.command);
}

static void help_is_known_to_every_command(void **state)
{
	(void)state;
	assert_true(parse("-h")->operands.help);
	assert_true(parse("--help target")->operands.help);
	assert_false(parse("target")->operands.help);
}

static void bad_arguments_are_quoted(void **state)
{
	(void)state;
	assert_refused("-p 0", "--pid: '0' is not a process id");
	assert_refused("-p 99999999999", "--pid: '99999999999' is not a process id");
	assert_refused("-p 42x", "--pid: '42x' is not a process id");
	assert_refused("--key 1.5", "--key: '1.5' is not a whole number");
	assert_refused("-d soon", "--duration: 'soon' is not a duration such as 10, 0.5 or 500ms");
	assert_refused("-o", "sample: option '-o' needs an argument");
	assert_refused("--key", "sample: option '--key' needs an argument");
	assert_refused("--json=1", "sample: option '--json' takes no argument");
}

static void unknown_words_get_a_way_out(void **state)
{
	(void)state;
	assert_refused("--jsno", "sample: unknown option '--jsno'");
	assert_string_equal(parse("--jsno")->err.hint, "did you mean '--json'?");
	assert_refused("-x", "sample: unknown option '-x'");
	assert_refused("-vx", "sample: unknown option '-x'");
	assert_string_equal(parse("-x")->err.hint, "see 'probekit sample --help'");
	assert_refused("a b", "sample: one target only, and 'b' is a second one");
	assert_refused("a \033", "sample: one target only, and '\\x1b' is a second one");
	assert_refused("--", "sample: no command after '--'");
}

/* As the action gives them, which has a list of arguments that may be empty. */
static void there_may_be_no_arguments_for_what_is_named_otherwise(void **state)
{
	char *argv[] = {"sample", "--json", "--", NULL};
	struct command bare = command;
	struct opt_operands operands = {0};
	struct probekit_error err;
	struct values values = {0};

	(void)state;
	bare.takes_arguments = true;
	assert_int_equal(opts_parse(&bare, 3, argv, &values, &operands, &err), 0);
	assert_true(values.is_json);
	assert_non_null(operands.command);
	assert_null(operands.command[0]);
	opts_done(&bare, &values);
}

static void closest_names_are_near_or_continued(void **state)
{
	static const char *const names[] = {"latency", "list", "help", NULL};

	(void)state;
	assert_string_equal(opts_closest("latancy", names), "latency");
	assert_string_equal(opts_closest("lat", names), "latency");
	assert_string_equal(opts_closest("lits", names), "list");
	assert_string_equal(opts_closest("hlep", names), "help");
	assert_null(opts_closest("record", names));
	assert_null(opts_closest("x", names));
}

/* What `print` writes; the caller frees it. */
static char *written(void (*print)(FILE *, const struct command *), const struct command *of)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	print(out, of);
	fclose(out);
	return text;
}

static void documents_name_every_option(void **state)
{
	static const struct command *const all[] = {&command_latency, &command_list, NULL};
	char *completion = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&completion, &size);

	(void)state;
	opts_print_completion(out, all);
	fclose(out);
	for (const struct command *const *c = all; *c; c++) {
		char *help = written(opts_print_help, *c);
		char *man = written(opts_print_man, *c);

		for (const struct opt *opt = (*c)->options; opt->name; opt++) {
			char name[64];

			snprintf(name, sizeof(name), "--%s", opt->name);
			assert_non_null(strstr(help, name));
			assert_non_null(strstr(completion, name));
			/* hyphens are escaped there */
			snprintf(name, sizeof(name), "\\-\\-%.*s", (int)strcspn(opt->name, "-"),
				 opt->name);
			assert_non_null(strstr(man, name));
		}
		free(help);
		free(man);
	}
	free(completion);
}

static void help_fits_eighty_columns(void **state)
{
	static const struct command *const all[] = {&command_latency, &command_list, NULL};

	(void)state;
	for (const struct command *const *c = all; *c; c++) {
		char *help = written(opts_print_help, *c);

		for (char *line = strtok(help, "\n"); line; line = strtok(NULL, "\n"))
			if (strncmp(line, "  probekit ", 11) != 0) /* examples stay whole */
				assert_true(strlen(line) <= 80);
		free(help);
	}
}

static void man_text_cannot_become_a_request(void **state)
{
	char *man = written(opts_print_man, &command);

	(void)state;
	assert_non_null(strstr(man, "\n\\&.starts with a dot\n"));
	assert_non_null(strstr(man, ".TH PROBEKIT-SAMPLE 1 "));
	free(man);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_stored_in_its_field),
		cmocka_unit_test(nothing_given_leaves_everything_zero),
		cmocka_unit_test(options_may_follow_the_target),
		cmocka_unit_test(words_after_two_dashes_are_the_command),
		cmocka_unit_test(two_dashes_may_be_an_argument),
		cmocka_unit_test(help_is_known_to_every_command),
		cmocka_unit_test(bad_arguments_are_quoted),
		cmocka_unit_test(unknown_words_get_a_way_out),
		cmocka_unit_test(there_may_be_no_arguments_for_what_is_named_otherwise),
		cmocka_unit_test(closest_names_are_near_or_continued),
		cmocka_unit_test(documents_name_every_option),
		cmocka_unit_test(help_fits_eighty_columns),
		cmocka_unit_test(man_text_cannot_become_a_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
