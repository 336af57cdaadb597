#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# demo.sh: make demo.  Builds the module, the library and selftests/demo.c, and
# runs the demonstration in a test machine, or with HOST=1 on this machine's own
# kernel.  GCHEAP_TRACE=1 shows each collection.
#
# The guest runs this distribution's stock kernel: what the demonstration shows
# holds for the reader's own machine.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"
clone=$(realpath "$here/..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The library and the program, in $work.
build_demo()
{
	need gcc libc6-dev make
	say "building the library and the demonstration"
	make -s -C "$clone/uapi" OUT="$work/lib" >&2
	gcc -O2 -g -static -I "$clone/uapi" -o "$work/demo" \
		"$clone/selftests/demo.c" "$work/lib/libgcheap.a" -pthread
}

on_this_kernel()
{
	local status=0
	need "linux-headers-$(uname -r)"
	say "building the module for this machine's kernel"
	make -s -C "$clone" module >&2
	say "loading the module"
	as_root insmod "$clone/gcheap.ko"
	"$work/demo" || status=$?
	say "unloading the module"
	as_root rmmod gcheap
	exit $status
}

in_a_machine()
{
	local kernel=native folder
	[ "$(codename)" != bookworm ] || kernel=6.1
	folder=$("$here/kernel.sh" "$kernel")
	"$here/build.sh" "$kernel" "$work"
	build_demo
	echo /demo > "$work/command"
	: > "$work/parameters"
	export -p | sed -n 's/^declare -x \(GCHEAP_\)/export \1/p' > "$work/environment"
	"$here/initramfs.sh" "$work/initramfs" "$folder" "$work/demo:demo" \
		"$work/gcheap.ko:gcheap.ko" "$work/command:command" \
		"$work/environment:environment" "$work/parameters:parameters"
	mkdir "$work/logs"
	say "booting $(cat "$folder/release") in QEMU (some ten seconds)"
	"$here/boot.sh" "$folder" "$work/initramfs" "$work/logs" 600 || {
		local status=$?
		"$here/splats.sh" "$work/logs/console" >&2 || true
		say "the demonstration failed (status $status)"
		exit $status
	}
	say "the machine is off again"
}

if [ "${HOST-}" = 1 ]; then
	build_demo
	on_this_kernel
else
	in_a_machine
fi
