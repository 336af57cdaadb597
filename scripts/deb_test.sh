#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# deb_test.sh FOLDER [SUITE]...: make check-deb.  Builds the Debian packages in a clean
# system of each suite (bookworm, trixie), installs them in another one that has DKMS and
# the headers of kernels and nothing else, compiles a program, has them upgraded and
# removed, and sees to it that nothing of them is left.  The same for make install.
#
# Logs are in FOLDER.  The last line is the summary.  The systems are made once, which takes
# some minutes; then all of it takes some minutes for each suite, as DKMS
# builds the module twice for each kernel.
# shellcheck disable=SC2016 # variables of the shells in there
set -eu -o pipefail

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"
. "$here/systems.sh"

mkdir -p "$1"
logs=$(realpath "$1")
clone=$(realpath "$here/..")
shift
[ $# -gt 0 ] || set -- bookworm trixie
[ "$(distribution)" = debian ] || die "make check-deb takes its systems from Debian's mirror"
need debian-archive-keyring rsync

scratch=$(mktemp -d "$cache/scratch.XXXXXX")
trap 'drop "$scratch"' EXIT
passed=0
failed=0

# item NAME COMMAND...: one of the cases; what it prints is in the suite's log.  In the
# condition of an if, a command that fails would not end it.
item()
{
	local name="$suite: $1" status
	shift
	echo "== $name (after $SECONDS seconds)" >> "$log"
	set +e
	(set -e; "$@") >> "$log" 2>&1
	status=$?
	set -e
	if [ $status = 0 ]; then
		passed=$((passed + 1))
		say "ok: $name"
	else
		failed=$((failed + 1))
		say "FAILED $name"
		tail -n 20 "$log" >&2
	fi
}

# maker and user: a command in the system where packages are built, or used
maker()
{
	within "$making" "$scratch/$suite-making" "$@"
}

user()
{
	within "$using" "$scratch/$suite-using" "$@"
}

# build FOLDER COMMAND: packages of the tree after a change to it
build()
{
	maker env DEBFULLNAME=Somebody DEBEMAIL=somebody@debian.org \
		sh -ec 'cd /shared/tree && eval "$2" && scripts/deb.sh "/shared/$1" &&
		lintian --allow-root --fail-on error "/shared/$1"/*.changes' sh "$1" "$2"
	cp -r "$scratch/$suite-making/shared/$1" "$scratch/$suite-using/shared/"
}

# The next version: with a file of another name, and for DKMS another folder.
next='sed -i "/VERSION_PATCH\t/s/[0-9]*$/99/" uapi/gcheap_version.h'

# install_packages_of FOLDER.  DKMS takes the kernel that runs for the one to build for, which
# is another one here.
install_packages_of()
{
	user sh -ec 'echo autoinstall_all_kernels=yes > /etc/dkms/framework.conf
		apt-get -y -o Dpkg::Use-Pty=0 --no-install-recommends \
		install $(ls "$1"/*.deb | grep -v dbgsym)' sh "/shared/$1"
}

# DKMS has built the module for all kernels, and it is of that version and signed with
# the machine's own key, for those who have enrolled that.
module_is()
{
	user sh -ec 'dkms status
		for kernel in $(ls /lib/modules); do
			[ -e "/lib/modules/$kernel/build" ] || continue
			modinfo -k "$kernel" gcheap
			[ "$(modinfo -k "$kernel" -F version gcheap)" = "$1" ]
			[ "$(modinfo -k "$kernel" -F signer gcheap)" ]
			dkms status -k "$kernel" | grep -q "^gcheap/$1.*: installed"
			ls "/var/lib/dkms/gcheap/$1/$kernel"/*/module
		done
		[ "$(dkms status | grep -c "^gcheap/$1.*: installed")" = "$2" ]' \
		sh "$1" "$kernels"
}

# It opens no heap where there is no module, and says what helps.
program='
#include <errno.h>
#include <gcheap.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	puts(gcheap_version());
	return gcheap_open(NULL) || errno != ENOENT || argc < 2 ||
		!strstr(gcheap_strerror(ENOENT), "load the module") ||
		strcmp(argv[1], gcheap_version());
}'

