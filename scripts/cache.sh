# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced.  The folder in which fetched and built things are kept between runs.
#
# An entry is made under a temporary name by a single run at a time and is
# renamed when it is complete, so that an interrupted run leaves nothing that
# looks finished.  What no run asked for in 30 days is removed.

shopt -s inherit_errexit

# What make was told on its command line (TESTS=) is for the script that it runs,
# not for the makes that this one runs.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES

cache=${XDG_CACHE_HOME:-$HOME/.cache}/gcheap
mkdir -p "$cache"

# Progress goes to stderr: stdout is for results.
say()
{
	echo "gcheap: $*" >&2
}

die()
{
	say "$*"
	exit 1
}

# cached NAME COMMAND...: makes the entry NAME if it is not there, by COMMAND
# with a new folder's name added.
cached()
{
	local entry=$cache/$1
	shift
	mkdir -p "$(dirname "$entry")"
	(
		exec 9> "$entry.lock"
		flock 9
		if [ ! -e "$entry" ]; then
			drop "$entry.part"
			mkdir "$entry.part"
			set -e
			"$@" "$entry.part" >&2
			mv "$entry.part" "$entry"
		fi
	)
	touch "$entry"
}

# telling REPORT COMMAND...: runs it, and every half a minute says what the function
# REPORT prints: how far it is.
telling()
{
	local report=$1 teller status=0
	shift
	while sleep 30 && kill -0 $$ 2> /dev/null; do
		say "$($report)"
	done &
	teller=$!
	"$@" || status=$?
	kill $teller
	wait $teller 2> /dev/null || true
	return $status
}

# drop FOLDER: removes it, also when parts of it belong to root.
drop()
{
	rm -rf "$1" 2> /dev/null || as_root rm -rf "$1"
}

# prune FOLDER: removes the entries in FOLDER that were not used for long.
prune()
{
	find "$cache/$1" -mindepth 1 -maxdepth 1 -type d -mtime +30 \
	     ! -name '*.part' 2> /dev/null |
	while read -r old; do
		say "removing $old, unused for 30 days"
		drop "$old"
	done
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}
