/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_CLI_BUILD_ARGUMENTS_H
#define PROBEKIT_CLI_BUILD_ARGUMENTS_H
/* Command lines of builds that are run with the same arguments. */

/*
 * The build with the arguments (NULL: none), NULL-terminated; NULL: there is no memory. A name without a slash is the
 * file of the current folder where there is one, else what PATH has.
 */
char **build_arguments(const char *program, char *const *arguments);
void build_arguments_free(char **made);

#endif
