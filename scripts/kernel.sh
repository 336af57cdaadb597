#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel.sh KERNEL: fetches or builds a kernel and prints its folder.
#
#   6.1 6.12 7.3   Debian's stock kernels
#   6.1-rt 6.1-cloud   flavours of 6.1
#   native         the stock kernel of this machine's own distribution
#   debug          6.12 with scripts/debug.config
#   race           the same with scripts/race.config: only modules are watched
#   uml            User-Mode Linux 7.3, to measure in, with scripts/uml.config
#   source         no kernel, but parts of 6.12's source; see below
#
# The folder holds
#   vmlinuz    the kernel
#   release    what uname -r says there
#   kdir       what to build modules against
#   drivers/   modules that a test machine's disk and FUSE need, in load order
#   tree/      unpacked packages; chroot, if there, says that kdir works only
#              with tree as the root folder, since it needs newer libraries
# and those of debug, race and uml also
#   config     what is different from stock kernels
# In uml, linux is the kernel, a program; arch says what modules are built for.
#
# The source's parts, at their places: tools/testing/selftests/kselftest*.h, which
# the kselftests include; tools/include, tools/arch/x86/include and tools/lib, the
# kernel's lists and bitmaps for user space; and scripts/checkpatch.pl.
#
# Nothing is installed: other kernels' headers would pull the compilers of other
# suites in, and a machine's boot loader is no business of ours.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

# A kernel in the cache is good for a week; what is to be downloaded has to be
# in the mirror's present lists.
hour=60
week=10080

# stock KERNEL RELEASE-PATTERN SUITE...: a kernel of another suite.  Flavours
# have their package index in common.
stock()
{
	local kernel=$1 pattern=$2 index=${1%%-*}
	shift 2
	! recent "$kernel" || return 0
	[ "$(distribution)" = debian ] ||
		die "kernel $kernel needs Debian's mirror: take 'native' here"
	need debian-archive-keyring
	fresh_index "$week" "$index" "$@"
	find_release "$kernel" "$pattern"
	if [ ! -e "$cache/$found" ]; then
		fresh_index "$hour" "$index" "$@"
		find_release "$kernel" "$pattern"
	fi
	fetch "$index" "$kernel"
}

# recent KERNEL: prints the folder that was right within the last hour.  Package
# lists take seconds to search, and a test machine asks several times.
recent()
{
	local latest=$cache/kernels/$1/latest
	[ -n "$(find "$latest" -mmin "-$hour" 2> /dev/null)" ] &&
		[ -e "$cache/$(cat "$latest")" ] && echo "$cache/$(cat "$latest")"
}

# native: the newest kernel that this machine's own package index offers.
native()
{
	local meta
	case $(distribution) in
	debian)	meta=linux-image-amd64 ;;
	ubuntu)	meta=linux-image-generic ;;
	*)	die "neither Debian nor Ubuntu: use HOST=1" ;;
	esac
	find_native $meta
	if [ -z "$found" ] || [ ! -e "$cache/$found" ]; then
		read_lists
		find_native $meta
	fi
	[ "$found" ] || die "no $meta in this machine's package lists"
	fetch machine native
}

# find_native META: finds what the metapackage stands for, if it is known.
find_native()
{
	local image
	image=$(depends_in machine "$1" 'linux-image-[0-9].*' | head -n 1) || true
	found=
	[ -z "$image" ] || find_package machine native "$image"
}

# find_release KERNEL PATTERN: finds the newest release that matches.
find_release()
{
	local index=${1%%-*} image
	image=$(newest "$index" "linux-image-$2")
	[ "$image" ] || die "no kernel linux-image-$2 in the package lists"
	find_package "$index" "$1" "$image"
}

