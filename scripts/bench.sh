#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh: make bench.  What programs that allocate take with gcheap and with others, as a
# table, in build/bench.json, and in a picture for each thing measured in build/bench; and what it
# costs to stop threads and to look at roots.  Reports, and judges nothing; but fails when
# a program or a machine dies.
#
# The programs run on two machines with KERNEL (stock 6.1): "counting" has one processor,
# whose clock counts instructions, which are the same everywhere; "smp" has two, as
# fast as this machine emulates them, for what has several threads; "pauses" is the first
# with more memory, for how long collectors hold a program whose heap is small or large.
# "core" is this machine
# at its own speed: what marks and sweeps, compiled in user space, beside bdwgc, in turns;
# and so is "uml", where the module runs in User-Mode Linux, which is built for that when
# it is needed first (eight minutes), beside the others natively.
#
#   SUITE='gcbench churn'   only these programs of selftests/bench/suite, and nothing else
#   QUICK=1                 the programs only, with less to do, on the counting machine; and
#                           the core
#   HOST=1                  all of that on this machine, which has the module loaded
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"
. "$here/core.sh"
. "$here/bench_uml.sh"

clone=$(realpath "$here/..")
results=$clone/build/bench
build=$cache/build/$(echo "$clone" | sha256sum | cut -c1-12)/bench
kernel=${KERNEL:-6.1}
failed=

# Processors that Go may use, a program, and its arguments.  Without arguments a program
# does what suits the counting machine.
programs_of()
{
	local size=$1
	[ "${QUICK-}" != 1 ] || size=quick
	case $size in
	quick)
		echo '1 gcbench 13 11
		1 binary_trees 12
		1 seed 30000
		1 churn 300000 16
		1 mark 50000
		1 threads 200
		1 pause 0 8
		1 pool 40000
		2 larson 5 4000
		2 xmalloc 400
		1 footprint 4000'
		;;
	counting)
		printf '1 %s\n' gcbench binary_trees seed churn mark threads pause pool \
			footprint 'gcbench 17 14 64' 'binary_trees 16 64'
		printf '2 %s\n' larson xmalloc
		;;
	uml)
		echo '1 gcbench 20 18
		1 binary_trees 18
		1 seed 200000
		1 churn 6000000 64 1
		1 mark 4000000
		1 mark 4000000 2'
		;;
	pauses)
		echo '1 pause 0 64
		1 pause 0 256
		1 pause 0 1024'
		;;
	smp)
		echo '1 threads
		1 pool
		1 pause 0 128
		1 churn 1000000 64 1
		2 churn 1000000 64 2
		2 larson
		2 xmalloc'
		;;
	host)
		echo '1 gcbench 20 18
		1 binary_trees 18
		1 seed 200000
		1 churn 6000000 64 1
		2 churn 6000000 64 2
		1 mark 4000000
		1 threads 10000
		1 pause 0 512
		1 pool 2000000
		2 larson 100 50000
		2 xmalloc 50000
		1 footprint 100000'
		;;
	esac | awk -v some="${SUITE-}" '
		BEGIN { n = split(some, list, " "); for (i = 1; i <= n; i++) wanted[list[i]] }
		n == 0 || $2 in wanted'
}

# What the programs need.  Some are static, which ldd does not like.
libraries()
{
	find "$build"/bench/lib "$build"/bench/suite "$build"/bench/bench_* -type f |
	while read -r program; do
		ldd "$program" 2> /dev/null | grep -o '/[^ ]*' || true
	done | sort -u
}

# A folder for run-suite, where the module's core stands for gcheap; fails when what that
# is compiled with can't be had.
build_core()
{
	local core=$build/core
	"$here/kernel.sh" source > /dev/null || return 1
	mkdir -p "$core/suite"
	core_build gcc "$core/suite/mark-gcheap" -O2 -DMACHINE_PAGES=262144UL \
		-DMEMORY_ALIGN=64 "$clone/selftests/bench/core/mark_core.c"
	cp "$build/bench/suite/mark-bdwgc" "$core/suite/"
	cp "$here/run-suite" "$core/"
}

# Into $build/bench, and what others need at its own place into $build/root
build()
{
	local library
	say "building the library and the benchmarks"
	make -s -C "$clone/uapi" OUT="$build/lib" >&2
	make -s -C "$clone/selftests" bench OUT="$build/bench" LIB="$build/lib" >&2
	for library in libmimalloc.so.2 libjemalloc.so.2; do
		cp -L "$(ldconfig -p | sed -n "s/.*$library .* => //p" | head -n 1)" \
			"$build/bench/lib/$library"
	done
	cp "$here/run-suite" "$build/bench/"
	[ "${HOST-}" != 1 ] || return 0
	libraries | while read -r library; do
		mkdir -p "$build/root$(dirname "$library")"
		cp -L "$library" "$build/root$library"
	done
	"$here/build.sh" "$kernel" "$build"
}

# run VARIABLES-OF-BOOT.SH COMMAND: in a machine of ours, or here, among the programs
run()
{
	if [ "${HOST-}" = 1 ]; then
		(cd "$build/bench" && sh -c "$2") 9>&-
		return
	fi
	# shellcheck disable=SC2086 # a list
	env $1 "$here/vm.sh" --bare --kernel "$kernel" \
		--file "$build/bench" --file "$build/root:." \
		--file "$build/gcheap.ko:gcheap.ko" -- "
		echo 1 > /proc/sys/vm/overcommit_memory
		cd /bench
		$2" 9>&-
}

