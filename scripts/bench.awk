# SPDX-License-Identifier: GPL-2.0
#
# Reads what the programs of selftests/bench/suite print, and prints a table: for each
# piece of work what gcheap takes, and how that is to what others take, beside the ratio
# that is the goal.  Of several results for one work the least counts.

function goals(name, list,    n, parts, i, pair)
{
	n = split(list, parts, " ")
	for (i = 1; i <= n; i++) {
		split(parts[i], pair, "=")
		goal[name, pair[1]] = pair[2]
	}
}

BEGIN {
	goals("gcbench", "bdwgc=0.45 mimalloc=1.0")
	goals("binary-trees", "bdwgc=0.35 mimalloc=0.9")
	goals("seed-dropped", "bdwgc=0.12 glibc=0.8 mimalloc=1.3")
	goals("seed-kept", "bdwgc=0.25 glibc=1.3")
	goals("churn", "bdwgc=0.45 mimalloc=1.3")
	goals("mark-shuffled", "bdwgc=0.3")
	goals("mark-sequential", "bdwgc=0.5")
	goals("threads", "bdwgc=1.0")
	nr_peers = split("bdwgc glibc mimalloc jemalloc", peers, " ")
}

$1 == "result" {
	if (!($2 in seen)) {
		seen[$2] = 1
		names[++nr_names] = $2
	}
	if (!(($2, $3) in took) || $4 < took[$2, $3]) {
		took[$2, $3] = $4
		cycles[$2, $3] = $5
	}
}

function ratio(name, peer,    r, text)
{
	if (!((name, peer) in took) || !((name, "gcheap") in took))
		return "-"
	r = took[name, "gcheap"] / took[name, peer]
	text = sprintf("%.2f", r)
	if ((name, peer) in goal)
		text = text sprintf(" (%s %s)", r <= goal[name, peer] ? "yes:" : "no:",
				    goal[name, peer])
	return text
}

END {
	printf "%-16s %10s %12s", "", "millions", "collections"
	for (p = 1; p <= nr_peers; p++)
		printf " %16s", "/ " peers[p]
	printf "\n"
	for (n = 1; n <= nr_names; n++) {
		name = names[n]
		printf "%-16s %10.1f %5d, %5s", name, took[name, "gcheap"] / 1e6,
		       cycles[name, "gcheap"],
		       (name, "bdwgc") in cycles ? cycles[name, "bdwgc"] : "-"
		for (p = 1; p <= nr_peers; p++)
			printf " %16s", ratio(name, peers[p])
		printf "\n"
	}
}
