#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Writes docs/kernel-support.md to standard output: asks `probekit doctor --json`, as root, on the
# running kernel and on each kernel of tests/kernels/kernels.txt in qemu.
#
#   docs/kernel-support.sh BUILD >docs/kernel-support.md
set -eu
docs=$(cd "$(dirname "$0")" && pwd)
kernels=$docs/../tests/kernels
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# ask NAME COMMAND...: the answer in $work/NAME.json. Status 3 is an answer too.
ask() {
	name=$1
	shift
	status=0
	"$@" >"$work/$name.json" || status=$?
	case $status in
	0 | 3) echo "$work/$name.json" >>"$work/answers" ;;
	*)
		echo "kernel-support.sh: no answer from kernel $name (status $status)" >&2
		exit 1
		;;
	esac
}

# Rows that only add kernel parameters are the same kernel again: SUITE and PACKAGE tell.
awk '!/^[ \t]*(#|$)/ && !seen[$2, $3]++ { print $1 }' "$kernels/kernels.txt" >"$work/names"
while read -r name; do
	ask "$name" "$kernels/run-in-vm.sh" --kernel "$name" -- "$build/probekit" doctor --json
done <"$work/names"
ask running "$build/probekit" doctor --json

# The oldest first.
while read -r answer; do
	printf '%s %s\n' "$(sed -n 's/.*"kernel": "\([0-9.]*\).*/\1/p' "$answer")" "$answer"
done <"$work/answers" | sort -V | cut -d ' ' -f 2 >"$work/sorted"
# shellcheck disable=SC2046
awk -f "$docs/kernel-support.awk" $(cat "$work/sorted")
