#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# How often `probekit compare` is right, by builds whose differences are known (tests/programs/builds.c), while
# another process disturbs the machine: compare-trials.sh BUILD MODE HEAD MEASURE TRIALS [PAIRS] [CALLS]. HEAD is
# "base" for one build against itself, of which every regression is a false alarm; else "p50", "p99", "tail", and a
# trial counts when work:f07 is a regression at MEASURE. Ends with a line of the count and its 95 % interval
# (Wilson). Needs root and jq; takes a minute for ten trials.
set -eu
build=$(cd "$1" && pwd)
mode=$2
head=$3
measure=$4
trials=$5
pairs=${6:-6}
calls=${7:-500}

programs=$build/tests/programs
case $head in
base) sides="--aa --base $programs/builds" ;;
*) sides="--base $programs/builds --head $programs/builds_$head" ;;
esac
work=$(mktemp -d)
# Busy for a while, idle for a while, on whatever CPU there is.
while :; do
	timeout "0.$(shuf -i 1-9 -n 1)" sh -c 'while :; do :; done' || true
	sleep "0.$(shuf -i 1-9 -n 1)"
done &
disturber=$!
trap 'kill $disturber 2>/dev/null; rm -rf "$work"' EXIT

found=0
alarms=0
failed=0
for trial in $(seq "$trials"); do
	code=0
	# shellcheck disable=SC2086
	"$build/probekit" compare --mode "$mode" --pairs "$pairs" $sides -o "$work/json" -- "$calls" \
		>/dev/null 2>"$work/err" || code=$?
	case $code in
	0 | 4 | 5) ;;
	*)
		failed=$((failed + 1))
		tail -n 1 "$work/err"
		continue
		;;
	esac
	regressions=$(jq -r '.changes[] | select(.verdict == "regress") | .probe + " " + .measure' "$work/json")
	if echo "$regressions" | grep -qx "work:f07 $measure"; then
		found=$((found + 1))
	fi
	if echo "$regressions" | grep -v '^work:f07 ' | grep -q .; then
		alarms=$((alarms + 1))
	fi
	echo "$trial: $(echo "$regressions" | tr '\n' ',')" >>"$work/log"
done
[ "$head" != base ] || found=$(grep -vc ': $\|: ,$' "$work/log" || true)
awk -v k="$found" -v n="$((trials - failed))" -v what="$mode $head $measure, $pairs pairs" \
	-v alarms="$alarms" -v failed="$failed" 'BEGIN {
	z = 1.96; p = k / n; d = 1 + z * z / n
	c = (p + z * z / (2 * n)) / d; h = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / d
	printf "%s: %d of %d (%.3f to %.3f); another probe in %d; runs failed in %d\n", what, k, n,
		c - h, c + h, alarms, failed
}'
