/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the list of rows, the verdict over them, and their JSON. */
#include "support.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "json_text.h"
#include "quiet.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* ---- rows ---- */

struct support_row *support_add(struct probekit_support *support, const char *group,
				const char *name, const char *title,
				enum probekit_support_need need)
{
	struct support_row *row;

	if (support->size < SUPPORT_MAX_ROWS)
		support->size++;
	row = &support->rows[support->size - 1];
	*row = (struct support_row){
		.row = {.group = group, .name = name, .title = title, .need = need},
	};
	row->row.found = row->found;
	return row;
}

static const char *format_into(char *text, size_t size, const char *format, va_list args)
	ERROR_PRINTF(3, 0);
static const char *format_into(char *text, size_t size, const char *format, va_list args)
{
	char raw[1024];

	if (vsnprintf(raw, sizeof(raw), format, args) < 0)
		raw[0] = '\0';
	escape_text(raw, text, size);
	return text;
}

void support_found(struct support_row *row, enum probekit_support_state state, const char *format,
		   ...)
{
	va_list args;

	va_start(args, format);
	row->row.state = state;
	format_into(row->found, sizeof(row->found), format, args);
	va_end(args);
}

void support_cost(struct support_row *row, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	row->row.cost = format_into(row->cost, sizeof(row->cost), format, args);
	va_end(args);
}

void support_advice(struct support_row *row, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	row->row.advice = format_into(row->advice, sizeof(row->advice), format, args);
	va_end(args);
}

void support_command(struct support_row *row, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	row->row.command = format_into(row->command, sizeof(row->command), format, args);
	va_end(args);
}

int support_read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	int result = 0;

	if (!file)
		return -errno;
	errno = 0;
	if (!fgets(line, (int)size, file))
		result = errno ? -errno : -ENODATA;
	else
		line[strcspn(line, "\n")] = '\0';
	fclose(file);
	return result;
}

/* ---- capabilities as the remedy ---- */

/* Our program as a word for a shell; false where its file cannot carry capabilities. */
static bool quote_program(char *quoted, size_t size)
{
	char path[256];
	struct statvfs status;
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	bool is_plain;

	if (length <= 0 || length == sizeof(path) - 1)
		return false;
	path[length] = '\0';
	if (statvfs(path, &status) || status.f_flag & ST_NOSUID || strchr(path, '\''))
		return false;
	is_plain = !path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789/._-+")];
	snprintf(quoted, size, is_plain ? "%s" : "'%s'", path);
	return true;
}

void support_mend_by_capabilities(const struct probekit_support *support, struct support_row *row,
				  uint64_t wanted)
{
	const uint64_t offered = BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_SYS_PTRACE) |
				 BIT(CAP_SYSLOG) | BIT(CAP_CHECKPOINT_RESTORE) |
				 BIT(CAP_DAC_READ_SEARCH);
	const struct privilege *privilege = &support->privilege;
	char program[300];
	char list[128];

	wanted |= BIT(CAP_BPF) | BIT(CAP_PERFMON) | (privilege->effective & offered);
	if (privilege->is_in_user_namespace) {
		support_advice(
			row,
			"run probekit outside the container: in a user namespace no capability counts for BPF");
	} else if (wanted & ~privilege->bounding) {
		privilege_list(wanted & ~privilege->bounding, list, sizeof(list));
		support_advice(
			row,
			"%s cannot be had here: start the container with them (--cap-add), or run probekit outside",
			list);
	} else if (privilege->has_no_new_privileges) {
		support_advice(
			row,
			"start probekit where no_new_privs is not set: nothing gains privileges here");
	} else if (!support->knows_uprobe_multi) {
		support_advice(
			row,
			"run as root: without uprobe_multi (Linux 6.6) capabilities do not suffice");
	} else {
		support_advice(row, "run as root%s",
			       quote_program(program, sizeof(program))
				       ? ", or grant this program the right:"
				       : "");
		if (!quote_program(program, sizeof(program)))
			return;
		privilege_list_for_setcap(wanted, list, sizeof(list));
		support_command(row, "sudo setcap %s+ep %s", list, program);
	}
}

/* ---- the verdict ---- */

static bool is_obstacle(const struct probekit_support_row *row)
{
	return row->need == PROBEKIT_SUPPORT_REQUIRED && row->state == PROBEKIT_SUPPORT_MISSING;
}

static const struct probekit_support_row *find_obstacle(const struct probekit_support *support)
{
	for (size_t i = 0; i < support->size; i++)
		if (is_obstacle(&support->rows[i].row))
			return &support->rows[i].row;
	return NULL;
}

static const struct probekit_support_row *better(const struct probekit_support_row *a,
						 const struct probekit_support_row *b)
{
	return a && (a->command || !b->command) ? a : b;
}

/* What could be better and a command makes so, else what words describe. */
static const struct probekit_support_row *find_improvement(const struct probekit_support *support)
{
	const struct probekit_support_row *best = NULL;

	for (size_t i = 0; i < support->size; i++) {
		const struct probekit_support_row *row = &support->rows[i].row;

		if (row->need != PROBEKIT_SUPPORT_INFORMATION &&
		    row->state != PROBEKIT_SUPPORT_OK && (row->command || row->advice))
			best = better(best, row);
	}
	return best;
}

