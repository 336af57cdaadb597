#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# boot.sh KERNEL-FOLDER INITRAMFS LOGS SECONDS: boots a test machine in QEMU and
# waits for its end.  The command's output appears on stdout; LOGS gets
#
#   output    the same
#   console   the kernel's messages
#   control   what scripts/init tells the host
#   keep      what the command put in $GCHEAP_DISK/keep, if it did
#
# Exits with the command's status, 124 when time ran out, 125 when the machine
# died.
#
# KVM is taken only where the processor has it: /dev/kvm exists on machines where
# it fails or hangs.
#
# What it takes from the environment:
#
#   GCHEAP_VM_ARGS='preempt=full'   more arguments for the kernel
#   GCHEAP_VM_CPU='-erms,-fsrm'     what is different from the usual processor
#   GCHEAP_VM_MEMORY=2G             the machine's memory
#   GCHEAP_VM_COUNT=y               one processor, whose clock counts instructions:
#                                   each takes a nanosecond, so what is measured is
#                                   the same on any machine.  Each round of a string
#                                   instruction counts, so its kernel is not told
#                                   that those for bytes are fast: clearing a page
#                                   would be 4096 instead of 512 of them.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

kernel=$1
initramfs=$2
logs=$3
seconds=$4
need qemu-system-x86 e2fsprogs

processors=2
different=${GCHEAP_VM_CPU:+,$GCHEAP_VM_CPU}
if [ -n "${GCHEAP_VM_COUNT:-}" ]; then
	machine=(-accel 'tcg,thread=single' -icount shift=0 -cpu "max,-erms,-fsrm$different")
	processors=1
elif grep -q -w -E 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]; then
	machine=(-accel kvm -cpu "host$different")
else
	machine=(-accel 'tcg,thread=multi' -cpu "max$different")
fi

# page_owner and the like stay off; a warning on the debug kernel is a panic, so
# that its log ends where it happened.  Races are collected; as only the module is
# instrumented, there is time to watch every 50th access.
arguments="console=ttyS0 panic=-1 oops=panic kunit.enable=1 loglevel=7"
if grep -q -s CONFIG_KASAN=y "$kernel/config"; then
	arguments="$arguments panic_on_warn=1 kmemleak=on"
elif grep -q -s CONFIG_KCSAN=y "$kernel/config"; then
	arguments="$arguments kcsan.skip_watch=50"
fi
arguments="$arguments ${GCHEAP_VM_ARGS:-}"

boot()
{
	rm -f "$logs/disk" "$logs/keep"
	truncate -s 64M "$logs/disk"
	/sbin/mke2fs -q -t ext2 "$logs/disk"
	: > "$logs/control"
	status=0
	timeout --foreground "$seconds" qemu-system-x86_64 -machine q35 "${machine[@]}" -smp $processors \
		-m "${GCHEAP_VM_MEMORY:-2G}" -nodefaults -no-user-config -display none \
		-no-reboot -kernel "$kernel/vmlinuz" -initrd "$initramfs" \
		-append "$arguments" \
		-serial "file:$logs/console" -serial stdio \
		-serial "file:$logs/control" \
		-drive "file=$logs/disk,format=raw,if=virtio,cache=unsafe" \
		< /dev/null 2> "$logs/qemu" | tee "$logs/output" ||
		status=$?
	/sbin/debugfs -R "dump keep $logs/keep" "$logs/disk" > /dev/null 2>&1 || true
	rm -f "$logs/disk"
}
set -o pipefail

boot
if [ "$status" = 0 ] && ! grep -q started "$logs/control"; then
	say "the machine died before its init started, a known fault of emulated" \
	    "CPUs; booting once more (see $logs/console.first)"
	mv "$logs/console" "$logs/console.first"
	boot
fi

ended=$(tr -d '\r' < "$logs/control" | sed -n 's/^exit //p')
[ "$status" != 124 ] || exit 124
if [ "$status" != 0 ]; then
	say "qemu: $(cat "$logs/qemu")"
	exit 125
fi
exit "${ended:-125}"
