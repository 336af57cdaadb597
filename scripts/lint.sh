#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lint.sh LOGS: the checks that need no machine: generated files, descriptions,
# checkpatch, sparse, the order of the files, the library's symbols, packages, shellcheck,
# mandoc.  Puts one line for each in LOGS/results.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

rm -rf "$1"
mkdir -p "$1"
logs=$(realpath "$1")
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

# checkpatch_of IGNORED FIND-ARGUMENT...
#
# Left out for all files, since they are about a kernel tree: FILE_PATH_CHANGES
# (there is no MAINTAINERS file), SPDX_LICENSE_TAG (the library's licences are not
# the kernel's).
checkpatch_of()
{
	local ignored=FILE_PATH_CHANGES,SPDX_LICENSE_TAG,$1
	shift
	find "$@" -name '*.[ch]' -print0 |
		xargs -0 -r perl "$source/scripts/checkpatch.pl" --no-tree --root=. \
		--strict --terse --show-types --no-summary --file \
		--ignore "$ignored"
}

# Left out in module/compat.h, whose purpose is to compare LINUX_VERSION_CODE:
# that, and CONSTANT_COMPARISON, which takes it for the constant.
#
# Left out in module/trace.h: what checkpatch itself leaves out in include/trace, whose
# macros are no functions.
#
# Left out for user space, as checkpatch itself does below tools/: uint64_t,
# attributes and sscanf(), for which the kernel has its own; CamelCase, since C11 has
# _Atomic; volatile, with which a test holds a pointer where it says that it does.
#
# Left out for the kselftests: what checkpatch makes of the harness's macros, which
# define functions and types (FIXTURE_VARIANT(x) *y is no product), and of _Atomic
# members; of functions in assembly, and their declarations beside them; and
# ENOSYS, by which a test knows a kernel without the call.
checkpatch()
{
	local status=0
	# checkpatch leaves a file behind, and looks into include.
	mkdir -p "$logs/tree/include"
	cp -r module uapi selftests "$logs/tree"
	cd "$logs/tree"
	checkpatch_of LINUX_VERSION_CODE,CONSTANT_COMPARISON \
		module/compat.h || status=1
	checkpatch_of OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT module/trace.h || status=1
	checkpatch_of '' module uapi/linux ! -name compat.h ! -path module/trace.h || status=1
	types=PREFER_KERNEL_TYPES,PREFER_DEFINED_ATTRIBUTE_MACRO,SSCANF_TO_KSTRTO
	checkpatch_of "$types,CAMELCASE,VOLATILE" \
		uapi ! -path 'uapi/linux/*' || status=1
	harness=COMPLEX_MACRO,MACRO_ARG_REUSE,SPACING,LINE_SPACING
	assembly=LEADING_SPACE,AVOID_EXTERNS
	checkpatch_of "$types,CAMELCASE,VOLATILE,ENOSYS,$harness,$assembly" \
		selftests || status=1
	return $status
}

# Complaints about the kernel's own headers are not ours.
sparse()
{
	"$here/build.sh" debug "$logs" GCHEAP_KUNIT=y C=2 &&
		! grep -E '(/module/|/uapi/)[^ ]*: (warning|error)' "$logs/build.log"
}

# order SOURCE: the files that a comment there lists, each calling only those below
order()
{
	sed -n '/each calls only those below it:$/,/^ \*\//s/^ \*\t\([a-z_0-9, ]*\)\t.*/\1/p' \
		"$1" | tr -d , | xargs -n 1
}

# layers SOURCE OBJECTS: no object refers to a symbol of one that is listed before it.
# What is for User-Mode Linux only is not among them.
layers()
{
	# shellcheck disable=SC2046 # a list
	(cd "$2" && nm -A $(order "$OLDPWD/$1" | grep -v '_um$' | sed 's/$/.o/')) |
	awk -v order="$(order "$1" | xargs)" '
	BEGIN { n = split(order, names, " "); for (i = 1; i <= n; i++) place[names[i]] = i }
	{ file = $1; sub(/\.o:.*/, "", file); type = $(NF - 1) }
	type == "U" { uses[file, $NF] }
	type ~ /^[A-TV-Z]$/ { defines[$NF] = file }
	END { for (use in uses) { split(use, part, SUBSEP)
			if (!(part[2] in defines))
				continue
			to = defines[part[2]]
			if (place[to] <= place[part[1]]) {
				print part[1] " uses " part[2] " of " to
				wrong = 1 } }
		exit wrong || !n }'
}

