/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * The heap as the library sees it.
 *
 * The library's files, from the top down; each calls only those below it:
 *
 *	default	the heap of code that is handed none
 *	heap	opening, attaching and closing heaps
 *	pool	objects for reuse
 *	walk	all objects
 *	array, aligned	objects by number, and at round addresses
 *	free	objects that the program is done with
 *	weak	references that keep nothing
 *	object	objects that exist
 *	collect, stats	collections, and how a heap is doing
 *	alloc	allocation, as nearly every time where it is not inline
 *	alloc_slow	and with the kernel's help
 *	cache	each thread's slabs
 *	trace	a line for each collection
 *	environment	what the user sets for a program
 *	say	lines for the user
 *	machine	how much memory the process may have
 *	list	the heaps of this process
 *	call	calls into the kernel, and the descriptor for them
 *	checker	programs that keep a program's pointers elsewhere
 *	dead	what calls leave on the stack
 *	lock	the process's locks
 *	memory	the library's own memory
 *	error	what an errno means
 *	version	which one this is
 *
 * Inside the library functions return 0 or a negative errno; errno itself is
 * touched only where a function of gcheap.h returns.  Names shared by its files
 * begin with gch_, so that a program linked with libgcheap.a can have its own.
 */
#ifndef GCH_HEAP_H
#define GCH_HEAP_H

#include <stdbool.h>

#include <linux/gcheap.h>

/* Everything is built hidden, except what gcheap.h declares; the functions are here. */
#define GCHEAP_NO_INLINE
#pragma GCC visibility push(default)
#include "gcheap.h"
#pragma GCC visibility pop

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

/* Classes beyond these are served by GCHEAP_IOC_ALLOC, as large objects are. */
#define GCH_CLASSES_MAX		(GCHEAP_STATS_CLASSES - 1)
#define GCH_SMALL_MAX		GCHEAP_INLINE_MAX

/* All classes are multiples of this. */
#define GCH_SIZE_STEP		8u

/* Slabs of one class that a thread holds at most */
#define GCH_BIN_SLABS		32u

/**
 * struct gch_class - what a thread's cache needs to know of a size class
 * @object_size: bytes of a slot
 * @slab_size: bytes of a slab
 * @slots: slots in a slab
 * @words: words of bitmap in use
 * @want_max: slabs to ask for at most in one REFILL
 */
struct gch_class {
	__u32 object_size;
	__u32 slab_size;
	__u16 slots;
	__u16 words;
	__u16 want_max;
};

/**
 * struct gcheap - a heap that this process has mapped
 * @id: unique in this process and never used again; 0 while closed
 * @bin_at: for size n at (n + 7) / 8: how many bytes from a cache's beginning the
 *	scanned bin of its class is, or that of no class when caches do not serve it
 * @max_small: largest size that the caches serve
 * @fd: the heap's descriptor, unless the program has closed it: see call.c
 * @class_count: entries of @classes in use
 * @refs: gcheap_open() and gcheap_attach() calls not yet closed
 * @base: address of the heap
 * @size: bytes of the mapping
 * @page: the kernel's statistics, mapped read-only; NULL when that could not be had
 * @traced: what was printed of collections, shared with the children of
 *	fork; NULL when collections are not printed
 * @next: next in the list of all heaps
 * @classes: the size classes by ascending size
 *
 * To gcheap.h's inline functions it begins as a struct gcheap_inline_heap.
 *
 * The memory is never given back, only used for another heap: @id may be read
 * at any time, to see whether it is still the heap that one knew.  The rest
 * does not change while the heap is open, except @refs (under the lock GCH_HEAPS)
 * and @fd (under GCH_DESCRIPTORS).
 *
 * It is found by the collector where that searches all memory, so it holds no
 * address of an object: at @base there is none.
 */
struct gcheap {
	__u64 id;
	__u16 bin_at[GCH_SMALL_MAX / GCH_SIZE_STEP + 1];
	__u64 max_small;
	int fd;
	__u32 class_count;
	__u32 refs;
	__u64 base;
	__u64 size;
	const struct gcheap_stats_page *page;
	struct gch_trace *traced;
	struct gcheap *next;
	struct gch_class classes[GCH_CLASSES_MAX];
};

/**
 * gch_heap_id() - what a heap is known by
 * @heap: heap, perhaps closed meanwhile
 *
 * Return: its id, 0 when it is closed.
 */
static inline __u64 gch_heap_id(const struct gcheap *heap)
{
	return __atomic_load_n(&heap->id, __ATOMIC_ACQUIRE);
}

/**
 * gch_heap_is() - is this still the heap that one knew?
 * @heap: heap, perhaps closed meanwhile
 * @id: its id when it was open
 *
 * Return: true when it is still open.
 */
static inline bool gch_heap_is(const struct gcheap *heap, __u64 id)
{
	return gch_heap_id(heap) == id;
}

#endif /* GCH_HEAP_H */
