#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Builds the initramfs of a guest: busybox, guest-init.sh as /init, the given files at the absolute
# paths they have here, and every shared library they need. Links on the way to a file are kept, so
# /proc/PID/maps shows the same paths in the guest as here.
#
# It goes into the cache, and its path is printed. One that was asked for in the same words is taken
# as long as nothing that went into it has changed since.

set -eu
here=$(dirname "$0")
. "$here/common.sh"

usage="usage: initramfs.sh [--dir PATH]... [--command SCRIPT] [FILE]...
  --dir PATH        a whole folder, without CMake's own CMakeFiles
  --command SCRIPT  what /init runs: a script for busybox's sh"

# alias_path PATH REAL: lets PATH lead to REAL in the guest as it does here
alias_path()
{
	[ "$1" != "$2" ] || return 0
	! [ -L "$root$1" ] || return 0
	! [ -e "$root$1" ] || return 0
	mkdir -p "$root${1%/*}"
	ln -s "$2" "$root$1"
}

# put_file PATH
put_file()
{
	[ -f "$1" ] || die "no such file: $1"
	real=$(realpath "$1")
	echo "$real" >>"$work/inputs"
	if ! [ -e "$root$real" ]; then
		mkdir -p "$root${real%/*}"
		cp -p "$real" "$root$real"
	fi
	alias_path "$1" "$real"
}

# put_folder PATH
put_folder()
{
	[ -d "$1" ] || die "no such folder: $1"
	real=$(realpath "$1")
	(cd / && find ".$real" -name CMakeFiles -prune -o -print0 |
		cpio --quiet -0 -pdm "$root") || die "cannot copy $1"
	find "$real" -name CMakeFiles -prune -o \
		-type f \( -perm -100 -o -name '*.so*' \) -print >>"$binaries"
	echo "$real" >>"$work/inputs"
	alias_path "$1" "$real"
}

# Copies what the loader would load for the files listed in $binaries.
put_libraries()
{
	xargs -d '\n' ldd <"$binaries" >"$work/ldd" 2>/dev/null || : # scripts, static binaries
	missing=$(awk '/not found/ { print $1; exit }' "$work/ldd")
	[ -z "$missing" ] || die "the shared library $missing is needed and was not found"
	awk '$2 == "=>" && $3 ~ /^\// { print $3 }
		NF == 2 && $1 ~ /^\// && $2 ~ /^\(0x/ { print $1 }' \
		"$work/ldd" | sort -u >"$work/libraries"
	# libc opens it by itself for pthread_exit and pthread_cancel.
	unwinder=$(sed -n 's|/libc\.so\.6$|/libgcc_s.so.1|p' "$work/libraries" | head -n 1)
	[ -z "$unwinder" ] || ! [ -e "$unwinder" ] || echo "$unwinder" >>"$work/libraries"
	while read -r library; do
		put_file "$library"
	done <"$work/libraries"
}

# The frame the files go into.
put_base()
{
	mkdir -p "$root/dev" "$root/proc" "$root/sys" "$root/run" "$root/root" "$root/etc" \
		"$root/var/tmp" "$root/usr"
	mkdir -m 1777 "$root/tmp"
	for folder in bin sbin lib lib64; do
		mkdir "$root/usr/$folder"
		ln -s "usr/$folder" "$root/$folder"
	done
	printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' \
		'nobody:x:65534:65534:nobody:/nonexistent:/bin/false' >"$root/etc/passwd"
	printf '%s\n' 'root:x:0:' 'nogroup:x:65534:' >"$root/etc/group"
	echo '127.0.0.1 localhost' >"$root/etc/hosts"
	cp "$here/guest-init.sh" "$root/init"
	chmod 755 "$root/init"
	busybox=$(command -v busybox)
	put_file "$busybox"
	[ -e "$root/bin/busybox" ] || ln -s "$(realpath "$busybox")" "$root/bin/busybox"
	echo "$busybox" >>"$binaries"
}

# cache_key FILE...
cache_key()
{
	{
		cat "$work/folders"
		printf '%s\n' "$@"
		cat ${command:+"$command"} "$here/initramfs.sh" "$here/guest-init.sh"
	} | sha256sum | cut -c 1-32
}

# Is there one, and all that it was made of there and older? By the time of change, as packages bring
# old files.
is_cached()
{
	[ -e "$out" ] || return 1
	changed=$(xargs -d '\n' -I {} find {} -cnewer "$out" -print -quit <"$out.inputs" 2>&1) &&
		[ -z "$changed" ]
}

# build FILE...: leaves $out
build()
{
	: >"$work/start"
	mkdir "$root"
	put_base
	while read -r path; do
		put_folder "$path"
	done <"$work/folders"
	[ -z "$command" ] || cp "$command" "$root/run-in-guest"
	for file; do
		path=$(realpath -s "$file")
		put_file "$path"
		echo "$path" >>"$binaries"
	done
	put_libraries
	# Sorted, so that a folder precedes what is in it. Not compressed: unpacking is slow in
	# emulation.
	(cd "$root" && find . -print0 | LC_ALL=C sort -z |
		cpio --quiet -0 -o -H newc -R +0:+0) >"$work/image" || die "cannot write an initramfs"
	# What changed while it was copied is newer.
	touch -r "$work/start" "$work/image"
	sort -u "$work/inputs" >"$out.inputs"
	mv "$work/image" "$out"
}

need busybox busybox-static
need cpio cpio
need ldd libc-bin

umask 022
cache=$kernels_cache/initramfs
mkdir -p "$cache"
work=$(mktemp -d "$cache/.build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
root=$work/root
binaries=$work/binaries
command=
: >"$binaries"
: >"$work/folders"
while [ $# -gt 0 ]; do
	case $1 in
	--dir | --command)
		[ $# -ge 2 ] || die "$usage"
		if [ "$1" = --dir ]; then
			realpath -s "$2" >>"$work/folders"
		else
			command=$2
		fi
		shift 2
		;;
	-h | --help)
		echo "$usage"
		exit 0
		;;
	-*) die "$usage" ;;
	*) break ;;
	esac
done
out=$cache/$(cache_key "$@")
lock "$out.lock"
is_cached || build "$@"
# Others have not been asked for in a week: builds that are gone.
touch "$out.lock"
find "$cache" -mindepth 1 -maxdepth 1 -name '*.lock' -mtime +7 | while read -r old; do
	rm -f "${old%.lock}" "${old%.lock}.inputs" "$old"
done
echo "$out"
