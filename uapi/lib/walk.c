// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * All objects of a heap, one after the other.
 *
 * The kernel tells of some dozens at a time, and goes on where it was.  What it has told of
 * must not be reclaimed before the program sees it: so the heap is not collected
 * meanwhile.
 */
#include <errno.h>

#include "cache.h"
#include "call.h"

/* Objects that the kernel tells of at a time */
#define BATCH	64

typedef int (*visit_fn)(void *object, size_t size, void *arg);

/* Returns what the visit of one did that was not 0, or a negative errno. */
static int walk(struct gcheap *heap, visit_fn visit, void *arg, bool *ended)
{
	struct gcheap_walked objects[BATCH];
	struct gcheap_ioc_walk request = {
		.size = sizeof(request),
		.capacity = BATCH,
		.objects = (uintptr_t)objects,
	};
	__u32 i;
	int err;

	do {
		err = gch_call(heap, GCHEAP_IOC_WALK, &request);
		if (err)
			return err;
		for (i = 0; i < request.count; i++) {
			err = visit((void *)(uintptr_t)objects[i].start, objects[i].usable, arg);
			*ended = err;
			if (err)
				return err;
		}
	} while (request.cursor);
	return 0;
}

int gcheap_walk(struct gcheap *heap, visit_fn visit, void *arg)
{
	bool ended = false;
	int saved = errno;
	int result;

	if (gcheap_disable(heap))
		return -1;
	gch_cache_flush(heap);
	result = walk(heap, visit, arg, &ended);
	gcheap_enable(heap);
	if (result && !ended) {
		errno = -result;
		return -1;
	}
	if (!result)
		errno = saved;
	return result;
}
