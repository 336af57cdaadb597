# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced, after packages.sh.  How the portable core of the module is compiled in user
# space: see selftests/fuzz/core/kernel.h.

# core_build COMPILER OUTPUT ARGUMENT...: options and sources beside the core's own
core_build()
{
	local compiler=$1 output=$2 scripts tools root shims
	shift 2
	scripts=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
	root=$(dirname "$scripts")
	shims=$root/selftests/fuzz/core
	tools=$("$scripts/kernel.sh" source)/tools
	"$compiler" -std=gnu11 -g -fno-strict-aliasing -Wall -Werror -Wno-unused-function \
		-D__KERNEL__ -Dscnprintf=snprintf -I "$shims/shim" -I "$shims" \
		-isystem "$tools/include" -isystem "$tools/arch/x86/include" \
		-I "$root/module" -I "$root/uapi" -o "$output" \
		"$root"/module/{backing,pages,slab,mark,size_class}.c "$shims/kernel.c" \
		"$tools"/lib/{bitmap,find_bit,hweight}.c "$@"
}
