/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_FUNCTION_INLINES_H
#define PROBEKIT_FUNCTION_INLINES_H
/* Where compilers have put functions into others, by all of an object's debug information. */
#include "functions.h"
#include "module.h"

/* Fills `inlined` and `first_inlined` of each function, and adds those that match and exist only
 * so, as refused. Without debug information nothing changes. -ENOMEM. */
int function_inlines_find(struct module *module, const char *pattern, struct functions *functions)
	__attribute__((warn_unused_result));

#endif
