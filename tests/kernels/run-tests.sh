#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs integration tests: run-tests.sh BUILD SCALE TEST... Prints what results.awk reads: lines that
# begin with "=== " tell what runs them, and where each program begins and ends.

build=$1
scale=$2
shift 2
export PROBEKIT_BUILD="$build" PROBEKIT_TEST_SCALE="$scale"

# Debian's kernels all can preempt; which mode is in force stands in brackets.
preempt=$(sed -n 's/.*(\([a-z]*\)).*/\1/p' /sys/kernel/debug/sched/preempt 2>/dev/null)
probes=$("$build/probekit" latency --json -- "$build/tests/programs/victim" end 0 2>/dev/null |
	sed -n 's/.*"attach": *"\([a-z_]*\)".*"site": *"\([a-z0-9]*\)".*/\1\/\2/p')
echo "=== kernel $(uname -r)"
echo "=== preempt ${preempt:--}"
echo "=== probes ${probes:-refused}"
# Which the tests would each find out by a measurement.
[ -z "$probes" ] || export PROBEKIT_TEST_ATTACHMENT="${probes%/*}"
# run NAME: its exit status
run() {
	echo "=== test $1"
	status=0
	start=$(date +%s)
	"$build/tests/$1" 2>&1 || status=$?
	echo "=== took $(($(date +%s) - start)) s"
	echo "=== status $status"
	return $status
}

# Machines that are shared take of a CPU what they like, for as long as they like, which no test can know of: what
# fails is run once more, and that is told. What crashes is not.
for name; do
	run "$name" || [ $status -ge 128 ] || run "$name" || true
done
echo "=== end"
