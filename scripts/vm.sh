#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# vm.sh [OPTION]... [--] COMMAND...: runs a command in a test machine that has
# the module loaded, and the kselftests and run-tests in its PATH.  Prints the
# command's output and what the kernel had to complain about; exits with the
# command's status, 124 when it was killed since nothing moved, 125 when the
# machine died.
#
#   --kernel K     one of kernel.sh's; debug is the default
#   --time S       give up when nothing was said for S seconds (900)
#   --file F[:G]   also put the file or folder F there, as G (default /NAME)
#   --log FOLDER   keep the machine's output, console and control there
#   --kunit        build the module with its KUnit cases
#   --build V=X    build the module with this make variable
#   --module P     load the module with these parameters: 'verify=1 poison=1'
#   --bare         without the module and the kselftests
#   --shell        the command has this terminal
#
# GCHEAP_* variables are passed on.  GCHEAP_DISK names a real file system there.
#
#   scripts/vm.sh -- test_stop
#   scripts/vm.sh --kernel 6.1 --file a.out -- '/a.out; cat /proc/meminfo'
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

kernel=debug
seconds=900
logs=
files=()
variables=()
bare=
parameters=
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) kernel=$2; shift ;;
	--time)	seconds=$2; shift ;;
	--log)	logs=$2; shift ;;
	--file)
		case $2 in
		*:*)	files+=("$2") ;;
		*)	files+=("$2:$(basename "$2")") ;;
		esac
		shift
		;;
	--kunit) variables+=(GCHEAP_KUNIT=y) ;;
	--build) variables+=("$2"); shift ;;
	--module) parameters=$2; shift ;;
	--bare)	bare=y ;;
	--shell) export GCHEAP_VM_SHELL=y ;;
	--)	shift; break ;;
	-*)	die "vm.sh: unknown option $1" ;;
	*)	break ;;
	esac
	shift
done
[ $# -gt 0 ] || die "usage: vm.sh [--kernel K] [--time S] [--file F[:G]] -- COMMAND"

folder=$("$here/kernel.sh" "$kernel")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
logs=${logs:-$work}
mkdir -p "$logs" "$work/root"

if [ -z "$bare" ]; then
	"$here/build.sh" "$kernel" "$work" "${variables[@]}"
	"$here/programs.sh" "$work/root"
	files+=("$work/gcheap.ko:gcheap.ko" "$work/root:." "$here/run-tests:bin/run-tests")
fi
echo "$*" > "$work/command"
echo "$parameters" > "$work/parameters"
export -p | grep ' GCHEAP_' | sed 's/^declare -x/export/' > "$work/environment" || true
"$here/initramfs.sh" "$work/initramfs" "$folder" \
	"$work/command:command" "$work/environment:environment" \
	"$work/parameters:parameters" "${files[@]}"

say "booting $kernel"
status=0
"$here/boot.sh" "$folder" "$work/initramfs" "$logs" "$seconds" || status=$?
case $status in
124)	say "not a word for $seconds seconds: the machine was killed" ;;
125)	say "the machine died" ;;
esac
"$here/splats.sh" "$logs/console" >&2 || true
exit $status
