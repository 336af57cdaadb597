// SPDX-License-Identifier: GPL-2.0

// The same as ../churn.c.  Objects have pointers: else they would not be searched.
package main

import (
	"fmt"
	"sync"
	"unsafe"
)

const (
	mib     = 1048576
	average = 136
)

type part struct {
	table [][]unsafe.Pointer
	times int
	state uint64
}

func (p *part) newObject() []unsafe.Pointer {
	words := 2 + random(&p.state, 31)
	object := make([]unsafe.Pointer, words)

	object[0] = unsafe.Pointer(p)
	object[words-1] = unsafe.Pointer(p)
	return object
}

func (p *part) fill(nr int) {
	p.table = make([][]unsafe.Pointer, nr)
	for i := range p.table {
		p.table[i] = p.newObject()
	}
}

func (p *part) replace() {
	for i := 0; i < p.times; i++ {
		n := random(&p.state, uint64(len(p.table)))
		p.table[n] = p.newObject()
	}
}

func (p *part) check() {
	for _, object := range p.table {
		must(object[0] == unsafe.Pointer(p), "an object")
	}
}

func main() {
	times := number(1, 1500000)
	nr := number(2, 64) * mib / average
	threads := number(3, 1)
	parts := make([]part, threads)
	name := "churn"

	for i := range parts {
		parts[i].times = times / threads
		parts[i].state = uint64(i + 1)
		parts[i].fill(nr / threads)
	}
	if threads > 1 {
		name = fmt.Sprintf("churn-%d", threads)
	}
	begin()
	var others sync.WaitGroup
	for i := 1; i < threads; i++ {
		others.Add(1)
		go func(p *part) {
			p.replace()
			others.Done()
		}(&parts[i])
	}
	parts[0].replace()
	others.Wait()
	end(name)
	for i := range parts {
		parts[i].check()
	}
}
