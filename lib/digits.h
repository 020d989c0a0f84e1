/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROBEKIT_DIGITS_H
#define PROBEKIT_DIGITS_H
/* Numbers in texts that need not be terminated. */
#include <stdint.h>

#define NO_DIGIT 16

/* Up to 15, in either case. */
static inline unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return NO_DIGIT;
}

/* Digits of a base up to 16. Returns where they end, which is `at` where there is none; NULL: they take more
 * than 64 bits. */
static inline const char *digits_read(const char *at, const char *end, unsigned int base,
				      uint64_t *number)
{
	*number = 0;
	for (; at < end && digit_value(*at) < base; at++) {
		unsigned int digit = digit_value(*at);

		if (*number > (UINT64_MAX - digit) / base)
			return NULL;
		*number = *number * base + digit;
	}
	return at;
}

#endif
