#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Static analysis: analyse.sh BUILD, which has compile_commands.json and all that is generated. What
# clang-tidy, gcc -fanalyzer and cppcheck find is in known.txt with its reason, or a failure; so is what
# known.txt has and nobody finds any more.
set -eu
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=${here%/tests/static}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root"

# Sources are compiled for several programs; each is looked at once. FILE, a tab, the command, and the
# same as a database for tools that take one.
awk -v root="$root/" -v build="$build/" -v database="$work/compile_commands.json" '
	/"command":/ {
		text = $0
		command = $0
		sub(/^ *"command": "/, "", command)
		sub(/",$/, "", command)
		gsub(/\\\\/, "\001", command)
		gsub(/\\"/, "\"", command)
		gsub(/\001/, "\\", command)
	}
	/"directory":/ { directory = $0 }
	/"file":/ {
		file = $0
		sub(/^ *"file": "/, "", file)
		sub(/".*$/, "", file)
		if (index(file, root) != 1 || index(file, build) == 1 || file !~ /\.(c|cpp)$/ || seen[file]++)
			next
		print file "\t" command
		entry = (entries++ ? ",\n" : "[\n") "{" directory text "\"file\": \"" file "\"}"
		printf "%s", entry >database
	}
	END { print "\n]" >database }' "$build/compile_commands.json" >"$work/commands"

# The library is told what error.c knows.
cut -f1 "$work/commands" | grep "^$root/lib/" | grep -v '/error\.c$' >"$work/library"
cut -f1 "$work/commands" | grep -vxFf "$work/library" >"$work/others"

tidy() {
	xargs -P "$(nproc)" -n 1 clang-tidy --quiet "$@" 2>>"$work/tidy.err"
}

# gcc 12 loses sight of memory that goes into lists and outputs: of 40 leaks that it found none was one.
# clang-tidy looks for them too, and LeakSanitizer does in unit tests.
# shellcheck disable=SC2016
analyse() {
	options="-o /dev/null -Wno-error -fanalyzer -Wno-analyzer-malloc-leak -fdiagnostics-path-format=none"
	sed "s|^[^\t]*\t[^ ]*\(.*\)$|gcc\1 $options|" |
		xargs -d '\n' -P "$(nproc)" -n 1 sh -c 'cd "$0" && eval "$1"' "$build" 2>&1
}

# Without what is generated, a skeleton of megabytes. What headers of others define is told in
# macros.cfg.
check() {
	mkdir "$work/plain"
	sed "s| -I$build/[^ ]*||g" "$work/compile_commands.json" >"$work/plain/compile_commands.json"
	cppcheck --project="$work/plain/compile_commands.json" --quiet -j "$(nproc)" \
		--enable=warning,performance,portability --library=posix -D__x86_64__ \
		--library="$here/macros.cfg" \
		--template='{file}:{line}:{column}: warning: {message} [cppcheck-{id}]' 2>&1 || true
}

with_errors="--extra-arg=-include --extra-arg=$here/errors.h"
{
	# shellcheck disable=SC2086
	tidy -p "$work" $with_errors <"$work/library" || true
	tidy -p "$work" <"$work/others" || true
	for source in $(git ls-files '*.bpf.c'); do
		clang-tidy --quiet "$source" --extra-arg=-Wno-unused-parameter -- -O2 -target bpf -mcpu=v3 \
			-D__TARGET_ARCH_x86 -Iinclude "-I/usr/include/$(gcc -print-multiarch)" \
			2>>"$work/tidy.err" || true
	done
	# An assertion of cmocka returns, as far as the analyser knows.
	grep '\.c	' "$work/commands" |
		grep -v "^$root/tests/\(unit\|integration\|scenarios\|viewers\|bench\|soak\)/" |
		sed "\\|^$root/lib/error\\.c|!s|\\(^$root/lib/.*\\)\$|\\1 -include $here/errors.h|" | analyse || true
	check
} >"$work/found"

awk -v root="$root/" -v build="$build/" '
	FILENAME ~ /known\.txt$/ {
		if (/^[^#]/) {
			reason[$1 " " $2] = NR
		}
		next
	}
	!/: (warning|error): .*\[[^ ]*\]$/ { next }
	index($0, build) == 1 { next }
	{
		line = $0
		sub("^" root, "", line)
		file = line
		sub(/:.*/, "", file)
		check = line
		sub(/.*\[/, "", check)
		sub(/[],].*/, "", check)
		key = file " " check
		if (("* " check) in reason)
			key = "* " check
		found[key] = 1
		if (!(key in reason) && !told[line]++) {
			print line
			failed = 1
		}
	}
	END {
		for (key in reason)
			if (!(key in found)) {
				print "tests/static/known.txt:" reason[key] ": nobody finds this any more: " key
				failed = 1
			}
		exit failed
	}' "$here/known.txt" "$work/found"
