/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the table of kernel functions: sorted by address, one name for each. */
#include "kallsyms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "digits.h"

#define READ_BYTES 65536
/* kallsyms has no sizes; what lies further behind a function's start than any function is long is
 * no part of it. */
#define FUNCTION_BYTES_MAX (1u << 20)
#define NAME_BYTES_MAX 1024

struct function {
	uint64_t address;
	uint32_t name;	 /* where in `names` */
	uint16_t module; /* which of `modules` */
	bool is_global;
};

struct kallsyms {
	struct function *functions;
	size_t size;
	size_t capacity;
	char *names;
	size_t names_size;
	size_t names_capacity;
	uint32_t *modules; /* where in `names`; 0 is the kernel */
	size_t modules_size;
	size_t hidden;
};

/* ---- names ---- */

static int add_name(struct kallsyms *table, const char *name, size_t length, uint32_t *at)
{
	if (table->names_capacity - table->names_size <= length) {
		size_t wanted = (table->names_capacity ? table->names_capacity * 2 : 4096) + length;
		char *grown = wanted > UINT32_MAX ? NULL : realloc(table->names, wanted);

		if (!grown)
			return -ENOMEM;
		table->names = grown;
		table->names_capacity = wanted;
	}
	*at = (uint32_t)table->names_size;
	memcpy(table->names + table->names_size, name, length);
	table->names[table->names_size + length] = '\0';
	table->names_size += length + 1;
	return 0;
}

