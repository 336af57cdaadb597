#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# programs.sh FOLDER: builds the library and the kselftests, and puts what a
# guest needs of them below FOLDER: /selftests with the programs and their shared
# objects, and the C library and loader for those that are not static.
#
# The kselftest harness comes with the kernel's source.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

output=$(realpath "$1")
clone=$(realpath "$here/..")
source=$("$here/kernel.sh" source)
need gcc libc6-dev make musl-tools golang-go rustc luajit binutils

build=$cache/build/$(echo "$clone" | sha256sum | cut -c1-12)/programs
mkdir -p "$build"
exec 9> "$build/lock"
flock 9
say "building the library and the kselftests"
make -s -C "$clone/uapi" OUT="$build/lib" >&2
make -s -C "$clone/selftests" KSFT="$source/tools/testing/selftests" \
	OUT="$build/programs" LIB="$build/lib" >&2

# A test that was renamed must not run under its old name.
for program in "$build"/programs/test_*; do
	name=$(basename "$program")
	[ ! -x "$program" ] || [ -e "$clone/selftests/$name.c" ] || rm "$program"
done

mkdir -p "$output/selftests"
find "$build/programs" "$build/lib" -maxdepth 1 \
	\( -name '*.so*' -o -name '*.lua' -o -type f -executable \) \
	-exec cp -P {} "$output/selftests/" \;
for file in "$output"/selftests/*; do
	loader=$(readelf -lW "$file" 2> /dev/null |
		sed -n 's/.*interpreter: \(.*\)]/\1/p')
	case $loader in
	*/ld-musl-*)	# is the C library, and what ldd runs is another one
		echo "$loader" ;;
	?*)	LD_LIBRARY_PATH=$output/selftests ldd "$file" 2> /dev/null || true ;;
	esac
done | grep -o '/[^ ]*' | grep -v "^$output" | sort -u |
while read -r library; do
	mkdir -p "$output$(dirname "$library")"
	cp -L "$library" "$output$library"
done
