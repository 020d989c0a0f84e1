/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the way from runs of two builds to outputs and an exit code. */
#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"
#include "out_compare.h"
#include "output_check.h"
#include "rights.h"

#define RULES_FILE ".probekit-ci"
#define RULES_BYTES_MAX 65536

/* ---- rules ---- */

static int cannot_read(const char *path, int code, const char *why, struct probekit_error *err)
{
	return failure_error(err, -code, "cannot read the rules in '%s': %s", path,
			     why ? why : strerror(code));
}

/*
 * The file that is there without being asked for may be anybody's: nothing is waited for, and no link followed.
 * Returns a descriptor or a negative errno; `why` is set where that is no good text.
 */
static int open_rules(const char *path, bool is_required, const char **why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (is_required ? 0 : O_NOFOLLOW));
	int code = fd < 0 ? errno : 0;
	struct stat status;

	if (code == ELOOP && !is_required)
		*why = "it is a symbolic link";
	if (!code && fstat(fd, &status))
		code = errno;
	if (!code && !S_ISREG(status.st_mode)) {
		*why = S_ISDIR(status.st_mode) ? "it is a folder" : "it is not a regular file";
		code = EINVAL;
	}
	if (!code)
		return fd;
	if (fd >= 0)
		close(fd);
	return -code;
}

/* As much as there is, up to RULES_BYTES_MAX, with a terminator. An errno or 0. */
static int read_text(int fd, char *content)
{
	FILE *file = fdopen(fd, "r");
	size_t size;
	int code;

	if (!file) {
		code = errno;
		close(fd);
		return code;
	}
	size = fread(content, 1, RULES_BYTES_MAX + 1, file);
	code = ferror(file) ? EIO : size > RULES_BYTES_MAX ? EFBIG : 0;
	fclose(file);
	if (code)
		return code;
	content[size] = '\0';
	return strlen(content) < size ? EILSEQ : 0;
}

/* The whole file; NULL with 0: there is none, and none was asked for. */
static int read_rules(const char *path, bool is_required, char **text, struct probekit_error *err)
{
	const char *why = NULL;
	int fd = open_rules(path, is_required, &why);
	char *content;
	int code;

	*text = NULL;
	if (fd == -ENOENT && !is_required)
		return 0;
	if (fd < 0)
		return cannot_read(path, -fd, why, err);
	content = malloc(RULES_BYTES_MAX + 2);
	if (!content) {
		close(fd);
		return cannot_read(path, ENOMEM, NULL, err);
	}
	code = read_text(fd, content);
	if (code) {
		free(content);
		return cannot_read(path, code, NULL, err);
	}
	*text = content;
	return 0;
}

/* A rule, in place; NULL: the line has none. */
static char *rule_of_line(char *line)
{
	size_t length;

	line += strspn(line, " \t\r");
	if (*line == '#')
		return NULL;
	length = strlen(line);
	while (length && strchr(" \t\r", line[length - 1]))
		line[--length] = '\0';
	return *line ? line : NULL;
}

static int gather_rules(const struct opt_texts *given, struct verdict_rules *rules)
{
	size_t lines = 1;
	size_t count = 0;
	char *rest = rules->text;
	char *line;

	for (const char *c = rules->text; c && *c; c++)
		lines += *c == '\n';
	rules->items = calloc(given->count + lines + 1, sizeof(*rules->items));
	if (!rules->items)
		return -ENOMEM;
	for (size_t i = 0; i < given->count; i++)
		rules->items[count++] = given->items[i];
	while (rest && (line = strsep(&rest, "\n"))) {
		char *rule = rule_of_line(line);

		if (rule)
			rules->items[count++] = rule;
	}
	return 0;
}

static void fill_options(const struct verdict_options *options, const struct verdict_rules *rules,
			 struct probekit_compare_options *compare)
{
	*compare = (struct probekit_compare_options){
		.size = sizeof(*compare),
		.delta = options->delta,
		.rules = rules->items,
	};
}

