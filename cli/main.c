/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the table of commands, and what is said when none of them is meant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

static const struct command *const commands[] = {
	&command_latency, &command_locks,   &command_offcpu, &command_list, &command_record,
	&command_diff,	  &command_compare, &command_doctor, NULL,
};

static const struct command *find_command(const char *name)
{
	for (const struct command *const *c = commands; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *names[sizeof(commands) / sizeof(commands[0]) + 1];
	struct probekit_error err;
	const char *meant;
	size_t n = 0;

	for (; commands[n]; n++)
		names[n] = commands[n]->name;
	names[n++] = "help";
	names[n] = NULL;
	usage_error(&err, "there is no command '%s'", name);
	meant = opts_closest(name, names);
	if (meant)
		snprintf(err.hint, sizeof(err.hint), "did you mean 'probekit %s'?", meant);
	else
		snprintf(err.hint, sizeof(err.hint), "'probekit --help' lists the commands");
	return report_error(&err);
}

/* Runs `print` for the named command, or `print_all` when there is no name. */
static int print_for(const char *name, void (*print)(FILE *, const struct command *),
		     void (*print_all)(FILE *, const struct command *const *))
{
	const struct command *command = name ? find_command(name) : NULL;

	if (name && !command)
		return unknown_command(name);
	if (command)
		print(stdout, command);
	else
		print_all(stdout, commands);
	return 0;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	void *options = calloc(1, command->options_size);
	struct opt_operands operands;
	struct probekit_error err;
	int code = 0;

	if (!options)
		return report_no_memory();
	if (opts_parse(command, argc, argv, options, &operands, &err))
		code = report_error(&err);
	else if (operands.help)
		opts_print_help(stdout, command);
	else
		code = command->run(options, &operands);
	opts_done(command, options);
	free(options);
	return code;
}

static int run(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : NULL;
	const char *name = argc > 2 ? argv[2] : NULL;
	const struct command *command;

	if (!word) {
		opts_print_overview(stderr, commands);
		return PROBEKIT_ERROR_USAGE;
	}
	command = find_command(word);
	if (command)
		return run_command(command, argc - 1, argv + 1);
	if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return print_for(name, opts_print_help, opts_print_overview);
	/* For the build, not for the user: absent from the help. */
	if (strcmp(word, "--generate-man") == 0)
		return print_for(name, opts_print_man, opts_print_overview_man);
	if (strcmp(word, "--generate-completion") == 0) {
		opts_print_completion(stdout, commands);
		return 0;
	}
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		printf("probekit %s\n", probekit_version());
		return 0;
	}
	return unknown_command(word);
}

int main(int argc, char **argv)
{
	int code;

	code = run(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("probekit: cannot write standard output\n", stderr);
		return code ? code : PROBEKIT_ERROR_FAILED;
	}
	return code;
}
