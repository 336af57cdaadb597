#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh: make check.  Without KERNEL: the checks that need no machine, all
# tests on the debug kernel, and the kselftests on the stock 6.1.  KERNEL names
# others, in a list; TESTS="test_stop test_map" some programs.
#
# The last line is the summary; before it come a table of the kernels, if there
# are several, and what failed.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

[ "$(distribution)" = debian ] ||
	die "make check takes its kernels from Debian's mirror; make demo works here"

clone=$(realpath "$here/..")
logs=$cache/logs/$(echo "$clone" | sha256sum | cut -c1-12)
mkdir -p "$logs"
all=$logs/results
table=$logs/table
: > "$all"
: > "$table"

# stage NAME COMMAND...: runs it with a folder for logs, and takes its results.
stage()
{
	local name=$1 from=$SECONDS
	shift
	say "== $name"
	"$@" || grep -q '^fail' "$logs/$name/results" 2> /dev/null ||
		printf 'fail\t%s: %s\t%s\n' "$name" "stopped" "$logs/$name" >> "$all"
	cat "$logs/$name/results" >> "$all" 2> /dev/null || true
	say "== $name took $((SECONDS - from)) seconds"
}

# count VERDICT FILE
count()
{
	grep -c "^$1" "$2" || true
}

lane()
{
	local kernel=$1 from=$SECONDS results=$logs/$1/results release
	# shellcheck disable=SC2086 # a list
	stage "$kernel" "$here/lane.sh" "$kernel" "$logs/$kernel" ${TESTS-}
	release=$(cat "$(cat "$logs/$kernel/kernel" 2> /dev/null)/release" 2> /dev/null) ||
		release="$kernel: none"
	printf '%-28s %8s %8s %8s %8s\n' "$release" "$(count pass "$results")" \
		"$(count fail "$results")" "$(count skip "$results")" \
		$((SECONDS - from)) >> "$table"
}

if [ "${KERNEL-}" ]; then
	for kernel in $KERNEL; do
		lane "$kernel"
	done
else
	stage lint "$here/lint.sh" "$logs/lint"
	stage model "$here/model.sh" "$logs/model"
	stage fuzz-core "$here/fuzz-core.sh" "$logs/fuzz-core"
	lane debug
	lane 6.1
fi

if [ "$(wc -l < "$table")" -gt 1 ]; then
	printf '%-28s %8s %8s %8s %8s\n' kernel passed failed skipped seconds
	cat "$table"
fi

grep '^fail' "$all" | while IFS=$'\t' read -r _ name log; do
	echo "FAILED $name (see $log)"
done || true
skipped=$(count skip "$all")
echo "$(count pass "$all") passed, $(count fail "$all") failed$(
	[ "$skipped" = 0 ] || echo ", $skipped skipped")"
[ "$(count fail "$all")" = 0 ]