int verdict_prepare(const struct verdict_options *options, struct verdict_rules *rules,
		    struct probekit_error *err)
{
	const char *outputs[] = {options->output, options->junit, options->markdown};
	const char *path = options->rules_file ? options->rules_file : RULES_FILE;
	struct probekit_compare_options compare;
	int result;

	*rules = (struct verdict_rules){0};
	result = read_rules(path, options->rules_file != NULL, &rules->text, err);
	if (!result && gather_rules(&options->rules, rules))
		result = cannot_read(path, ENOMEM, NULL, err);
	for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]) && !result; i++)
		if (outputs[i])
			result = check_output(outputs[i], err);
	fill_options(options, rules, &compare);
	if (!result)
		result = probekit_compare_check(&compare, err);
	if (result)
		verdict_rules_free(rules);
	return result;
}

uint64_t verdict_rights(const struct verdict_options *options)
{
	return rights_to_write(options->output) | rights_to_write(options->junit) |
	       rights_to_write(options->markdown);
}

void verdict_rules_free(struct verdict_rules *rules)
{
	free(rules->items);
	free(rules->text);
	*rules = (struct verdict_rules){0};
}

/* ---- the verdict ---- */

int verdict_compare(const struct verdict_options *options, const struct verdict_rules *rules,
		    const struct verdict_subject *subject, struct probekit_comparison **comparison,
		    struct probekit_error *err)
{
	struct probekit_compare_options compare;

	fill_options(options, rules, &compare);
	return probekit_compare(subject->base_runs, subject->head_runs, subject->pairs, &compare,
				comparison, err);
}

static int exit_code(const struct verdict_options *options,
		     const struct probekit_comparison_info *info)
{
	if (info->incomparable)
		return EXIT_UNDECIDED;
	if (info->outcome == PROBEKIT_RULE_FAILED)
		return EXIT_REGRESSION;
	if (info->outcome == PROBEKIT_RULE_UNDECIDED || (options->is_strict && info->has_undecided))
		return EXIT_UNDECIDED;
	return 0;
}

typedef int (*renderer)(FILE *out, const struct compare_view *view);

/* As a whole or not at all. */
static int write_to(const char *path, renderer render, const struct compare_view *view,
		    struct probekit_error *err)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int result = out ? render(out, view) : -ENOMEM;

	if (out && fclose(out))
		result = -ENOMEM;
	if (result)
		result = failure_error(err, -ENOMEM, "cannot allocate memory");
	else
		result = probekit_file_write(path, text, size, err);
	free(text);
	return result;
}

/* Files first: text into a closed pipe ends the process. */
static int give_out(const struct verdict_options *options, const struct compare_view *view)
{
	const struct {
		const char *path;
		renderer render;
	} files[] = {
		{options->output, out_compare_json},
		{options->junit, out_compare_junit},
		{options->markdown, out_compare_markdown},
	};
	FILE *out = options->is_json ? stderr : stdout;
	const struct text_style style = {
		.width = terminal_width(out),
		.has_colour = !options->no_color && terminal_has_colour(out),
	};
	struct probekit_error err;
	int code = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i].path && write_to(files[i].path, files[i].render, view, &err))
			code = report_error(&err);
	if (options->is_json && out_compare_json(stdout, view))
		code = report_no_memory();
	fflush(stdout);
	if (out_compare_text(out, &style, view))
		code = report_no_memory();
	return code;
}

int verdict_give(const struct verdict_options *options, const struct verdict_rules *rules,
		 const struct verdict_subject *subject)
{
	struct probekit_comparison *comparison;
	struct probekit_error err;
	struct compare_view view = {
		.base = subject->base,
		.head = subject->head,
		.mode = subject->mode,
		.mode_reason = subject->mode_reason,
		.is_same_build = subject->is_same_build,
		.is_verbose = options->is_verbose,
	};
	int verdict;
	int code;

	if (verdict_compare(options, rules, subject, &comparison, &err))
		return report_error(&err);
	code = compare_view_init(&view, comparison) ? report_no_memory() : give_out(options, &view);
	compare_view_done(&view);
	verdict = exit_code(options, probekit_comparison_info(comparison));
	probekit_comparison_free(comparison);
	return code ? code : verdict;
}
