/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs a fuzz target over the files and folders given, where there is no fuzzer: a crash fails. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns how many inputs ran, -1 when one cannot be read. */
static int replay_file(const char *path, size_t size)
{
	FILE *stream = fopen(path, "rb");
	/* Of the exact size, so that a sanitizer sees every overrun. */
	uint8_t *data = malloc(size ? size : 1);
	int result = -1;

	if (stream && data && fread(data, 1, size, stream) == size) {
		LLVMFuzzerTestOneInput(data, size);
		result = 1;
	} else {
		perror(path);
	}
	if (stream)
		fclose(stream);
	free(data);
	return result;
}

static int replay(const char *path)
{
	struct dirent **entries;
	struct stat status;
	int total = 0;
	int count;

	if (stat(path, &status)) {
		perror(path);
		return -1;
	}
	if (!S_ISDIR(status.st_mode))
		return replay_file(path, (size_t)status.st_size);
	count = scandir(path, &entries, NULL, alphasort);
	if (count < 0) {
		perror(path);
		return -1;
	}
	for (int i = 0; i < count; i++) {
		char child[PATH_MAX];
		int result = 0;

		snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			result = replay(child);
		if (result < 0)
			total = -1;
		else if (total >= 0)
			total += result;
		free(entries[i]);
	}
	free(entries);
	return total;
}

int main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int result = replay(argv[i]);

		if (result < 0)
			return 1;
		total += result;
	}
	printf("%d inputs\n", total);
	/* No input is a wrong path, which must not pass for success. */
	return total == 0;
}
