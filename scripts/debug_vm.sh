#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# debug_vm.sh FOLDER: make debug-vm.  A shell in a test machine that has the module loaded,
# and all that vm.sh puts there: 'run-tests test_stop' runs a test, 'exit' ends the machine.
#
#   KERNEL=6.1      one of kernel.sh's
#   MODULE='...'    parameters of the module
#   COMMAND='...'   runs this instead of the shell
#   GDB=1           the machine waits, when the module is loaded, until gdb has come to
#                   it and gone on.  In another terminal:
#
#	gdb -x FOLDER/gdb -ex 'break gc_ioctl' -ex continue
#
# gdb knows the module: its functions, lines and variables.  Of Debian's kernels it knows
# nothing.  The kernel's messages are in FOLDER/console.
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"

# symbols: gdb's command for the module, where the machine has it
symbols()
{
	tr -d '\r' < "$1/control" | awk -v module="$1/gcheap.ko" '
	$1 == "section" && $2 == ".text" { command = "add-symbol-file " module " " $3; next }
	$1 == "section" { others = others " -s " $2 " " $3 }
	END { print command others }'
}

if [ "$1" = --symbols ]; then
	symbols "$2"
	exit
fi
mkdir -p "$1"
folder=$(realpath "$1")
kernel=${KERNEL:-6.1}
rm -f "$folder/control" "$folder/gdb.socket" "$folder/monitor"
options=(--kernel "$kernel" --shell --log "$folder" --module "${MODULE-}")

if [ "${GDB-}" ]; then
	need gdb
	export GCHEAP_VM_GDB=y
	options+=(--build 'KCFLAGS=-Werror -g')
	"$here/build.sh" "$kernel" "$folder" 'KCFLAGS=-Werror -g'
	# Where the module is, the machine tells just before it waits.
	cat > "$folder/gdb" <<- END
	set pagination off
	set confirm off
	shell "$here/debug_vm.sh" --symbols "$folder" > "$folder/symbols"
	source $folder/symbols
	target remote $folder/gdb.socket
	END
	say "when the machine waits: gdb -x $folder/gdb"
fi

if [ "${COMMAND-}" ]; then
	"$here/vm.sh" "${options[@]}" -- "$COMMAND"
else
	# The shell needs a terminal of its own for ^C.
	size=$(stty size 2> /dev/null) || size="24 80"
	"$here/vm.sh" "${options[@]}" -- "stty -F /dev/ttyS1 sane rows ${size% *} cols ${size#* }
		setsid sh -c 'exec sh < /dev/ttyS1 > /dev/ttyS1 2>&1'"
fi
