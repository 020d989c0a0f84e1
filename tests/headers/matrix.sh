#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# matrix.sh BUILD_DIR SRC_DIR
#
# probe.h in {gcc, clang} x {c11, c17, gnu17, c++11, c++14, c++17, c++20} x {O0, O1, O2, O3, Os} x
# {ld.bfd, gold, lld} x {PIE, no PIE, static, shared object} x {plain, LTO, --gc-sections with
# -ffunction-sections, -fcf-protection with -fno-plt}, all with -Wall -Wextra -Wpedantic -Werror and
# more: not the full product, but every pair of values that can go together (combinations.awk; gcc's
# LTO with lld cannot). Each binary traces itself (matrix.c) and its notes are read with readelf.
# Then PROBEKIT_DISABLE, and what must not compile.
# JOBS says how many combinations to build at once (2).
set -u

if [ $# -ne 2 ]; then
	echo "usage: $0 BUILD_DIR SRC_DIR" >&2
	exit 2
fi
mkdir -p "$1/headers" || exit 1
build=$(cd "$1" && pwd) src=$(cd "$2" && pwd)
here=$src/tests/headers
work=$build/headers
failures=0

complain()
{
	echo "FAIL: $1"
	[ $# -lt 2 ] || sed 's/^/    /' "$2" | head -n 30
	failures=$((failures + 1))
}

need()
{
	command -v "$1" >/dev/null && return
	echo "FAIL: '$1' not found; install the package '$2'"
	exit 1
}
need gcc gcc
need g++ g++
need clang clang
need clang++ clang
need ld.bfd binutils
need ld.gold binutils
need readelf binutils
need ld.lld lld
if [ ! -e "$(clang -print-resource-dir)/../../LLVMgold.so" ]; then
	major=$(clang -dumpversion | cut -d. -f1)
	echo "FAIL: clang's LLVMgold.so not found; install the package 'llvm-$major-linker-tools'"
	exit 1
fi

gcc -std=gnu17 -O2 -fPIC -Wall -Wextra -Werror -c "$here/trace.c" -o "$work/trace.o" || exit 1

awk -f "$here/combinations.awk" >"$work/combinations" || complain "combinations.awk left a pair out"
xargs -P "${JOBS:-2}" -L 1 sh "$here/combination.sh" "$build" "$src" <"$work/combinations" ||
	failures=$((failures + 1))

warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
log=$work/log

# Flags are meant to be split.
# shellcheck disable=SC2086
for compiler in "gcc -std=c11 -x c" "clang -std=c11 -x c" \
	"g++ -std=c++11 -x c++" "clang++ -std=c++11 -x c++"; do
	cxx=
	case $compiler in *++*) cxx=$here/cxx.cc ;; esac
	for opt in -O0 -O2; do
		if ! $compiler $opt $warnings -DPROBEKIT_DISABLE -pthread -I"$src/include" \
			-I"$here" "$here/matrix.c" "$here/second.c" $cxx -o "$work/disabled" \
			>"$log" 2>&1; then
			complain "$compiler $opt -DPROBEKIT_DISABLE does not build" "$log"
			continue
		fi
		"$work/disabled" ||
			complain "$compiler $opt -DPROBEKIT_DISABLE evaluates arguments"
		readelf -SnW "$work/disabled" | grep -E '\.probes|stapsdt|Provider' >"$log" &&
			complain "$compiler $opt -DPROBEKIT_DISABLE leaves probes" "$log"
	done

	$compiler -mcmodel=medium -O2 $warnings -pthread -I"$src/include" -I"$here" -c \
		"$here/matrix.c" -o "$work/medium.o" >"$log" 2>&1 ||
		complain "$compiler -mcmodel=medium does not compile" "$log"

	for bad in 'struct pair { int a[2]; } p = {{0}}; PROBEKIT_EVENT(app, e, p)' \
		'long double d = 0; PROBEKIT_EVENT(app, e, d)'; do
		printf '#include <probekit/probe.h>\nvoid f(void);\nvoid f(void) { %s; }\n' "$bad" \
			>"$work/bad.c"
		$compiler -fsyntax-only -I"$src/include" "$work/bad.c" >"$log" 2>&1
		grep -q 'PROBEKIT_EVENT: an argument is' "$log" ||
			complain "$compiler gives no clear error for: $bad" "$log"
	done
	printf '#include <probekit/probe.h>\nvoid f(void);\nvoid f(void) { %s; }\n' \
		'PROBEKIT_SPAN(app, "x")' >"$work/bad.c"
	$compiler -fsyntax-only -I"$src/include" "$work/bad.c" >"$log" 2>&1 &&
		complain "$compiler takes a string for a name"
done

[ "$failures" -eq 0 ] || exit 1
echo "$(wc -l <"$work/combinations") combinations, every pair of values: OK"
