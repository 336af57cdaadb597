#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# boot.sh KERNEL-FOLDER INITRAMFS LOGS SECONDS: boots a test machine in QEMU and
# waits for its end.  The command's output appears on stdout; LOGS gets
#
#   output    the same
#   stamped   the same, each line after the seconds since the start, and a tab
#   console   the kernel's messages
#   control   what scripts/init tells the host
#   keep      what the command put in $GCHEAP_DISK/keep, if it did
#
# However long it takes, a machine that goes on is left alone.  It is killed when
# neither the command nor the kernel said anything for SECONDS, or the command
# nothing for twice that, while the kernel keeps complaining.
#
# Exits with the command's status, 124 when the machine was killed, 125 when it
# died.
#
# KVM is taken only where the processor has it: /dev/kvm exists on machines where
# it fails or hangs.
#
# What it takes from the environment:
#
#   GCHEAP_VM_ARGS='preempt=full'   more arguments for the kernel
#   GCHEAP_VM_CPU='-smap'           what is different from the usual processor
#   GCHEAP_VM_MEMORY=2G             the machine's memory
#   GCHEAP_VM_NUMA=y                half of it beside each processor
#   GCHEAP_VM_SHELL=y               the command has this terminal, and however much time
#   GCHEAP_VM_GDB=y                 LOGS/gdb.socket is for gdb, and the machine can stop
#                                   itself until gdb goes on: its fourth serial port is
#                                   QEMU's monitor
#   GCHEAP_VM_COUNT=y               one processor, whose clock counts instructions:
#                                   each takes a nanosecond, so what is measured is
#                                   the same on any machine.  Each round of a string
#                                   instruction counts
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

kernel=$1
initramfs=$2
logs=$3
seconds=$4
need qemu-system-x86 e2fsprogs

# Where the processor is emulated, the kernel is not told that string instructions for bytes are
# fast: clearing a page would be 4096 rounds instead of 512.
slow=-erms,-fsrm
processors=2
different=${GCHEAP_VM_CPU:+,$GCHEAP_VM_CPU}
if [ -n "${GCHEAP_VM_COUNT:-}" ]; then
	machine=(-accel 'tcg,thread=single' -icount shift=0 -cpu "max,$slow$different")
	processors=1
elif grep -q -w -E 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]; then
	machine=(-accel kvm -cpu "host$different")
else
	machine=(-accel 'tcg,thread=multi' -cpu "max,$slow$different")
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

memory=${GCHEAP_VM_MEMORY:-2G}
if [ -n "${GCHEAP_VM_NUMA:-}" ]; then
	processors=$processors,sockets=2
	half=$(($(numfmt --from=iec "$memory") / 2))
	for node in 0 1; do
		machine+=(-object "memory-backend-ram,id=node$node,size=$half"
			-numa "node,nodeid=$node,cpus=$node,memdev=node$node")
	done
fi

# What a terminal sends for ^C is for the command there.
terminal=(-serial stdio)
[ -z "${GCHEAP_VM_SHELL:-}" ] ||
	terminal=(-chardev "stdio,id=terminal,signal=off" -serial chardev:terminal)

gdb=()
[ -z "${GCHEAP_VM_GDB:-}" ] ||
	gdb=(-gdb "unix:$logs/gdb.socket,server=on,wait=off"
		-chardev "socket,id=monitor,path=$logs/monitor,server=on,wait=off"
		-mon monitor -chardev "socket,id=own,path=$logs/monitor"
		-serial chardev:own)

# pass LINE: on, to whom it concerns
pass()
{
	local tenths=$(((${EPOCHREALTIME/[.,]/} - start) / 100000))
	printf '%s\n' "$1"
	printf '%s\n' "$1" >&4
	printf '%d.%d\t%s\n' $((tenths / 10)) $((tenths % 10)) "$1" >&5
}

# patience: how long it may be silent.  A kernel that boots says something all the
# time.
patience()
{
	if [ "$seconds" -gt 300 ] && ! grep -q started "$logs/control"; then
		echo 300
	else
		echo "$seconds"
	fi
}

# follow PROCESS: passes on what the machine says, line by line, and kills it when
# it has nothing to say.  What counts is how often a wait was in vain, and no clock:
# this machine may itself have been stopped meanwhile.
follow()
{
	local start=${EPOCHREALTIME/[.,]/} line='' part step=5 silent=0
	local console=0 size=0 now
	while :; do
		if IFS= read -r -t $step -u 3 part; then
			pass "$line$part"
			line=
			silent=0
			console=0
			continue
		elif [ $? -le 128 ]; then
			[ -z "$line$part" ] || pass "$line$part"
			return
		fi
		line=$line$part
		silent=$((silent + step))
		console=$((console + step))
		now=$(stat -c %s "$logs/console" 2> /dev/null) || now=0
		[ "$now" = "$size" ] || console=0
		size=$now
		if [ $console -ge "$(patience)" ] || [ $silent -ge $((2 * seconds)) ]; then
			kill -KILL "$1"
			killed=y
			return
		fi
	done 4> "$logs/output" 5> "$logs/stamped"
}

# emulate: in place of this shell
emulate()
{
	exec qemu-system-x86_64 -machine q35 "${machine[@]}" -smp $processors \
		-m "$memory" -nodefaults -no-user-config -display none \
		-no-reboot -kernel "$kernel/vmlinuz" -initrd "$initramfs" \
		-append "$arguments" \
		-serial "file:$logs/console" "${terminal[@]}" \
		-serial "file:$logs/control" "${gdb[@]}" \
		-drive "file=$logs/disk,format=raw,if=virtio,cache=unsafe"
}

boot()
{
	rm -f "$logs/disk" "$logs/keep" "$logs/console"
	truncate -s 64M "$logs/disk"
	/sbin/mke2fs -q -t ext2 "$logs/disk"
	: > "$logs/control"
	killed=
	status=0
	if [ "${GCHEAP_VM_SHELL:-}" ]; then
		(emulate) 2> "$logs/qemu" || status=$?
	else
		exec 3< <(emulate < /dev/null 2> "$logs/qemu")
		qemu=$!
		follow $qemu
		exec 3<&-
		wait $qemu || status=$?
		qemu=
	fi
	/sbin/debugfs -R "dump keep $logs/keep" "$logs/disk" > /dev/null 2>&1 || true
	rm -f "$logs/disk"
}
qemu=
trap '[ -z "$qemu" ] || kill -KILL "$qemu"' EXIT

boot
if ! grep -q started "$logs/control" && { [ "$status" = 0 ] || [ "$killed" ]; }; then
	say "the machine did not come up to its init, a known fault of emulated" \
	    "CPUs; booting once more (see $logs/console.first)"
	mv "$logs/console" "$logs/console.first"
	boot
fi

ended=$(tr -d '\r' < "$logs/control" | sed -n 's/^exit //p')
[ -z "$killed" ] || exit 124
if [ "$status" != 0 ]; then
	say "qemu: $(cat "$logs/qemu")"
	exit 125
fi
exit "${ended:-125}"
