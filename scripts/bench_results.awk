# SPDX-License-Identifier: GPL-2.0
#
# Reads what run-suite prints, and prints a line for each piece of work and allocator:
#
#	MACHINE NAME ALLOCATOR NANOSECONDS COLLECTIONS BYTES STATE LEAST MEASURED CALLS FAULTS
#
# in columns that tabs part.  Of several runs the fastest counts, or the one in the
# middle; LEAST is what the fastest took.  Where system calls and faults were counted,
# NANOSECONDS is what was MEASURED, less what they cost more there than here: bench_costs
# tells what, in each turn, after lines that say 'here' and 'there'.  STATE is ok; or died,
# and why, when one run ended badly, or the machine did: then the figures are '-'.  A
# program that has told nothing, on any allocator, stands there under its own name.
#
#	-v machine=NAME    how to call it
#	-v median=1        the one in the middle counts
#	-v share=N         of what it took, a part: what that is for one of N nodes

BEGIN {
	OFS = "\t"
	CONVFMT = OFMT = "%.10g"
	share = share ? share : 1
	none = "-" OFS "-" OFS "-" OFS "-"
}

function work(name)
{
	if (!(name in seen)) {
		seen[name] = program
		names[++nr_names] = name
	}
	told[program] = 1
}

# Among the runs of the same work, the faster first
function insert(key, ns, held, counts,    i)
{
	for (i = ++runs[key]; i > 1 && took[key, i - 1] > ns; i--) {
		took[key, i] = took[key, i - 1]
		rest[key, i] = rest[key, i - 1]
		counted[key, i] = counted[key, i - 1]
	}
	took[key, i] = ns
	rest[key, i] = held
	counted[key, i] = counts
}

function died(why)
{
	dead[program, allocator] = why
}

$1 == "begin" {
	if (running)
		died("with the machine")
	# The same program may run once more, with other arguments.
	program = $2
	for (i = 4; i <= NF; i++)
		program = program " " $i
	allocator = $3
	running = 1
	if (!(program in begun)) {
		begun[program] = 1
		programs[++nr_programs] = program
	}
	ran[program, allocator] = 1
	if (!(allocator in known)) {
		known[allocator] = 1
		allocators[++nr_allocators] = allocator
	}
}

$1 == "end" && running {
	running = 0
	if ($2 != 0)
		died("status " $2)
}

# One of several machines
$1 == "ended" && running {
	running = 0
	died("with the machine")
}

$1 == "result" && running && NF == 6 {
	work($2)
	insert($2 SUBSEP $3, $4 / share, $5 OFS $6, "-" OFS "-" OFS "-")
}

$1 == "here" || $1 == "there" {
	where = $1
}

$1 == "cost" && NF == 3 {
	cost[where, $2] = $3
}

function more(what)
{
	return cost["there", what] - cost["here", what]
}

$1 == "result" && running && NF == 8 {
	work($2)
	insert($2 SUBSEP $3, $4 - $7 * more("call") - $8 * more("fault"), $5 OFS $6,
	       $4 OFS $7 OFS $8)
}

$1 == "over" {
	over = 1
}

function line(name, allocator, why,    key, one)
{
	key = name SUBSEP allocator
	if (why == "" && !(key in runs))
		why = "told nothing"
	one = median ? int((runs[key] + 1) / 2) : 1
	if (why != "")
		print machine, name, allocator, "-", "-", "-", "died: " why, none
	else
		print machine, name, allocator, took[key, one], rest[key, one], "ok",
			took[key, 1], counted[key, one]
}

END {
	if (running)
		died("with the machine")
	for (p = 1; p <= nr_programs; p++) {
		program = programs[p]
		if (!(program in told))
			work(program)
	}
	for (n = 1; n <= nr_names; n++)
		for (a = 1; a <= nr_allocators; a++)
			if ((seen[names[n]], allocators[a]) in ran)
				line(names[n], allocators[a],
				     dead[seen[names[n]], allocators[a]])
	if (!over) {
		program = "what-came-then"
		print machine, program, "gcheap", "-", "-", "-", "died: the machine ended", none
	}
}
