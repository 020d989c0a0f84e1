# SPDX-License-Identifier: BSD-2-Clause
#
# Checks what readelf says of the matrix program's sections and notes. Expected are the probes below
# with their number of arguments; in each object one semaphore a span, no semaphore for two spans,
# all inside .probes; each site inside .text. `lang` is c or c++; `uncalled` says whether the
# function that nobody calls is kept, dropped, or either. Prints each violation; status 1 when
# there is one.

function hex(text,    i, n)
{
	text = tolower(text)
	sub(/^0x/, "", text)
	for (i = 1; i <= length(text); i++)
		n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
	return n
}

function complain(text)
{
	print object ": " text
	bad = 1
}

function expect(list, n,    i, word, k)
{
	k = split(list, word, " ")
	for (i = 1; i <= k; i++)
		arguments[word[i]] = n
}

function expect_scoped(list, n,    i, word, k)
{
	k = split(list, word, " ")
	for (i = 1; i <= k; i++) {
		arguments[word[i] "__begin"] = n
		arguments[word[i] "__end"] = 0
	}
}

function span_of(name)
{
	sub(/__(async_begin|async_end|wait_begin|begin|end|start|stop|value)$/, "", name)
	sub(/__(acquired|released)$/, "", name)
	return name
}

function check(name,    span, key, n, word)
{
	span = span_of(name)
	if (!(name in arguments)) {
		complain("unexpected probe " name)
		return
	}
	seen[name] = 1
	n = split(args, word, " ")
	if (n != arguments[name])
		complain(name " has " n " arguments (" args "), not " arguments[name])
	if (args ~ /[(]%rip[)]/)
		complain(name " has a symbolic argument: " args)
	if (name ~ /__(begin|async_begin|async_end|value)$/ && n && args !~ /^-8@/)
		complain(name " has no signed 64-bit argument: " args)
	if (pc < text_from || pc >= text_to)
		complain(name " is outside of .text: " location)
	if (semaphore < probes_from || semaphore + 2 > probes_to || semaphore % 2)
		complain(name " has a semaphore outside of .probes")
	if (base != base_address)
		complain(name " has base " base ", not .stapsdt.base at " base_address)
	key = object SUBSEP span
	if (key in semaphore_of && semaphore_of[key] != semaphore)
		complain(span " has two semaphores")
	semaphore_of[key] = semaphore
	key = object SUBSEP semaphore
	if (key in owner && owner[key] != span)
		complain(span " and " owner[key] " share a semaphore")
	owner[key] = span
}

BEGIN {
	expect_scoped("by_return by_goto recurse shared", 0)
	expect_scoped("store count_down tail_call early_exit by_alloca", 0)
	expect_scoped("loop", 1)
	expect("explicit_pair__start explicit_pair__stop event_0 event_enabled", 0)
	expect("job__async_begin job__async_end depth__value event_1", 1)
	expect("lock__wait_begin lock__acquired lock__released", 1)
	expect("event_2", 2)
	expect("event_3", 3)
	expect("event_11", 11)
	expect("event_12", 12)
	if (lang == "c++") {
		expect_scoped("anonymous constructor method lambda thrower catcher", 0)
		expect_scoped("templated", 1)
		expect("template_event", 1)
	}
	if (uncalled != "dropped") {
		expect_scoped("never_called", 0)
		expect("never_event", 1)
	}
}

$1 == "object" {
	object = $2
	text_from = text_to = probes_from = probes_to = base_address = 0
	next
}
$1 == "section" && $2 == ".text" { text_from = hex($4); text_to = text_from + hex($6) }
$1 == "section" && $2 == ".probes" { probes_from = hex($4); probes_to = probes_from + hex($6) }
$1 == "section" && $2 == ".stapsdt.base" { base_address = hex($4) }
/Provider: / { provider = $NF }
$1 == "Name:" { name = $2 }
$1 == "Location:" {
	gsub(/,/, "")
	location = $2
	pc = hex($2)
	base = hex($4)
	semaphore = hex($6)
}
$1 == "Arguments:" && provider == "matrix" {
	args = $0
	sub(/^ *Arguments: */, "", args)
	check(name)
}
/^readelf:/ { complain($0) }

END {
	for (name in arguments)
		if (!(name in seen) && !(uncalled == "either" && name ~ /^never_/))
			complain("no probe " name)
	exit bad
}
