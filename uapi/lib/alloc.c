// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Allocation from the thread's own cache: what nearly every call comes to that gcheap.h's
 * inline functions do not do by themselves.
 *
 * The slow path is in a file of its own, so that nothing of it is compiled into
 * this one.
 */
#include "alloc.h"
#include "cache.h"

/* The thread's cache that it allocated from last.  One that a fork wiped has no id. */
static inline struct gch_cache *cache_of(const struct gcheap *heap)
{
	struct gch_cache *cache = (struct gch_cache *)gcheap_cache_1;

	return likely(gch_heap_id(heap) == cache->id) ? cache : NULL;
}

/*
 * No loop, no lock, no system call: an object in 16 instructions.  When slabs are
 * recalled, bins end at zero.
 */
static inline void *alloc(struct gcheap *heap, size_t size, unsigned int flags)
{
	struct gch_cache *cache;
	__u64 slot;

	if (unlikely(size > GCH_SMALL_MAX))
		goto more;
	cache = cache_of(heap);
	if (unlikely(!cache))
		goto more;
	if (likely(gch_bin_take(gch_cache_bin(cache, heap, size, flags), &slot)))
		return (void *)(uintptr_t)slot;
more:
	return gcheap_alloc_more(heap, size, flags);
}

void *gcheap_alloc(struct gcheap *heap, size_t size)
{
	return alloc(heap, size, 0);
}

void *gcheap_alloc_noscan(struct gcheap *heap, size_t size)
{
	return alloc(heap, size, GCHEAP_NOSCAN);
}

void *gcheap_alloc_call(struct gcheap *heap, size_t size)
	__attribute__((alias("gcheap_alloc")));
void *gcheap_alloc_noscan_call(struct gcheap *heap, size_t size)
	__attribute__((alias("gcheap_alloc_noscan")));

/* Nearly each time there are more slots in the bin's slabs, but not in that row. */
void *gcheap_alloc_more(struct gcheap *heap, size_t size, unsigned int flags)
{
	struct gch_cache *cache;
	struct gch_bin *bin;
	__u64 slot;

	if (unlikely(size > GCH_SMALL_MAX))
		goto slow;
	cache = cache_of(heap);
	if (unlikely(!cache))
		goto slow;
	bin = gch_cache_bin(cache, heap, size, flags);
	gch_cache_set_busy(cache, 1);
	if (unlikely(cache->told.revoked || !gch_cache_row(cache, bin)))
		goto leave;
	gch_bin_take(bin, &slot);
	gch_cache_leave(cache);
	return (void *)(uintptr_t)slot;
leave:
	gch_cache_leave(cache);
slow:
	return gch_alloc_slow(heap, size, flags);
}
