#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# uml.sh KERNEL-FOLDER INITRAMFS LOGS PROCESSOR [NAME=VALUE]...: runs User-Mode Linux on
# that processor, with these variables in the environment of scripts/init, and waits for its
# end.  The command's output appears on stdout; LOGS gets
#
#   console   the kernel's messages
#   control   what scripts/init tells the host
#
# Exits with the command's status, 125 when the machine died, or had to be killed.
#
# Serial lines are files here that are open.  Where its memory lies, /dev/shm, there has to
# be room for it.
set -eu

kernel=$1
initramfs=$2
logs=$3
processor=$4
shift 4

mkdir -p "$logs"
timeout --foreground -k 10 1200 taskset -c "$processor" "$kernel/linux" mem=1536M seccomp=on ncpus=1 \
	uml_dir="$logs" initrd="$initramfs" con=null con0=null,fd:2 \
	ssl=null ssl1=null,fd:1 ssl2=null,fd:4 panic=-1 noreboot "$@" \
	< /dev/null 2> "$logs/console" 4> "$logs/control" || true
status=$(tr -d '\r' < "$logs/control" | sed -n 's/^exit //p')
exit "${status:-125}"