/* Modules stand together in the text, so the last one is nearly always it. */
static int add_module(struct kallsyms *table, const char *name, size_t length, uint16_t *which)
{
	uint32_t *grown;
	uint32_t at;

	for (size_t i = table->modules_size; i-- > 0;) {
		const char *known = table->names + table->modules[i];

		if (strlen(known) == length && memcmp(known, name, length) == 0) {
			*which = (uint16_t)i;
			return 0;
		}
	}
	if (table->modules_size > UINT16_MAX)
		return -ENOMEM;
	grown = reallocarray(table->modules, table->modules_size + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	table->modules = grown;
	if (add_name(table, name, length, &at))
		return -ENOMEM;
	grown[table->modules_size] = at;
	*which = (uint16_t)table->modules_size++;
	return 0;
}

/* ---- text ---- */

struct line {
	uint64_t address;
	char type;
	const char *name;
	size_t name_length;
	const char *module;
	size_t module_length;
};

/* "ffffffff81000000 T _stext" or "ffffffffc0001000 t helper\t[module]". */
static bool parse_line(const char *at, const char *end, struct line *line)
{
	const char *start = at;
	const char *tab;

	line->address = 0;
	for (; at < end && digit_value(*at) != NO_DIGIT; at++)
		line->address = line->address << 4 | digit_value(*at);
	if (at == start || at - start > 16 || end - at < 4 || at[0] != ' ' || at[2] != ' ')
		return false;
	line->type = at[1];
	line->name = at + 3;
	tab = memchr(line->name, '\t', (size_t)(end - line->name));
	line->name_length = (size_t)((tab ? tab : end) - line->name);
	line->module = "";
	line->module_length = 0;
	if (tab) {
		if (end - tab < 4 || tab[1] != '[' || end[-1] != ']')
			return false;
		line->module = tab + 2;
		line->module_length = (size_t)(end - 1 - line->module);
	}
	return line->name_length && line->name_length <= NAME_BYTES_MAX &&
	       !memchr(at, '\0', (size_t)(end - at));
}

static bool is_function(char type)
{
	return type == 't' || type == 'T' || type == 'w' || type == 'W';
}

static int add_line(struct kallsyms *table, const struct line *line)
{
	struct function function = {.address = line->address, .is_global = line->type == 'T'};

	if (!line->address) {
		table->hidden++;
		return 0;
	}
	if (table->size == table->capacity) {
		size_t wanted = table->capacity ? table->capacity + table->capacity / 2 : 1024;
		struct function *grown = reallocarray(table->functions, wanted, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		table->functions = grown;
		table->capacity = wanted;
	}
	if (add_module(table, line->module, line->module_length, &function.module) ||
	    add_name(table, line->name, line->name_length, &function.name))
		return -ENOMEM;
	table->functions[table->size++] = function;
	return 0;
}

/* Takes whole lines; *used_bytes of the text were taken. */
static int add_text(struct kallsyms *table, const char *text, size_t size_bytes, size_t *used_bytes)
{
	const char *newline;
	size_t at = 0;

	while ((newline = memchr(text + at, '\n', size_bytes - at))) {
		struct line line;

		if (parse_line(text + at, newline, &line) && is_function(line.type) &&
		    add_line(table, &line))
			return -ENOMEM;
		at = (size_t)(newline - text) + 1;
	}
	*used_bytes = at;
	return 0;
}

/* ---- table ---- */

/* Of the names of one address a global one comes first, then the one that came first. */
static int compare(const void *left, const void *right)
{
	const struct function *a = left;
	const struct function *b = right;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	if (a->is_global != b->is_global)
		return a->is_global ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

static void finish(struct kallsyms *table)
{
	size_t kept = 0;

	if (table->size)
		qsort(table->functions, table->size, sizeof(*table->functions), compare);
	for (size_t i = 0; i < table->size; i++)
		if (!kept || table->functions[i].address != table->functions[kept - 1].address)
			table->functions[kept++] = table->functions[i];
	table->size = kept;
}

static int table_new(struct kallsyms **table)
{
	uint16_t kernel;

	*table = calloc(1, sizeof(**table));
	if (!*table)
		return -ENOMEM;
	if (add_module(*table, "", 0, &kernel)) {
		kallsyms_free(*table);
		return -ENOMEM;
	}
	return 0;
}

int kallsyms_parse(const char *text, size_t size_bytes, struct kallsyms **kallsyms)
{
	struct kallsyms *table;
	size_t used_bytes;

	if (table_new(&table))
		return -ENOMEM;
	if (add_text(table, text, size_bytes, &used_bytes)) {
		kallsyms_free(table);
		return -ENOMEM;
	}
	finish(table);
	*kallsyms = table;
	return 0;
}

/* The file is ten megabytes of text, of which only a piece is held at a time. */
static int add_file(struct kallsyms *table, int fd)
{
	char *buffer = malloc(READ_BYTES);
	size_t have = 0;
	int result = buffer ? 0 : -ENOMEM;

	while (!result) {
		ssize_t got = read(fd, buffer + have, READ_BYTES - have);
		size_t used = 0;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			result = got < 0 ? -errno : 0;
			break;
		}
		have += (size_t)got;
		result = add_text(table, buffer, have, &used);
		if (!used && have == READ_BYTES) /* no line is that long: pass over it */
			used = have;
		memmove(buffer, buffer + used, have - used);
		have -= used;
	}
	free(buffer);
	return result;
}

int kallsyms_load(struct kallsyms **kallsyms, struct probekit_error *err)
{
	struct kallsyms *table;
	int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	int result;

	if (fd < 0)
		return error_errno(err, -errno, "cannot open '/proc/kallsyms'");
	result = table_new(&table);
	if (!result) {
		result = add_file(table, fd);
		if (result)
			kallsyms_free(table);
	}
	close(fd);
	if (result)
		return error_errno(err, result, "cannot read '/proc/kallsyms'");
	finish(table);
	*kallsyms = table;
	return 0;
}

void kallsyms_free(struct kallsyms *kallsyms)
{
	if (!kallsyms)
		return;
	free(kallsyms->functions);
	free(kallsyms->names);
	free(kallsyms->modules);
	free(kallsyms);
}

bool kallsyms_are_hidden(const struct kallsyms *kallsyms)
{
	return kallsyms->hidden && !kallsyms->size;
}

size_t kallsyms_size(const struct kallsyms *kallsyms)
{
	return kallsyms->size;
}

int kallsyms_find(const struct kallsyms *kallsyms, uint64_t address, struct kernel_symbol *symbol)
{
	const struct function *function;
	size_t low = 0;
	size_t high = kallsyms->size;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (kallsyms->functions[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return -ENOENT;
	function = &kallsyms->functions[low - 1];
	if (address - function->address >= FUNCTION_BYTES_MAX)
		return -ENOENT;
	*symbol = (struct kernel_symbol){
		.name = kallsyms->names + function->name,
		.module = kallsyms->names + kallsyms->modules[function->module],
		.offset = address - function->address,
	};
	return 0;
}