# find_package INDEX KERNEL IMAGE-PACKAGE: sets its release and its entry's name.
find_package()
{
	release=${3#linux-image-}
	found=kernels/$2/$release-$(version_in "$1" "$3")
}

# fetch INDEX KERNEL: gets what was found.
fetch()
{
	cached "$found" unpack_stock "$1" "$release"
	prune "kernels/$2"
	echo "$found" > "$cache/kernels/$2/latest"
	echo "$cache/$found"
}

unpack_stock()
{
	local index=$1 release=$2 folder=$3
	local tree=$folder/tree
	need kmod xz-utils zstd
	if [ "$index" = 7.3 ]; then
		make_chroot trixie "$tree"
		touch "$folder/chroot"
	fi
	say "fetching kernel $release"
	mkdir -p "$tree"
	# shellcheck disable=SC2046 # a list
	unpack_from "$index" "$tree" \
		"linux-image-$release" "linux-headers-$release" \
		$(depends_in "$index" "linux-image-$release" "$parts") \
		$(depends_in "$index" "linux-headers-$release" "$parts")
	echo "$release" > "$folder/release"
	find "$tree/boot" "$tree"/usr/lib/modules -name 'vmlinuz*' -type f \
		-exec mv {} "$folder/vmlinuz" \; 2> /dev/null || true
	[ -e "$folder/vmlinuz" ] || die "no kernel in linux-image-$release"
	ln -s "tree/usr/src/linux-headers-$release" "$folder/kdir"
	[ -e "$folder/chroot" ] || relocate "$folder/kdir"
	# It is for BTF, which takes a tool that the machine may not have.
	rm -f "$folder/kdir/vmlinux"
	pick_drivers "$folder"
}

# The packages beside image and headers that belong to the same kernel.
parts='linux-(base|binary|headers|kbuild|modules)-[0-9].*'

# relocate KDIR: Debian's headers name the installed place of their common part;
# Ubuntu's have relative links.
relocate()
{
	[ ! -L "$1/Makefile" ] || return 0
	# shellcheck disable=SC2016 # make's variables
	sed -i 's|/usr/src/|$(dir $(lastword $(MAKEFILE_LIST)))../|' "$1/Makefile"
}

# pick_drivers FOLDER: keeps the modules that tests need, not the other 4000.
pick_drivers()
{
	local modules=$1/tree/lib/modules base number file name
	[ -d "$modules" ] || modules=$1/tree/usr/lib/modules
	base=${modules%/lib/modules}
	mkdir "$1/drivers"
	/sbin/depmod -b "$base" "$release"
	number=100
	for wanted in virtio_pci virtio_blk ext4 fuse; do
		/sbin/modprobe -C /dev/null -d "$base" -S "$release" --show-depends "$wanted"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
	while read -r file; do
		number=$((number + 1))
		name=$1/drivers/$number-$(basename "$file" | sed 's/\.ko.*/.ko/')
		case $file in
		*.xz)	xz -dc "$file" ;;
		*.zst)	zstd -qdc "$file" ;;
		*.gz)	gzip -dc "$file" ;;
		*)	cat "$file" ;;
		esac > "$name"
	done
	rm -rf "$modules"
}

# make_chroot SUITE FOLDER: a small system of that suite, to run its compiler in.
make_chroot()
{
	need debootstrap
	say "making a $1 system to build in (about a minute)"
	as_root debootstrap --variant=minbase --include=gcc-14,make,libelf1t64 \
		"$1" "$2" "$(mirror "$(codename)")" >&2
	as_root rm -rf "$2/var/cache/apt/archives" "$2/usr/share/doc" \
		"$2/usr/share/locale" "$2/var/lib/apt/lists"
	[ "$(id -u)" = 0 ] || as_root chown "$(id -u)" "$2" "$2/usr" "$2/usr/src" \
		"$2/usr/lib" "$2/boot"
}

# own KERNEL CONFIG...: a kernel with a configuration of ours; what the later
# files say goes for the earlier ones.
own()
{
	local kernel=$1
	shift
	config=$(configuration "$@")
	find_source "$kernel" "-$(echo "$config$changes" | sha256sum | cut -c1-12)"
	cached "$found" "$build" "$kernel"
	prune "kernels/$kernel"
	echo "$cache/$found"
}

