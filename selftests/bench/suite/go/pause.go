// SPDX-License-Identifier: GPL-2.0

// The same as ../pause.c.
package main

import (
	"fmt"
	"math/bits"
	"runtime"
	"time"
)

const (
	mib      = 1048576
	nodeSize = 32
	steps    = 32
)

type gaps struct {
	nr      [60 * steps]uint64
	longest uint64
}

func bucketOf(ns uint64) int {
	shift := 0

	if ns >= steps {
		shift = bits.Len64(ns) - 6
	}
	return shift*steps + int(ns>>shift)
}

func (g *gaps) note(ns uint64) {
	g.nr[bucketOf(ns)]++
	if ns > g.longest {
		g.longest = ns
	}
}

// No more than so many are longer.
func (g *gaps) allBut(nr uint64) uint64 {
	i := len(g.nr) - 1

	for ; i > 0 && g.nr[i] <= nr; i-- {
		nr -= g.nr[i]
	}
	if i < steps {
		return uint64(i)
	}
	return uint64(i%steps+steps) << (i/steps - 1)
}

// Where a compiler cannot know that it is used no more
var seen *listNode

func allocate(g *gaps, list *listNode, times int, stores int) {
	start := time.Now()
	before := time.Duration(0)
	at := list

	for i := 0; i < times; i++ {
		n := new(listNode)
		seen = n
		if i%stores == 0 {
			at.other = n
			at = at.next
			if at == nil {
				at = list
			}
		}
		now := time.Since(start)
		g.note(uint64(now - before))
		before = now
	}
}

// For how long all goroutines were held; of one collection, both times together
func heldAtMost() uint64 {
	var stats runtime.MemStats
	var longest uint64

	runtime.ReadMemStats(&stats)
	for n := collections; n < stats.NumGC; n++ {
		if took := stats.PauseNs[n%256]; took > longest {
			longest = took
		}
	}
	return longest
}

var g gaps

func main() {
	times := number(1, 0)
	size := number(2, 32)
	stores := number(3, 16)
	nr := size * mib / nodeSize
	report := func(what string, ns uint64) {
		print(fmt.Sprintf("pause-%d-%s", size, what), time.Duration(ns))
	}

	if times == 0 {
		times = nr + nr/2
	}
	own = status("VmRSS:")
	list := shuffled(newList(nr), nr, false)
	runtime.GC()
	begin()
	allocate(&g, list, times, stores)
	report("longest", g.longest)
	report("99.9", g.allBut(uint64(times/1000)))
	report("held", heldAtMost())
	report("held-look", 0)
	must(listLength(list) == nr, "the list")
}
