// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Allocation with the kernel's help: the first one of a thread, one in some
 * dozens that needs a new word of bitmap or new slabs, and large objects.
 *
 * Here no pointer to an object may be left behind in a dead part of the stack,
 * where a later call may make it seem alive; the callers' neither (dead.h).
 */
#include <errno.h>

#include "alloc.h"
#include "cache.h"
#include "call.h"
#include "dead.h"
#include "trace.h"

/* Objects and errors share a register: memory might keep an object alive. */
static inline void *error_pointer(int err)
{
	return (void *)(intptr_t)err;
}

static inline int pointer_error(const void *object)
{
	const intptr_t value = (intptr_t)object;

	return value < 0 && value >= -4095 ? (int)value : 0;
}

/* An object straight from the kernel */
static void *alloc_direct(struct gcheap *heap, size_t size, unsigned int flags)
{
	struct gcheap_ioc_alloc request = {
		.size = sizeof(request),
		.flags = flags,
		.bytes = size ? size : 1,
	};
	int err = gch_call(heap, GCHEAP_IOC_ALLOC, &request);
	void *object = (void *)(uintptr_t)request.address;

	if (err)
		return error_pointer(err);
	/* What is left in a dead part of the stack may seem alive later. */
	request.address = 0;
	__asm__ __volatile__("" : : "r" (&request) : "memory");
	gch_trace(heap, request.cycle);
	return object;
}

/* It is not out. */
static inline void *take(struct gch_bin *bin)
{
	__u64 slot;

	gch_bin_take(bin, &slot);
	return (void *)(uintptr_t)slot;
}

static void *alloc_cached(struct gch_cache *cache, size_t size, unsigned int flags)
{
	struct gch_bin *bin = gch_cache_bin(cache, cache->heap, size, flags);
	void *object;
	int err;

	gch_cache_enter(cache);
	err = gch_cache_fill(cache, bin);
	object = err ? error_pointer(err) : take(bin);
	gch_cache_leave(cache);
	return object;
}

static void *alloc_once(struct gcheap *heap, size_t size, unsigned int flags)
{
	struct gch_cache *cache = NULL;
	void *object;

	if (size <= heap->max_small)
		cache = gch_cache_get(heap);
	if (!cache)
		return alloc_direct(heap, size, flags);
	object = alloc_cached(cache, size, flags);
	/* A child of vfork() gets objects, but no slabs. */
	if (pointer_error(object) == -EBUSY)
		return alloc_direct(heap, size, flags);
	return object;
}

static __attribute__((noinline)) void *alloc_slow(struct gcheap *heap, size_t size,
						  unsigned int flags)
{
	void *object = alloc_once(heap, size, flags);

	/*
	 * The kernel has collected, or knows that it is in vain: but it had to let the
	 * slabs be that this thread held.
	 */
	if (pointer_error(object) == -ENOMEM && size <= heap->size && gch_cache_flush(heap) > 0)
		object = alloc_once(heap, size, flags);
	if (!pointer_error(object))
		return object;
	errno = -pointer_error(object);
	return NULL;
}

/**
 * gch_alloc_slow() - allocate when the thread's cache does not have it at hand
 * @heap: heap
 * @size: bytes
 * @flags: GCHEAP_NOSCAN or zero
 *
 * Return: the object, or NULL with errno.
 */
void *gch_alloc_slow(struct gcheap *heap, size_t size, unsigned int flags)
{
	gch_dead_vectors();
	return gch_dead_stack(alloc_slow(heap, size, flags));
}
