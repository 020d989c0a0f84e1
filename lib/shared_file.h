/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_SHARED_FILE_H
#define PROBEKIT_SHARED_FILE_H
/*
 * Files that a target could change while they are read. A mapping of such a one raises SIGBUS where it
 * has been cut short, and what a parser has checked once can be other bytes later: it is read into
 * memory of our own. As that memory is the target's to claim, there is a limit to it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* How much may still be read so. */
struct shared_file_budget {
	uint64_t left_bytes;
};

/* An eighth of the machine's memory. */
void shared_file_budget_init(struct shared_file_budget *budget);
/* -EFBIG when that is more than is left. */
int shared_file_claim(struct shared_file_budget *budget, uint64_t size_bytes);

/* May anybody but the machine's own root change the file? Where process `pid` is root's, or not there
 * to tell, it may: root of a container is such a one. 0: it belongs to no process. */
bool shared_file_may_change(const struct stat *status, pid_t pid);

/* A copy in memory; or -EFBIG, -EIO (it shrank meanwhile) ... */
int shared_file_copy(int fd, struct shared_file_budget *budget);

#endif
