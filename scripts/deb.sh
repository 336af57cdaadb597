#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# deb.sh FOLDER: make deb.  Builds Debian's packages, and puts them in FOLDER.
#
# Packaging is in scripts/debian.  It is built in a copy of the tree, below FOLDER, in which
# it is where Debian's tools look for it.  Who makes packages is told by DEBFULLNAME and
# DEBEMAIL, as for Debian's own tools, or else is who has made the last commit.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

[ $# = 1 ] || die "usage: deb.sh FOLDER"
mkdir -p "$1"
output=$(realpath "$1")
clone=$(realpath "$here/..")
need gcc libc6-dev make dpkg-dev debhelper dh-dkms rsync

version=$(make -s -C "$clone/uapi" version)
tree=$output/gcheap-$version

# maintainer: name and address
maintainer()
{
	if [ "${DEBEMAIL-}" ]; then
		echo "${DEBFULLNAME:-$(id -un)} <$DEBEMAIL>"
	else
		git -C "$clone" log -1 --format='%an <%ae>' 2> /dev/null ||
			echo "$(id -un) <$(id -un)@$(hostname -f)>"
	fi
}

# changelog: there is one version, of which uapi/NEWS tells more.  The time is that of the
# last change, so that what is built twice is the same.
changelog()
{
	local when
	when=$(git -C "$clone" log -1 --format=%at 2> /dev/null) ||
		when=$(stat -c %Y "$clone/uapi/NEWS")
	cat <<- END
	gcheap ($version) unstable; urgency=medium

	  * What is new for users is in NEWS, which is this package's changelog.

	 -- $(maintainer)  $(date -R -u -d "@$when")
	END
}

rm -rf "$output"/gcheap-* "$output"/*.deb "$output"/*.changes "$output"/*.buildinfo
mkdir "$tree"
rsync -a --include=/Kbuild --include=/Makefile --include='/module/***' \
	--include='/uapi/***' --include=/scripts --include=/scripts/dkms.conf \
	--exclude='*' "$clone/" "$tree/"
rsync -a "$here/debian" "$tree/"
[ ! -d "$clone/uapi/tools" ] || cat "$here/debian/control.tools" >> "$tree/debian/control"
# sed is not to read anything into a name.
name=$(maintainer | sed 's/[\\&|]/\\&/g')
sed -i "s|@MAINTAINER@|$name|" "$tree/debian/control"
changelog > "$tree/debian/changelog"

say "building packages of version $version"
(cd "$tree" && dpkg-buildpackage -b -us -uc) > "$output/log" 2>&1 || {
	tail -n 40 "$output/log" >&2
	die "the packages are not built"
}
ls "$output"/*.deb
