#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs the built tests: tests/run.sh BUILD [LABEL]. Unit tests run a second time under ASan and UBSan,
# and everything in user space is compiled by clang as well. A skip is a failure on a machine that
# can measure; on another it is listed with its reason.
set -eu
build=$1
label=${2:-}
tests=$(dirname "$0")
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
failed=0

ctest_label() {
	ctest --test-dir "$build" -L "$1" --output-on-failure --no-tests=error || failed=1
}

sanitized() {
	cmake -S "$tests/.." -B "$build/sanitize" -G Ninja -DPROBEKIT_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug >"$results/log" 2>&1 &&
		cmake --build "$build/sanitize" >>"$results/log" 2>&1 || { cat "$results/log"; failed=1; return; }
	echo "== unit tests under ASan and UBSan"
	ctest --test-dir "$build/sanitize" -L unit --output-on-failure --no-tests=error || failed=1
}

clang_build() {
	cmake -S "$tests/.." -B "$build/clang" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ >"$results/log" 2>&1 &&
		cmake --build "$build/clang" >>"$results/log" 2>&1 || { cat "$results/log"; failed=1; }
}

case $label in
'' | unit)
	sanitized
	[ -n "$label" ] || clang_build
	;;
esac
case $label in
'') for each in unit headers integration; do ctest_label "$each"; done ;;
kernels) ;;
*) ctest_label "$label" ;;
esac
case $label in
'' | kernels) sh "$tests/kernels/matrix.sh" "$build" || failed=1 ;;
esac
if [ $failed = 0 ]; then echo "all tests passed"; else echo "some tests FAILED" >&2; fi
exit $failed
