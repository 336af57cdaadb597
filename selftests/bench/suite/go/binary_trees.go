// SPDX-License-Identifier: GPL-2.0

// The same as ../binary_trees.c.
package main

const leastDepth = 4

type tree struct {
	left, right *tree
}

func grow(depth int) *tree {
	t := new(tree)

	if depth > 0 {
		t.left = grow(depth - 1)
		t.right = grow(depth - 1)
	}
	return t
}

func count(t *tree) int {
	if t.left == nil {
		return 1
	}
	return 1 + count(t.left) + count(t.right)
}

func main() {
	most := number(1, 14)
	old := growBeside(number(2, 0))

	begin()
	must(count(grow(most+1)) == 1<<(most+2)-1, "the first tree")
	stays := grow(most)
	for depth := leastDepth; depth <= most; depth += 2 {
		times := 1 << (most - depth + leastDepth)
		nodes := 0

		for i := 0; i < times; i++ {
			nodes += count(grow(depth))
		}
		must(nodes == times*(1<<(depth+1)-1), "trees")
	}
	endBeside("binary-trees", old)
	must(count(stays) == 1<<(most+1)-1, "the tree that stays")
}