# sources: what the tests take from the source.
sources()
{
	find_source source ''
	cached "$found" unpack_sources
	prune kernels/source
	echo "$cache/$found"
}

# configuration FILE...: all of them, less what a later one says otherwise.
configuration()
{
	cat "$@" | awk '
	match($0, /CONFIG_[A-Z0-9_]+/) { name = substr($0, RSTART, RLENGTH)
		if (!(name in line)) order[n++] = name
		line[name] = $0 }
	END { for (i = 0; i < n; i++) print line[order[i]] }'
}

# find_source KERNEL SUFFIX: sets the entry's name, by the source's version.
series=6.12
suite=bookworm-backports
source=linux-source-$series
build=build_own
changes=
find_source()
{
	local minutes
	[ "$(distribution)" = debian ] || die "$source comes from Debian's mirror"
	need debian-archive-keyring
	for minutes in "$week" "$hour"; do
		fresh_index "$minutes" "$series" "$suite"
		version=$(version_in "$series" "$source")
		[ "$version" ] || die "no $source in the package lists of $suite"
		found=kernels/$1/$version$2
		[ ! -e "$cache/$found" ] || return 0
	done
}

compile()
{
	{
		make -j "$(nproc)" KCSAN_SANITIZE=n bzImage &&
			cp vmlinux.symvers Module.symvers &&
			make -j "$(nproc)" modules_prepare
	} > "$log" 2>&1
}

# Which files are compiled is up to the configuration; it is about as many.
compiled()
{
	echo "compiled $(grep -c -E '^  (CC|AS|AR|LD) ' "$log") of some $files files"
}

unpack_source()
{
	need gcc make bc bison flex libelf-dev xz-utils rsync
	say "fetching $source"
	mkdir "$1"
	unpack_from "$series" "$1" "$source"
	tar -C "$1" -xf "$1/usr/src/$source.tar.xz"
}

# Only modules are instrumented for races: a kernel that is takes minutes to boot.
build_own()
{
	local kernel=$1 folder=$2 files=1900
	local log=$cache/$kernel-kernel.log
	unpack_source "$folder/source"
	(
		cd "$folder/source/$source"
		echo "$config" > ../wanted
		KCONFIG_ALLCONFIG=../wanted make -s allnoconfig
		check_config ../wanted .config
		say "building the $kernel kernel (five minutes, or more where others work)"
		telling compiled compile ||
			die "the $kernel kernel does not build: see $log"
		make -s kernelrelease > "$folder/release"
		cp arch/x86/boot/bzImage "$folder/vmlinuz"
		cp .config "$folder/config"
		# shellcheck disable=SC2016 # make's variable
		make -s run-command KBUILD_RUN_COMMAND='$(srctree)/scripts/package/install-extmod-build '"$folder/kdir"
		mkdir "$folder/drivers"
	)
	rm -rf "$folder/source"
}

# change COMMAND FILE: by sed; it must find something to change.
change()
{
	cp "$2" "$2.before"
	sed -i "$1" "$2"
	! cmp -s "$2" "$2.before" || die "$source: nothing to change in $2"
}

# What a page costs there would hide what is to be measured.  A shared page that may be
# written is dirty from the start: else the first write to each is a fault, though it was
# mapped ahead.  What is mapped into a program's process is entered into the host's page
# tables at once, which else takes a fault of the host's, and in small pages, as the
# kernel's own are.  And system calls are counted, in
# /sys/module/syscall/parameters/calls.
change_uml()
{
	local skas=arch/um/kernel/skas
	change '/^#define PAGE_SHARED/s/_PAGE_ACCESSED/& | _PAGE_DIRTY/' \
		arch/um/include/asm/pgtable.h
	change 's/MAP_SHARED | MAP_FIXED,$/MAP_SHARED | MAP_FIXED | MAP_POPULATE,/' \
		$skas/stub.c
	change '/PR_SET_NAME/a\	stub_syscall5(__NR_prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);' \
		$skas/stub_exe.c
	change '/^void handle_syscall/i\#include <linux/moduleparam.h>\
static unsigned long calls;\
module_param(calls, ulong, 0444);' $skas/syscall.c
	change '/Initialize the syscall number/i\	calls++;' $skas/syscall.c
}

