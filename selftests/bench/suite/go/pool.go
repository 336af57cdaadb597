// SPDX-License-Identifier: GPL-2.0

// The same as ../pool.c, with a sync.Pool.
package main

import "sync"

const (
	size   = 1024
	atOnce = 4
)

type buffer struct {
	next *buffer
	data [size - 8]byte
}

// Where a compiler cannot know that it is used no more
var seen *buffer

func (b *buffer) use(i int) {
	b.data[0] = byte(i)
	b.data[len(b.data)-1] = byte(i)
	seen = b
}

func fromPool(times int) {
	pool := sync.Pool{New: func() any { return new(buffer) }}

	for i := 0; i < times; i++ {
		var buffers [atOnce]*buffer

		for n := range buffers {
			buffers[n] = pool.Get().(*buffer)
			buffers[n].use(i)
		}
		for n := range buffers {
			pool.Put(buffers[atOnce-1-n])
		}
	}
}

func fromAllocator(times int) {
	for i := 0; i < times; i++ {
		for n := 0; n < atOnce; n++ {
			new(buffer).use(i)
		}
	}
}

func main() {
	times := number(1, 100000) / atOnce

	begin()
	fromPool(times)
	end("pool")
	begin()
	fromAllocator(times)
	end("pool-plain")
}
