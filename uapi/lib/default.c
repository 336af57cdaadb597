// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The default heap of the process: for code that is handed none.
 *
 * It is opened by the first thread that asks for it, under the lock GCH_DEFAULT, for which
 * others wait that come meanwhile.  A child of fork() has inherited it, and goes on with
 * it; one that was forked while another thread was opening it opens its own, as the lock
 * is open there and nothing is known of that heap.
 *
 * Both words are only written under the lock, @default_id first: so who reads the heap reads
 * the id that it had then, or a later one, and does not take a heap that was closed for it.
 */
#include <errno.h>

#include "heap.h"
#include "lock.h"

static struct gcheap *default_heap;
static __u64 default_id;

/* NULL when there is none yet, or the program has closed it */
static struct gcheap *default_now(void)
{
	struct gcheap *heap = __atomic_load_n(&default_heap, __ATOMIC_ACQUIRE);

	if (!heap || !gch_heap_is(heap, __atomic_load_n(&default_id, __ATOMIC_RELAXED)))
		return NULL;
	return heap;
}

static struct gcheap *default_open(void)
{
	struct gcheap *heap = default_now();

	if (heap)
		return heap;
	heap = gcheap_open(NULL);
	if (!heap)
		return NULL;
	__atomic_store_n(&default_id, gch_heap_id(heap), __ATOMIC_RELAXED);
	__atomic_store_n(&default_heap, heap, __ATOMIC_RELEASE);
	return heap;
}

struct gcheap *gcheap_default(void)
{
	struct gcheap *heap = default_now();
	int err;

	if (likely(heap))
		return heap;
	err = gch_lock_init();
	if (err) {
		errno = -err;
		return NULL;
	}
	gch_lock(GCH_DEFAULT);
	heap = default_open();
	gch_unlock(GCH_DEFAULT);
	return heap;
}
