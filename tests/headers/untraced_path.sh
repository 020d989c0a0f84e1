#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# untraced_path.sh BUILD_DIR SRC_DIR
#
# What an untraced probe costs, from the disassembly at -O2 with gcc and clang: each site is one
# load, one test and one branch not taken, the end of a scoped span one test and branch at most,
# and the site's bytes lie off the path. Beside events and explicit pairs nothing else is added; a
# scoped span may add what its cold call takes: a zero for the end, a register saved, the stack
# moved. Also that red_zone.c deserves its name: its leaf function stores below the stack pointer.
set -u

if [ $# -ne 2 ]; then
	echo "usage: $0 BUILD_DIR SRC_DIR" >&2
	exit 2
fi
mkdir -p "$1/headers" || exit 1
work=$(cd "$1/headers" && pwd) src=$(cd "$2" && pwd)
here=$src/tests/headers
failures=0

complain()
{
	echo "FAIL: $*"
	failures=$((failures + 1))
}

for tool in gcc clang objdump; do
	command -v $tool >/dev/null && continue
	[ $tool = objdump ] && package=binutils || package=$tool
	echo "FAIL: '$tool' not found; install the package '$package'"
	exit 1
done
if [ "$(uname -m)" != x86_64 ]; then
	echo "FAIL: reads x86-64 code; this machine is $(uname -m)"
	exit 1
fi

# field LISTING FUNCTION FIELD
field()
{
	sed -n "s/^$2 .*$3=\([0-9]*\).*/\1/p" "$1"
}

# expect FUNCTION LOADS MOST_TESTS SITES MOST_INSTRUCTIONS_ADDED
expect()
{
	now=$(field "$work/path" "$1" instructions)
	off=$(field "$work/path-disabled" "$1" instructions)
	if [ -z "$now" ] || [ -z "$off" ]; then
		complain "$compiler: no function $1"
		return
	fi
	[ "$(field "$work/path" "$1" loads)" -eq "$2" ] || complain "$compiler: $1 has not $2 loads"
	tests=$(field "$work/path" "$1" tests)
	[ "$tests" -ge "$2" ] || complain "$compiler: $1 has fewer than $2 tests"
	[ "$tests" -le "$3" ] || complain "$compiler: $1 has more than $3 tests"
	[ "$(field "$work/path" "$1" sites)" -eq "$4" ] || complain "$compiler: $1 has not $4 sites"
	[ $((now - off)) -le "$5" ] || complain "$compiler: $1 grew by $((now - off)) instructions"
	echo "$compiler $1: $off instructions without probes, $now untraced"
}

for compiler in gcc clang; do
	for flag in "" -DPROBEKIT_DISABLE; do
		out=$work/path${flag:+-disabled}
		# shellcheck disable=SC2086
		$compiler -std=c11 -O2 $flag -I"$src/include" -c "$here/untraced_path.c" \
			-o "$work/untraced_path.o" || exit 1
		objdump -dr --no-show-raw-insn "$work/untraced_path.o" >"$work/listing" || exit 1
		awk -f "$here/untraced_path.awk" "$work/listing" >"$out" ||
			complain "$compiler:" "$(grep -v instructions= "$out")"
	done
	expect explicit_pair 2 2 2 6
	expect event 1 1 1 3
	expect scoped_leaf 1 2 1 7
	expect scoped 1 2 1 8
	expect keyed 1 2 1 7

	$compiler -std=c11 -O2 -pthread -I"$src/include" "$here/red_zone.c" \
		-o "$work/red_zone" || exit 1
	objdump -d --no-show-raw-insn --disassemble=red_zone_leaf "$work/red_zone" >"$work/listing"
	grep -Eq 'mov.*,-0x[0-9a-f]+\(%rsp' "$work/listing" ||
		complain "$compiler: red_zone_leaf does not use the red zone"
	"$work/red_zone" 10000 2 >"$work/listing" || complain "$compiler: $(cat "$work/listing")"
	grep -q '^OK 20000$' "$work/listing" || complain "$compiler: red_zone does not end with OK"
done
[ "$failures" -eq 0 ]
