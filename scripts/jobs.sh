# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced.  Commands side by side: most of them wait as often as they compute.
#
# Each has a process group of its own, which goes when the script goes.

side_by_side=2

# end_jobs: those that still run
end_jobs()
{
	local job
	for job in $(jobs -p); do
		kill -- "-$job" 2> /dev/null || true
	done
}
trap end_jobs EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# job NAME COMMAND...: starts it when there is room, and puts its name before each
# line that it prints.
job()
{
	local name=$1
	shift
	while [ "$(jobs -r -p | wc -l)" -ge $side_by_side ]; do
		wait -n || true
	done
	set -m
	(
		set -o pipefail
		"$@" < /dev/null 2>&1 | sed -u "s/^/$name: /"
	) &
	set +m
}
