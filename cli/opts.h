/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_OPTS_H
#define PROBEKIT_CLI_OPTS_H
/* Commands and their options as tables, from which the parser, --help, the man pages and the shell
 * completion are made. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <probekit/probekit.h>

/* What an option stores at its `offset` in the command's own struct, which starts zeroed. */
enum opt_type {
	OPT_FLAG,     /* bool */
	OPT_TEXT,     /* const char * */
	OPT_FILE,     /* const char *, completed as a file name */
	OPT_TEXTS,    /* struct opt_texts; may repeat */
	OPT_PIDS,     /* struct opt_pids; may repeat */
	OPT_DURATION, /* uint64_t ns */
	OPT_INTEGER,  /* struct opt_integer */
	OPT_SHARE,    /* double; "5%" is 0.05 */
};

struct opt_texts {
	const char **items;
	size_t count;
};

struct opt_pids {
	pid_t *items;
	size_t count;
};

struct opt_integer {
	bool is_given;
	int64_t value;
};

struct opt {
	char letter; /* 0: long name only */
	const char *name;
	enum opt_type type;
	const char *argument; /* as help calls it; NULL for a flag */
	size_t offset;
	const char *help;
};

struct example {
	const char *command;
	const char *text;
};

struct opt_operands {
	const char *target; /* NULL: none given */
	const char *second; /* the same, of a command that takes two */
	char **command;	    /* what stands after "--", NULL-terminated; NULL: none */
	bool help;
};

struct command {
	const char *name;
	const char *summary;		/* one line, no full stop */
	const char *const *synopsis;	/* all lists end with NULL or an empty element */
	const char *const *description; /* paragraphs */
	const struct opt *options;
	const struct example *examples;
	bool takes_command;   /* "-- CMD ARGS" */
	bool takes_arguments; /* "-- ARGS", of which there may be none; with takes_command */
	bool takes_second;    /* two operands before that */
	bool gives_verdict;   /* by its exit code */
	size_t options_size;  /* of the struct that `options` fill */
	/* Does it, with that struct filled; the exit code. */
	int (*run)(void *options, const struct opt_operands *operands);
};

/* Fills `values` and `operands` from argv[1] on. Texts point into argv. -EINVAL or -ENOMEM fill
 * `err`; opts_done() is due in any case. */
int opts_parse(const struct command *command, int argc, char **argv, void *values,
	       struct opt_operands *operands, struct probekit_error *err);
/* Frees the lists in `values`. */
void opts_done(const struct command *command, void *values);

/* What the user may have meant by `word`, or NULL. `names` ends with NULL. */
const char *opts_closest(const char *word, const char *const *names);

/* Made from the tables. `commands` ends with an entry whose name is NULL. */
void opts_print_help(FILE *out, const struct command *command);
void opts_print_overview(FILE *out, const struct command *const *commands);
void opts_print_man(FILE *out, const struct command *command);
void opts_print_overview_man(FILE *out, const struct command *const *commands);
void opts_print_completion(FILE *out, const struct command *const *commands);

/* Fills `err` as a usage error; -EINVAL. */
int usage_error(struct probekit_error *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same of what failed, with a negative errno, which it returns. */
int failure_error(struct probekit_error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints an error once, "probekit: TEXT; HINT" on stderr, and returns the exit code for it. */
int report_error(const struct probekit_error *err);
/* The same where memory has run out. */
int report_no_memory(void);

#endif
