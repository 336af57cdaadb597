# SPDX-License-Identifier: GPL-2.0
#
# Reads the lines of bench_results.awk, and prints a table for each machine: for each piece
# of work what gcheap takes, how that is to what others take, and the same of memory,
# beside the ratio that is the goal.  Exits with 1 when something died.
#
#	-v quick=1    the programs have little to do: there are no goals for that

function goals(kind, name, list,    n, parts, i, pair)
{
	n = split(list, parts, " ")
	for (i = 1; i <= n; i++) {
		split(parts[i], pair, "=")
		goal[kind, name, pair[1]] = pair[2]
	}
}

BEGIN {
	FS = "\t"
	goals("instructions", "gcbench", "bdwgc=0.45 mimalloc=1.0")
	goals("instructions", "binary-trees", "bdwgc=0.35 mimalloc=0.9")
	goals("instructions", "seed-dropped", "bdwgc=0.12 glibc=0.8 mimalloc=1.3")
	goals("instructions", "seed-kept", "bdwgc=0.25 glibc=1.3")
	goals("instructions", "churn", "bdwgc=0.45 mimalloc=1.3")
	goals("instructions", "mark-shuffled", "bdwgc=0.3")
	goals("instructions", "mark-sequential", "bdwgc=0.5")
	goals("instructions", "threads", "bdwgc=1.0")
	goals("time", "gcbench", "bdwgc=0.45 go=0.25 mimalloc=1.0")
	goals("time", "binary-trees", "bdwgc=0.3 go=0.25 mimalloc=1.0")
	goals("time", "seed-dropped", "bdwgc=0.3 go=0.3")
	goals("time", "seed-kept", "bdwgc=0.3 go=0.5 glibc=0.8")
	goals("time", "churn", "bdwgc=0.5 go=0.5 mimalloc=1.1")
	goals("time", "mark-shuffled", "bdwgc=0.2")
	goals("time", "mark-sequential", "bdwgc=0.6")
	goals("time", "pool", "go=0.7")
	goals("core", "mark-shuffled", "bdwgc=0.2")
	goals("core", "mark-sequential", "bdwgc=0.6")
	goals("core", "graph-shuffled", "bdwgc=0.2")
	goals("core", "graph-sequential", "bdwgc=0.6")
	memory_goal = 1.0
	nr_peers = split("bdwgc go glibc mimalloc jemalloc", peers, " ")
}

{
	if (!($1 in known)) {
		known[$1] = 1
		machines[++nr_machines] = $1
	}
	if (!(($1, $2) in seen)) {
		seen[$1, $2] = 1
		names[$1, ++nr_names[$1]] = $2
	}
	took[$1, $2, $3] = $4
	cycles[$1, $2, $3] = $5
	bytes[$1, $2, $3] = $6
	least[$1, $2, $3] = $8
	measured[$1, $2, $3] = $9
	calls[$1, $2, $3] = $10
	faults[$1, $2, $3] = $11
	if ($7 != "ok")
		dead[++nr_dead] = "DIED on the machine '" $1 "': " $2 ", " $3 " (" \
			substr($7, 7) ")"
}

# Nothing was measured, or something that has died
function nothing(of, machine, name, allocator)
{
	if (!((machine, name, allocator) in of))
		return "-"
	return of[machine, name, allocator] == "-" ? "died" : ""
}

function ratio(of, machine, name, peer, bar,    text, r)
{
	text = nothing(of, machine, name, peer)
	if (text != "")
		return text
	if (nothing(of, machine, name, "gcheap") != "" || of[machine, name, peer] <= 0)
		return "-"
	r = of[machine, name, "gcheap"] / of[machine, name, peer]
	text = sprintf("%.2f", r)
	if (bar != "" && !quick)
		text = text sprintf(" (%s: %.2f)", r <= bar ? "yes" : "no", bar)
	return text
}

function figure(of, machine, name, allocator, unit,    text)
{
	text = nothing(of, machine, name, allocator)
	if (text != "")
		return text
	return sprintf(of[machine, name, allocator] < unit ? "%.4f" : "%.1f",
		       of[machine, name, allocator] / unit)
}

function count(machine, name, allocator,    text)
{
	text = nothing(cycles, machine, name, allocator)
	return text == "" ? cycles[machine, name, allocator] : text
}

# What one node takes of a collection: the median, and the least
function node(machine, name, allocator,    text)
{
	text = nothing(took, machine, name, allocator)
	if (text != "")
		return text
	return sprintf("%.1f (%.1f)", took[machine, name, allocator],
		       least[machine, name, allocator])
}

function core_table(machine,    n, name)
{
	printf "\n%-18s %16s %16s %16s %16s\n", machine, "ns a node", "bdwgc",
	       "/ bdwgc", "of the least"
	for (n = 1; n <= nr_names[machine]; n++) {
		name = names[machine, n]
		printf "%-18s %16s %16s %16s %16s\n", name,
		       node(machine, name, "gcheap"), node(machine, name, "bdwgc"),
		       ratio(took, machine, name, "bdwgc", goal["core", name, "bdwgc"]),
		       ratio(least, machine, name, "bdwgc")
	}
}

