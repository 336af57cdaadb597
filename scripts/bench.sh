#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh: what stopping and looking at roots costs, on KERNEL (stock 6.1), beside
# bdwgc in the same boot; once more what roots cost, and looks at objects and the
# heap, in instructions, on the same processor; and how much memory objects of mixed
# sizes take, beside other allocators outside of the machine.  Reports; judges nothing.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

need gcc libc6-dev make libgc-dev libjemalloc2 libmimalloc2.0
kernel=${KERNEL:-6.1}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
make -s -C "$here/../uapi" OUT="$build"
make -s -C "$here/../selftests" bench OUT="$build/bench" LIB="$build"

# vm VARIABLE-OF-BOOT.SH COMMAND
vm()
{
	env "$1" "$here/vm.sh" --kernel "$kernel" --file "$build/bench" -- "
		uname -r
		echo 1 > /proc/sys/vm/overcommit_memory
		$2"
}

vm GCHEAP_VM_CPU=-erms,-fsrm '/bench/bench_roots && /bench/bench_stop'
objects=50000
say "memory for each byte of $objects objects: gcheap"
vm GCHEAP_VM_MEMORY=2G "/bench/bench_fragmentation $objects"
for library in '' libmimalloc.so.2 libjemalloc.so.2; do
	say "the same with ${library:-glibc}"
	LD_PRELOAD=$library "$build/bench/bench_fragmentation_malloc" $objects
done
say "the same with bdwgc"
"$build/bench/bench_fragmentation_bdwgc" $objects
say "once more, with a nanosecond for each instruction"
vm GCHEAP_VM_COUNT=y '/bench/bench_roots 1 20 && /bench/bench_roots 1000 20 &&
	/bench/bench_calls'
