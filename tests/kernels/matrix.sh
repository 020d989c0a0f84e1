#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Runs the integration tests on the running kernel and, but for some, on every kernel of kernels.txt, those in
# guests: matrix.sh BUILD [KERNEL...], where the running one is called "here". What CTest
# kept of the integration tests is taken for it when nothing has been built since. In guests, counts
# are divided by PROBEKIT_TEST_SCALE (default 200): emulation is slow. Ends with one table, and exits
# with 1 when a test failed, a test was skipped that need not be, or a guest did not finish. In two parts, with other
# tests between them or beside the first: matrix.sh --guests BUILD, then matrix.sh --rest BUILD.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

limit=2400 # seconds for a row; on an idle machine it takes a quarter of that
parts=2	   # guests of a row, each with every second of the tests

# Is what CTest kept newer than everything that the tests run?
is_fresh() {
	[ -e "$1" ] && [ -z "$(find "$build/tests" "$build/probekit" "$build"/lib* -name headers -prune \
		-o -type f -perm -100 -newer "$1" -print -quit)" ]
}

# What CTest wrote, as run-tests.sh would have, which otherwise runs the tests.
run_here() {
	if is_fresh "$build/integration.log"; then
		sh "$here/run-tests.sh" "$build" 1
		sed -e 's|^Command: ".*/\(test_[a-z0-9_]*\)"$|=== test \1|' \
			-e 's/^Test Passed\.$/=== status 0/' -e 's/^Test Failed\.$/=== status 1/' \
			"$build/integration.log"
	else
		# shellcheck disable=SC2046
		timeout "$limit" sh "$here/run-tests.sh" "$build" 1 $(test_names)
	fi
}

test_names() {
	for source in "$here"/../integration/test_*.c; do
		basename "$source" .c
	done
}

# Every guest runs those of what kernels do differently. Others are of one row each, by turns: they are of what lies
# above it, or many short measurements. The last row's kernel, the newest, is the slowest and has none of them.
# Where probekit is refused those are run that say so; verdicts on builds are arithmetic on any kernel, and what is denied
# to try a fallback the older kernels lack by themselves. Rights without root need uprobe_multi, which the last has. One
# runs in guests alone: what it does to a CPU is for nobody's machine. Rows of one kernel, which differ in how it preempts,
# take turns at what counts, options and the ends of programs come to.
guest_names() {
	rows=$(awk '!/^[ \t]*(#|$)/ && $4 != "refused" { printf "%s ", $1 }' "$kernels_table")
	twins=$(awk -v row="$1" '!/^[ \t]*(#|$)/ { kernel[++count] = $2 " " $3; name[count] = $1 }
		$1 == row { own = $2 " " $3 }
		END { for (i = 1; i <= count; i++) if (kernel[i] == own) print name[i] }' "$kernels_table" | tr '\n' ' ')
	by_turns="calls|cli|confined|containers|custom|doctor_target|duet|faults|follow|hardships|midway|record|stack"
	by_twins="counts|doctor|functions_attach|inside|kinds|lifecycle|open|pairing|peers|postgres|privilege|quantiles"
	by_twins="$by_twins|refusal|renewed|returns|safety|start|stopped"
	{ test_names | grep -Ev '^test_(compare|fallbacks)'; echo test_unplugged; } |
		awk -v row="$1" -v rows="$rows" -v twins="$twins" -v probes="$2" \
			-v by_turns="^test_($by_turns)" -v by_twins="^test_($by_twins)\$" '
		BEGIN { count = split(rows, names); twin_count = split(twins, twin) }
		probes == "refused" { if (/^test_(cli|doctor|refusal)/) print; next }
		/^test_rights/ { if (row == names[count]) print; next }
		$0 ~ by_twins {
			if (twin[1 + turn++ % twin_count] == row) print
			next
		}
		$0 !~ by_turns { print; next }
		names[1 + dealt++ % (count - 1)] == row'
}

# run_guest NAME TESTS, in one word
run_guest() {
	tests=$2
	set -- --kernel "$1" --timeout "$limit" --dir "$build/tests/programs" \
		--file "$build/probekit" --file "$build/examples/embed" \
		--file "$build/examples/bytes" --file "$build/examples/store"
	for test in $tests; do
		set -- "$@" --file "$build/tests/$test"
	done
	# shellcheck disable=SC2086
	nice -n 5 "$here/run-in-vm.sh" "$@" -- "$here/run-tests.sh" "$build" \
		"${PROBEKIT_TEST_SCALE:-200}" $tests
}

# A guest has one processor of ours and waits half of the time, so a row has more than one.
run_guests() {
	guests=
	failed=0
	row=$(kernel_row "$2")
	read -r _suite _package probes _lacks_append <<ROW
$row
ROW
	for part in $(seq 0 $((parts - 1))); do
		run_guest "$2" "$(guest_names "$2" "$probes" |
			awk -v part="$part" -v parts="$parts" 'NR % parts == part')" >"$1/$2.$part" 2>&1 &
		guests="$guests $!"
	done
	for guest in $guests; do
		wait "$guest" || failed=$?
	done
	for part in $(seq 0 $((parts - 1))); do
		cat "$1/$2.$part"
	done
	return $failed
}

