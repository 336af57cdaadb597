#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh KERNEL FOLDER [VARIABLE=VALUE]...: builds gcheap.ko for a kernel of
# kernel.sh, with these make variables (GCHEAP_KUNIT=y), and puts it in FOLDER,
# with the build's output in FOLDER/build.log and a link to the objects.
#
# The build happens in a copy, so that several kernels' objects do not mix, and
# in the cache, so that only what changed is built again.  Warnings are errors:
# a file that was built with one would be silent the next time.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

[ $# -ge 2 ] || die "usage: build.sh KERNEL FOLDER [VARIABLE=VALUE]..."
output=$(realpath "$2")
kernel=$("$here/kernel.sh" "$1")
title="the module for $1${3+ ($3)}"
shift 2

clone=$(realpath "$here/..")
name=build/$(echo "$clone" | sha256sum | cut -c1-12)/$(basename "$kernel")
name=$name$(printf %s "${*/#/-}" | tr -c 'A-Za-z0-9-' _)
kdir=$(realpath "$kernel/kdir")
[ ! -e "$kernel/arch" ] || set -- "ARCH=$(cat "$kernel/arch")" "$@"

# A kernel with a root folder of its own is built for in there, with a /proc, which
# objtool reads, that goes away with the build.
if [ -e "$kernel/chroot" ]; then
	root=$(realpath "$kernel/tree")
	# shellcheck disable=SC2016 # variables of the inner shell
	enter=(as_root unshare --mount sh -c
		'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$root")
	own=(as_root)
else
	root=
	enter=()
	own=()
	compiler=$(sed -n 's/^CC = .*)\(gcc-[0-9]*\)$/\1/p' "$kdir/.kernelvariables" \
		2> /dev/null) || compiler=gcc
	need "${compiler:-gcc}" libelf-dev
fi
build=${root:-$cache}/$name
need make rsync

lock=$cache/$name.lock
mkdir -p "$(dirname "$lock")"
exec 9> "$lock"
flock 9
touch "$(dirname "$lock")"
prune build
"${own[@]}" mkdir -p "$build"
"${own[@]}" rsync -rlpc --delete --exclude='*.o' --exclude='*.ko' \
	--exclude='*.gcno' --exclude='.*' --exclude='*.mod*' --exclude=Module.symvers \
	--exclude=modules.order --include=/Kbuild --include='/module/***' \
	--include='/uapi/***' --exclude='/*' "$clone/" "$build/"

say "building $title"
"${enter[@]}" make -j "$(nproc)" -C "${kdir#"$root"}" M="${build#"$root"}" W=1 \
	KCFLAGS=-Werror "$@" modules > "$output/build.log" 2>&1 || {
	cat "$output/build.log" >&2
	missing=$(sed -n 's/^ERROR: modpost: "\(.*\)" \[.*undefined!$/\1/p' \
		"$output/build.log" | paste -s -d ' ')
	[ -z "$missing" ] || die "this kernel does not export $missing"
	die "the module does not build"
}
# Kbuild also remarks upon tools of another patch level than the kernel's own.
if grep -i 'warning:' "$output/build.log" | grep -v 'differs from the one' >&2; then
	"${own[@]}" rm -rf "$build"
	die "the module builds with warnings"
fi
cp "$build/gcheap.ko" "$output/"
ln -sfn "$build" "$output/objects"
