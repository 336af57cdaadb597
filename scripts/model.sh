#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# model.sh LOGS: has Spin check the models in selftests/models/: safety, then each
# formula under weak fairness; and that it finds what is wrong with each broken
# variant that a model names in its header.  Puts a line for each in LOGS/results.
#
# THREADS=3 does it with one more thread, which takes minutes and gigabytes.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

need spin gcc libc6-dev
rm -rf "$1"
mkdir -p "$1"
logs=$(realpath "$1")
depth=4000000

# search FOLDER OPTIONS... -- ARGUMENTS...: Spin's verifier, which must find nothing.
search()
{
	local options=()
	cd "$1"
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	gcc -O2 -w -DCOLLAPSE -DVECTORSZ=2048 "${options[@]}" -o pan pan.c
	./pan -m$depth "$@" > found
	cat found
	grep -q 'errors: 0$' found && ! grep -q 'max search depth too small' found
}

safety()
{
	search "$1" -DSAFETY -DNOCLAIM --
}

formula()
{
	search "$1" -DNFAIR=3 -- -a -f -N "$2"
}

# formulas MODEL: their names
formulas()
{
	sed -n 's/^ltl \([a-z_]*\).*/\1/p' "$1"
}

# It is the model that is wrong, and not the compiler's input, say.
broken()
{
	local ltl
	! safety "$1" && grep -q 'errors: [1-9]' "$1/found" && return
	for ltl in $(formulas "$2"); do
		! formula "$1" "$ltl" && grep -q 'errors: [1-9]' "$1/found" && return
	done
	return 1
}

# item NAME LOG COMMAND...
item()
{
	local name=$1 log=$2 verdict=pass
	shift 2
	say "checking: $name"
	("$@") > "$log" 2>&1 || verdict=fail
	printf '%s\tmodel: %s\t%s\n' "$verdict" "$name" "$log" >> "$logs/results"
}

# generate MODEL FOLDER [DEFINITION]
generate()
{
	mkdir -p "$2"
	(cd "$2" && spin ${3:+"-D$3"} ${THREADS:+"-DTHREADS=$THREADS"} -a "$1") > "$2.log"
}

for model in "$here"/../selftests/models/*.pml; do
	name=$(basename "$model" .pml)
	model=$(realpath "$model")
	generate "$model" "$logs/$name"
	item "$name is safe" "$logs/$name/safety" safety "$logs/$name"
	for ltl in $(formulas "$model"); do
		item "$name: $ltl" "$logs/$name/$ltl" formula "$logs/$name" "$ltl"
	done
	sed -n 's/^ \*   \([A-Z_]\{4,\}\)  .*/\1/p' "$model" | while read -r definition; do
		generate "$model" "$logs/$definition" "$definition"
		item "$name with $definition is not" "$logs/$definition/log" \
			broken "$logs/$definition" "$model"
	done
done
passed=$(grep -c '^pass' "$logs/results" || true)
failed=$(grep -c '^fail' "$logs/results" || true)
grep '^fail' "$logs/results" || true
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
