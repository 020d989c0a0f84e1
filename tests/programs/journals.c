/* SPDX-License-Identifier: BSD-2-Clause */
/* A database's journal, made anew and removed for each of its transactions: journals COUNT. */
#include <probekit/probe.h>

#include <fcntl.h>
#include <unistd.h>

#include "program.h"

static void commit(int fd)
{
	PROBEKIT_SPAN(journals, commit);

	if (fsync(fd))
		abort();
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	char folder[] = "/tmp/journals.XXXXXX";

	if (!mkdtemp(folder) || chdir(folder))
		abort();
	for (unsigned long i = 0; i < count; i++) {
		int fd = open("the-journal", O_CREAT | O_EXCL | O_WRONLY, 0600);

		if (fd < 0 || write(fd, "", 1) != 1)
			abort();
		commit(fd);
		close(fd);
		unlink("the-journal");
		pause_ms(1);
	}
	rmdir(folder);
	return 0;
}
