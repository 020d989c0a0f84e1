/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef PROBEKIT_BUCKET_H
#define PROBEKIT_BUCKET_H
/*
 * Which bucket of the exponential histogram a value falls into; compiled for the kernel and for
 * user space, so that both agree by construction.
 *
 * Bucket i at scale s holds (2^(i / 2^s), 2^((i + 1) / 2^s)]. Durations are bucketed in units of
 * 2^-30 seconds, which is bucket i - 30 * 2^s in seconds; quantities as they are. The smallest
 * value kept, 1, lies in bucket -1, so a row's slot 0 is bucket -1. A row has BUCKET_OCTAVES
 * octaves: to 2^18 seconds, or 2^48; the last slot takes what is beyond. Zero is counted apart.
 */
#define BUCKET_SCALE 6 /* the finest: 64 buckets an octave */
#define BUCKET_OCTAVES 48u
#define BUCKET_SLOTS(scale) (BUCKET_OCTAVES << (scale))
#define BUCKET_SLOT_BASE (-1)	   /* bucket of slot 0 */
#define BUCKET_SECONDS_EXPONENT 30 /* durations: units of 2^-30 s */

/* floor(2^63 * 2^(i / 64)), i = 1..63: the bounds inside an octave. They are irrational, so no
 * integer equals one, and m > bound is exact. The last is never reached. */
static const unsigned long long bucket_bounds[64] = {
	0x8164d1f3bc030773, 0x82cd8698ac2ba1d7, 0x843a28c3acde4046, 0x85aac367cc487b14,
	0x871f61969e8d1010, 0x88980e8092da8527, 0x8a14d575496efd9a, 0x8b95c1e3ea8bd6e6,
	0x8d1adf5b7e5ba9e5, 0x8ea4398b45cd53c0, 0x9031dc431466b1dc, 0x91c3d373ab11c336,
	0x935a2b2f13e6e92b, 0x94f4efa8fef70961, 0x96942d3720185a00, 0x9837f0518db8a96f,
	0x99e0459320b7fa64, 0x9b8d39b9d54e5538, 0x9d3ed9a72cffb750, 0x9ef5326091a111ad,
	0xa0b0510fb9714fc2, 0xa27043030c496818, 0xa43515ae09e6809e, 0xa5fed6a9b15138ea,
	0xa7cd93b4e9653569, 0xa9a15ab4ea7c0ef8, 0xab7a39b5a93ed337, 0xad583eea42a14ac6,
	0xaf3b78ad690a4374, 0xb123f581d2ac258f, 0xb311c412a9112489, 0xb504f333f9de6484,
	0xb6fd91e328d17791, 0xb8fbaf4762fb9ee9, 0xbaff5ab2133e45fb, 0xbd08a39f580c36be,
	0xbf1799b67a731082, 0xc12c4cca66709456, 0xc346ccda24976407, 0xc5672a115506dadd,
	0xc78d74c8abb9b15c, 0xc9b9bd866e2f27a2, 0xcbec14fef2727c5c, 0xce248c151f8480e3,
	0xd06333daef2b2594, 0xd2a81d91f12ae45a, 0xd4f35aabcfedfa1f, 0xd744fccad69d6af4,
	0xd99d15c278afd7b5, 0xdbfbb797daf23755, 0xde60f4825e0e9123, 0xe0ccdeec2a94e111,
	0xe33f8972be8a5a51, 0xe5b906e77c8348a8, 0xe8396a503c4bdc68, 0xeac0c6e7dd24392e,
	0xed4f301ed9942b84, 0xefe4b99bdcdaf5cb, 0xf281773c59ffb139, 0xf5257d152486cc2c,
	0xf7d0df730ad13bb8, 0xfa83b2db722a033a, 0xfd3e0c0cf486c174, 0xffffffffffffffff,
};

