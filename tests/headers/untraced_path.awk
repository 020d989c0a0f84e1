# SPDX-License-Identifier: BSD-2-Clause
#
# Walks functions of an `objdump -dr --no-show-raw-insn` listing as they run while nobody traces: no
# conditional branch is taken. For each function prints
#	NAME instructions=N loads=N tests=N sites=N
# the instructions walked; loads of a semaphore, each with a test and a branch behind it; tests
# with a branch in all; and the sites elsewhere in the function. Complains, with status 1, of a
# load that no test and branch follow, of a branch into the path, and of a site or an indirect call
# on the path.

function complain(text)
{
	print name ": " text
	bad = 1
}

# What follows a load up to its branch; the compiler may put other instructions in between.
function check_load(at, reg,    i)
{
	for (i = at + 1; i < at + 5 && i < last; i++)
		if (insn[path[i]] ~ ("^test +" reg "," reg) && insn[path[i + 1]] ~ /^jne /)
			return
	complain("no test and branch behind the load of " load_of[path[at]])
}

function check_instruction(i, text,    word)
{
	split(text, word, /[ ,]+/)
	if (path[i] in load_of) {
		loads++
		check_load(i, word[3])
	}
	if (text ~ /^nop *$/ || text ~ /lea +-0x80\(%rsp\)/ || text ~ /^call +\*/)
		complain("on the untraced path: " text)
	if (text ~ /^j[^m]/ && insn[path[i - 1]] ~ /^test /) {
		tests++
		if (word[2] in walked)
			complain("a branch into the path: " text)
	}
}

function walk(    i, at, word)
{
	last = loads = tests = 0
	split("", walked)
	for (at = first; at != "" && !(at in walked) && (at in insn); ) {
		path[++last] = at
		walked[at] = 1
		if (insn[at] ~ /^ret/ || (insn[at] ~ /^jmp/ && at in leaves))
			break
		if (insn[at] ~ /^jmp/) {
			split(insn[at], word, / +/)
			at = word[2]
		} else {
			at = following[at]
		}
	}
	for (i = 1; i <= last; i++)
		check_instruction(i, insn[path[i]])
	print name, "instructions=" last, "loads=" loads, "tests=" tests, "sites=" sites
}

function finish()
{
	if (name != "" && name !~ /^probekit\.end/)
		walk()
	split("", insn)
	split("", following)
	split("", load_of)
	split("", leaves)
	first = previous = ""
	sites = 0
}

/^[0-9a-f]+ <.*>:$/ {
	finish()
	name = substr($2, 2, length($2) - 3)
	next
}
/R_X86_64_/ {
	if ($NF ~ /_semaphore/)
		load_of[previous] = $NF
	leaves[previous] = 1
	next
}
name != "" && /^ *[0-9a-f]+:/ {
	address = $1
	sub(/:$/, "", address)
	text = $0
	sub(/^ *[0-9a-f]+:[ \t]*/, "", text)
	insn[address] = text
	if (text ~ /lea +-0x80\(%rsp\)/)
		sites++
	if (first == "")
		first = address
	else
		following[previous] = address
	previous = address
}

END {
	finish()
	exit bad
}
