/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the way from a folder to the hash of its HEAD. The files may be anybody's: of what is in them, only
 * what is a hash gets out. */
#include "git_revision.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mapped_file.h"

#define PATH_SIZE 4096
#define LINE_SIZE 1024
#define HASH_SHA1 40
#define HASH_SHA256 64

static FILE *open_in(const char *folder, const char *name)
{
	char path[PATH_SIZE + LINE_SIZE];
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = mapped_file_open_below("", path, 0);
	if (fd < 0)
		return NULL;
	file = fdopen(fd, "r");
	return file;
}

static bool next_line(FILE *file, char line[static LINE_SIZE])
{
	if (!fgets(line, LINE_SIZE, file))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static bool first_line(const char *folder, const char *name, char line[static LINE_SIZE])
{
	FILE *file = open_in(folder, name);
	bool is_read = file && next_line(file, line);

	if (file)
		fclose(file);
	return is_read;
}

static size_t hash_length(const char *text)
{
	size_t length = 0;

	while (isxdigit((unsigned char)text[length]))
		length++;
	return length == HASH_SHA1 || length == HASH_SHA256 ? length : 0;
}

static bool is_hash(const char *text)
{
	size_t length = hash_length(text);

	return length && !text[length];
}

/* `name` as it stands in a file of `folder`. */
static bool resolve(const char *folder, const char *name, char path[static PATH_SIZE])
{
	int length = *name == '/' ? snprintf(path, PATH_SIZE, "%s", name)
				  : snprintf(path, PATH_SIZE, "%s/%s", folder, name);

	return length > 0 && length < PATH_SIZE;
}

/* The repository's folder: .git, or where the file .git of a worktree or submodule says that it is. */
static bool find_repository(const char *folder, char repository[static PATH_SIZE])
{
	char *at = realpath(folder, NULL);
	bool is_found = false;
	char line[LINE_SIZE];

	while (at && !is_found) {
		char *slash = strrchr(at, '/');
		struct stat status;

		if (!resolve(at, ".git", repository))
			break;
		if (stat(repository, &status) == 0 && S_ISDIR(status.st_mode))
			is_found = true;
		else if (first_line(at, ".git", line) && strncmp(line, "gitdir: ", 8) == 0)
			is_found = resolve(at, line + 8, repository);
		if (!slash || !at[0])
			break;
		*slash = '\0';
	}
	free(at);
	return is_found;
}

/* "HASH refs/heads/main" */
static bool find_packed(const char *repository, const char *name, char line[static LINE_SIZE])
{
	FILE *file = open_in(repository, "packed-refs");
	bool is_found = false;

	while (file && !is_found && next_line(file, line)) {
		size_t length = hash_length(line);

		is_found = length && line[length] == ' ' && strcmp(line + length + 1, name) == 0;
		if (is_found)
			line[length] = '\0';
	}
	if (file)
		fclose(file);
	return is_found;
}

static bool follow(const char *repository, const char *name, char line[static LINE_SIZE])
{
	char shared[PATH_SIZE];

	if (strncmp(name, "refs/", 5) != 0 || strstr(name, ".."))
		return false;
	if (first_line(repository, name, line) && is_hash(line))
		return true;
	/* of a worktree */
	if (!first_line(repository, "commondir", line) || !resolve(repository, line, shared))
		snprintf(shared, sizeof(shared), "%s", repository);
	return (first_line(shared, name, line) && is_hash(line)) || find_packed(shared, name, line);
}

char *git_revision(const char *folder)
{
	char repository[PATH_SIZE];
	char head[LINE_SIZE];
	char line[LINE_SIZE];

	if (!find_repository(folder, repository) || !first_line(repository, "HEAD", head))
		return NULL;
	if (is_hash(head))
		return strdup(head);
	if (strncmp(head, "ref: ", 5) != 0 || !follow(repository, head + 5, line))
		return NULL;
	return strdup(line);
}
