#!/bin/busybox sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
#
# /init of the guest: mounts what tests use, runs /run-in-guest as root, reports its exit status as
# one line on the kernel's console (ttyS0) and powers off. The command's output goes to ttyS1 alone,
# so kernel messages never mix with it.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root TERM=dumb LC_ALL=C.UTF-8

/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s 2>/dev/null
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
mount -t tmpfs tmpfs /run
# Not over files that came with the initramfs, which is a tmpfs itself.
[ -n "$(ls -A /tmp)" ] || mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tracefs tracefs /sys/kernel/tracing
mount -t securityfs securityfs /sys/kernel/security
mount -t debugfs debugfs /sys/kernel/debug
mount -t bpf bpf /sys/fs/bpf
ip link set lo up

echo "<2>probekit-vm: begins" >/dev/kmsg
exec 3>/dev/ttyS1
stty raw -echo <&3
# Through a pipe, so that the command does not see a terminal.
mkfifo /run/output
cat /run/output >&3 &
output=$!
# A session of its own: the process group of init is 0, which kill() reads as "my own".
setsid sh /run-in-guest </dev/null >/run/output 2>&1 3>&-
status=$?

# What the command left running would hold the pipe open for ever.
for process in /proc/[0-9]*; do
	pid=${process#/proc/}
	[ "$pid" -eq 1 ] || [ "$pid" -eq "$output" ] || kill -KILL "$pid" 2>/dev/null
done
wait "$output"
exec 3>&-

# The kernel's log writes whole lines; level 2 passes "quiet".
echo "<2>probekit-vm: exit status $status" >/dev/kmsg
poweroff -f
