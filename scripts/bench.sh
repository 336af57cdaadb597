#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh: what stopping and looking at roots costs, on KERNEL (stock 6.1), beside
# bdwgc in the same boot; once more what roots cost, and looks at objects and the
# heap, in instructions, on the same processor; how much memory objects of mixed sizes
# take, beside other allocators outside of the machine; and how many instructions the
# programs of selftests/bench/suite take on each allocator, as a table.  Reports; judges
# nothing.
#
#   SUITE='gcbench churn' scripts/bench.sh     only these programs of the suite
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

# Others' libraries, and what they need
libraries()
{
	local library
	mkdir -p "$build/bench/lib"
	for library in libgc.so.1 libmimalloc.so.2 libjemalloc.so.2; do
		library=$(ldconfig -p | sed -n "s/.*$library .* => //p" | head -n 1)
		ldd "$library" | sed -n 's/.* => \(\/[^ ]*\).*/\1/p' |
			xargs cp -L -t "$build/bench/lib" "$library"
	done
}

# suite PROGRAM...: on the counting machine
suite()
{
	libraries
	# shellcheck disable=SC2016 # the machine's shell
	env GCHEAP_VM_CPU=-erms,-fsrm GCHEAP_VM_COUNT=y "$here/vm.sh" --kernel "$kernel" \
		--file "$build/bench" -- "programs='$*'; "'
		export GC_MARKERS=1 LD_LIBRARY_PATH=/bench/lib
		echo 1 > /proc/sys/vm/overcommit_memory
		cd /bench/suite
		for program in $programs; do
			./$program-gcheap
			./$program-bdwgc
			[ -x $program-malloc ] || continue
			./$program-malloc
			for library in mimalloc.so.2 jemalloc.so.2; do
				BENCH_ALLOCATOR=${library%%.*} \
				LD_PRELOAD=/bench/lib/lib$library ./$program-malloc
			done
		done' | tee "$build/results" | grep -v "^result " || true
	awk -f "$here/bench.awk" "$build/results"
}

if [ "${SUITE:-}" ]; then
	# shellcheck disable=SC2086 # a list
	suite $SUITE
	exit
fi
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
say "programs, in instructions"
suite gcbench binary_trees seed churn mark threads
