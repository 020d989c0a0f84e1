# SPDX-License-Identifier: BSD-2-Clause
#
# What the log of one run of the integration tests says, as lines for the table: one that begins with
# "row", others with "note" (told) and "bad" (a failure). Variables: name, of the row; parts, how many
# logs it consists of; probes and lacks, as in kernels.txt, of a guest, in which packages may be absent
# and native speed is; for the running kernel "any" and "here": it may lack anything if it is refused,
# else nothing. Of a program that was run again, the last time counts, and that it was is told.

function end_test(result) {
	if (result == "FAILED")
		bad("failed: " test substr(said, 1, 2000))
	add(result)
	failed_here += result == "FAILED"
	test = ""
}

function add(result) {
	count[result]++
	counted[program, result]++
}

function bad(what) {
	gsub(/\n/, "\n    ", what)
	bads[program] = bads[program] "\n" name ": " what
}

# Each of the lines, which a newline begins.
function tagged(tag, lines) {
	gsub(/\n/, "&" tag " ", lines)
	return substr(lines, 2) "\n"
}

function forget(program, i, part) {
	for (i in counted) {
		split(i, part, SUBSEP)
		if (part[1] == program) {
			count[part[2]] -= counted[i]
			delete counted[i]
		}
	}
	for (i in needed) {
		split(i, part, SUBSEP)
		if (part[1] == program) {
			needs[part[2]] -= needed[i]
			delete needed[i]
		}
	}
	again = again bads[program]
	delete bads[program]
}

function begin_program(new) {
	program = new
	failed_here = 0
	if (program in seen) {
		again = again "\n" name ": " program " failed, and was run again:"
		forget(program)
	}
	seen[program]
}

# On a test that has no result: its fixture failed, or the program ended inside it.
function give_up() {
	if (test != "")
		end_test("FAILED")
}

# A bad end that none of its tests tells of is one failure more.
function end_program(status) {
	give_up()
	if (status != 0 && !failed_here) {
		bad("failed: " program " exits with " status)
		add("FAILED")
	}
	program = ""
}

function is_expected(need) {
	if (lacks == "here")
		return found == "refused"
	return need ~ /^package / || need == "native" || index("," lacks ",", "," need ",")
}

/^=== kernel / { release = $3; sub(/-cloud-amd64$/, "", release); next }
/^=== preempt / { preempt = $3; next }
/^=== probes / { found = $3; next }
/^=== test / { begin_program($3); next }
/^=== status / { end_program($3); next }
/^=== end/ { is_complete = ++ended == parts; next }
/^\[ RUN      \] / { give_up(); test = substr($0, 14); need = said = ""; next }
/^skipped: needs / { need = $0; sub(/^skipped: needs /, "", need); sub(/[:,].*/, "", need); next }
/^\[ +OK \] / && test != "" { end_test("OK"); next }
/^\[  FAILED  \] / && test != "" { end_test("FAILED"); next }
/^\[  SKIPPED \] / && test != "" {
	if (need == "")
		need = "a reason"
	if (!is_expected(need))
		bad("skipped without " need ": " test)
	needs[need]++
	needed[program, need]++
	end_test("SKIPPED")
	next
}

test != "" { said = said "\n" $0 }

END {
	if (!is_complete) {
		test = test == "" ? program : test
		bad("did not finish" (test == "" ? "" : "; it was in " test))
	} else {
		give_up()
		if (!count["OK"])
			bad("no test passed")
	}
	if (is_complete && probes != "any" && found != probes)
		bad("probes are " found ", not " probes)
	for (each in bads)
		printf "%s", tagged("bad ", bads[each])
	printf "row %-10s %-16s %-9s %-18s %6d %6d %7d\n", name, release == "" ? "-" : release,
		preempt == "" ? "-" : preempt, found == "" ? "-" : found, count["OK"], count["FAILED"],
		count["SKIPPED"]
	for (need in needs)
		if (!needs[need])
			continue
		else if (need ~ /^package /)
			packages = packages ", " need " " needs[need]
		else
			features = features ", " need " " needs[need]
	if (count["SKIPPED"])
		print "note " name ": skipped without " substr(features packages, 3)
	if (again != "")
		printf "%s", tagged("note", again)
}
