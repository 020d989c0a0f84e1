/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_GIT_REVISION_H
#define PROBEKIT_GIT_REVISION_H
/* The commit that a working directory has checked out, read from git's own files: git may be missing, or
 * refuse a folder of another user, as it does for root. */

/* Of the repository that `folder` is in: hexadecimal, malloc'ed; NULL: none, or not known. */
char *git_revision(const char *folder);

#endif
