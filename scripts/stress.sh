#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# stress.sh fuzz|torture: make fuzz, make torture.  Runs the program in one test
# machine, then unloads the module and looks for leaks.  What it takes from the
# environment:
#
#   KERNEL=debug     another kernel
#   SEED=N           what to repeat; else a new one
#   TIME=S           seconds at most (fuzz: 3600, torture: 600)
#   CALLS=N          fuzz: system calls (1000000)
#   KILLS=N          torture: processes killed (10000)
#   RESULTS=FOLDER   where to put the results and logs, else in the cache
#
# torture runs as long as TIME says, and until KILLS, whichever comes first; 0
# means without end.  The last line is the summary.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

[ $# = 1 ] || die "usage: stress.sh fuzz|torture"
program=$1
kernel=${KERNEL:-debug}
clone=$(realpath "$here/..")
logs=${RESULTS:-$cache/logs/$(echo "$clone" | sha256sum | cut -c1-12)/$program-$kernel}
endless=100000000

# limit VALUE DEFAULT: 0 is no limit.
limit()
{
	local value=${1:-$2}
	[ "$value" != 0 ] || value=$endless
	echo "$value"
}

arguments="--seed ${SEED:-$(od -A n -t u4 -N 4 /dev/urandom | tr -d ' ')}"
case $program in
fuzz)
	time=$(limit "${TIME-}" 3600)
	arguments="$arguments --seconds $time --calls $(limit "${CALLS-}" 1000000)"
	;;
torture)
	time=$(limit "${TIME-}" 600)
	arguments="$arguments --seconds $time --kills $(limit "${KILLS-}" 10000)"
	;;
*)	die "stress.sh: no program $program" ;;
esac

# The program keeps its time itself.
export GCHEAP_ARGUMENTS=$arguments
say "$program $arguments"
"$here/lane.sh" --no-kunit "$kernel" "$logs" "$program"

cat "$logs"/boot*/output | tr -d '\r' | grep -E '^# (to repeat|seed|thread|process) ' |
	sort -u | head -n 20 || true
grep '^fail' "$logs/results" | while IFS=$'\t' read -r _ name log _; do
	echo "FAILED $name (see $log)"
done || true
passed=$(grep -c '^pass' "$logs/results" || true)
failed=$(grep -c '^fail' "$logs/results" || true)
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
