// SPDX-License-Identifier: GPL-2.0

// What the programs in Go have in common: bench.h says what they print.  The memory is
// the most that the process had since it began, less what it had then.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

var (
	own         = status("VmRSS:")
	begun       time.Time
	collections uint32
)

func must(condition bool, what string) {
	if !condition {
		fmt.Fprintln(os.Stderr, what)
		os.Exit(1)
	}
}

// A line of /proc/self/status, in bytes
func status(line string) uint64 {
	text, err := os.ReadFile("/proc/self/status")
	must(err == nil, "no /proc/self/status")
	fields := strings.Fields(string(text)[strings.Index(string(text), line)+len(line):])
	kib, err := strconv.ParseUint(fields[0], 10, 64)
	must(err == nil, line)
	return kib * 1024
}

func numGC() uint32 {
	var stats runtime.MemStats

	runtime.ReadMemStats(&stats)
	return stats.NumGC
}

func begin() {
	collections = numGC()
	begun = time.Now()
}

// The kernel counts pages in batches: a program may seem to have less than at first.
func held() uint64 {
	now := status("VmHWM:")
	if now < own {
		return 0
	}
	return now - own
}

func print(name string, took time.Duration) {
	fmt.Println("result", name, "go", took.Nanoseconds(), numGC()-collections, held())
}

func end(name string) {
	print(name, time.Since(begun))
}

// A number that a program is given, or what it is without
func number(nth int, without int) int {
	if nth >= len(os.Args) {
		return without
	}
	n, err := strconv.Atoi(os.Args[nth])
	must(err == nil, os.Args[nth])
	return n
}

// Nodes of 32 bytes, which are not written to any more once they are made
type oldNode struct {
	left, right *oldNode
	_           [2]int
}

func growOld(depth int) *oldNode {
	n := new(oldNode)

	if depth > 0 {
		n.left = growOld(depth - 1)
		n.right = growOld(depth - 1)
	}
	return n
}

// A tree of so many MiB at least, or none
func growBeside(mib int) *oldNode {
	depth := 14

	if mib == 0 {
		return nil
	}
	for 1<<(depth-14) < mib {
		depth++
	}
	return growOld(depth)
}

// What is beside it, is in the name.
func endBeside(name string, old *oldNode) {
	if old != nil {
		name += "-beside"
	}
	end(name)
	runtime.KeepAlive(old)
}

type listNode struct {
	next  *listNode
	other *listNode
	data  [2]*listNode
}

// In the order of their allocation
func newList(nr int) *listNode {
	first := new(listNode)
	last := first

	for ; nr > 1; nr-- {
		last.next = new(listNode)
		last = last.next
	}
	return first
}

// In no order, if wanted with a second pointer in each, to any
func shuffled(first *listNode, nr int, graph bool) *listNode {
	nodes := make([]*listNode, 0, nr)
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

func listLength(list *listNode) int {
	nr := 0

	for ; list != nil; list = list.next {
		nr++
	}
	return nr
}

// Marsaglia's xorshift
func random(state *uint64, below uint64) uint64 {
	*state ^= *state << 13
	*state ^= *state >> 7
	*state ^= *state << 17
	return (*state >> 11) % below
}
