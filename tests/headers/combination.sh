#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Builds the matrix program in one combination, runs it and checks its notes:
#	combination.sh BUILD_DIR SRC_DIR COMPILER STANDARD OPTIMISATION LINKER KIND EXTRA
# Prints nothing and ends with 0 when all is well; else names the combination and what is wrong.
set -u

build=$1 src=$2
shift 2
compiler=$1 std=$2 opt=$3 linker=$4 kind=$5 extra=$6
here=$src/tests/headers
dir=$build/headers/$(echo "$*" | tr ' ' '-')
log=$dir/log

fail()
{
	echo "FAIL: $compiler -std=$std -$opt, ld.$linker, $kind, $extra: $1"
	[ ! -s "$log" ] || sed 's/^/    /' "$log" | head -n 30
	exit 1
}

rm -rf "$dir"
mkdir -p "$dir" || exit 1

sources=$here/matrix.c second=$here/second.c lang=c
flags="-std=$std -$opt -pthread -fuse-ld=$linker -I$src/include -I$here
	-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror"
case $std in
*++*)
	lang=c++
	sources="$sources $here/cxx.cc"
	flags="$flags -Wold-style-cast"
	[ "$compiler" = gcc ] && driver=g++ || driver=clang++
	;;
*)
	driver=$compiler
	flags="$flags -Wstrict-prototypes -Wmissing-prototypes -Wnested-externs"
	;;
esac
case $kind in
pie | shared) flags="$flags -fPIE" link=-pie ;;
nopie) flags="$flags -fno-pie" link=-no-pie ;;
static) flags="$flags -fno-pie" link=-static ;;
esac
case $extra in
lto) flags="$flags -flto" ;;
gc) flags="$flags -ffunction-sections -fdata-sections" link="$link -Wl,--gc-sections" ;;
cet) flags="$flags -fcf-protection=full -fno-plt" ;;
esac

# Flags and lists of files are meant to be split. The linkers' text relocations are errors.
# shellcheck disable=SC2086
{
	if [ "$kind" = shared ]; then
		$driver $flags -fPIC -shared -Wl,-z,text -x $lang "$second" \
			-o "$dir/libmatrix.so" || exit 1
		set -- -x none "$dir/libmatrix.so" "-Wl,-rpath,$dir"
		second=
	else
		set -- -x none
	fi
	$driver $flags $link -Wl,-z,text -x $lang $sources $second "$@" "$build/headers/trace.o" \
		-o "$dir/matrix"
} >"$log" 2>&1 || fail "does not build"
[ ! -s "$log" ] || fail "the build talks"

"$dir/matrix" >"$log" 2>&1 || fail "its own checks fail"

# Who drops the function that nobody calls must drop its notes. gold's --gc-sections keeps both.
uncalled=kept
if [ "$kind" != shared ]; then
	[ "$extra" != lto ] || uncalled=either
	[ "$extra" != gc ] || [ "$linker" = gold ] || uncalled=dropped
fi
: >"$log"
for object in "$dir/matrix" "$dir/libmatrix.so"; do
	[ -e "$object" ] || continue
	echo "object $object"
	readelf -SW "$object" 2>&1 | sed -n 's/^ *\[ *[0-9]*\] */section /p'
	readelf -nW "$object" 2>&1
done | awk -v lang=$lang -v uncalled=$uncalled -f "$here/notes.awk" >"$log" || fail "bad notes"

rm -rf "$dir"
