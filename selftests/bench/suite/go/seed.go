// SPDX-License-Identifier: GPL-2.0

// The same as ../seed.c.  An object has pointers: else it would not be searched.
package main

type object struct {
	next *object
	data [127]*object
}

// Where a compiler cannot know that it is used no more
var seen *object

func allocateDropped(nr int) {
	for ; nr > 0; nr-- {
		seen = new(object)
	}
}

func allocateKept(nr int) *object {
	var list *object

	for ; nr > 0; nr-- {
		list = &object{next: list}
	}
	return list
}

func length(list *object) int {
	nr := 0

	for ; list != nil; list = list.next {
		nr++
	}
	return nr
}

func main() {
	nr := number(1, 100000)

	begin()
	allocateDropped(nr)
	end("seed-dropped")
	seen = nil
	begin()
	list := allocateKept(nr)
	end("seed-kept")
	must(length(list) == nr, "the list")
}
