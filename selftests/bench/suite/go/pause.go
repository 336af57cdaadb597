// SPDX-License-Identifier: GPL-2.0

// The same as ../pause.c.
package main

import (
	"sort"
	"time"
)

const (
	mib      = 1048576
	nodeSize = 64
)

type node struct {
	next *node
	data [7]*node
}

// Where a compiler cannot know that it is used no more
var seen *node

func newList(nr int) *node {
	var list *node

	for ; nr > 0; nr-- {
		list = &node{next: list}
	}
	return list
}

func allocate(gaps []time.Duration) {
	start := time.Now()
	before := time.Duration(0)

	for i := range gaps {
		seen = new(node)
		now := time.Since(start)
		gaps[i] = now - before
		before = now
	}
}

func length(list *node) int {
	nr := 0

	for ; list != nil; list = list.next {
		nr++
	}
	return nr
}

func main() {
	times := number(1, 500000)
	nr := number(2, 32) * mib / nodeSize
	gaps := make([]time.Duration, times)

	// Its pages are there before the first gap.
	for i := range gaps {
		gaps[i] = 1
	}
	own = status("VmRSS:")
	list := newList(nr)
	begin()
	allocate(gaps)
	sort.Slice(gaps, func(i, j int) bool { return gaps[i] < gaps[j] })
	print("pause-longest", gaps[times-1])
	print("pause-99.9", gaps[int(float64(times-1)*0.999)])
	must(length(list) == nr, "the list")
}
