// SPDX-License-Identifier: GPL-2.0

// The same as ../mark.c.
package main

import "runtime"

const times = 5

type node struct {
	next *node
	data [3]*node
}

// In the order of their allocation
func newList(nr int) *node {
	first := new(node)
	last := first

	for ; nr > 1; nr-- {
		last.next = new(node)
		last = last.next
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

	first := newList(nr)
	measure("mark-sequential")
	first = shuffled(first, nr)
	measure("mark-shuffled")
	n := 0
	for ; first != nil; first = first.next {
		n++
	}
	must(n == nr, "the list")
}
