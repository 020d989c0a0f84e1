/* SPDX-License-Identifier: BSD-2-Clause */
#include "viewer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEMPLATE "/tmp/probekit-viewer-XXXXXX"

int viewer_setup(void **state)
{
	char *folder = strdup(TEMPLATE);

	*state = folder ? mkdtemp(folder) : NULL;
	return *state ? 0 : -1;
}

int viewer_teardown(void **state)
{
	char command[sizeof(TEMPLATE) + 16];
	int status;

	snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
	status = system(command);
	free(*state);
	return status;
}

void viewer_write(const char *folder, const char *name, const char *bytes, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

char *viewer_run(const char *folder, const char *command)
{
	char line[1024];
	size_t size = 0;
	size_t got;
	char *text;
	FILE *pipe;

	snprintf(line, sizeof(line), "cd '%s' && { %s\n} 2>stderr || { cat stderr; false; }",
		 folder, command);
	pipe = popen(line, "r");
	text = malloc(1);
	assert_non_null(pipe);
	do {
		text = realloc(text, size + 4096);
		assert_non_null(text);
		got = fread(text + size, 1, 4095, pipe);
		size += got;
	} while (got > 0);
	text[size] = '\0';
	if (pclose(pipe) != 0)
		fail_msg("%s: %s", command, text);
	return text;
}

void viewer_need(const char *program, const char *package)
{
	char command[128];

	snprintf(command, sizeof(command), "{ %s; } >/dev/null 2>&1", program);
	if (system(command) == 0)
		return;
	print_message("skipped: needs package %s\n", package);
	skip();
}
