#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Do programs that use <probekit/bpf.h> compile wherever it is promised? With the kernel's types from
# the system's headers and from a vmlinux.h, for both instruction sets that clang makes by itself, for
# both architectures, with and without arguments.
# bpf.sh BUILD SOURCE
set -eu
build=$1/bpf
source=$2
bpftool=$(command -v bpftool || echo /usr/sbin/bpftool)
include=/usr/include/$(${CC:-cc} -print-multiarch)
flags="-g -O2 -target bpf -Wall -Wextra -Wshadow -Werror -I$source/include -I$source/tests/bpf -I$build -idirafter $include"
mkdir -p "$build"

ways=
if [ -r /sys/kernel/btf/vmlinux ]; then
	"$bpftool" btf dump file /sys/kernel/btf/vmlinux format c >"$build/vmlinux.h"
	ways=-DTALLY_WITH_VMLINUX
else
	echo "skipped: no /sys/kernel/btf/vmlinux to make a vmlinux.h of"
fi
for arch in x86 arm64; do
	for cpu in v1 v2 v3; do
		for way in '' $ways; do
			# shellcheck disable=SC2086
			clang $flags -D__TARGET_ARCH_$arch -mcpu=$cpu $way -c "$source/tests/bpf/tally.bpf.c" \
				-o "$build/tally.o"
		done
	done
done

cat >"$build/plain.bpf.c" <<'END'
#define PROBEKIT_NO_ARGUMENTS
#include <probekit/bpf.h>
__u64 sites;
PROBEKIT_PROGRAM(plain)
{
	return __sync_fetch_and_add(&sites, probekit_site(ctx) + probekit_probe(ctx)), 0;
}
END
# shellcheck disable=SC2086
clang $flags -c "$build/plain.bpf.c" -o "$build/plain.o"
if "$bpftool" btf dump file "$build/plain.o" format raw | grep -q probekit_sites; then
	echo "a program without arguments has a map of them" >&2
	exit 1
fi
