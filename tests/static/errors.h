/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_STATIC_ERRORS_H
#define PROBEKIT_STATIC_ERRORS_H
/*
 * Included first in every source of the library while it is analysed. Analysers see one file at a time:
 * that no error is 0, which error.c knows, is told here.
 */
#include "../../lib/error.h"

static inline int error_that_is_one(int code)
{
	if (!code)
		__builtin_unreachable();
	return code;
}

#define error_failed(...) error_that_is_one(error_failed(__VA_ARGS__))
#define error_errno(...) error_that_is_one(error_errno(__VA_ARGS__))
#define error_usage(...) error_that_is_one(error_usage(__VA_ARGS__))
#define error_unavailable(...) error_that_is_one(error_unavailable(__VA_ARGS__))
#define error_no_memory(...) error_that_is_one(error_no_memory(__VA_ARGS__))
#define error_hint(...) error_that_is_one(error_hint(__VA_ARGS__))

#endif
