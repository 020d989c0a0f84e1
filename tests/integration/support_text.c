/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what tests read: lines, JSON, files. */
#include "support.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The start of the line that begins with `start`, or NULL. */
static const char *find_line(const char *text, const char *start)
{
	size_t length = strlen(start);

	while (text && strncmp(text, start, length) != 0) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return text;
}

uint64_t support_number(const char *text, const char *name)
{
	char start[128];
	const char *line;
	char *end;
	uint64_t value;

	snprintf(start, sizeof(start), "%s ", name);
	line = find_line(text, start);
	if (!line)
		fail_msg("no line '%s N' in: %s", name, text);
	value = strtoull(line + strlen(start), &end, 10);
	assert_true(*end == '\n' || *end == '\0');
	return value;
}

bool support_has_line(const char *text, const char *line)
{
	const char *found = find_line(text, line);

	return found && (found[strlen(line)] == '\n' || found[strlen(line)] == '\0');
}

bool support_has_control_characters(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < 0x20 && *text != '\n') || *text == 0x7f)
			return true;
	return false;
}

size_t support_count_lines(const char *text)
{
	size_t lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

json_t *support_json(const char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!json)
		fail_msg("not JSON: %s at line %d of: %s", error.text, error.line, text);
	return json;
}

json_t *support_row(json_t *snapshot, const char *name)
{
	json_t *probes = json_object_get(snapshot, "probes");
	json_t *row;
	size_t i;

	json_array_foreach (probes, i, row)
		if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0 &&
		    json_is_null(json_object_get(row, "key")))
			return row;
	fail_msg("no row '%s'", name);
	return NULL;
}

int64_t support_integer(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value))
		fail_msg("'%s' is no integer", key);
	return json_integer_value(value);
}

int64_t support_sum(const json_t *times)
{
	const char *name;
	json_t *value;
	int64_t sum = 0;

	json_object_foreach ((json_t *)times, name, value)
		sum += json_integer_value(value);
	return sum;
}

void support_check_nothing_lost(const json_t *lost)
{
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)lost, name, value)
		if (json_integer_value(value) && strncmp(name, "samples_", 8) != 0 &&
		    strcmp(name, "sched_repaired") != 0 &&
		    strcmp(name, "tasks_missed") != 0) /* of any process */
			fail_msg("lost: %s %lld", name, (long long)json_integer_value(value));
}

char *support_new_folder(void)
{
	char *folder = strdup("/tmp/probekit-test-XXXXXX");

	assert_non_null(folder);
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0755), 0);
	return folder;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

void support_remove_folder(char *folder)
{
	assert_int_equal(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(folder);
}

size_t support_count_files(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t files = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		files += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return files;
}

void support_write_file(const char *path, const void *data, size_t size_bytes)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size_bytes, file), size_bytes);
	assert_int_equal(fclose(file), 0);
}

char *support_read_file(const char *path, size_t *size_bytes)
{
	FILE *file = fopen(path, "re");
	struct stat st;
	char *data;

	if (!file)
		fail_msg("cannot open '%s'", path);
	assert_int_equal(fstat(fileno(file), &st), 0);
	data = malloc((size_t)st.st_size + 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, (size_t)st.st_size, file), st.st_size);
	fclose(file);
	data[st.st_size] = '\0';
	*size_bytes = (size_t)st.st_size;
	return data;
}

char *support_join(const char *folder, const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	return path;
}
