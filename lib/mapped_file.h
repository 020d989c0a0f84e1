/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_MAPPED_FILE_H
#define PROBEKIT_MAPPED_FILE_H
/* Opening the file behind a mapping of another process, also when that process has ended. */
#include <stddef.h>
#include <sys/types.h>

#include "proc_maps.h"

#define MAPPED_FILE_ROOT_BYTES 32

/* A descriptor of the regular file that `map` of process `pid` shows, or -ENOENT, -EACCES ...,
 * -ESTALE when another file has its name. `root` says from where its neighbours can be had:
 * "/proc/PID/root", or "" for our own root. Never waits for a FIFO's writer. */
int mapped_file_open(pid_t pid, const struct proc_map *map, char root[MAPPED_FILE_ROOT_BYTES]);

/* A regular file by its name below `root` ("" is our own), symbolic links kept inside of it; or a
 * negative errno. `flags` may add O_NOFOLLOW. */
int mapped_file_open_below(const char *root, const char *path, int flags);

/* Device and inode of the file as /proc/PID/maps has them, which some file systems tell stat() otherwise: overlayfs,
 * of which the files of containers are, and btrfs. -errno. */
int mapped_file_identity(int fd, dev_t *device, ino_t *inode) __attribute__((warn_unused_result));

#endif
