/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the reading of a command line by its option table. */
#include "opts.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"

enum {
	MAX_OPTIONS = 40,
	OPTION_SIZE = 80,
	MAX_WORD = 32,	 /* longer words are not compared */
	LONG_ONLY = 256, /* getopt's value of option i without a letter: LONG_ONLY + i */
};

static int fill_error(struct probekit_error *err, enum probekit_error_kind kind, int code,
		      const char *format, va_list args)
{
	char raw[sizeof(err->text)];

	vsnprintf(raw, sizeof(raw), format, args);
	err->code = code;
	err->kind = kind;
	format_escape(raw, err->text, sizeof(err->text));
	err->hint[0] = '\0';
	return code;
}

int usage_error(struct probekit_error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill_error(err, PROBEKIT_ERROR_USAGE, -EINVAL, format, args);
	va_end(args);
	return -EINVAL;
}

int failure_error(struct probekit_error *err, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fill_error(err, PROBEKIT_ERROR_FAILED, code, format, args);
	va_end(args);
	return code;
}

int report_error(const struct probekit_error *err)
{
	fprintf(stderr, "probekit: %s%s%s\n", err->text, err->hint[0] ? "; " : "", err->hint);
	return (int)err->kind;
}

int report_no_memory(void)
{
	fputs("probekit: cannot allocate memory\n", stderr);
	return PROBEKIT_ERROR_FAILED;
}

/* Levenshtein distance with one row. */
static size_t distance(const char *a, const char *b)
{
	size_t row[MAX_WORD + 1];
	size_t length = strlen(b);

	if (length > MAX_WORD)
		return SIZE_MAX;
	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < length; j++) {
			size_t best = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			if (diagonal + 1 < best)
				best = diagonal + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			row[j + 1] = best;
		}
	}
	return row[length];
}

const char *opts_closest(const char *word, const char *const *names)
{
	size_t length = strlen(word);
	size_t limit = length < 4 ? 1 : length < 8 ? 2 : 3;
	const char *found = NULL;

	for (; *names; names++) {
		size_t d = distance(word, *names);

		if (length >= 3 && strncmp(word, *names, length) == 0)
			d = 0;
		if (d <= limit) {
			found = *names;
			limit = d ? d - 1 : 0;
			if (d == 0)
				break;
		}
	}
	return found;
}

static size_t option_count(const struct command *command)
{
	size_t n = 0;

	while (command->options[n].name)
		n++;
	return n;
}

/* `items` is the address of a pointer to elements of `size` bytes. */
static int append(void *items, size_t *count, size_t size, const void *item,
		  struct probekit_error *err)
{
	void *grown;

	memcpy(&grown, items, sizeof(grown));
	grown = realloc(grown, (*count + 1) * size);
	if (!grown)
		return failure_error(err, -ENOMEM, "cannot allocate memory");
	memcpy((char *)grown + *count * size, item, size);
	memcpy(items, &grown, sizeof(grown));
	(*count)++;
	return 0;
}

static int bad_argument(const struct opt *opt, const char *text, const char *what,
			struct probekit_error *err)
{
	return usage_error(err, "--%s: '%s' is not %s", opt->name, text, what);
}

static bool parse_share(const char *text, double *share)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || !(value > 0) || value > 1e6)
		return false;
	if (*end == '%') {
		value /= 100;
		end++;
	}
	*share = value;
	return *end == '\0';
}

static int store(const struct opt *opt, const char *text, void *values, struct probekit_error *err)
{
	void *field = (char *)values + opt->offset;
	struct opt_texts *texts = field;
	struct opt_pids *pids = field;
	struct opt_integer *integer = field;
	int64_t number;
	pid_t pid;

	switch (opt->type) {
	case OPT_FLAG:
		*(bool *)field = true;
		return 0;
	case OPT_TEXT:
	case OPT_FILE:
		if (!*text)
			return bad_argument(opt, text, "a name", err);
		*(const char **)field = text;
		return 0;
	case OPT_TEXTS:
		return append(&texts->items, &texts->count, sizeof(text), &text, err);
	case OPT_PIDS:
		if (!parse_integer(text, &number) || number < 1 || number > INT_MAX)
			return bad_argument(opt, text, "a process id", err);
		pid = (pid_t)number;
		return append(&pids->items, &pids->count, sizeof(pid), &pid, err);
	case OPT_DURATION:
		if (!parse_duration(text, field))
			return bad_argument(opt, text, "a duration such as 10, 0.5 or 500ms", err);
		return 0;
	case OPT_INTEGER:
		if (!parse_integer(text, &integer->value))
			return bad_argument(opt, text, "a whole number", err);
		integer->is_given = true;
		return 0;
	case OPT_SHARE:
		if (!parse_share(text, field))
			return bad_argument(opt, text, "a share above 0 such as 5% or 0.05", err);
		return 0;
	}
	return -EINVAL;
}

/* getopt's own message would name neither the command nor a way out. */
static int bad_option(const struct command *command, const char *text, bool lacks_argument,
		      struct probekit_error *err)
{
	const char *names[MAX_OPTIONS + 2];
	size_t n = option_count(command);
	size_t length = strcspn(text, "=");
	const char *meant = NULL;
	size_t matches = 0;

