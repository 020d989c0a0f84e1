#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Puts the kernel of one row of kernels.txt into the cache, unpacked and not installed, and prints
# the folder that holds its vmlinuz. What is in the cache is used without the network.
#
# The archive is the one this machine's apt is configured for, also for suites it does not use. apt
# works on private state, so the machine's package lists stay as they are and root is not needed.
# Modules are left out: all the tests rely on (ext4, IPv6, io_uring, ...) is built in.

set -eu
here=$(dirname "$0")
. "$here/common.sh"

usage="usage: fetch-kernel.sh [--refresh] KERNEL
  --refresh  ask the archive for a newer package even if the cache has one
kernels: $(kernel_names)"

private_apt()
{
	tool=$1
	shift
	"$tool" -q -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State="$work/state" -o Dir::State::Lists="$work/lists" \
		-o Dir::State::Status="$work/status" -o Dir::Cache="$work/cache" \
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 \
		-o APT::Sandbox::User="$(id -un)" -o APT::Update::Error-Mode=any \
		-o Acquire::Languages=none "$@"
}

# archive_of SUITE: the address to get it from. A suite apt is configured for has its own; another
# is at the address of those of its kind, as security updates may live apart from the rest.
archive_of()
{
	# shellcheck disable=SC2016 # apt expands them
	apt-get indextargets --no-release-info --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
		'Created-By: Packages' |
		awk -v suite="$1" '
			$2 != "main" { next }
			$1 == suite { exact = $3; exit }
			($1 ~ /-security$/) == (suite ~ /-security$/) && !kin { kin = $3 }
			END { print exact ? exact : kin }'
}

# The keys of every suite of Debian, where the machine has them; else those that apt trusts.
signed_by()
{
	for keyring in /usr/share/keyrings/debian-archive-keyring.gpg \
		/usr/share/keyrings/debian-archive-keyring.pgp; do
		if [ -r "$keyring" ]; then
			printf '[signed-by=%s]' "$keyring"
			return
		fi
	done
}

# download SUITE PATTERN: leaves the newest matching package as the only .deb of $work
download()
{
	archive=$(archive_of "$1")
	[ -n "$archive" ] || die "apt on this machine has no source to derive suite $1 from"
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/state"
	: >"$work/status"
	echo "deb $(signed_by) $archive $1 main" >"$work/sources.list"
	private_apt apt-get update >"$work/log" 2>&1 || {
		cat "$work/log" >&2
		die "cannot read the package list of suite $1"
	}
	package=$(private_apt apt-cache pkgnames | grep -Ex -e "$2" | sort -V | tail -n 1)
	[ -n "$package" ] || die "no package in suite $1 matches $2"
	echo "fetching $package" >&2
	(cd "$work" && private_apt apt-get download "$package") >"$work/log" 2>&1 || {
		cat "$work/log" >&2
		die "cannot download $package"
	}
}

# unpack DEB FOLDER
unpack()
{
	mkdir -p "$work/root" "$2"
	# In two steps, so that a package that is cut short or a full disk is noticed.
	{ dpkg-deb --fsys-tarfile "$1" >"$work/tar" &&
		tar -x -f "$work/tar" -C "$work/root" --wildcards '*/vmlinuz*'; } 2>"$work/log" || {
		cat "$work/log" >&2
		die "cannot unpack ${1##*/}"
	}
	image=$(find "$work/root" -type f -name 'vmlinuz*' | head -n 1)
	[ -n "$image" ] || die "${1##*/} holds no vmlinuz"
	mv "$image" "$2/vmlinuz"
}

refresh=
if [ "${1-}" = --refresh ]; then
	refresh=1
	shift
fi
case ${1-} in
-h | --help)
	echo "$usage"
	exit 0
	;;
esac
[ $# -eq 1 ] || die "$usage"

row=$(kernel_row "$1")
read -r suite pattern _rest <<ROW
$row
ROW
[ -n "$pattern" ] || die "row '$1' of $kernels_table lacks its package"

# Named by what the row asks for, so that an edited row is fetched anew and equal rows share.
link=$kernels_cache/$(printf '%s' "$suite,$pattern" | tr -c 'A-Za-z0-9.,_-' '_')
mkdir -p "$kernels_cache"
lock "$link.lock" # of two at once for one kernel, the second finds what the first fetched
if [ -n "$refresh" ] || ! [ -e "$link/vmlinuz" ]; then
	for tool in apt-get apt-cache; do
		need "$tool" apt
	done
	need dpkg-deb dpkg
	work=$(mktemp -d "$kernels_cache/.fetch.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM
	download "$suite" "$pattern"
	deb=$(find "$work" -maxdepth 1 -name '*.deb')
	folder=$(basename "$deb" .deb)
	unpack "$deb" "$work/kernel"
	# Another fetch may have put the same version there, and a guest may be booting from it.
	[ -e "$kernels_cache/$folder" ] || mv -T "$work/kernel" "$kernels_cache/$folder" ||
		[ -e "$kernels_cache/$folder/vmlinuz" ]
	ln -s "$folder" "$work/link"
	mv -T "$work/link" "$link"
fi
realpath "$link"
