// SPDX-License-Identifier: GPL-2.0
/* Begin and end of what a collection has.  See collection.h. */
#include <linux/lockdep.h>
#include <linux/slab.h>

#include "collection.h"
#include "gfp.h"
#include "heap.h"

/* What is old stays marked; or there is no memory. */
static int begin_minor(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;

	c->minor = true;
	c->concurrent = true;
	c->old = heap->slabs.marked;
	c->marker.marked = c->old;
	return gc_dirty_make_room(&heap->dirty);
}

/* Everything is to be marked. */
static void begin_full(struct gc_heap *heap, bool concurrent)
{
	if (heap->slabs.sticky)
		gc_slabs_unmark(&heap->slabs);
	heap->collection->concurrent =
		concurrent && !gc_dirty_begin(&heap->dirty, &heap->slabs.pages);
}

/**
 * gc_collection_begin() - a heap is to be collected
 * @heap: heap, all of whose slabs are swept, and which is not being collected
 * @concurrent: the program is to run meanwhile, if there is memory for that: see
 *	gc_collection.concurrent
 * @minor: only of what is not old: see gc_collection.minor; gc_slabs.sticky is true
 *
 * Context: may sleep; heap's lock held, the world not stopped.
 *
 * Return: 0 or -ENOMEM.
 */
int gc_collection_begin(struct gc_heap *heap, bool concurrent, bool minor)
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
	gc_crew_begin(&c->crew);
	c->freed = heap->slabs.total_freed;
	c->since = heap->slabs.since;
	c->live = heap->slabs.live;
	heap->collection = c;
	gc_links_begin(&heap->links);
	if (minor)
		err = begin_minor(heap);
	else
		begin_full(heap, concurrent);
	if (err)
		gc_collection_end(heap);
	return err;
}

/**
 * gc_collection_make_full() - what is old is to be marked, too
 * @heap: heap, whose minor collection has looked for what was written, and marked nothing yet
 *
 * Context: may sleep; heap's lock held, the world not stopped.
 */
void gc_collection_make_full(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;

	gc_slabs_unmark(&heap->slabs);
	gc_links_begin(&heap->links);
	gc_dirty_forget(&heap->dirty);
	c->minor = false;
	c->old = 0;
	c->marker.marked = 0;
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
	gc_links_begin(&heap->links);
	gc_marker_destroy(m);
	return gc_marker_init(m, &heap->slabs, heap->base);
}

/**
 * gc_collection_end() - a heap is not being collected any more
 * @heap: heap that is; its marks are somebody else's now
 *
 * As long as something is old, it is to be known what is written.
 *
 * Context: heap's lock held.
 */
void gc_collection_end(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;

	heap->collection = NULL;
	gc_links_end(&heap->links, &heap->slabs);
	if (!heap->slabs.sticky)
		gc_dirty_end(&heap->dirty);
	gc_marker_destroy(&c->marker);
	kfree(c);
}

/**
 * gc_collection_give_up() - forget a collection, what it has marked, and what was old
 * @heap: heap that is being collected
 *
 * Context: may sleep; heap's lock held.
 */
void gc_collection_give_up(struct gc_heap *heap)
{
	gc_slabs_unmark(&heap->slabs);
	gc_collection_end(heap);
}
