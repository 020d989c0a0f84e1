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
guests=
trap 'rm -rf "$results"; [ -z "$guests" ] || kill -- "-$guests" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM HUP
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

# run_label BUILD LABEL [OPTION...], of ctest
run_label() {
	where=$1
	what=$2
	shift 2
	echo "== $what tests in $where"
	ctest --test-dir "$where" -L "$what" --no-tests=error --output-on-failure -j "$(nproc)" "$@" || failed=1
	cp "$where/Testing/Temporary/LastTest.log" "$where/$what.log" || return 0
	report "$where/$what.log"
}

# Beside the guests some are too late for what they assert: the guests are waited for, and what failed is run again.
run_integration_beside_guests() {
	echo "== integration tests in $build, beside the guests"
	start_guests
	status=0
	ctest --test-dir "$build" -L integration --no-tests=error --output-on-failure -j "$(nproc)" || status=$?
	cp "$build/Testing/Temporary/LastTest.log" "$build/integration.log"
	wait "$guests" || failed=1
	guests=
	if [ $status != 0 ]; then
		echo "== what failed, without them"
		ctest --test-dir "$build" --rerun-failed --no-tests=error --output-on-failure \
			--repeat until-pass:2 || failed=1
		cat "$build/Testing/Temporary/LastTest.log" >>"$build/integration.log"
	fi
	report "$build/integration.log"
}

# report LOG, of ctest: what was run again, and what was skipped, which a machine that can measure must not
report() {
	sed -n 's/^[0-9/ ]* Test: //p' "$1" | sort | uniq -d | sed 's/^/failed, and run again: /'
	grep -h '^scenarios: \| MISSED: \|  named$' "$1" || true
	grep -h '^\[  SKIPPED \] \|^skipped: ' "$1" | sort -u >"$results/skips" || true
	[ -s "$results/skips" ] || return 0
	cat "$results/skips"
	if "$build/probekit" latency -- "$build/tests/bench/bench_target" </dev/null >/dev/null 2>&1; then
		echo "this machine can measure: a skipped test is a failure" >&2
		failed=1
	fi
}

# The guests of the matrix, which take the processors' time that the tests here leave, in a process group of their own.
start_guests() {
	setsid chrt --idle 0 sh "$tests/kernels/matrix.sh" --guests "$build" &
	guests=$!
}

run_matrix() {
	if [ -n "$label" ]; then
		sh "$tests/kernels/matrix.sh" "$build"
	else
		sh "$tests/kernels/matrix.sh" --rest "$build"
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
	kernels) run_matrix || failed=1 ;;
	# Shared machines take of a CPU what they like, for as long as they like, which no test can know of:
	# what fails is run once more, and that is told.
	integration)
		if [ -n "$label" ]; then
			run_label "$build" integration --repeat until-pass:2
		else
			run_integration_beside_guests # before, compilers leave them nothing
		fi
		;;
	*) run_label "$build" "$each" ;;
	esac
done
if [ $failed = 0 ]; then
	echo "all tests passed"
else
	echo "some tests FAILED" >&2
fi
exit $failed
