// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Objects that the program is done with.
 *
 * What the calling thread has in its cache comes back to that (cache.c), and nobody else
 * is asked.  What lies elsewhere only the kernel knows: then it is a call, which
 * gcheap_free_many() makes for many at a time.
 */
#include <errno.h>

#include "cache.h"

size_t gcheap_free_many(struct gcheap *heap, void *const *objects, size_t count)
{
	size_t done;
	int err = gch_cache_free(heap, objects, count, &done);

	if (done < count)
		errno = err ? -err : EINVAL;
	return done;
}

int gcheap_free(struct gcheap *heap, void *object)
{
	return gcheap_free_many(heap, &object, 1) ? 0 : -1;
}
