#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lane.sh [--no-kunit] KERNEL LOGS [PROGRAM]...: KUnit, kselftests, unloading and
# the search for leaks on one kernel.  Puts one line for each case in LOGS/results.
#
# When the machine dies the step it was in has failed, and the rest is done in
# another one: a single bug costs a single result.  All together have 45 minutes
# on a kernel of ours, 20 on another, or LANE_SECONDS.
set -eu -o pipefail

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

kunit=kunit
if [ "$1" = --no-kunit ]; then
	kunit=
	shift
fi
kernel=$1
logs=$2
shift 2
rm -rf "$logs"
mkdir -p "$logs"
: > "$logs/results"

options=(--kernel "$kernel")
budget=1200
# Who writes to free memory on purpose has nothing to learn from poison.
checks='verify=1 poison=1'
[ "$*" != fuzz ] || checks=verify=1
case $kernel in
debug)	options+=(${kunit:+--kunit} --module "$checks"); budget=2700 ;;
race)	budget=2700 ;;
esac
budget=${LANE_SECONDS:-$budget}
# A program has half of that before it counts as hung.
export GCHEAP_TEST_SECONDS=${GCHEAP_TEST_SECONDS:-$((budget / 2))}
"$here/kernel.sh" "$kernel" > "$logs/kernel"
SECONDS=0
if [ $# -gt 0 ]; then
	set -- "$@" unload
	# shellcheck disable=SC2086 # one or none
	[ "$kernel" != debug ] || set -- $kunit "$@" leaks
fi

number=0
while
	number=$((number + 1))
	log=$logs/boot$number
	mkdir -p "$log"
	status=0
	"$here/vm.sh" "${options[@]}" --time $((budget - SECONDS)) --log "$log" \
		-- run-tests "$@" |
		grep --line-buffered -E '^(# begin| *(not )?ok )' ||
		status=${PIPESTATUS[0]}

	died=
	case $status in
	124)	died="no end in time" ;;
	125)	died="the machine died" ;;
	126)	died="the module does not load" ;;
	esac
	touch "$log/output" "$log/console"
	tr -d '\r' < "$log/output" |
		awk -v lane="$kernel" -v died="$died" -f "$here/results.awk" |
		sed "s|\$|\t$log|" >> "$logs/results"
	if "$here/splats.sh" "$log/console" > "$log/splats"; then
		verdict=pass
	else
		verdict=fail
	fi
	printf '%s\t%s kernel log of boot %s: clean\t%s\n' \
		"$verdict" "$kernel" "$number" "$log" >> "$logs/results"

	# What was not begun is for the next machine.
	steps=$(sed -n 's/^# steps //p' "$log/output" | tr -d '\r')
	for step in $(sed -n 's/^# begin //p' "$log/output" | tr -d '\r'); do
		steps=$(echo " $steps " | sed "s/ $step / /")
	done
	if ! grep -q '^# steps' "$log/output"; then
		printf 'fail\t%s boot: %s\t%s\n' "$kernel" \
			"${died:-no test ran (status $status)}" "$log" >> "$logs/results"
	fi
	# shellcheck disable=SC2086 # a list
	set -- $steps
	[ $# -gt 0 ] && [ "$died" ]
do
	if [ "$status" = 124 ] || [ $SECONDS -ge "$budget" ]; then
		for step; do
			printf 'fail\t%s %s: not run, no time left\t%s\n' \
				"$kernel" "$step" "$log" >> "$logs/results"
		done
		break
	fi
	say "the machine died: going on with $*"
done
