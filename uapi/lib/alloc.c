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

/*
 * No loop, no lock, no system call: an object in some twenty instructions.
 *
 * When slabs are recalled, the words of their bins become zero: before the cache is
 * busy, or after.
 */
static inline void *alloc(struct gcheap *heap, size_t size, unsigned int flags)
{
	struct gch_cache *cache;
	struct gch_bin *bin;
	void *object;

	/* No cache yet, or the last allocation was from another heap. */
	if (unlikely(gch_heap_id(heap) != gch_thread.id))
		goto slow;
	if (unlikely(size > heap->max_small))
		goto slow;
	/* One that a fork wiped has no words. */
	cache = gch_thread.cache;
	bin = gch_cache_bin(cache, heap, size, flags);
	gch_cache_set_busy(cache, 1);
	/* The current word is used up: the slow path finds the next one. */
	if (unlikely(!bin->word))
		goto leave;
	object = gch_bin_take(bin);
	gch_cache_leave(cache);
	return object;
leave:
	gch_cache_leave(cache);
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
