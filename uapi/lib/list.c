// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The heaps of this process.
 *
 * A struct gcheap lies in memory of its own, is in the list of all heaps for
 * ever, and is used again for another heap after it was closed.  Its id is what
 * makes it a heap: written last when one is opened, taken away first when it is
 * closed.  So at each instant, also at that of a fork by another thread, the
 * list is whole and each entry in it is either a complete heap or free.
 *
 * The list and ids change under the lock GCH_HEAPS (lock.c) only.  Reading them
 * needs no lock.
 */
#include "list.h"
#include "memory.h"

/* Both are 0 in a process without heaps. */
static struct gcheap *heaps;
static __u64 last_id;

/**
 * gch_heap_at() - the heap of this process with a certain base
 * @base: address of the heap
 *
 * Return: the heap, or NULL when none is open there.
 */
struct gcheap *gch_heap_at(__u64 base)
{
	struct gcheap *heap;

	for (heap = __atomic_load_n(&heaps, __ATOMIC_ACQUIRE); heap; heap = heap->next)
		if (!gch_heap_is(heap, 0) && heap->base == base)
			return heap;
	return NULL;
}

/**
 * gch_heap_entry() - an entry of the list that is no heap now
 *
 * The caller holds the lock.
 *
 * Return: the entry, or NULL without memory.
 */
struct gcheap *gch_heap_entry(void)
{
	struct gcheap *heap;

	for (heap = __atomic_load_n(&heaps, __ATOMIC_ACQUIRE); heap; heap = heap->next)
		if (gch_heap_is(heap, 0))
			return heap;
	heap = gch_map(sizeof(*heap));
	if (!heap)
		return NULL;
	heap->next = __atomic_load_n(&heaps, __ATOMIC_ACQUIRE);
	__atomic_store_n(&heaps, heap, __ATOMIC_RELEASE);
	return heap;
}

/**
 * gch_heap_publish() - an entry has become a heap
 * @heap: entry, complete; the caller holds the lock
 */
void gch_heap_publish(struct gcheap *heap)
{
	const __u64 of_copy = (uintptr_t)&last_id;

	/* Should the process have two copies of the library, they may share variables. */
	__atomic_store_n(&heap->id, (of_copy << 16) + ++last_id, __ATOMIC_RELEASE);
}

/**
 * gch_heap_retract() - a heap is one no more
 * @heap: heap; the caller holds the lock
 *
 * From here on the threads' caches of it are known as stale.
 */
void gch_heap_retract(struct gcheap *heap)
{
	__atomic_store_n(&heap->id, 0, __ATOMIC_SEQ_CST);
}
