#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fuzz-core.sh LOGS: make fuzz-core.  The portable core of the module, compiled in
# user space, under libFuzzer with AddressSanitizer and UBSan; see
# selftests/fuzz/core/.  Puts one line in LOGS/results.
#
#   TIME=S       seconds (60)
#   SEED=N       of the inputs to begin with, and of libFuzzer; else a new one
#   INPUT=FILE   run this file only, and print its operations
set -eu

here=$(dirname "$(realpath "$0")")
. "$here/packages.sh"
. "$here/core.sh"

mkdir -p "$1"
logs=$(realpath "$1")
clone=$(realpath "$here/..")
core=$clone/selftests/fuzz/core
need clang libclang-rt-14-dev python3
seed=${SEED:-$(od -A n -t u4 -N 4 /dev/urandom | tr -d ' ')}

say "building the core for libFuzzer"
core_build clang "$logs/fuzz_core" -O1 -Wno-c2x-extensions \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
	"$clone"/module/{verify,audit}.c "$core/fuzz_core.c"

if [ "${INPUT-}" ]; then
	GCHEAP_TRACE=1 exec "$logs/fuzz_core" "$INPUT"
fi

# Random inputs to begin with: they do more at once than what grows from nothing.
rm -rf "$logs/seeds" "$logs/corpus" "$logs"/crash-* "$logs"/timeout-*
mkdir "$logs/corpus"
python3 - "$seed" "$logs/seeds" << 'END'
import os, random, sys
random.seed(int(sys.argv[1]))
os.mkdir(sys.argv[2])
for i in range(64):
    with open(f"{sys.argv[2]}/{i}", "wb") as file:
        file.write(random.randbytes(random.choice((256, 1024, 4096, 8192))))
END

say "make fuzz-core SEED=$seed"
verdict=pass
timeout $((${TIME:-60} + 600)) "$logs/fuzz_core" -seed="$seed" -max_len=8192 -len_control=0 \
	-timeout=60 -max_total_time="${TIME:-60}" -artifact_prefix="$logs/" \
	"$logs/corpus" "$logs/seeds" > "$logs/log" 2>&1 || verdict=fail
if [ $verdict = fail ]; then
	grep -E 'must hold|, not |ERROR|runtime error' "$logs/log" | head -n 20 >&2
	for input in "$logs"/crash-* "$logs"/timeout-*; do
		[ ! -e "$input" ] || say "to repeat: make fuzz-core INPUT=$input"
	done
fi
grep -E '^Done|DONE' "$logs/log" >&2 || true
printf '%s\tfuzz-core: the core does what its model does\t%s\t0\n' \
	$verdict "$logs/log" > "$logs/results"
[ $verdict = pass ]
