// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Objects that exist: where they begin, how large they are, and resizing them.
 *
 * Each thread knows of what it has in its cache (cache.c), so of what it has allocated
 * last.  Of all else only the kernel knows: then it is a system call.
 */
#include <errno.h>
#include <string.h>

#include "cache.h"
#include "call.h"

/* Below this many bytes nothing is gained by moving to a smaller object. */
#define SHRINK_MIN	64

bool gcheap_contains(const struct gcheap *heap, const void *p)
{
	return (uintptr_t)p - heap->base < heap->size;
}

static int find(struct gcheap *heap, const void *p, struct gcheap_ioc_object *object)
{
	if (!gcheap_contains(heap, p))
		return -ENOENT;
	*object = (struct gcheap_ioc_object) {
		.size = sizeof(*object),
		.address = (uintptr_t)p,
	};
	if (gch_cache_find(heap, object))
		return 0;
	return gch_call(heap, GCHEAP_IOC_OBJECT, object);
}

size_t gcheap_usable_size(struct gcheap *heap, const void *p)
{
	struct gcheap_ioc_object object;

	return find(heap, p, &object) ? 0 : object.usable;
}

void *gcheap_base(struct gcheap *heap, const void *p)
{
	struct gcheap_ioc_object object;

	return find(heap, p, &object) ? NULL : (void *)(uintptr_t)object.start;
}

static bool fits(size_t usable, size_t size)
{
	return size <= usable && (usable <= SHRINK_MIN || size >= usable / 2);
}

/*
 * What the caller gives up by asking for less keeps nothing alive, and is zero
 * when he asks for more again.
 */
static void *resize_in_place(char *p, size_t size, size_t usable)
{
	memset(p + size, 0, usable - size);
	return p;
}

void *gcheap_realloc(struct gcheap *heap, void *p, size_t size)
{
	struct gcheap_ioc_object object;
	void *new;

	if (!size)
		size = 1;
	if (!p)
		return gcheap_alloc(heap, size);
	if (find(heap, p, &object) || object.start != (uintptr_t)p) {
		errno = EINVAL;
		return NULL;
	}
	if (fits(object.usable, size))
		return resize_in_place(p, size, object.usable);
	if (object.flags & GCHEAP_NOSCAN)
		new = gcheap_alloc_noscan(heap, size);
	else
		new = gcheap_alloc(heap, size);
	if (!new)
		return NULL;
	return memcpy(new, p, size < object.usable ? size : object.usable);
}