# Where system calls and faults were counted
function counted_table(machine,    n, name)
{
	printf "\n%-18s %10s %10s %10s %10s %10s\n", machine ", gcheap", "ms", "measured",
	       "the least", "calls", "faults"
	for (n = 1; n <= nr_names[machine]; n++) {
		name = names[machine, n]
		if (nothing(measured, machine, name, "gcheap") != "")
			continue
		printf "%-18s %10s %10s %10s %10d %10d\n", name,
		       figure(took, machine, name, "gcheap", 1e6),
		       figure(measured, machine, name, "gcheap", 1e6),
		       figure(least, machine, name, "gcheap", 1e6),
		       calls[machine, name, "gcheap"], faults[machine, name, "gcheap"]
	}
}

function table(machine,    kind, n, p, name)
{
	kind = machine == "counting" ? "instructions" : "time"
	printf "\n%-18s %10s %17s", machine, kind == "time" ? "ms" : "M instr.", "collections"
	for (p = 1; p <= nr_peers; p++)
		printf " %16s", "/ " peers[p]
	printf " %8s %16s\n", "MiB", "memory / bdwgc"
	for (n = 1; n <= nr_names[machine]; n++) {
		name = names[machine, n]
		printf "%-18s %10s %5s,%5s,%5s", name,
		       figure(took, machine, name, "gcheap", 1e6),
		       count(machine, name, "gcheap"), count(machine, name, "bdwgc"),
		       count(machine, name, "go")
		for (p = 1; p <= nr_peers; p++)
			printf " %16s", ratio(took, machine, name, peers[p],
					      goal[kind, name, peers[p]])
		printf " %8s %16s\n", figure(bytes, machine, name, "gcheap", 1048576),
		       ratio(bytes, machine, name, "bdwgc", memory_goal)
	}
}

# Thousands, and what gcheap's is of it
function beside(machine, name, peer,    text)
{
	text = figure(took, machine, name, peer, 1e3)
	return text ~ /[0-9]/ ? text " (" ratio(took, machine, name, peer) ")" : text
}

# What does not grow with the heap, as that part does
function without_look(machine, name)
{
	return took[machine, name, "gcheap"] - took[machine, name "-look", "gcheap"]
}

function judged(text, reached, bar)
{
	return text " (" (reached ? "yes" : "no") ": " bar ")"
}

function growth(machine, first, last,    from, to)
{
	if (nothing(took, machine, first, "gcheap") != "" ||
	    nothing(took, machine, last, "gcheap") != "")
		return
	from = without_look(machine, first)
	to = without_look(machine, last)
	if (first == last || from <= 0)
		return
	printf "%s to %s, without the look: grows to %s times; then %s k\n", first, last,
	       judged(sprintf("%.2f", to / from), to / from <= 1.3, 1.3),
	       judged(sprintf("%.1f", to / 1e3), to < 1e6, 1000)
}

# How long collectors hold a program, and what it sees of that
function pauses_table(machine,    n, name, first, last, held)
{
	printf "\n%-18s %10s %10s %10s %20s %20s %20s\n", machine ", k instr.", "gcheap",
	       "its look", "the rest", "bdwgc", "its incremental", "go"
	for (n = 1; n <= nr_names[machine]; n++) {
		name = names[machine, n]
		if (name ~ /-look$/)
			continue
		held = name ~ /-held$/ && nothing(took, machine, name, "gcheap") == ""
		printf "%-18s %10s %10s %10s %20s %20s %20s\n", name,
		       figure(took, machine, name, "gcheap", 1e3),
		       held ? figure(took, machine, name "-look", "gcheap", 1e3) : "",
		       held ? sprintf("%.1f", without_look(machine, name) / 1e3) : "",
		       beside(machine, name, "bdwgc"),
		       beside(machine, name, "bdwgc-incremental"),
		       beside(machine, name, "go")
		if (held) {
			first = first == "" ? name : first
			last = name
		}
	}
	growth(machine, first, last)
}

END {
	print "gcheap's figures, and their ratio to others'" \
		(quick ? ";" : " (whether the goal is reached: the goal);")
	print "collections of gcheap, bdwgc, Go"
	if ("pauses" in known)
		print "pauses: how long the program was held at most, as the collector tells (of " \
			"Go in all of one collection); the longest gap that it saw, with one " \
			"processor, and the longest of all but one in 1000 (gcheap's part of it)"
	if ("core" in known)
		print "core: natively, medians (the least)"
	if ("uml" in known)
		print "uml: gcheap in User-Mode Linux, others natively, medians; what gcheap's " \
			"system calls and faults cost more there is taken off, what its " \
			"new pages cost more is not"
	for (m = 1; m <= nr_machines; m++)
		if (machines[m] == "core")
			core_table(machines[m])
		else if (machines[m] == "pauses")
			pauses_table(machines[m])
		else
			table(machines[m])
	if ("uml" in known)
		counted_table("uml")
	for (n = 1; n <= nr_dead; n++)
		print dead[n]
	exit nr_dead > 0
}
