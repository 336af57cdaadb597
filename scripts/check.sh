#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh: make check.  Without KERNEL: the checks that need no machine, all tests
# on the stock 6.1, most on the debug kernel, those that are about preemption once more
# on 6.1 as a realtime kernel and with preempt=full (there with two NUMA nodes, and with the
# world stopped while objects are marked), and a few on the newest kernel.
# KERNEL names others, in a list; TESTS="test_stop test_map" some programs.
#
# The last line is the summary; before it come a table of the kernels, if there are
# several, the ten slowest tests, and what failed.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"
. "$here/jobs.sh"

[ "$(distribution)" = debian ] ||
	die "make check takes its kernels from Debian's mirror; make demo works here"

clone=$(realpath "$here/..")
logs=$cache/logs/$(echo "$clone" | sha256sum | cut -c1-12)
mkdir -p "$logs"
all=$logs/results
stages=
lanes=

# Where a thread goes wrong only when it is preempted in the middle of something, a
# kernel that preempts more finds it sooner.
preemption='test_frames test_join test_ends test_held test_roots test_threads test_running
test_concurrent test_generations'

# What looks deepest into the kernel's structures shows first that a newer one has
# others.
newest='test_frames test_lent test_consent test_ends'

# What is about other programs and libraries in the process rather than about the kernel,
# and takes minutes on the debug kernel.
elsewhere='test_hosts test_dlopen test_environment test_fragmentation test_command'

# What is about marking, and whom slots belong to: there the module checks itself on the debug
# kernel (verify, poison), which takes half as long again.  The rest is about memory and calls.
marking='test_bss test_cache test_checks test_concurrent test_consent test_ends test_fail_nth
test_frames test_free test_generations test_heaps test_held test_helped test_lent test_numa
test_pool test_roots test_running test_scan_all test_scarce_roots test_slab test_still test_storm
test_threads test_weak'

# Who leaves little of the machine's memory takes huge pages for it: while there are some.
early=test_pressure

# programs: those of TESTS, or all
programs()
{
	if [ "${TESTS-}" ]; then
		tr -s ' ' '\n' <<< "$TESTS"
	else
		(cd "$clone/selftests" && ls test_*.c) | sed 's/\.c$//'
	fi
}

# some LIST: those of the list that are to run
some()
{
	programs | grep -x -F -f <(tr -s ' ' '\n' <<< "$1") || true
}

# others LIST: the rest of them
others()
{
	programs | grep -v -x -F -f <(tr -s ' ' '\n' <<< "$1") || true
}

# run_stage NAME COMMAND...: with a folder for logs, and results in there.
run_stage()
{
	local name=$1 from=$SECONDS
	shift
	say "begins"
	"$@" || grep -q '^fail' "$logs/$name/results" 2> /dev/null || {
		mkdir -p "$logs/$name"
		printf 'fail\t%s: stopped\t%s\t0\n' "$name" "$logs/$name" \
			>> "$logs/$name/results"
	}
	echo $((SECONDS - from)) > "$logs/$name/seconds"
	say "took $((SECONDS - from)) seconds"
}

stage()
{
	stages="$stages $1"
	rm -rf "${logs:?}/$1"
	job "$1" run_stage "$@"
}

# lane NAME KERNEL PROGRAMS [OPTION]...: none when there are no programs.
lane()
{
	local name=$1 kernel=$2 programs=$3
	shift 3
	[ "$programs" ] || return 0
	lanes="$lanes $name"
	# shellcheck disable=SC2086 # a list
	stage "$name" "$here/lane.sh" "$@" "$kernel" "$logs/$name" $programs
}

# lanes_of KERNEL: debug takes two machines, as it takes longest.  Who names programs has
# them all checked.
lanes_of()
{
	if [ "$1" = debug ] && [ "${TESTS-}" ]; then
		lane debug debug "$(programs)"
	elif [ "$1" = debug ]; then
		lane debug debug "$(some "$marking")"
		lane debug2 debug "$(some "$early"; others "$marking $elsewhere $early")" \
			--no-kunit --unchecked --name debug
	else
		lane "$1" "$1" "$(programs)"
	fi
}

# count VERDICT FILE
count()
{
	grep -c "^$1" "$2" || true
}

row()
{
	local folder=$logs/$1 release
	release=$(cat "$(cat "$folder/kernel" 2> /dev/null)/release" 2> /dev/null) ||
		release=none
	printf '%-12s %-26s %7s %7s %7s %7s\n' "$1" "$release" \
		"$(count pass "$folder/results")" "$(count fail "$folder/results")" \
		"$(count skip "$folder/results")" "$(cat "$folder/seconds" || true)"
}

# 6.1 comes first, since it needs no kernel that has to be built; then what takes long.
if [ "${KERNEL-}" ]; then
	for kernel in $KERNEL; do
		lanes_of "$kernel"
	done
else
	lanes_of 6.1
	stage lint "$here/lint.sh" "$logs/lint"
	lanes_of debug
	stage model "$here/model.sh" "$logs/model"
	stage fuzz-core "$here/fuzz-core.sh" "$logs/fuzz-core"
	lane 6.1-rt 6.1-rt "$(some "$preemption")"
	GCHEAP_VM_ARGS=preempt=full GCHEAP_VM_NUMA=y \
		lane 6.1-preempt 6.1 "$(some "$preemption test_numa")" \
			--name 6.1-preempt --module concurrent=0
	lane 7.3 7.3 "$(some "$newest")"
fi
wait

: > "$all"
for name in $stages; do
	cat "$logs/$name/results" >> "$all" 2> /dev/null ||
		printf 'fail\t%s: killed\t%s\t0\n' "$name" "$logs/$name" >> "$all"
done
if [ "$(wc -w <<< "$lanes")" -gt 1 ]; then
	printf '%-12s %-26s %7s %7s %7s %7s\n' lane kernel passed failed skipped seconds
	for name in $lanes; do
		row "$name"
	done
fi
echo "the ten slowest tests, in seconds:"
awk -F '\t' '$4 > 0 { printf "%8.1f  %s\n", $4, $2 }' "$all" | sort -rn | head -n 10
grep '^fail' "$all" | while IFS=$'\t' read -r _ name log _; do
	echo "FAILED $name (see $log)"
done || true
skipped=$(count skip "$all")
echo "$(count pass "$all") passed, $(count fail "$all") failed$(
	[ "$skipped" = 0 ] || echo ", $skipped skipped")"
[ "$(count fail "$all")" = 0 ]
