# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2034,SC2154
#
# What the scripts of this folder share; each sets $here to the folder and sources it. Invariant:
# whatever goes wrong outside the guest's command exits 125, so that it is never taken for the
# command's own status.

kernels_table=$here/kernels.txt
kernels_cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/probekit/kernels

die()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 125
}

# need COMMAND PACKAGE
need()
{
	command -v "$1" >/dev/null 2>&1 || die "'$1' not found; install the package $2"
}

# lock FILE: waits for whoever holds it; held until this script ends
lock()
{
	need flock util-linux
	exec 9>"$1"
	flock 9
}

# kernel_row NAME: the row's fields after its name
kernel_row()
{
	awk -v name="$1" '$1 == name { sub(/^[ \t]*[^ \t]+[ \t]+/, ""); print; found = 1; exit }
		END { exit !found }' "$kernels_table" ||
		die "no kernel '$1' in $kernels_table; it has: $(kernel_names)"
}

kernel_names()
{
	awk '!/^[ \t]*(#|$)/ { printf "%s%s", sep, $1; sep = ", " }' "$kernels_table"
}
