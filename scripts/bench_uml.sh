# shellcheck shell=bash disable=SC2154,SC2034 # variables of bench.sh
# SPDX-License-Identifier: GPL-2.0
#
# Sourced by bench.sh: programs with one thread at the processor's own speed.  The module
# runs in User-Mode Linux, whose kernel and programs are processes of this machine; the
# others' programs run on this machine, on the same processor, in turns with those.
#
# A system call and a fault cost many times what they do natively.  Both costs are measured
# in each turn, here and there, and how many there were; what they cost more is taken
# off (bench_results.awk).  Not so what it costs to map pages that are new to a process,
# which takes calls of the host's: a heap that grows is slower there.  Programs with several
# threads are not for there: of a process, one thread runs at a time.

# Into an initramfs, and to a folder for run-suite without gcheap's
uml_build()
{
	local peers=$build/peers name
	rm -rf "$peers" "$build/uml"
	mkdir -p "$peers" "$build/uml/suite" "$build/uml-module"
	cp -r "$build/bench/suite" "$build/bench/lib" "$build/bench/bench_costs" \
		"$build/bench/run-suite" "$peers/"
	for name in "$peers"/suite/*-gcheap; do
		mv "$name" "$build/uml/suite/"
	done
	cp "$build/bench/bench_costs" "$build/bench/run-suite" "$build/uml/"
	"$here/build.sh" uml "$build/uml-module"
	: > "$build/uml-module/parameters"
	# What the machine's memory consists of is there before something is measured.
	cat > "$build/uml-module/command" << 'END'
mount -o remount,size=90% /tmp
head -c 1200m /dev/zero > /tmp/touched
rm /tmp/touched
cd /bench
echo there
./bench_costs
echo "$BENCH_LIST" > list
BENCH_CALLS=/sys/module/syscall/parameters/calls ./run-suite 1 < list
END
	"$here/initramfs.sh" "$build/uml-module/initramfs" "$uml" \
		"$build/uml-module/command:command" \
		"$build/uml-module/parameters:environment" \
		"$build/uml-module/parameters:parameters" \
		"$build/uml:bench" "$build/root:." \
		"$build/uml-module/gcheap.ko:gcheap.ko"
}

# uml_turn LINE: of the list.  Fails when the machine died.
uml_turn()
{
	local status=0
	echo here
	(cd "$build/peers" && taskset -c "$processor" ./bench_costs)
	"$here/uml.sh" "$uml" "$build/uml-module/initramfs" "$build/uml-module/logs" \
		"$processor" "BENCH_LIST=\"$1\"" > "$build/uml-module/output" || status=$?
	sed -n '/^there$/,$p' "$build/uml-module/output"
	[ "$status" = 0 ] || {
		sed '/^there$/,$d' "$build/uml-module/output" >&2
		"$here/splats.sh" "$build/uml-module/logs/console" >&2 || true
		echo "ended $status"
		return 1
	}
	echo here
	(cd "$build/peers" && echo "$1" | taskset -c "$processor" ./run-suite 1)
}

# Of each line five turns, as long as the machine does not die
uml_turns()
{
	local line turn
	trap 'exit 130' INT
	while read -r line; do
		for ((turn = 0; turn < 5; turn++)); do
			uml_turn "$line" < /dev/null 9>&- || return 0
		done
	done < "$build/uml-list"
}

uml()
{
	local uml processor
	programs_of uml > "$build/uml-list"
	[ -s "$build/uml-list" ] || return 0
	[ "${HOST-}" != 1 ] || {
		say "without User-Mode Linux, as this machine has the module itself"
		return 0
	}
	# What scripts/uml.sh gives it, and what it takes besides
	[ "$(df --output=avail -m /dev/shm | tail -n 1)" -ge 1600 ] || {
		say "without User-Mode Linux, whose memory takes 1600 MiB in /dev/shm"
		return 0
	}
	uml=$("$here/kernel.sh" uml) || {
		say "without User-Mode Linux, which could not be built (see above): it takes" \
			"Debian, and linux-source-7.3 from its mirror"
		return 0
	}
	uml_build
	processor=$(taskset -pc $$ | sed 's/.*[ ,-]//')
	say "programs in User-Mode Linux, and beside it"
	uml_turns | tee "$results/uml.output" | without_results
	awk -v machine=uml -v median=1 -f "$here/bench_results.awk" \
		"$results/uml.output" >> "$results/results"
	! grep -q '^ended' "$results/uml.output" || {
		say "User-Mode Linux died: see $build/uml-module/logs/console"
		failed=1
	}
}
