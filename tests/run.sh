#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs the built tests: tests/run.sh BUILD [LABEL]. Unit tests run a second time under ASan and UBSan,
# and everything is compiled by clang as well. A skipped test is a failure where probekit can measure;
# elsewhere it is listed with its reason.
set -eu
build=$1
label=${2:-}
tests=$(dirname "$0")
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
failed=0

# second_build NAME OPTION...: in its own folder, with its output shown only when it fails
second_build() {
	folder=$build/$1
	shift
	if ! { cmake -S "$tests/.." -B "$folder" -G Ninja "$@" && cmake --build "$folder"; } \
		>"$results/log" 2>&1; then
		cat "$results/log"
		failed=1
		return 1
	fi
}

# run_label BUILD LABEL
run_label() {
	echo "== $2 tests in $1"
	ctest --test-dir "$1" -L "$2" --no-tests=error --output-on-failure || failed=1
	cp "$1/Testing/Temporary/LastTest.log" "$1/$2.log" || return 0
	grep -h '^scenarios: \| MISSED: \|  named$' "$1/$2.log" || true
	grep -h '^\[  SKIPPED \] \|^skipped: ' "$1/$2.log" |
		sort -u >"$results/skips" || true
	[ -s "$results/skips" ] || return 0
	cat "$results/skips"
	if "$build/probekit" latency -- "$build/tests/bench/bench_target" </dev/null >/dev/null 2>&1; then
		echo "this machine can measure: a skipped test is a failure" >&2
		failed=1
	fi
}

for each in unit headers integration scenarios kernels; do
	case ${label:-$each} in "$each") ;; *) continue ;; esac
	case $each in
	unit)
		run_label "$build" unit
		second_build sanitize -DPROBEKIT_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug &&
			run_label "$build/sanitize" unit
		second_build clang -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ || true
		;;
	kernels) sh "$tests/kernels/matrix.sh" "$build" || failed=1 ;;
	*) run_label "$build" "$each" ;;
	esac
done
if [ $failed = 0 ]; then
	echo "all tests passed"
else
	echo "some tests FAILED" >&2
fi
exit $failed
