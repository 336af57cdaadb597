#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# coverage.sh LOGS: how much of module/ the KUnit cases and kselftests run, by
# gcov on the debug kernel.  Prints a table of the files, and puts what was never
# run in LOGS/uncovered, line by line.  Fails if a test fails, or if it is less
# than COVERAGE percent of the lines (90).  TESTS="test_abi test_vma" are all to run,
# beside KUnit's.
#
# Files that module/tests/ compiles once more under other names count together
# with their originals: they are the same lines.
set -eu -o pipefail

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

rm -rf "$1"
mkdir -p "$1/data"
logs=$(realpath "$1")
need gcovr python3

# gcov's files in debugfs have no size, so tar has to be given copies.
# shellcheck disable=SC2016 # variables of the guest's shell
collect='cd /sys/kernel/debug/gcov
find . -name "*.gcda" | while read -r file; do
	mkdir -p "/tmp/gcov/${file%/*}"
	cat "$file" > "/tmp/gcov/$file"
done
tar -C /tmp/gcov -cf "$GCHEAP_DISK/keep" .'

status=0
"$here/vm.sh" --kernel debug --kunit --build GCOV_PROFILE=y \
	--module 'verify=1 poison=1' --log "$logs" \
	-- "run-tests ${TESTS:+kunit $TESTS unload}; $collect" |
	grep --line-buffered -E '^(# begin| *not ok )' || status=$?
[ -s "$logs/keep" ] || die "no data from the machine (status $status): see $logs"
tar -C "$logs/data" -xf "$logs/keep"
awk -v lane=coverage -v died= -v logs="$logs" -f "$here/results.awk" \
	"$logs/stamped" > "$logs/results"

# The notes beside the data, both in the compiler's place.
find "$logs/data" -name '*.gcda' | while read -r data; do
	notes=${data#"$logs/data"}
	cp "${notes%.gcda}.gcno" "${data%.gcda}.gcno"
done
notes=$(find "$logs/data" -name main.gcda)
built=${notes#"$logs/data"}
built=${built%/module/*}
# The compiler's place is the kernel's folder, whose headers gcov looks for.  gcovr's
# filters are patterns, which a kernel's version would spoil: so they are relative.
# Counters that two processors count up at once lose some, and branches that gcov
# computes from them may come out below zero.
kdir=$("$here/kernel.sh" debug)/kdir
ln -s "$kdir/include" "$kdir/arch" "$logs/data/"
cd "$built"
gcovr --root . --object-directory "$logs/data" \
	--gcov-ignore-parse-errors --filter module/ \
	--exclude module/tests/ --json "$logs/lines.json" --txt "$logs/table" \
	"$logs/data/" > "$logs/gcovr" 2>&1 || die "gcovr failed: see $logs/gcovr"

python3 - "$built" "$logs/lines.json" > "$logs/uncovered" <<- 'END'
	import json, sys

	root, report = sys.argv[1:]
	for file in json.load(open(report))["files"]:
	    source = open(f"{root}/{file['file']}").read().splitlines()
	    for line in file["lines"]:
	        number = line["line_number"]
	        if not line["count"] and not line.get("gcovr/noncode"):
	            print(f"{file['file']}:{number}:{source[number - 1]}")
END

cat "$logs/table"
say "what was never run: $logs/uncovered"
failed=$(grep -c '^fail' "$logs/results" || true)
[ "$failed" = 0 ] || grep '^fail' "$logs/results"
percent=$(awk '$1 == "TOTAL" { print $4 + 0 }' "$logs/table")
echo "$percent % of the lines, $failed tests failed"
[ "$failed" = 0 ] && [ "$percent" -ge "${COVERAGE:-90}" ]
