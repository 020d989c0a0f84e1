/* SPDX-License-Identifier: BSD-2-Clause */
#include "pprof_tables.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "profile_path.h"

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))
#define STRINGS_PER_FRAME 3 /* module, function, file */

struct string {
	char *text; /* the table's */
	int64_t position;
};

static int compare_strings(const void *left, const void *right)
{
	return strcmp(((const struct string *)left)->text, ((const struct string *)right)->text);
}

static int compare_mappings(const void *left, const void *right)
{
	const Pprof__Mapping *a = left;
	const Pprof__Mapping *b = right;

	return COMPARE(a->filename, b->filename);
}

static int compare_functions(const void *left, const void *right)
{
	const Pprof__Function *a = left;
	const Pprof__Function *b = right;

	return a->name != b->name ? COMPARE(a->name, b->name) : COMPARE(a->filename, b->filename);
}

static int compare_lines(const Pprof__Line *a, const Pprof__Line *b)
{
	return a->function_id != b->function_id ? COMPARE(a->function_id, b->function_id)
						: COMPARE(a->line, b->line);
}

static int compare_locations(const void *left, const void *right)
{
	const Pprof__Location *a = left;
	const Pprof__Location *b = right;
	int order = COMPARE(a->mapping_id, b->mapping_id);

	if (!order)
		order = COMPARE(a->address, b->address);
	if (!order)
		order = COMPARE(a->n_line, b->n_line);
	for (size_t i = 0; i < a->n_line && !order; i++)
		order = compare_lines(a->line[i], b->line[i]);
	return order;
}

static void keep(void *owned_elsewhere)
{
	(void)owned_elsewhere;
}

int pprof_tables_init(struct pprof_tables *tables, size_t frames, size_t strings)
{
	Pprof__Profile *out = malloc(sizeof(*out));

	*tables = (struct pprof_tables){.out = out};
	if (!out)
		return -ENOMEM;
	pprof__profile__init(out);
	out->mapping = calloc(frames + 1, sizeof(*out->mapping));
	out->function = calloc(frames + 1, sizeof(*out->function));
	out->location = calloc(frames + 1, sizeof(*out->location));
	out->string_table =
		calloc(STRINGS_PER_FRAME * frames + strings + 1, sizeof(*out->string_table));
	if (!out->mapping || !out->function || !out->location || !out->string_table ||
	    pprof_tables_string(tables, "") < 0)
		return -ENOMEM;
	return 0;
}

void pprof_tables_done(struct pprof_tables *tables)
{
	tdestroy(tables->strings, free);
	tdestroy(tables->mappings, keep);
	tdestroy(tables->functions, keep);
	tdestroy(tables->locations, keep);
	if (tables->out)
		pprof__profile__free_unpacked(tables->out, NULL);
	*tables = (struct pprof_tables){0};
}

int64_t pprof_tables_string(struct pprof_tables *tables, const char *text)
{
	Pprof__Profile *out = tables->out;
	struct string *made = malloc(sizeof(*made));
	char *escaped = profile_escape(text ? text : "");
	struct string **known = NULL;

	if (made && escaped) {
		*made = (struct string){escaped, (int64_t)out->n_string_table};
		known = tsearch(made, &tables->strings, compare_strings);
	}
	if (known && *known == made) {
		out->string_table[out->n_string_table++] = escaped;
		return made->position;
	}
	free(escaped);
	free(made);
	return known ? (*known)->position : -1;
}

uint64_t pprof_tables_mapping(struct pprof_tables *tables, const char *module)
{
	Pprof__Profile *out = tables->out;
	Pprof__Mapping *made = malloc(sizeof(*made));
	Pprof__Mapping **known;

	if (!made)
		return 0;
	pprof__mapping__init(made);
	made->filename = pprof_tables_string(tables, module);
	/* Readers then leave the names alone. */
	made->has_functions = true;
	made->id = out->n_mapping + 1;
	known = made->filename < 0 ? NULL : tsearch(made, &tables->mappings, compare_mappings);
	if (known && *known == made)
		out->mapping[out->n_mapping++] = made;
	else
		free(made);
	return known ? (*known)->id : 0;
}

static uint64_t find_function(struct pprof_tables *tables, const struct probekit_frame *frame)
{
	Pprof__Profile *out = tables->out;
	Pprof__Function *made = malloc(sizeof(*made));
	char *name = profile_frame_name(frame);
	Pprof__Function **known = NULL;

	if (made && name) {
		pprof__function__init(made);
		made->name = made->system_name = pprof_tables_string(tables, name);
		made->filename = pprof_tables_string(tables, frame->file);
		made->id = out->n_function + 1;
		if (made->name >= 0 && made->filename >= 0)
			known = tsearch(made, &tables->functions, compare_functions);
	}
	free(name);
	if (known && *known == made)
		out->function[out->n_function++] = made;
	else
		free(made);
	return known ? (*known)->id : 0;
}

static int add_line(struct pprof_tables *tables, Pprof__Location *location,
		    const struct probekit_frame *frame)
{
	Pprof__Line *line = malloc(sizeof(*line));

	if (!line)
		return -ENOMEM;
	pprof__line__init(line);
	line->function_id = find_function(tables, frame);
	line->line = frame->line;
	location->line[location->n_line++] = line;
	return line->function_id ? 0 : -ENOMEM;
}

static int add_lines(struct pprof_tables *tables, Pprof__Location *location,
		     const struct probekit_frame *frames, size_t size)
{
	const char *module = frames[size - 1].module;
	Pprof__Mapping *mapping;
	int result = 0;

	location->line = calloc(size, sizeof(*location->line));
	if (!location->line)
		return -ENOMEM;
	for (size_t i = 0; i < size && result == 0; i++)
		result = add_line(tables, location, &frames[i]);
	if (result || !module || !*module)
		return result;
	location->mapping_id = pprof_tables_mapping(tables, module);
	if (!location->mapping_id)
		return -ENOMEM;
	mapping = tables->out->mapping[location->mapping_id - 1];
	for (size_t i = 0; i < size; i++) {
		mapping->has_filenames |= frames[i].file != NULL;
		mapping->has_line_numbers |= frames[i].line != 0;
	}
	mapping->has_inline_frames |= size > 1;
	return 0;
}

uint64_t pprof_tables_location(struct pprof_tables *tables, const struct probekit_frame *frames,
			       size_t size)
{
	Pprof__Profile *out = tables->out;
	Pprof__Location *made = malloc(sizeof(*made));
	Pprof__Location **known = NULL;

	if (!made)
		return 0;
	pprof__location__init(made);
	made->id = out->n_location + 1;
	made->address = frames[size - 1].module_offset;
	if (add_lines(tables, made, frames, size) == 0)
		known = tsearch(made, &tables->locations, compare_locations);
	if (known && *known == made)
		out->location[out->n_location++] = made;
	else
		pprof__location__free_unpacked(made, NULL);
	return known ? (*known)->id : 0;
}
