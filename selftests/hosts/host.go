// SPDX-License-Identifier: GPL-2.0

// A Go program, which has a collector and stacks of its own, and interrupts its
// threads by signals, uses a heap by the bare calls: neither collector harms the
// other.  No C library is there.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"unsafe"
)

const (
	workers = 4
	objects = 64
)

var rounds = 200

func init() {
	if os.Getenv("HOST_SLOW") != "" {
		rounds /= 10
	}
}

type info struct {
	size, flags      uint32
	base, heapSize   uint64
	pageSize, abi    uint32
	classes, small   uint32
	array            uint64
	capacity, unused uint32
}

type alloc struct {
	size, flags                   uint32
	bytes, address, usable, cycle uint64
}

type collect struct {
	size, flags                         uint32
	freedBytes, freedObjects, ns, cycle uint64
}

type attach struct {
	size, flags uint32
}

// References in data of the program, which are roots; Go's own heap is none.
var kept [workers][objects]uintptr

func must(holds bool, what string) {
	if !holds {
		fmt.Fprintln(os.Stderr, "# must hold:", what)
		os.Exit(1)
	}
}

// Directions of a call's structure
const (
	in  = 1
	out = 2
)

func call(fd int, direction, number, size uintptr, argument unsafe.Pointer) {
	request := direction<<30 | size<<16 | 0xc6<<8 | number
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(argument))
	must(errno == 0, fmt.Sprint("call ", number, ": ", errno))
}

func word(address uintptr, i int) *uint64 {
	return *(**uint64)(unsafe.Pointer(&[]uintptr{address + uintptr(8*i)}[0]))
}

func fill(fd int, worker, round int) {
	for i := range kept[worker] {
		a := alloc{bytes: 96}
		a.size = uint32(unsafe.Sizeof(a))
		call(fd, in|out, 2, unsafe.Sizeof(a), unsafe.Pointer(&a))
		kept[worker][i] = uintptr(a.address)
		for j := 0; j < 12; j++ {
			must(*word(kept[worker][i], j) == 0, "memory is zero")
			*word(kept[worker][i], j) = uint64(worker<<40 | round<<20 | i<<8 | j)
		}
	}
}

func check(worker, round int) {
	for i, address := range kept[worker] {
		for j := 0; j < 12; j++ {
			must(*word(address, j) == uint64(worker<<40|round<<20|i<<8|j), "objects stay")
		}
	}
}

func work(fd, worker int, done *sync.WaitGroup) {
	defer done.Done()
	for round := 1; round <= rounds; round++ {
		fill(fd, worker, round)
		own := make(map[int]string)
		for i := 0; i < 200; i++ {
			own[i] = fmt.Sprint(worker, round, i)
		}
		for i := 0; i < 200; i++ {
			must(own[i] == fmt.Sprint(worker, round, i), "Go's own memory stays")
		}
		check(worker, round)
	}
}

func main() {
	var done, ended sync.WaitGroup
	fd, err := syscall.Open("/dev/gcheap", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	must(err == nil, "open")
	i := info{}
	i.size = uint32(unsafe.Sizeof(i))
	call(fd, in|out, 0, unsafe.Sizeof(i), unsafe.Pointer(&i))
	a := attach{}
	a.size = uint32(unsafe.Sizeof(a))
	call(fd, in, 10, unsafe.Sizeof(a), unsafe.Pointer(&a))
	_, _, errno := syscall.Syscall6(syscall.SYS_MMAP, 0, uintptr(i.heapSize),
		syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED, uintptr(fd), 0)
	must(errno == 0, "mmap")
	stop := make(chan bool)
	ended.Add(1)
	go func() {
		defer ended.Done()
		for {
			select {
			case <-stop:
				return
			default:
				c := collect{}
				c.size = uint32(unsafe.Sizeof(c))
				call(fd, in|out, 5, unsafe.Sizeof(c), unsafe.Pointer(&c))
				runtime.GC()
			}
		}
	}()
	for worker := 0; worker < workers; worker++ {
		done.Add(1)
		go work(fd, worker, &done)
	}
	done.Wait()
	close(stop)
	ended.Wait()
	for worker := 0; worker < workers; worker++ {
		check(worker, rounds)
	}
}
