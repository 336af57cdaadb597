#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lane.sh [--no-kunit] [--unchecked] [--name NAME] [--module PARAMETERS] KERNEL LOGS
# [PROGRAM]...:
# KUnit, kselftests, unloading and the search for leaks on one kernel.  Puts one line for
# each case in LOGS/results: pass, fail or skip, the name, the log and the seconds, with
# tabs between.  NAME is what the cases' names begin with, the kernel's unless given.
# On the debug kernel the module checks itself, unless told not to.
#
# When the machine dies or hangs the step it was in has failed, and the rest is done
# in another one: a single bug costs a single result.  Nothing has a limit but for
# being silent: see boot.sh and run-tests.
set -eu -o pipefail

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

kunit=kunit
checks='verify=1 poison=1'
name=
parameters=
while :; do
	case $1 in
	--no-kunit) kunit= ;;
	--unchecked) checks= ;;
	--name) name=$2; shift ;;
	--module) parameters=$2; shift ;;
	*) break ;;
	esac
	shift
done
kernel=$1
logs=$2
name=${name:-$kernel}
shift 2
rm -rf "$logs"
mkdir -p "$logs"
: > "$logs/results"

options=(--kernel "$kernel")
# Who writes to free memory on purpose has nothing to learn from poison.
[ "$*" != fuzz ] || checks=${checks:+verify=1}
[ "$kernel" != debug ] || parameters="$parameters${checks:+ $checks}"
[ "$kernel" != debug ] || options+=(${kunit:+--kunit})
[ -z "$parameters" ] || options+=(--module "$parameters")
"$here/kernel.sh" "$kernel" > "$logs/kernel"
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
	"$here/vm.sh" "${options[@]}" --log "$log" -- run-tests "$@" |
		grep --line-buffered -E '^(# begin| *(not )?ok )' ||
		status=${PIPESTATUS[0]}

	died=
	case $status in
	124)	died="hung, with the machine" ;;
	125)	died="the machine died" ;;
	126)	died="the module does not load" ;;
	esac
	touch "$log/output" "$log/stamped" "$log/console"
	awk -v lane="$name" -v died="$died" -v logs="$log" -f "$here/results.awk" \
		"$log/stamped" >> "$logs/results"
	if "$here/splats.sh" "$log/console" > "$log/splats"; then
		verdict=pass
	else
		verdict=fail
	fi
	printf '%s\t%s kernel log of boot %s: clean\t%s\t0\n' \
		"$verdict" "$name" "$number" "$log" >> "$logs/results"

	# What was not begun is for the next machine.
	steps=$(sed -n 's/^# steps //p' "$log/output" | tr -d '\r')
	for step in $(sed -n 's/^# begin //p' "$log/output" | tr -d '\r'); do
		steps=$(echo " $steps " | sed "s/ $step / /")
	done
	if ! grep -q '^# steps' "$log/output"; then
		printf 'fail\t%s boot: %s, not run: %s\t%s\t0\n' "$name" \
			"${died:-no test ran (status $status)}" "${*:-all}" "$log" \
			>> "$logs/results"
	fi
	# shellcheck disable=SC2086 # a list
	set -- $steps
	[ $# -gt 0 ] && [ "$died" ]
do
	say "$died: going on with $*"
done
