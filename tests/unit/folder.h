/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_FOLDER_H
#define PROBEKIT_TESTS_FOLDER_H

/* A test's setup and teardown: an empty folder is its current one, and goes with all that is in it. */
int folder_enter(void **state);
int folder_leave(void **state);

#endif