compile_uml()
{
	make -j "$(nproc)" ARCH=um > "$log" 2>&1
}

# uml_kdir FOLDER: what a module's build reads; the kernel's own script for that knows
# one folder below arch only.
uml_kdir()
{
	mkdir "$1"
	tar -c --exclude='*.[coS]' --exclude='*.cmd' --exclude='*.dts*' \
		Makefile Module.symvers .config include arch/um arch/x86 |
		tar -C "$1" -x
	tar -c --exclude='*.o' scripts | tar -C "$1" -x
}

build_uml()
{
	local folder=$2 log=$cache/uml-kernel.log files=1100
	unpack_source "$folder/source"
	(
		cd "$folder/source/$source"
		change_uml
		echo "$config" > ../wanted
		KCONFIG_ALLCONFIG=../wanted make -s ARCH=um allnoconfig
		check_config ../wanted .config
		say "building User-Mode Linux (eight minutes, or more where others work)"
		telling compiled compile_uml ||
			die "User-Mode Linux does not build: see $log"
		make -s ARCH=um kernelrelease > "$folder/release"
		cp linux "$folder/linux"
		cp .config "$folder/config"
		echo um > "$folder/arch"
		uml_kdir "$folder/kdir"
		mkdir "$folder/drivers"
	)
	rm -rf "$folder/source"
}

# uml: the source of another suite, built in another way
uml()
{
	series=7.3
	suite=trixie-backports
	source=linux-source-$series
	build=build_uml
	changes=$(declare -f change_uml)
	own uml "$here/uml.config"
}

unpack_sources()
{
	local folder=$1
	need xz-utils
	say "fetching parts of $source"
	mkdir "$folder/package"
	unpack_from 6.12 "$folder/package" "$source"
	tar -C "$folder" --strip-components=1 \
		-xf "$folder/package/usr/src/$source.tar.xz" \
		"$source/tools/include" "$source/tools/arch/x86/include" \
		"$source/tools/lib" \
		"$source/tools/testing/selftests/kselftest.h" \
		"$source/tools/testing/selftests/kselftest_harness.h" \
		"$source/scripts/checkpatch.pl" "$source/scripts/spelling.txt" \
		"$source/scripts/const_structs.checkpatch"
	rm -r "$folder/package"
}

# check_config WANTED FILE: an option whose dependencies are missing vanishes
# silently.
check_config()
{
	grep '^CONFIG_' "$1" | grep -v -x -F -f "$2" |
		sed 's/^/gcheap: not in the configuration: /' | grep . >&2 &&
		die "the kernel lacks what is asked for"
	sed -n 's/^# \(CONFIG_.*\) is not set$/^\1=/p' "$1" |
		grep -f - "$2" | sed 's/^/gcheap: should be off: /' | grep . >&2 &&
		die "the kernel has what should be off"
	return 0
}

case ${1-} in
6.1)	stock 6.1 '6\.1\.0-[0-9]+-amd64' bookworm bookworm-security ;;
6.1-rt)	stock 6.1-rt '6\.1\.0-[0-9]+-rt-amd64' bookworm bookworm-security ;;
6.1-cloud) stock 6.1-cloud '6\.1\.0-[0-9]+-cloud-amd64' bookworm bookworm-security ;;
6.12)	stock 6.12 '6\.12\.[^-]*-amd64' bookworm-backports ;;
7.3)	stock 7.3 '7\.3\.[^-]*-amd64' trixie-backports ;;
native)	native ;;
debug)	own debug "$here/debug.config" ;;
race)	own race "$here/debug.config" "$here/race.config" ;;
uml)	uml ;;
source)	sources ;;
*)	die "usage: kernel.sh 6.1|6.1-rt|6.1-cloud|6.12|7.3|native|debug|race|uml|source" ;;
esac