module_layers()
{
	diff <(order module/main.c | sort) \
		<(sed -n 's|.*[ \t]module/\([a-z_0-9]*\)\.o.*|\1|p' Kbuild | sort) || {
		echo "main.c's list (<) is not what Kbuild builds (>)"
		return 1
	}
	layers module/main.c "$logs/objects/module"
}

library_layers()
{
	diff <(order uapi/lib/heap.h | sort) \
		<(find uapi/lib -name '*.c' -exec basename {} .c \; | sort) || {
		echo "heap.h's list (<) is not what there is (>)"
		return 1
	}
	make -s -C uapi OUT="$logs/library" && layers uapi/lib/heap.h "$logs/library"
}

# symbols: what the shared library lets programs see is what the releases had, and what
# gcheap.h declares.  All but that are hidden, so it shows in the archive, too.
symbols()
{
	local library=$logs/library
	make -s -C uapi OUT="$library" &&
		nm -D --defined-only --with-symbol-versions "$library/libgcheap.so" |
		sed -n 's/.* [^A] \(.*\)@@\(.*\)/\2 \1/p' | sort > "$library/seen"
	diff <(grep -v '^#' uapi/lib/symbols | sort) "$library/seen" || {
		echo "uapi/lib/symbols (<) is not what the library has (>)"
		return 1
	}
	readelf -sW "$library/libgcheap.a" |
		awk '$5 ~ /GLOBAL|WEAK/ && $6 == "DEFAULT" && $7 != "UND" { print $8 }' |
		sort | diff - <(sed 's/.* //' "$library/seen" | sort) || {
		echo "what is not hidden (<) is not in uapi/lib/gcheap.map (>)"
		return 1
	}
}

packages()
{
	scripts/deb.sh "$logs/deb"
}

shell()
{
	shellcheck -x -P SCRIPTDIR:scripts:. scripts/*.sh scripts/run-tests \
		scripts/run-suite .ci/run &&
		shellcheck -s sh scripts/init &&
		shellcheck -s bash uapi/tools/gcheap.bash
}

# man_pages: they are sound, there is one for each function, and a part for each call, and what
# they refer to is there.
man_pages()
{
	local html=$logs/library/html
	make -s -C uapi OUT="$logs/library" html &&
		mandoc -T lint -W warning "$logs"/library/man/*.[1-9] || return 1
	diff <(sed '/^#/d; s/.* //' uapi/lib/symbols | grep -v -E '_call$|_cache_1$' | sort) \
		<(find "$logs/library/man" -name 'gcheap_*.3' -exec basename {} .3 \; |
			grep -v -x -E 'gcheap_(options|stats)' | sort) || {
		echo "uapi/lib/symbols (<) is not what there are pages for (>)"
		return 1
	}
	sed -n 's/^#define GCHEAP_IOC_\([A-Z_]*\)\t*_IO.*/\1/p' uapi/linux/gcheap.h |
		while read -r call; do
			grep -q "^\.Sh GCHEAP_IOC_.*\<$call\>\|^\.Sh GCHEAP_IOC_$call\>" \
				"$logs/library/man/gcheap.4" || echo "no part: $call"
		done | diff /dev/null - || return 1
	(cd "$html" && grep -o -h 'href="[^"#:]*"' -- *.html | sort -u |
		sed 's/href="//; s/"$//' | while read -r to; do
			[ -e "$to" ] || echo "no page: $to"
		done | diff /dev/null -)
}

syzkaller()
{
	python3 scripts/syzkaller/check.py
}

need python3 perl sparse shellcheck gcc libc6-dev mandoc
source=$("$here/kernel.sh" source)
# It may have to be built, which takes long: not in silence.
"$here/kernel.sh" debug > /dev/null || true
item "the size class table is up to date" size_classes
item "syzkaller's descriptions agree with the header" syzkaller
item "checkpatch --strict" checkpatch
item "sparse" sparse
item "each file of the module calls only those below it" module_layers
item "each file of the library calls only those below it" library_layers
item "no symbol of the library is missing, and none is new" symbols
item "Debian packages are built" packages
item "shellcheck" shell
item "man pages" man_pages
