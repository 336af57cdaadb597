# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced, after packages.sh.  Small systems of Debian's releases to try packages in.  They
# are kept in the cache; what is done in one is written to a folder beside it.

# system SUITE PACKAGE...: makes such a system with these packages if it is not there, and
# prints its folder.
# shellcheck disable=SC2154 # cache is that of cache.sh
system()
{
	local suite=$1 name
	shift
	name=systems/$suite-$(echo "$*" | sha256sum | cut -c1-12)
	cached "systems/$suite" bare_system "$suite"
	cached "$name" furnished_system "$suite" "$@"
	prune systems
	echo "$cache/$name"
}

bare_system()
{
	need debootstrap debian-archive-keyring
	say "making a $1 system (a minute or two)"
	as_root debootstrap --variant=minbase "$1" "$2" "$(mirror "$(codename)")" \
		> "$cache/system.log" 2>&1 ||
		die "could not make a $1 system: see $cache/system.log"
	suites "$1" "$1-updates" "$1-security" "$1-backports" |
		sed 's| signed-by=[^]]*||' | as_root tee "$2/etc/apt/sources.list"
	as_root chroot "$2" apt-get -qq update
}

# furnished_system SUITE PACKAGE... FOLDER
furnished_system()
{
	local suite=$1 folder=${*: -1}
	shift
	say "making a $suite system with ${*:1:$#-1} (some minutes)"
	as_root cp -a "$cache/systems/$suite/." "$folder"
	as_root chroot "$folder" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
		apt-get -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends \
		install "${@:1:$#-1}" > "$cache/system.log" 2>&1 ||
		die "could not install ${*:1:$#-1}: see $cache/system.log"
	as_root chroot "$folder" apt-get clean
}

# within SYSTEM FOLDER COMMAND...: runs it there, as root and without the network's use;
# FOLDER/changes gets what it writes, and is what the next one finds.  $FOLDER/shared is
# /shared there.
within()
{
	local system=$1 folder=$2
	shift 2
	mkdir -p "$folder/changes" "$folder/work" "$folder/root" "$folder/shared"
	# shellcheck disable=SC2016 # variables of the inner shell
	as_root unshare --mount --pid --fork --kill-child sh -ec '
		mount -t overlay overlay "$1/root" \
			-o "lowerdir=$0,upperdir=$1/changes,workdir=$1/work"
		root=$1/root
		mkdir -p "$root/shared"
		mount --bind "$1/shared" "$root/shared"
		mount -t proc proc "$root/proc"
		shift
		exec chroot "$root" "$@"' "$system" "$folder" \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "$@"
}
