// SPDX-License-Identifier: GPL-2.0

// The same as ../mark.c.
package main

import "runtime"

const times = 5

type node struct {
	next  *node
	other *node
	data  [2]*node
}

var graph bool

// In the order of their allocation
func newList(nr int) *node {
	first := new(node)
	last := first

	for ; nr > 1; nr-- {
		last.next = new(node)
		last = last.next
	}
	for last = first; graph && last.next != nil; last = last.next {
		last.other = last.next.next
	}
	return first
}

// In no order
func shuffled(first *node, nr int) *node {
	nodes := make([]*node, 0, nr)
	state := uint64(1)

	for ; first != nil; first = first.next {
		nodes = append(nodes, first)
	}
	for n := nr; n > 1; n-- {
		i := random(&state, uint64(n))
		nodes[i], nodes[n-1] = nodes[n-1], nodes[i]
	}
	for i := 0; graph && i < nr; i++ {
		nodes[i].other = nodes[random(&state, uint64(nr))]
	}
	for i := range nodes[1:] {
		nodes[i].next = nodes[i+1]
	}
	nodes[nr-1].next = nil
	return nodes[0]
}

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
	name := "mark"

	graph = number(2, 1) > 1
	if graph {
		name = "graph"
	}
	first := newList(nr)
	measure(name + "-sequential")
	first = shuffled(first, nr)
	measure(name + "-shuffled")
	n := 0
	for ; first != nil; first = first.next {
		n++
	}
	must(n == nr, "the list")
}
