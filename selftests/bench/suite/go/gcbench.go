// SPDX-License-Identifier: GPL-2.0

// The same as ../gcbench.c.
package main

const (
	leastDepth = 4
	array      = 500000
)

type node struct {
	left, right *node
	i, j        int
}

func growDown(n *node, depth int) {
	if depth <= 0 {
		return
	}
	n.left = new(node)
	n.right = new(node)
	growDown(n.left, depth-1)
	growDown(n.right, depth-1)
}

func growUp(depth int) *node {
	if depth <= 0 {
		return new(node)
	}
	left := growUp(depth - 1)
	right := growUp(depth - 1)
	return &node{left: left, right: right}
}

func nodes(depth int) int {
	return 1<<(depth+1) - 1
}

// Where a compiler cannot know that it is used no more
var seen *node

func comeAndGo(depth, stretch int) {
	times := 2 * nodes(stretch) / nodes(depth)

	for i := 0; i < times; i++ {
		tree := new(node)
		growDown(tree, depth)
		seen = tree
		seen = nil
	}
	for i := 0; i < times; i++ {
		seen = growUp(depth)
		seen = nil
	}
}

func main() {
	stretch := number(1, 16)
	live := number(2, 14)
	old := growBeside(number(3, 0))

	begin()
	seen = growUp(stretch)
	seen = nil
	tree := new(node)
	growDown(tree, live)
	numbers := make([]float64, array)
	for i := range numbers {
		if i < array/2 {
			numbers[i] = 1.0 / float64(i+1)
		}
	}
	for depth := leastDepth; depth <= live; depth += 2 {
		comeAndGo(depth, stretch)
	}
	endBeside("gcbench", old)
	must(tree.left != nil && numbers[1000] == 1.0/1001, "what stays")
}
