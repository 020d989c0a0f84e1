/* SPDX-License-Identifier: BSD-2-Clause */
#include "shown.h"

#include <stdint.h>

/* Ranges of code points. */
static const struct {
	uint32_t first;
	uint32_t last;
} forbidden[] = {
	{0x00, 0x09},	  {0x0b, 0x1f},	      {0x7f, 0x9f},	      {0x061c, 0x061c},
	{0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},	      {0xd800, 0xdfff},
	{0xfeff, 0xfeff}, {0xe0000, 0xe007f}, {0x110000, UINT32_MAX},
};

/* UINT32_MAX: not UTF-8. */
static uint32_t decode(const unsigned char *s, size_t size, size_t *length)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t code;

	*length = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (!*length || *length > size || s[0] >= 0xf8)
		return UINT32_MAX;
	code = *length == 1 ? s[0] : s[0] & (0x7fu >> *length);
	for (size_t i = 1; i < *length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return UINT32_MAX;
		code = code << 6 | (s[i] & 0x3f);
	}
	return code < least[*length] ? UINT32_MAX : code;
}

bool shown_is_safe(const char *text, size_t size)
{
	size_t length;

	for (size_t at = 0; at < size; at += length) {
		uint32_t code = decode((const unsigned char *)text + at, size - at, &length);

		for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
			if (code >= forbidden[i].first && code <= forbidden[i].last)
				return false;
	}
	return true;
}