	for (size_t i = 0; i < n; i++) {
		names[i] = command->options[i].name;
		matches += length > 2 && strncmp(text + 2, names[i], length - 2) == 0;
	}
	names[n] = "help";
	names[n + 1] = NULL;
	if (lacks_argument) {
		usage_error(err, "%s: option '%s' needs an argument", command->name, text);
	} else if (strncmp(text, "--", 2) == 0 && matches == 1 && text[length] == '=') {
		usage_error(err, "%s: option '%.*s' takes no argument", command->name, (int)length,
			    text);
	} else {
		usage_error(err, "%s: unknown option '%s'", command->name, text);
		if (strncmp(text, "--", 2) == 0)
			meant = opts_closest(text + 2, names);
	}
	if (meant)
		snprintf(err->hint, sizeof(err->hint), "did you mean '--%s'?", meant);
	else
		snprintf(err->hint, sizeof(err->hint), "see 'probekit %s --help'", command->name);
	return -EINVAL;
}

static int take_target(const struct command *command, const char *text,
		       struct opt_operands *operands, struct probekit_error *err)
{
	if (!*text)
		return usage_error(err, "%s: the target's name is empty", command->name);
	if (operands->target && command->takes_second && !operands->second) {
		operands->second = text;
		return 0;
	}
	if (operands->second)
		return usage_error(err, "%s: two files only, and '%s' is a third one",
				   command->name, text);
	if (operands->target) {
		usage_error(err, "%s: one target only, and '%s' is a second one", command->name,
			    text);
		if (command->takes_command)
			snprintf(err->hint, sizeof(err->hint),
				 "a command to start stands after '--'");
		return err->code;
	}
	operands->target = text;
	return 0;
}

static int take_command(const struct command *command, char **argv, struct opt_operands *operands,
			struct probekit_error *err)
{
	if (!command->takes_command)
		return usage_error(err, "%s: does not start commands ('--')", command->name);
	if (!*argv && !command->takes_arguments)
		return usage_error(err, "%s: no command after '--'", command->name);
	operands->command = argv;
	return 0;
}

/* Fills what getopt_long() wants. The leading '-' makes it return operands in their place, so that
 * a target before "--" is told from the command behind; ':' tells a missing argument apart. */
static void build_tables(const struct command *command, char letters[static 3 + 2 * MAX_OPTIONS],
			 struct option longs[static MAX_OPTIONS + 2])
{
	size_t n = option_count(command);
	char *letter = letters;

	*letter++ = '-';
	*letter++ = ':';
	*letter++ = 'h';
	for (size_t i = 0; i < n; i++) {
		const struct opt *opt = &command->options[i];
		bool has_argument = opt->type != OPT_FLAG;

		longs[i] = (struct option){opt->name, has_argument, NULL, LONG_ONLY + (int)i};
		if (opt->letter) {
			*letter++ = opt->letter;
			if (has_argument)
				*letter++ = ':';
		}
	}
	*letter = '\0';
	longs[n] = (struct option){"help", no_argument, NULL, 'h'};
	longs[n + 1] = (struct option){0};
}

static const struct opt *find_option(const struct command *command, int value)
{
	const struct opt *opt = command->options;

	if (value >= LONG_ONLY)
		return &opt[value - LONG_ONLY];
	while (opt->letter != value)
		opt++;
	return opt;
}

/* The option as the user wrote it, cut where it is longer than any of ours. */
static void copy_option(char **argv, char text[static OPTION_SIZE])
{
	const char *word = argv[optind - 1];

	text[0] = '\0';
	if (optopt == 0 || optopt >= LONG_ONLY || strncmp(word, "--", 2) == 0)
		strncat(text, word, OPTION_SIZE - 1);
	else
		snprintf(text, OPTION_SIZE, "-%c", optopt);
}

int opts_parse(const struct command *command, int argc, char **argv, void *values,
	       struct opt_operands *operands, struct probekit_error *err)
{
	char letters[4 + 2 * MAX_OPTIONS];
	struct option longs[MAX_OPTIONS + 2];
	const char *last_argument = NULL;
	char text[OPTION_SIZE];
	int value;
	int ret = 0;

	*operands = (struct opt_operands){0};
	build_tables(command, letters, longs);
	opterr = 0;
	optind = 0; /* glibc and musl: start afresh */
	while (ret == 0 && (value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		last_argument = optarg;
		if (value == 1)
			ret = take_target(command, optarg, operands, err);
		else if (value == 'h')
			operands->help = true;
		else if (value != '?' && value != ':')
			ret = store(find_option(command, value), optarg, values, err);
		else {
			copy_option(argv, text);
			ret = bad_option(command, text, value == ':', err);
		}
	}
	/* getopt ends behind "--", unless that was the argument of the last option. */
	if (ret == 0 && optind > 1 && strcmp(argv[optind - 1], "--") == 0 &&
	    argv[optind - 1] != last_argument)
		ret = take_command(command, argv + optind, operands, err);
	return ret;
}

void opts_done(const struct command *command, void *values)
{
	for (const struct opt *opt = command->options; opt->name; opt++) {
		void *field = (char *)values + opt->offset;

		if (opt->type == OPT_TEXTS)
			free(((struct opt_texts *)field)->items);
		else if (opt->type == OPT_PIDS)
			free(((struct opt_pids *)field)->items);
	}
}
