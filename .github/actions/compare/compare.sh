#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The step of the action: its inputs are in the environment, as action.yml has them.
set -eu

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Lines of the workflow language: % and line breaks are escaped in what follows "::".
annotate() {
	printf '::%s title=probekit compare::%s\n' "$1" "$(printf '%s' "$2" | sed 's/%/%25/g')"
}

if ! program=$(command -v "$PROBEKIT"); then
	annotate error "there is no program '$PROBEKIT': this action does not install probekit"
	echo "verdict=error" >>"$GITHUB_OUTPUT"
	exit 127
fi
results=$(mktemp -d "${RUNNER_TEMP:-/tmp}/probekit-compare-XXXXXX")

set -- compare --base "$BASE" --head "$HEAD" --pairs "$PAIRS" --mode "$MODE" \
	-o "$results/comparison.json" --junit "$results/junit.xml" --markdown "$results/comparison.md"
[ "$STRICT" != true ] || set -- "$@" --strict
while IFS= read -r line; do
	[ -z "$line" ] || set -- "$@" --fail-on "$line"
done <<END
$FAIL_ON
END
while IFS= read -r line; do
	[ -z "$line" ] || set -- "$@" "$line"
done <<END
$OPTIONS
END
set -- "$@" --
while IFS= read -r line; do
	[ -z "$line" ] || set -- "$@" "$line"
done <<END
$ARGS
END

code=0
# What a failing run printed is kept where TMPDIR says.
as_root env TMPDIR="$results" "$program" "$@" >"$results/report.txt" || code=$?
cat "$results/report.txt"
outcome=$(head -n 1 "$results/report.txt")
[ "$STEP_SUMMARY" != true ] || [ ! -f "$results/comparison.md" ] ||
	cat "$results/comparison.md" >>"$GITHUB_STEP_SUMMARY"

status=$code
case $code in
0) verdict=passed ;;
4)
	verdict=failed
	annotate error "$outcome"
	;;
5)
	verdict=undecided
	if [ "$STRICT" = true ]; then
		annotate error "$outcome"
	else
		annotate warning "$outcome"
		status=0
	fi
	;;
*)
	verdict=error
	annotate error "probekit compare failed with status $code; the log says why"
	for kept in "$results"/probekit-run-*; do
		[ -e "$kept" ] || continue
		echo "the last lines of what the run printed:" >&2
		as_root tail -n 20 "$kept" >&2
	done
	;;
esac
# An output that has no file is left out, and so empty.
path() {
	[ ! -s "$results/$2" ] || echo "$1=$results/$2"
}

{
	echo "verdict=$verdict"
	echo "exit-code=$code"
	path report report.txt
	path json comparison.json
	path junit junit.xml
	path markdown comparison.md
} >>"$GITHUB_OUTPUT"
exit "$status"
