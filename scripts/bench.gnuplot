# SPDX-License-Identifier: GPL-2.0
#
# Draws a benchmark's results on all allocators: time or instructions, and memory.
#
#	name        the benchmark
#	machines    names of machines, in a row
#	folder      where each of them has a file with lines of bench_results.awk
#	picture     what to draw

set terminal svg size 1000, 320 * words(machines) background "white"
set output picture
set datafile separator "\t"
set datafile missing "-"
set style fill solid
set boxwidth 0.7
set yrange [0:1e-6<*]
set offsets 0.1, 0.1, graph 0.15, 0
set grid ytics
unset key
colour(allocator) = allocator eq "gcheap" ? 0x2060a0 : 0xb0b0b0
label(value) = sprintf(value < 1000 ? "%.3g" : "%.0f", value)
set multiplot layout words(machines), 2 title name
do for [machine in machines] {
	file = folder . "/" . machine
	unit = machine eq "core" ? 1 : 1e6
	set title machine . (machine eq "counting" || machine eq "pauses" ? ": instructions, millions" : \
		machine eq "core" ? ": ns a node" : ": time, ms")
	plot file using 0:($4 / unit):(colour(strcol(3))):xtic(3) with boxes lc rgb variable, \
	     file using 0:($4 / unit):(label($4 / unit)) with labels offset 0, 0.6
	set title machine . ": memory, MiB"
	plot file using 0:($6 / 1048576):(colour(strcol(3))):xtic(3) with boxes lc rgb variable, \
	     file using 0:($6 / 1048576):(label($6 / 1048576)) with labels offset 0, 0.6
}
unset multiplot
