// SPDX-License-Identifier: GPL-2.0
/*
 * WALK: which objects there are.
 *
 * A call notes some of them under the heap's lock, and copies them to the caller after it.
 * Where it goes on is an address: so objects and slabs may come and go between two calls.  Each
 * call ends after some pages, be there objects or not.
 *
 * Locks: the heap's lock.
 */
#include <linux/gcheap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "heap.h"
#include "map.h"
#include "shrink.h"
#include "walk.h"

/* Pages and slabs that a call looks at without finding an object */
#define LOOKS_MAX	4096UL

static struct gcheap_walked describe(const struct gc_heap *heap, const struct gc_slab *slab,
				     size_t offset)
{
	return (struct gcheap_walked) {
		.start = heap->base + offset,
		.usable = slab->object_size,
		.flags = slab->noscan ? GCHEAP_NOSCAN : 0,
	};
}

static int note_objects(struct gc_heap *heap, struct gcheap_ioc_walk *walk,
			struct gcheap_walked *to)
{
	unsigned long looks = LOOKS_MAX;
	size_t offset = walk->cursor;
	struct gc_slab *slab;

	if (mutex_lock_killable(&heap->lock))
		return -EINTR;
	walk->count = 0;
	do {
		slab = gc_slab_next_object(&heap->slabs, &offset, &looks);
		if (slab) {
			to[walk->count++] = describe(heap, slab, offset);
			offset += slab->object_size;
		}
	} while (slab && walk->count < walk->capacity);
	walk->cursor = slab || !looks ? offset : 0;
	gc_heap_unlock(heap);
	return 0;
}

/* Whatever can fail because of the caller's memory fails before the heap is waited for. */
static int walk_into(struct gc_heap *heap, struct gcheap_ioc_walk *walk,
		     struct gcheap_walked *memory)
{
	struct gcheap_walked __user *to = u64_to_user_ptr(walk->objects);
	int err;

	if (clear_user(to, walk->capacity * sizeof(*to)))
		return -EFAULT;
	err = note_objects(heap, walk, memory);
	if (!err && copy_to_user(to, memory, walk->count * sizeof(*to)))
		err = -EFAULT;
	return err;
}

/**
 * gc_walk() - GCHEAP_IOC_WALK
 * @heap: heap
 * @walk: what the caller asks for, and what there is
 *
 * Context: may sleep; the heap's lock is not held.
 *
 * Return: 0, or as <linux/gcheap.h> says.
 */
int gc_walk(struct gc_heap *heap, struct gcheap_ioc_walk *walk)
{
	struct gcheap_walked *memory;
	int err;

	if (walk->flags || !walk->capacity || walk->capacity > GCHEAP_WALK_MAX)
		return -EINVAL;
	err = gc_map_check(heap);
	if (err)
		return err;
	if (walk->cursor > heap->size)
		return -EINVAL;
	memory = gc_shrink_alloc(walk->capacity, sizeof(*memory));
	if (!memory)
		return -ENOMEM;
	err = walk_into(heap, walk, memory);
	kvfree(memory);
	return err;
}
