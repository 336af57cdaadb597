// SPDX-License-Identifier: GPL-2.0
/*
 * FREE: programs that know themselves when they are done with an object.
 *
 * Addresses are copied, and the memory for the results tried, before the heap's lock is
 * taken, so that what can fail because of the caller's memory fails before anything has
 * changed.  Under the lock each object is freed by itself (slab.c); when the caller's memory
 * has gone meanwhile, they stay so.
 *
 * Locks: the heap's lock.
 */
#include <linux/gcheap.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "free.h"
#include "heap.h"
#include "map.h"
#include "mutator.h"
#include "rootset.h"
#include "scavenge.h"
#include "shrink.h"

static_assert(OBJECT_FREED == GCHEAP_FREED);
static_assert(OBJECT_YOURS == GCHEAP_FREE_YOURS);
static_assert(OBJECT_LATER == GCHEAP_FREE_LATER);
static_assert(OBJECT_NONE == GCHEAP_FREE_NONE);

/* As many objects as a call may name without memory being allocated for it */
#define FEW	16

/**
 * struct freeing - objects that a call is about, copied from the caller
 * @objects: their addresses
 * @ends: where each object ends, 0 of what was none
 * @results: what became of each
 * @few_objects: @objects, when they are few
 * @few_ends: @ends, when they are few
 * @few_results: @results, when they are few
 */
struct freeing {
	u64 *objects;
	u64 *ends;
	u8 *results;
	u64 few_objects[FEW];
	u64 few_ends[FEW];
	u8 few_results[FEW];
};

static int freeing_alloc(struct freeing *f, u32 nr)
{
	f->objects = f->few_objects;
	f->ends = f->few_ends;
	f->results = f->few_results;
	if (nr <= FEW)
		return 0;
	f->objects = gc_shrink_alloc(nr, sizeof(*f->objects) + sizeof(*f->ends) +
				     sizeof(*f->results));
	f->ends = f->objects + nr;
	f->results = (void *)(f->ends + nr);
	return f->objects ? 0 : -ENOMEM;
}

static void freeing_free(struct freeing *f)
{
	if (f->objects != f->few_objects)
		kvfree(f->objects);
}

static int freeing_copy(struct freeing *f, const struct gcheap_ioc_free *request)
{
	if (copy_from_user(f->objects, u64_to_user_ptr(request->objects),
			   request->nr * sizeof(*f->objects)))
		return -EFAULT;
	if (request->results &&
	    clear_user(u64_to_user_ptr(request->results), request->nr))
		return -EFAULT;
	return 0;
}

/* The calling thread as an owner of slabs, NULL when it has none */
static const void *own(struct gc_heap *heap)
{
	struct gc_mutator *m = gc_mutator_find(heap, current);

	return m && m->mm == current->mm ? m : NULL;
}

/* What was freed is to be known by its end, as its slab may have gone. */
static u64 end_of(struct gc_heap *heap, u64 object)
{
	struct gc_slab *slab;
	u32 index;

	slab = gc_slab_find(&heap->slabs, object - heap->base, &index);
	return object + (slab ? slab->object_size : 0);
}

static bool is_in_freed(const struct freeing *f, u32 nr, u64 address)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (address >= f->objects[i] && address < f->ends[i])
			return true;
	return false;
}

/*
 * Pairs that age in what was freed are not to be touched when they are another object's, though
 * a process that is about to end may have them yet.
 */
static void forget_agings(struct gc_heap *heap, const struct freeing *f, u32 nr)
{
	struct gc_aging *aging, *next;

	list_for_each_entry_safe(aging, next, &heap->agings, node) {
		if (is_in_freed(f, nr, aging->start))
			gc_aging_free(aging);
		cond_resched();
	}
}

/* Returns whether there was one. */
static bool free_one(struct gc_heap *heap, struct freeing *f, u32 i, const void *owner)
{
	u64 end = end_of(heap, f->objects[i]);
	enum gc_freed freed;

	freed = gc_slab_free_object(&heap->slabs, f->objects[i] - heap->base, owner,
				    heap->collection);
	f->results[i] = freed;
	f->ends[i] = freed == OBJECT_NONE ? 0 : end;
	return f->ends[i];
}

static int free_all(struct gc_heap *heap, struct freeing *f, struct gcheap_ioc_free *request)
{
	const void *owner;
	bool gone = false;
	u32 i;

	if (mutex_lock_killable(&heap->lock))
		return -EINTR;
	gc_scavenge_note(heap);
	owner = own(heap);
	request->done = 0;
	for (i = 0; i < request->nr; i++) {
		if (free_one(heap, f, i, owner))
			gone = true;
		request->done += f->results[i] != OBJECT_NONE;
		cond_resched();
	}
	if (gone)
		forget_agings(heap, f, request->nr);
	gc_heap_report(heap);
	gc_heap_unlock(heap);
	return 0;
}

/**
 * gc_free() - GCHEAP_IOC_FREE
 * @heap: heap
 * @request: what the caller asks for, and how many objects there were
 *
 * Context: may sleep; the heap's lock is not held.
 *
 * Return: 0, or as <linux/gcheap.h> says.
 */
int gc_free(struct gc_heap *heap, struct gcheap_ioc_free *request)
{
	struct freeing f;
	int err;

	if (request->flags || !request->nr || request->nr > GCHEAP_FREE_MAX)
		return -EINVAL;
	err = gc_map_check(heap);
	if (err)
		return err;
	err = freeing_alloc(&f, request->nr);
	if (err)
		return err;
	err = freeing_copy(&f, request);
	if (!err)
		err = free_all(heap, &f, request);
	if (!err && request->results &&
	    copy_to_user(u64_to_user_ptr(request->results), f.results, request->nr))
		err = -EFAULT;
	freeing_free(&f);
	return err;
}