# suite MACHINE ARGUMENTS-OF-RUN-SUITE VARIABLES-OF-BOOT.SH: what its programs tell, into
# $results
suite()
{
	local status
	programs_of "$1" > "$build/bench/list"
	[ -s "$build/bench/list" ] || return 0
	say "programs on the machine '$1'"
	run "$3" "./run-suite $2 < list" | tee "$results/$1.output" | without_results
	status=${PIPESTATUS[0]}
	[ "$status" = 0 ] || {
		say "the machine '$1' ended with status $status"
		failed=1
	}
	awk -v machine="$1" -f "$here/bench_results.awk" "$results/$1.output" \
		>> "$results/results"
}

# What somebody who waits wants to see
without_results()
{
	grep --line-buffered -v -E '^(result .*|cost .*|here|there|over|end 0)$' >&2 || true
}

# core NODES: the core's work, five times in turns.  Its memory is on large pages, as what
# the kernel has for itself is, if this machine gives them to who asks; bdwgc does not.
core()
{
	local pointers pages
	case " ${SUITE:-mark} " in
	*' mark '*) ;;
	*) return 0 ;;
	esac
	build_core || {
		say "without the portable core, which is compiled with parts of Debian's" \
			"linux-source-6.12 (see above)"
		return 0
	}
	pages=$(sed -n 's/.*\[\(.*\)\].*/\1/p' /sys/kernel/mm/transparent_hugepage/enabled \
		2> /dev/null || true)
	say "the portable core, natively (large pages here: ${pages:-never})"
	for pointers in 1 2; do
		echo "1 mark $1 $pointers"
	done > "$build/core/list"
	(cd "$build/core" && GLIBC_TUNABLES=glibc.malloc.hugetlb=1 ./run-suite 5 < list) 9>&- |
		tee "$results/core.output" | without_results
	awk -v machine=core -v median=1 -v share="$1" -f "$here/bench_results.awk" \
		"$results/core.output" >> "$results/results"
}

# other TITLE VARIABLE-OF-BOOT.SH COMMAND: what reports for itself
other()
{
	say "$1"
	run "$2" "$3" || {
		say "that failed: $3"
		failed=1
	}
}

# A picture for each benchmark, of what has not died, from a file for each machine
draw()
{
	local name machine machines folder=$results/data
	awk -F '\t' '$4 != "-" && !seen[$2]++ { print $2 }' "$results/results" |
	while read -r name; do
		rm -rf "$folder"
		mkdir "$folder"
		awk -F '\t' -v name="$name" -v folder="$folder" \
			'$2 == name && $4 != "-" { print > (folder "/" $1) }' \
			"$results/results"
		machines=
		for machine in "$folder"/*; do
			machines="$machines ${machine##*/}"
		done
		gnuplot -e "name='$name'; machines='$machines'; folder='$folder'" \
			-e "picture='$results/$name.svg'" "$here/bench.gnuplot"
	done
	rm -rf "$folder"
}

if [ "${HOST-}" = 1 ] && [ ! -c /dev/gcheap ]; then
	die "no /dev/gcheap on this machine: 'make', 'insmod gcheap.ko', and once more"
fi
for program in ${SUITE-}; do
	[ -e "$clone/selftests/bench/suite/$program.c" ] || die "no such program: $program"
done
need gcc libc6-dev make libgc-dev libjemalloc2 libmimalloc2.0 golang-go gnuplot-nox
mkdir -p "$build/bench/lib"
exec 9> "$build/lock"
flock 9
rm -rf "$results"
mkdir -p "$results"
build
if [ "${HOST-}" = 1 ]; then
	suite host 3 -
else
	suite counting 1 GCHEAP_VM_COUNT=y
	[ "${QUICK-}" = 1 ] || suite pauses '1 collectors' "GCHEAP_VM_COUNT=y GCHEAP_VM_MEMORY=6G"
	[ "${QUICK-}" = 1 ] || suite smp 3 GCHEAP_VM_MEMORY=3G
fi
if [ "${QUICK-}" = 1 ]; then
	core 400000
	say "without User-Mode Linux, which takes longer: run it without QUICK=1"
else
	core 2000000
	uml
fi
[ -s "$results/results" ] || die "no program of these runs there: ${SUITE-}"
awk -v quick="${QUICK-}" -f "$here/bench.awk" "$results/results" || failed=1
awk -f "$here/bench_json.awk" "$results/results" > "$clone/build/bench.json"
draw
say "see also build/bench.json, and the pictures in build/bench"
if [ "${QUICK-}" != 1 ] && [ -z "${SUITE-}" ]; then
	other "stops, and roots" GCHEAP_VM_MEMORY=2G './bench_roots && ./bench_stop'
	[ "${HOST-}" = 1 ] ||
		other "once more, with a nanosecond for each instruction" GCHEAP_VM_COUNT=y \
		'./bench_roots 1 20 && ./bench_roots 1000 20'
	other "calls" GCHEAP_VM_COUNT=y ./bench_calls
fi
[ -z "$failed" ]