# compile NAME OPTION...
compile()
{
	user sh -ec 'echo "$1" > /root/program.c && out=/root/$2 && shift 2 &&
		cc -Wall -Werror -o "$out" /root/program.c \
			$(pkg-config --cflags --libs "$@" gcheap) $([ $# = 0 ] || echo -static)' \
		sh "$program" "$@"
}

library_works()
{
	[ "$(user pkg-config --modversion gcheap)" = "$1" ]
	compile shared
	compile static --static
	user /root/shared "$1"
	user /root/static "$1"
	user sh -ec 'ldd /root/shared | grep "libgcheap.so.0 => /"
		[ "$(readlink /usr/lib/*/libgcheap.so.0)" = "libgcheap.so.'"$1"'" ]'
}

configured()
{
	user sh -ec 'grep -x gcheap /usr/lib/modules-load.d/gcheap.conf
		grep ^SUBSYSTEM /usr/lib/udev/rules.d/60-gcheap.rules
		! grep -E "^[^#]*MODE" /usr/lib/udev/rules.d/60-gcheap.rules'
}

# Those who have the command are told how to use it, and what else is missing: no module is for
# the kernel that runs, or no device is here.
command_works()
{
	user sh -ec 'dpkg-query -W gcheap-tools || exit 0
		gcheap --help
		if gcheap doctor > /root/doctor; then exit 1; fi
		cat /root/doctor
		grep -E "^missing +(module|device): .*; " /root/doctor'
}

# A program stays with a newer library, and knows it.
upgraded()
{
	user /root/shared "$1"
	[ "$(user sh -c 'ls -d /usr/src/gcheap-*')" = "/usr/src/gcheap-$1" ]
	user sh -ec '[ $(ls -d /usr/lib/*/libgcheap.so.0.* | wc -l) = 1 ]'
}

# nothing_left: of packages that were removed, or what make uninstall took away
nothing_left()
{
	local left
	left=$(user find / -xdev -path /shared -prune -o -path /proc -prune -o \
		-name '*gcheap*' -print)
	echo "$left"
	[ -z "$left" ]
}

removed()
{
	user sh -ec 'apt-get -y -o Dpkg::Use-Pty=0 purge \
			$(dpkg-query -W -f "\${Package} " "*gcheap*")
		rm -f /root/*; dkms status; [ -z "$(dkms status)" ]'
	nothing_left
}

# The same by hand, for one kernel
by_hand()
{
	user sh -ec 'cp -r /shared/tree /root/tree && cd /root/tree
		kernel=$(ls /lib/modules | tail -n 1)
		make="make KDIR=/lib/modules/$kernel/build"
		$make && $make install modules_install && ldconfig
		[ "$(modinfo -k "$kernel" -F version gcheap)" = "$1" ]
		echo "$2" > program.c
		cc program.c -o program $(pkg-config --cflags --libs gcheap) && ./program "$1"
		$make uninstall modules_uninstall && ldconfig
		! modinfo -k "$kernel" gcheap
		$make dkms_install && dkms add "gcheap/$1"
		dkms remove "gcheap/$1" --all && rm -r "/usr/src/gcheap-$1"
		cd / && rm -r /root/tree' sh "$1" "$program"
	nothing_left
}

# headers: the kernels of the suite to build for; trixie has two
headers()
{
	echo linux-headers-amd64
	[ "$1" != trixie ] || as_root chroot "$cache/systems/trixie" apt-cache pkgnames |
		grep -E -x 'linux-headers-7\.3\.[^-]*-amd64' | sort -V | tail -n 1
}

# try SUITE
try()
{
	local version
	suite=$1
	log=$logs/$suite.log
	: > "$log"
	making=$(system "$suite" build-essential debhelper dh-dkms lintian rsync)
	# shellcheck disable=SC2046 # a list
	using=$(system "$suite" dkms openssl gcc pkgconf libc6-dev make kmod $(headers "$suite"))
	mkdir -p "$scratch/$suite-making/shared" "$scratch/$suite-using/shared"
	rsync -a --exclude=.git --exclude=/build --exclude='*.o' --exclude='*.ko' \
		--exclude='*.cmd' "$clone/" "$scratch/$suite-making/shared/tree/"
	cp -r "$scratch/$suite-making/shared/tree" "$scratch/$suite-using/shared/"
	version=$(make -s -C "$clone/uapi" version)
	kernels=$(user sh -c 'ls -d /lib/modules/*/build' | wc -l)

	item "packages are built, and lintian finds no error" build first true
	item "so are those of the next version" build second "$next"
	item "they install" install_packages_of first
	item "DKMS has built the module for $kernels kernels" module_is "$version"
	item "programs find the library" library_works "$version"
	item "the module is loaded at boot, and its device's mode is its own" configured
	item "the command, if there is one, works" command_works
	item "they upgrade" install_packages_of second
	item "DKMS has built the next module, and only that is left" module_is "${version%.*}.99"
	item "programs find the next library, and only that is left" upgraded "${version%.*}.99"
	item "they are removed and leave nothing" removed
	item "what make installs works, and can be taken away" by_hand "$version"
}

for one; do
	try "$one"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
