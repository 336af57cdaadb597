// SPDX-License-Identifier: GPL-2.0

// The same as ../mark.c.
package main

import "runtime"

const times = 5

func measure(name string) {
	runtime.GC()
	for i := 0; i < times; i++ {
		begin()
		runtime.GC()
		end(name)
	}
}

func main() {
	nr := number(1, 200000)
	graph := number(2, 1) > 1
	name := "mark"

	if graph {
		name = "graph"
	}
	first := newList(nr)
	for n := first; graph && n.next != nil; n = n.next {
		n.other = n.next.next
	}
	measure(name + "-sequential")
	first = shuffled(first, nr, graph)
	measure(name + "-shuffled")
	must(listLength(first) == nr, "the list")
}
