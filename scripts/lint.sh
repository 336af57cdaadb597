#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lint.sh LOGS: the checks that need no machine: generated files, checkpatch,
# sparse, shellcheck.  Puts one line for each in LOGS/results.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

logs=$1
rm -rf "$logs"
mkdir -p "$logs"
: > "$logs/results"
cd "$here/.."

item()
{
	local name=$1 verdict=pass
	shift
	say "checking: $name"
	if ! ("$@") > "$logs/$1" 2>&1; then
		verdict=fail
		cat "$logs/$1" >&2
	fi
	printf '%s\tlint: %s\t%s\n' "$verdict" "$name" "$logs/$1" >> "$logs/results"
}

size_classes()
{
	python3 scripts/gen_size_classes.py --check
}

# Left out, since they are about a kernel tree:
#   LINUX_VERSION_CODE	module/compat.h exists to look at it
#   FILE_PATH_CHANGES	there is no MAINTAINERS file
#   SPDX_LICENSE_TAG	the library's licences are not the kernel's
checkpatch()
{
	find module uapi selftests -name '*.[ch]' -print0 |
		xargs -0 perl "$debug/kdir/scripts/checkpatch.pl" --no-tree --strict \
		--terse --show-types --no-summary --file \
		--ignore LINUX_VERSION_CODE,FILE_PATH_CHANGES,SPDX_LICENSE_TAG
}

# Complaints about the kernel's own headers are not ours.
sparse()
{
	work=$(mktemp -d)
	"$here/build.sh" debug "$work" GCHEAP_KUNIT=y C=2
	! grep -E '(/module/|/uapi/)[^ ]*: (warning|error)' "$work/build.log"
}

shell()
{
	shellcheck -x -P SCRIPTDIR scripts/*.sh scripts/run-tests .ci/run
	shellcheck -s sh scripts/init
}

need python3 perl sparse shellcheck
debug=$("$here/kernel.sh" debug)
item "the size class table is up to date" size_classes
item "checkpatch --strict" checkpatch
item "sparse" sparse
item "shellcheck" shell
