// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Allocation from the thread's own cache: what nearly every call comes to.
 *
 * The slow path is in a file of its own, so that nothing of it is compiled into
 * this one.
 */
#include "alloc.h"
#include "cache.h"
#include "thread.h"

/* No loop, no lock, no system call: an object in some twenty instructions. */
static inline void *alloc(struct gcheap *heap, size_t size, unsigned int flags)
{
	struct gch_cache *cache = gch_thread.cache;
	struct gch_bin *bin;

	/* None yet, or the last allocation was from another heap, or a fork wiped it. */
	if (unlikely(!cache || !gch_heap_is(heap, cache->id)))
		goto slow;
	if (unlikely(size > heap->max_small))
		goto slow;
	bin = gch_cache_bin(cache, heap, size, flags);
	/* The current word is used up: the slow path finds the next one. */
	if (unlikely(!bin->word))
		goto slow;
	return gch_bin_take(bin);
slow:
	return gch_alloc_slow(heap, size, flags);
}

void *gcheap_alloc(struct gcheap *heap, size_t size)
{
	return alloc(heap, size, 0);
}

void *gcheap_alloc_noscan(struct gcheap *heap, size_t size)
{
	return alloc(heap, size, GCHEAP_NOSCAN);
}
