#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Does each public header compile without any other, and twice, by both compilers and in every standard?
# alone.sh BUILD SOURCE
set -eu
build=$1/alone
source=$2
warnings="-Wall -Wextra -Wpedantic -Werror"
mkdir -p "$build"

for header in "$source"/include/probekit/*.h; do
	name=$(basename "$header")
	printf '#include <probekit/%s>\n#include <probekit/%s>\n' "$name" "$name" >"$build/alone.c"
	for way in c/c11 c/c17 c/gnu17 c++/c++11 c++/c++14 c++/c++17 c++/c++20; do
		for compiler in gcc clang; do
			# shellcheck disable=SC2086
			$compiler -x ${way%/*} -std=${way##*/} $warnings "-I$source/include" -fsyntax-only \
				"$build/alone.c"
		done
	done
done
