/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_TESTS_FUZZ_SHOWN_H
#define PROBEKIT_TESTS_FUZZ_SHOWN_H
/* What probekit shows of foreign names. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTF-8 with nothing that a terminal would obey, or that hides or turns what stands beside it. */
bool shown_is_safe(const char *text, size_t size);

#endif
