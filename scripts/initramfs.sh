#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# initramfs.sh OUTPUT KERNEL-FOLDER SOURCE:DESTINATION...: packs a test machine's
# files: busybox, scripts/init, the kernel's drivers, and files or folders' contents.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

output=$(realpath "$1")
kernel=$2
shift 2
need cpio gzip

unpack_busybox()
{
	say "fetching busybox"
	read_lists
	unpack_from machine "$1" busybox-static
	find "$1" -name busybox -type f -exec mv {} "$1/busybox" \;
}
cached tools/busybox unpack_busybox

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/dev" "$root/drivers"
cp "$cache/tools/busybox/busybox" "$root/bin/"
cp "$here/init" "$root/init"
chmod +x "$root/init"
find "$kernel/drivers/" -name '*.ko' -exec cp {} "$root/drivers/" \;
for pair; do
	source=${pair%%:*}
	destination=$root/${pair#*:}
	mkdir -p "$(dirname "$destination")"
	[ -d "$source" ] && mkdir -p "$destination" && source=$source/.
	cp -a "$source" "$destination"
done
(cd "$root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) > "$output"
