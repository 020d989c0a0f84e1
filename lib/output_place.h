/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_OUTPUT_PLACE_H
#define PROBEKIT_OUTPUT_PLACE_H
/* Where the path of an output leads, as folders are walked that others may write to. */
#include <limits.h>
#include <stdbool.h>

struct output_place {
	int folder; /* O_PATH */
	char name[NAME_MAX + 1];
	bool is_in_proc; /* the name is one of procfs: a link to a descriptor, for one */
};

/* Resolves all of `path` but its last component, and that one too where it is a symbolic link and
 * `follows_last`. -EPERM where a symbolic link lies in a folder that everybody may write to; -ELOOP for
 * one that is not to be followed, or too many; -ENOENT, -ENOTDIR, -EISDIR, -ENAMETOOLONG. */
int output_place_find(const char *path, bool follows_last, struct output_place *place);
/* A descriptor to write to the FIFO, terminal or device there, as it is. -EPERM where everybody may put
 * things and somebody else has put this one. */
int output_place_open(const struct output_place *place);
void output_place_done(struct output_place *place);

#endif