/* How many bounds lie below each 128th of an octave; inside one 128th there is at most one. */
static const unsigned char bucket_guess[128] = {
	0,  0,	1,  2,	2,  3,	4,  4,	5,  6,	6,  7,	8,  8,	9,  10, 10, 11, 12, 12, 13, 14,
	14, 15, 15, 16, 17, 17, 18, 18, 19, 20, 20, 21, 21, 22, 22, 23, 24, 24, 25, 25, 26, 26,
	27, 27, 28, 28, 29, 29, 30, 30, 31, 31, 32, 33, 33, 34, 34, 35, 35, 35, 36, 36, 37, 37,
	38, 38, 39, 39, 40, 40, 41, 41, 42, 42, 43, 43, 43, 44, 44, 45, 45, 46, 46, 47, 47, 47,
	48, 48, 49, 49, 50, 50, 50, 51, 51, 52, 52, 52, 53, 53, 54, 54, 54, 55, 55, 56, 56, 56,
	57, 57, 58, 58, 58, 59, 59, 59, 60, 60, 61, 61, 61, 62, 62, 62, 63, 63,
};

/* Is v not 0: 1 or 0. 0 - v has its top bit set unless v is 0; the compiler is kept from knowing that,
 * as it would make it a branch, and each of those doubles what the verifier walks from there on. */
static inline __attribute__((always_inline)) unsigned int bucket_is_set(unsigned long long v)
{
	unsigned long long negated = 0 - v;

	__asm__("" : "+r"(negated));
	return (unsigned int)((v | negated) >> 63);
}

/* floor(log2(v)), v > 0. BPF has no count-leading-zeros instruction. */
static inline __attribute__((always_inline)) unsigned int bucket_log2(unsigned long long v)
{
	unsigned int r = 0;

	for (unsigned int bits = 32; bits > 1; bits /= 2) {
		unsigned int shift = bucket_is_set(v >> bits) * bits;

		v >>= shift;
		r += shift;
	}
	return r + (unsigned int)(v >> 1);
}

/* Slot of the value mantissa * 2^(octave - 63), the mantissa's top bit set; clamped to the row. */
static inline __attribute__((always_inline)) unsigned int bucket_slot(unsigned long long mantissa,
								      unsigned int octave,
								      unsigned int scale)
{
	unsigned int guess = bucket_guess[mantissa >> 56 & 127];
	int index = (int)(octave << BUCKET_SCALE) + (int)guess;
	unsigned long long below = bucket_bounds[guess & 63] - mantissa;
	unsigned int slot;

	/* Above the bound: the top bits of both are set, so that of the difference tells. A power of
	 * two, of which nothing else is set, is its octave's upper end. */
	__asm__("" : "+r"(below));
	index += (int)(below >> 63);
	index -= 1 - (int)bucket_is_set(mantissa << 1);
	slot = (unsigned int)((index >> (BUCKET_SCALE - scale)) - BUCKET_SLOT_BASE);
	return slot < BUCKET_SLOTS(scale) ? slot : BUCKET_SLOTS(scale) - 1;
}

/* Slot of a quantity > 0. */
static inline __attribute__((always_inline)) unsigned int bucket_slot_of_value(
	unsigned long long value, unsigned int scale)
{
	unsigned int octave = bucket_log2(value);

	return bucket_slot(value << (63 - octave), octave, scale);
}

/*
 * Slot of a duration > 0: ns * 2^30 / 10^9 with 32 significant bits of ns (exact under 4.29 s) and
 * a factor cut to 63 bits. Both cuts are downward, so a duration that is a power of two in seconds
 * (a multiple of 5^9 ns) stays on its side of the bound.
 */
static inline __attribute__((always_inline)) unsigned int bucket_slot_of_ns(unsigned long long ns,
									    unsigned int scale)
{
	unsigned int octave = bucket_log2(ns);
	unsigned long long m = ns << (63 - octave) >> 32;
	/* 2^61 / 10^9 = 2305843009 + 917808535 / 2^32, rounded down */
	unsigned long long product = m * 2305843009ull + (m * 917808535ull >> 32);
	unsigned int carry = (unsigned int)(product >> 63);

	octave += carry;
	product <<= 1 - carry;
	return bucket_slot(product, octave, scale);
}

#endif
