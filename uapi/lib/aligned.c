// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Objects at addresses with more zeros at their end than others have.
 *
 * A slab begins at a page, and its slots follow each other: where a class's size is a
 * multiple of the alignment, so is the address of each of its slots.  What no class serves
 * is a large object, which begins at a page.  Beyond that there is more of it than was
 * asked for, and the address is one in it.
 */
#include <errno.h>

#include "heap.h"

#define PAGE		4096u

/* All objects of more than 8 bytes are aligned to this. */
#define ALIGNED		16u

/* How much to allocate, so that there is an aligned address with @size bytes behind it */
static bool bytes_for(const struct gcheap *heap, size_t alignment, size_t size, size_t *bytes)
{
	__u32 i;

	*bytes = size ? size : 1;
	if (alignment <= ALIGNED) {
		if (*bytes < alignment)
			*bytes = alignment;
		return true;
	}
	for (i = 0; alignment <= PAGE && i < heap->class_count; i++) {
		const __u32 slot = heap->classes[i].object_size;

		if (slot < *bytes || slot % alignment)
			continue;
		*bytes = slot;
		return true;
	}
	if (*bytes <= heap->max_small)
		*bytes = heap->max_small + 1;
	return alignment <= PAGE || !__builtin_add_overflow(*bytes, alignment - PAGE, bytes);
}

static void *alloc_aligned(struct gcheap *heap, size_t alignment, size_t size, unsigned int flags)
{
	size_t bytes;
	char *object;

	if (!alignment || alignment & (alignment - 1)) {
		errno = EINVAL;
		return NULL;
	}
	if (!bytes_for(heap, alignment, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	object = gcheap_alloc_more(heap, bytes, flags);
	return object ? object + (-(uintptr_t)object & (alignment - 1)) : NULL;
}

void *gcheap_memalign(struct gcheap *heap, size_t alignment, size_t size)
{
	return alloc_aligned(heap, alignment, size, 0);
}

void *gcheap_memalign_noscan(struct gcheap *heap, size_t alignment, size_t size)
{
	return alloc_aligned(heap, alignment, size, GCHEAP_NOSCAN);
}
