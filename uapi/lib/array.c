// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Objects by number: arrays, many of one size, and copies of strings.
 *
 * What is asked for is one allocation after the other, so there is nothing to undo and
 * nothing to lock; the size of an array is computed here, where it may be too much.
 */
#include <errno.h>
#include <string.h>

#include "heap.h"

static void *alloc_array(struct gcheap *heap, size_t count, size_t size, unsigned int flags)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return gcheap_alloc_more(heap, bytes, flags);
}

void *gcheap_alloc_array(struct gcheap *heap, size_t count, size_t size)
{
	return alloc_array(heap, count, size, 0);
}

void *gcheap_alloc_array_noscan(struct gcheap *heap, size_t count, size_t size)
{
	return alloc_array(heap, count, size, GCHEAP_NOSCAN);
}

void *gcheap_calloc(struct gcheap *heap, size_t count, size_t size)
	__attribute__((alias("gcheap_alloc_array")));

static size_t alloc_many(struct gcheap *heap, size_t size, void **objects, size_t count,
			 unsigned int flags)
{
	size_t n;

	for (n = 0; n < count; n++) {
		objects[n] = flags ? gcheap_alloc_noscan(heap, size) : gcheap_alloc(heap, size);
		if (unlikely(!objects[n]))
			break;
	}
	return n;
}

size_t gcheap_alloc_many(struct gcheap *heap, size_t size, void **objects, size_t count)
{
	return alloc_many(heap, size, objects, count, 0);
}

size_t gcheap_alloc_many_noscan(struct gcheap *heap, size_t size, void **objects, size_t count)
{
	return alloc_many(heap, size, objects, count, GCHEAP_NOSCAN);
}

/* The end is zero already. */
static char *copy(struct gcheap *heap, const char *string, size_t length)
{
	char *object = gcheap_alloc_noscan(heap, length + 1);

	return object ? memcpy(object, string, length) : NULL;
}

char *gcheap_strdup(struct gcheap *heap, const char *string)
{
	return copy(heap, string, strlen(string));
}

char *gcheap_strndup(struct gcheap *heap, const char *string, size_t most)
{
	return copy(heap, string, strnlen(string, most));
}
