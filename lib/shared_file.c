/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns whom a file is safe from, and copies of those that are not. */
#include "shared_file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define SHARE_OF_MEMORY 8

void shared_file_budget_init(struct shared_file_budget *budget)
{
	long pages = sysconf(_SC_PHYS_PAGES);
	long page_bytes = sysconf(_SC_PAGESIZE);

	budget->left_bytes = pages > 0 && page_bytes > 0
				     ? (uint64_t)pages * (uint64_t)page_bytes / SHARE_OF_MEMORY
				     : 0;
}

int shared_file_claim(struct shared_file_budget *budget, uint64_t size_bytes)
{
	if (size_bytes > budget->left_bytes)
		return -EFBIG;
	budget->left_bytes -= size_bytes;
	return 0;
}

/* The folder of one that may not be looked into belongs to root too. */
static bool is_of_root(pid_t pid)
{
	struct stat status;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return stat(path, &status) || status.st_uid == 0;
}

bool shared_file_may_change(const struct stat *status, pid_t pid)
{
	return status->st_uid != 0 || (status->st_mode & (S_IWGRP | S_IWOTH)) ||
	       (pid && is_of_root(pid));
}

static int copy_all(int from, int to, off_t size_bytes)
{
	off_t at = 0;

	while (at < size_bytes) {
		ssize_t got = sendfile(to, from, &at, (size_t)(size_bytes - at));

		if (got <= 0 && !(got < 0 && errno == EINTR))
			return got < 0 ? -errno : -EIO;
	}
	return 0;
}

int shared_file_copy(int fd, struct shared_file_budget *budget)
{
	struct stat status;
	int result;
	int copy;

	if (fstat(fd, &status))
		return -errno;
	result = shared_file_claim(budget, (uint64_t)status.st_size);
	if (result)
		return result;
	copy = memfd_create("probekit-copy", MFD_CLOEXEC);
	if (copy < 0)
		return -errno;
	result = copy_all(fd, copy, status.st_size);
	if (!result)
		return copy;
	close(copy);
	return result;
}
