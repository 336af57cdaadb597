# SPDX-License-Identifier: MIT OR GPL-2.0
# Completion of gcheap's arguments, for bash
_gcheap()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words=

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W \
			'top stat trace doctor help --help --version' -- "$word")
		return
	fi
	case ${COMP_WORDS[1]} in
	top)	words='--batch --times --delay --help' ;;
	stat)
		words=--help
		case $word in
		-*)	;;
		*)	words=$(cd /proc && echo [0-9]*) ;;
		esac
		;;
	trace)
		case $before in
		-o|--output|-p|--plot)
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
			return
			;;
		esac
		words='--json --output --plot --help'
		case $word in
		-*)	;;
		*)	compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -c -f -- "$word")
			return
			;;
		esac
		;;
	doctor)	words=--help ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _gcheap gcheap
