#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Boots a kernel of kernels.txt in qemu, runs a command there as root in a folder of the same name
# as the current one, streams its output to stdout (its stderr too) and exits with its exit status;
# 124 when time runs out, 125 when the guest or something around it fails. The guest sees copies of
# the files it is given, at their own paths, and has no network but lo.

set -eu
here=$(dirname "$0")
. "$here/common.sh"

usage="usage: run-in-vm.sh --kernel NAME [OPTION]... -- COMMAND [ARG]...
COMMAND with a slash is copied into the guest; without one it is busybox's or a copied file's.
  --kernel NAME    one of: $(kernel_names)
  --append ARGS    more for the kernel's command line, such as preempt=full; may repeat
  --file PATH      a file the command needs, with the libraries it needs; may repeat
  --dir PATH       the same for a whole folder; may repeat
  --timeout N      seconds for boot and command together (default 600)
  --console FILE   keep the kernel's console there"

# quote WORD: as one word for a shell to read
quote()
{
	printf "'"
	printf '%s' "$1" | sed "s/'/'\\\\''/g"
	printf "' "
}

# write_command ARG...: the script that runs it in the guest
write_command()
{
	folder=$(quote "$PWD")
	printf 'mkdir -p %s&& cd %s|| exit 126\nexec ' "$folder" "$folder"
	for word; do
		quote "$word"
	done
	echo
}

# build_initramfs COMMAND: from the lists of files and folders; prints its path
build_initramfs()
{
	case $1 in
	*/*) printf '%s\n' "$1" >>"$work/files" ;;
	esac
	set -- --command "$work/command"
	while read -r path; do
		set -- "$@" --dir "$path"
	done <"$work/folders"
	while read -r path; do
		set -- "$@" "$path"
	done <"$work/files"
	"$here/initramfs.sh" "$@"
}

# boot: starts qemu and waits; its exit status is timeout's or qemu's
boot()
{
	mib=$(($(wc -c <"$initramfs") / 1048576))
	# Threaded emulation breaks cmpxchg16b, hence thread=single; more than 256 MiB of translated
	# code gain nothing. Without erms and fsrm the kernel does not clear and copy pages byte by
	# byte, which emulation takes long for. A guest that stands still for a while, as on a busy
	# machine, takes its TSC for unstable, and its clocks do not agree any more: tsc=reliable. The
	# guest's root is a tmpfs of at most half its memory, and while it is unpacked everything is
	# there twice. Mitigations protect nobody here and are a fifth of its time.
	timeout -k 5 "$limit" qemu-system-x86_64 -nodefaults -no-user-config -display none \
		-accel tcg,thread=single,tb-size=256 -cpu max,-erms,-fsrm -smp 2 \
		-m $((1024 + 2 * mib)) -no-reboot \
		-kernel "$kernel/vmlinuz" -initrd "$initramfs" \
		-append "console=ttyS0 quiet panic=-1 oops=panic tsc=reliable mitigations=off $append" \
		-serial "file:$console" -chardev stdio,id=output,signal=off -serial chardev:output \
		</dev/null &
	vm=$!
	wait "$vm"
}

# Did the kernel panic before it came to /init, when nothing of ours had run? Under emulation some boots do.
died_early()
{
	grep -q 'Kernel panic' "$console" && ! grep -q 'probekit-vm: begins' "$console"
}

# explain QEMU_STATUS: says why there is no status of the command, and exits
explain()
{
	tr -d '\r' <"$console" | tail -n 20 >&2
	case $1 in
	124 | 137) # timeout's own, and after its SIGKILL
		printf '%s\n' "${0##*/}: not done within $limit s on kernel $name" >&2
		exit 124
		;;
	esac
	panic=$(tr -d '\r' <"$console" | sed -n 's/.*Kernel panic - not syncing: *//p' | head -n 1)
	[ -z "$panic" ] || die "kernel $name panicked: $panic"
	die "kernel $name ended without the command's status (qemu exited $1)"
}

work=$(mktemp -d)
vm=
trap 'rm -rf "$work"' EXIT
trap '[ -z "$vm" ] || kill "$vm" 2>/dev/null; exit 130' INT TERM HUP
: >"$work/files"
: >"$work/folders"
name=
append=
limit=600
console=$work/console
while [ $# -gt 0 ]; do
	case $1 in
	--)
		shift
		break
		;;
	-h | --help)
		echo "$usage"
		exit 0
		;;
	--*) [ $# -ge 2 ] || die "$usage" ;;
	esac
	case $1 in
	--kernel) name=$2 ;;
	--append) append="$append $2" ;;
	--file) printf '%s\n' "$2" >>"$work/files" ;;
	--dir) printf '%s\n' "$2" >>"$work/folders" ;;
	--timeout) limit=$2 ;;
	--console) console=$2 ;;
	*) die "$usage" ;;
	esac
	shift 2
done
[ -n "$name" ] || die "$usage"
[ $# -ge 1 ] || die "$usage"
need qemu-system-x86_64 qemu-system-x86
need busybox busybox-static
need cpio cpio

row=$(kernel_row "$name")
read -r _suite _package _probes _lacks row_append <<ROW
$row
ROW
append="$row_append $append"
kernel=$("$here/fetch-kernel.sh" "$name")
write_command "$@" >"$work/command"
initramfs=$(build_initramfs "$1")

for _ in 1 2 3; do
	: >"$console"
	qemu_status=0
	boot || qemu_status=$?
	died_early || break
	printf '%s\n' "${0##*/}: kernel $name panicked before /init, boots again" >&2
done
status=$(tr -d '\r' <"$console" |
	sed -n 's/.*probekit-vm: exit status \([0-9]*\)$/\1/p' | tail -n 1)
[ -n "$status" ] || explain "$qemu_status"
exit "$status"
