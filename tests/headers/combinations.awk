# SPDX-License-Identifier: BSD-2-Clause
#
# Prints combinations of compiler, standard, optimisation, linker, kind of binary and extra flags,
# one a line, so that any two values that can go together do so in at least one of them (a pairwise
# cover, chosen greedily, always the same). Ends with status 1 if a pair were left out.

function is_possible(v)
{
	# gcc's LTO objects need a linker that loads gcc's plugin.
	return !(v[1] == "gcc" && v[6] == "lto" && v[4] == "lld")
}

function gain(v,    i, j, n)
{
	for (i = 1; i <= factors; i++)
		for (j = i + 1; j <= factors; j++)
			n += ((i, v[i], j, v[j]) in wanted)
	return n
}

function take(v,    i, j)
{
	for (i = 1; i <= factors; i++)
		for (j = i + 1; j <= factors; j++)
			if ((i, v[i], j, v[j]) in wanted) {
				delete wanted[i, v[i], j, v[j]]
				left--
			}
}

function decode(number, v,    i)
{
	for (i = 1; i <= factors; i++) {
		v[i] = value[i, number % count[i] + 1]
		number = int(number / count[i])
	}
}

BEGIN {
	factors = split("gcc clang|c11 c17 gnu17 c++11 c++14 c++17 c++20|O0 O1 O2 O3 Os|" \
			"bfd gold lld|pie nopie static shared|plain lto gc cet", level, "|")
	total = 1
	for (i = 1; i <= factors; i++) {
		count[i] = split(level[i], word, " ")
		for (j = 1; j <= count[i]; j++)
			value[i, j] = word[j]
		total *= count[i]
	}
	for (number = 0; number < total; number++) {
		decode(number, v)
		if (!is_possible(v))
			continue
		for (i = 1; i <= factors; i++)
			for (j = i + 1; j <= factors; j++)
				if (!((i, v[i], j, v[j]) in wanted)) {
					wanted[i, v[i], j, v[j]] = 1
					left++
				}
	}
	while (left > 0) {
		best = 0
		for (number = 0; number < total; number++) {
			decode(number, v)
			if (is_possible(v) && gain(v) > best) {
				best = gain(v)
				chosen = number
			}
		}
		if (!best)
			exit 1
		decode(chosen, v)
		take(v)
		print v[1], v[2], v[3], v[4], v[5], v[6]
	}
}
