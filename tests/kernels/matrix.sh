#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs every integration test on every kernel of kernels.txt in qemu: matrix.sh BUILD [KERNEL...].
# Counts are divided by PROBEKIT_TEST_SCALE (default 200): emulation is slow. Ends with one table,
# and exits with 1 when a test failed or a kernel did not boot.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
shift
. "$here/common.sh"

# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(kernel_names)
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# What runs inside: every test, each with a marker line before and its status after.
cat >"$results/run-tests" <<'END'
#!/bin/sh
build=$1
scale=$2
shift 2
export PROBEKIT_BUILD="$build" PROBEKIT_TEST_SCALE="$scale"
for name; do
	echo "=== $name"
	"$build/tests/$name" 2>&1
	echo "=== $name exits with $?"
done
END
chmod +x "$results/run-tests"

tests=
for source in "$here"/../integration/test_*.c; do
	tests="$tests $(basename "$source" .c)"
done

# count PATTERN FILE
count() {
	grep -c "$1" "$2" || true
}

failed=0
for kernel; do
	log="$results/$kernel"
	echo "== Linux $kernel"
	status=0
	# shellcheck disable=SC2046,SC2086
	"$here/run-in-vm.sh" --kernel "$kernel" --timeout 900 --dir "$build/tests/programs" \
		--file "$build/probekit" --file "$build/examples/embed" --file "$results/run-tests" \
		$(for test in $tests; do echo "--file $build/tests/$test"; done) \
		-- "$results/run-tests" "$build" "${PROBEKIT_TEST_SCALE:-200}" $tests >"$log" 2>&1 || status=$?
	[ $status = 0 ] || { echo "the guest did not finish (status $status):"; tail -n 20 "$log"; }
	grep -E '\[  FAILED  \]|\[   LINE   \]|\[  ERROR   \]|exits with [1-9]' "$log" || true
	passed=$(count '\[       OK \]' "$log")
	broken=$(count '=== .* exits with [1-9]' "$log")
	skipped=$(count '^\[  SKIPPED \] test_\|^\[  SKIPPED \] [a-z_0-9]*$' "$log")
	if [ $status != 0 ] || [ "$broken" != 0 ] || [ "$passed" = 0 ]; then failed=1; fi
	printf '%-12s %8s %16s %8s\n' "$kernel" "$passed" "$broken" "$skipped" >>"$results/table"
	grep -E '^skipped: ' "$log" | sort -u | sed "s/^/  $kernel /" >>"$results/reasons" || true
done

echo
printf '%-12s %8s %16s %8s\n' kernel passed 'failed programs' skipped
cat "$results/table"
cat "$results/reasons"
exit $failed
