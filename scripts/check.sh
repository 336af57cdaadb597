#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh: make check.  Without KERNEL: the checks that need no machine, all
# tests on the debug kernel, and the kselftests on the stock 6.1.  KERNEL selects
# one kernel; TESTS="test_stop test_map" some programs.
#
# The last line is the summary; what failed is listed before it.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

[ "$(distribution)" = debian ] ||
	die "make check takes its kernels from Debian's mirror; make demo works here"

clone=$(realpath "$here/..")
logs=$cache/logs/$(echo "$clone" | sha256sum | cut -c1-12)
mkdir -p "$logs"
all=$logs/results
: > "$all"

# stage NAME COMMAND...: runs it with a folder for logs, and takes its results.
stage()
{
	local name=$1 from=$SECONDS
	shift
	say "== $name"
	"$@" || printf 'fail\t%s: %s\t%s\n' "$name" "stopped" "$logs/$name" >> "$all"
	cat "$logs/$name/results" >> "$all" 2> /dev/null || true
	say "== $name took $((SECONDS - from)) seconds"
}

lane()
{
	local kernel=$1
	# shellcheck disable=SC2086 # a list
	stage "$kernel" "$here/lane.sh" "$kernel" "$logs/$kernel" ${TESTS-}
}

if [ "${KERNEL-}" ]; then
	lane "$KERNEL"
else
	stage lint "$here/lint.sh" "$logs/lint"
	lane debug
	lane 6.1
fi

count()
{
	grep -c "^$1" "$all" || true
}

grep '^fail' "$all" | while IFS=$'\t' read -r _ name log; do
	echo "FAILED $name (see $log)"
done || true
skipped=$(count skip)
echo "$(count pass) passed, $(count fail) failed$(
	[ "$skipped" = 0 ] || echo ", $skipped skipped")"
[ "$(count fail)" = 0 ]