# run_row BUILD RESULTS NAME: leaves what the tests wrote in RESULTS/NAME
run_row() {
	build=$1
	log=$2/$3
	start=$(date +%s)
	status=0
	case $3 in
	here) run_here ;;
	*) run_guests "$2" "$3" ;;
	esac >"$log" 2>"$log.err" || status=$?
	if [ $status != 0 ]; then
		echo "== $3: did not finish (status $status); its last words:"
		tail -n 15 "$log" "$log.err"
	else
		echo "== $3: done in $(($(date +%s) - start)) s"
	fi
}

# What failed beside other tests, which take the processors' time first, is run once more without them. What crashed is not.
run_failed_again() {
	for name; do
		failed=$(tr -d '\r' <"$results/$name" | awk '/^=== test /{ name = $3 } /^=== status /{ status[name] = $3 }
			END { for (name in status) if (status[name] > 0 && status[name] < 128) print name }')
		[ -z "$failed" ] || run_guest "$name" "$failed" >"$results/$name.again" 2>&1 || true
	done
}

# summarize NAME PROBES LACKS
summarize() {
	own_parts=$parts
	[ "$1" != here ] || own_parts=1
	set -- "$@" "$results/$1"
	[ ! -e "$results/$1.again" ] || {
		own_parts=$((own_parts + 1))
		set -- "$@" "$results/$1.again"
	}
	name=$1
	probes=$2
	lacks=$3
	shift 3
	cat "$@" | tr -d '\r' | awk -f "$here/results.awk" -v name="$name" -v probes="$probes" \
		-v lacks="$lacks" -v parts="$own_parts" >>"$results/summary"
}

print_table() {
	echo
	printf '%-10s %-16s %-9s %-18s %6s %6s %7s\n' kernel release preempt probes passed failed skipped
	sed -n 's/^row //p' "$results/summary"
	sed -n 's/^note //p' "$results/summary"
	sed -n 's/^bad  //p' "$results/summary" | sed '/^ /!s/^/FAILED  /'
}

# The newest take longest; the running kernel's tests mostly wait, so they need no processor.
run_rows() {
	printf '%s\n' "$@" | sort -V -r |
		xargs -P "$(($(nproc) + 1))" -n 1 sh "$here/matrix.sh" --row "$build" "$results"
}

part=all
case ${1-} in
--row)
	shift
	run_row "$@"
	exit
	;;
--guests | --rest)
	part=${1#--}
	shift
	;;
esac
build=$(cd "$1" && pwd)
shift
guests=$(kernel_names | tr -d ,)
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- here $guests
results=$build/kernels # which stays
if [ "$part" != rest ]; then
	rm -rf "$results"
	mkdir -p "$results"
fi
# shellcheck disable=SC2086
case "$part" in
all) run_rows "$@" ;;
guests)
	run_rows $guests
	exit
	;;
rest)
	rm -f "$results/summary"
	# shellcheck disable=SC2086
	run_failed_again $guests
	run_rows here
	;;
esac
for name; do
	probes=any
	lacks=here
	if [ "$name" != here ]; then
		row=$(kernel_row "$name")
		read -r _suite _package probes lacks _append <<ROW
$row
ROW
	fi
	summarize "$name" "$probes" "$lacks"
done
print_table
! grep -q '^bad' "$results/summary"