static void judge(struct probekit_support *support)
{
	const struct probekit_support_row *obstacle = find_obstacle(support);
	const char *of = support->target ? "Spans of " : "Latency";
	char name[256];

	support->can_measure = !obstacle;
	support->first = obstacle ? obstacle : find_improvement(support);
	escape_text(support->target ? support->target : "", name, sizeof(name));
	snprintf(support->verdict, sizeof(support->verdict), "%s%s can%s be measured%s%s", of, name,
		 obstacle ? "not" : "", obstacle ? ": " : "", obstacle ? obstacle->found : "");
}

/* ---- public ---- */

static int fill(struct probekit_support *support, pid_t pid, const char *path,
		struct probekit_error *err)
{
	libbpf_print_fn_t print = quiet_begin();
	struct trial trial;
	int result = 0;

	trial_init(&trial);
	privilege_read(&support->privilege);
	support->knows_uprobe_multi = trial_knows_uprobe_multi(&trial);
	/* First, as a target that does not exist is told before anything is tried. */
	if (pid || path)
		result = support_add_target(support, pid, path, err);
	if (!result) {
		support_add_kernel(support, &trial);
		support_add_user(support);
		support_add_system(support);
		judge(support);
	}
	trial_done(&trial);
	libbpf_set_print(print);
	return result;
}

int probekit_support_new(const struct probekit_support_options *options,
			 struct probekit_support **out, struct probekit_error *err)
{
	struct probekit_support_options given = {0};
	struct probekit_support *support;
	int result;

	if (options && options->size > sizeof(*options))
		return error_usage(err, "the support options are of a newer library");
	if (options)
		memcpy(&given, options, options->size);
	if (given.pid && given.path)
		return error_usage(err, "one target at most: a PID or a path");
	support = calloc(1, sizeof(*support));
	if (!support)
		return error_no_memory(err);
	result = fill(support, given.pid, given.path, err);
	if (result) {
		probekit_support_free(support);
		return result;
	}
	*out = support;
	return 0;
}

void probekit_support_free(struct probekit_support *support)
{
	if (!support)
		return;
	free(support->target);
	free(support);
}

size_t probekit_support_size(const struct probekit_support *support)
{
	return support->size;
}

const struct probekit_support_row *probekit_support_row(const struct probekit_support *support,
							size_t i)
{
	return i < support->size ? &support->rows[i].row : NULL;
}

bool probekit_support_can_measure(const struct probekit_support *support)
{
	return support->can_measure;
}

const char *probekit_support_verdict(const struct probekit_support *support)
{
	return support->verdict;
}

const struct probekit_support_row *probekit_support_first(const struct probekit_support *support)
{
	return support->first;
}

/* ---- JSON ---- */

static const char *const needs[] = {
	[PROBEKIT_SUPPORT_REQUIRED] = "required",
	[PROBEKIT_SUPPORT_USEFUL] = "useful",
	[PROBEKIT_SUPPORT_INFORMATION] = "information",
};

static const char *const states[] = {
	[PROBEKIT_SUPPORT_OK] = "ok",
	[PROBEKIT_SUPPORT_LIMITED] = "limited",
	[PROBEKIT_SUPPORT_MISSING] = "missing",
	[PROBEKIT_SUPPORT_UNKNOWN] = "unknown",
};

static enum probekit_support_state overall_state(const struct probekit_support *support)
{
	if (!support->can_measure)
		return PROBEKIT_SUPPORT_MISSING;
	for (size_t i = 0; i < support->size; i++) {
		const struct probekit_support_row *row = &support->rows[i].row;

		if (row->need != PROBEKIT_SUPPORT_INFORMATION && row->state != PROBEKIT_SUPPORT_OK)
			return PROBEKIT_SUPPORT_LIMITED;
	}
	return PROBEKIT_SUPPORT_OK;
}

static void write_row(struct json_text *json, const struct probekit_support_row *row)
{
	json_text_open(json, NULL, '{');
	json_text_string(json, "name", row->name);
	json_text_string(json, "title", row->title);
	json_text_string(json, "group", row->group);
	json_text_string(json, "need", needs[row->need]);
	json_text_string(json, "state", states[row->state]);
	json_text_string(json, "found", row->found);
	json_text_string(json, "cost", row->cost);
	json_text_string(json, "advice", row->advice);
	json_text_string(json, "command", row->command);
	json_text_close(json, '}');
}

int probekit_support_to_json(const struct probekit_support *support, bool compact, char **text,
			     struct probekit_error *err)
{
	struct json_text json = {.is_compact = compact};
	struct utsname system = {0};
	char *done;

	uname(&system);
	json_text_open(&json, NULL, '{');
	json_text_string(&json, "schema", "probekit.doctor/1");
	json_text_open_inline(&json, "tool", '{');
	json_text_string(&json, "name", "probekit");
	json_text_string(&json, "version", probekit_version());
	json_text_close(&json, '}');
	json_text_open_inline(&json, "environment", '{');
	json_text_string(&json, "kernel", system.release);
	json_text_string(&json, "machine", system.machine);
	json_text_unsigned(&json, "cpus", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
	json_text_close(&json, '}');
	json_text_string(&json, "target", support->target);
	json_text_string(&json, "state", states[overall_state(support)]);
	json_text_string(&json, "verdict", support->verdict);
	json_text_string(&json, "first", support->first ? support->first->name : NULL);
	json_text_open(&json, "rows", '[');
	for (size_t i = 0; i < support->size; i++)
		write_row(&json, &support->rows[i].row);
	json_text_close(&json, ']');
	json_text_close(&json, '}');
	done = json_text_take(&json);
	if (!done)
		return error_no_memory(err);
	*text = done;
	return 0;
}
