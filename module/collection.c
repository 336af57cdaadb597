// SPDX-License-Identifier: GPL-2.0
/* Begin and end of what a collection has.  See collection.h. */
#include <linux/lockdep.h>
#include <linux/slab.h>

#include "collection.h"
#include "gfp.h"
#include "heap.h"

/**
 * gc_collection_begin() - a heap is to be collected
 * @heap: heap, all of whose slabs are swept, and which is not being collected
 * @concurrent: the program is to run meanwhile, if there is memory for that: see
 *	gc_collection.concurrent
 *
 * Context: may sleep; heap's lock held, the world not stopped.
 *
 * Return: 0 or -ENOMEM.
 */
int gc_collection_begin(struct gc_heap *heap, bool concurrent)
{
	struct gc_collection *c = kzalloc(sizeof(*c), GC_GFP);
	int err;

	lockdep_assert_held(&heap->lock);
	if (!c)
		return -ENOMEM;
	err = gc_marker_init(&c->marker, &heap->slabs, heap->base);
	if (err) {
		kfree(c);
		return err;
	}
	c->concurrent = concurrent &&
			!gc_dirty_begin(&c->dirty, &heap->slabs.pages);
	c->freed = heap->slabs.total_freed;
	c->since = heap->slabs.since;
	heap->collection = c;
	return 0;
}

/**
 * gc_collection_restart() - forget what was marked, and begin once more
 * @heap: heap that is being collected, the program having been stopped all the time
 *
 * Context: may sleep; heap's lock held, the world not stopped.
 *
 * Return: 0 or -ENOMEM.
 */
int gc_collection_restart(struct gc_heap *heap)
{
	struct gc_marker *m = &heap->collection->marker;

	gc_slabs_unmark(&heap->slabs);
	gc_marker_destroy(m);
	return gc_marker_init(m, &heap->slabs, heap->base);
}

/**
 * gc_collection_end() - a heap is not being collected any more
 * @heap: heap that is; its marks are somebody else's now
 *
 * Context: heap's lock held.
 */
void gc_collection_end(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;

	heap->collection = NULL;
	gc_dirty_end(&c->dirty);
	gc_marker_destroy(&c->marker);
	kfree(c);
}

/**
 * gc_collection_give_up() - forget a collection, and what it has marked
 * @heap: heap that is being collected
 *
 * Context: may sleep; heap's lock held.
 */
void gc_collection_give_up(struct gc_heap *heap)
{
	gc_slabs_unmark(&heap->slabs);
	gc_collection_end(heap);
}
