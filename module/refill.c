// SPDX-License-Identifier: GPL-2.0
/*
 * REFILL and RELEASE: slabs go to a thread, and come back.
 *
 * What the caller names is copied, and its memory tried, before the heap's lock is
 * taken: whatever can fail because of it fails before anything has changed, and
 * nobody waits for the heap while a page of the caller's is fetched.  Under the
 * lock slabs change hands.  What is long, clearing their slots and entering them
 * into page tables, is done after it by the caller alone.  While it clears them its
 * mutator is "busy", so that nobody takes the slabs away from it.
 *
 * Locks: the heap's lock; then, without it, the caller's mmap_lock.
 */
#include <linux/gcheap.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "collect.h"
#include "gfp.h"
#include "heap.h"
#include "map.h"
#include "mutator.h"
#include "refill.h"
#include "scavenge.h"

/**
 * struct giving - a slab that a call gives back, copied from the caller
 * @slab: the slab, once it is known to be the caller's
 * @start: its address, as the caller says
 * @has_unused: the caller gave @unused
 * @unused: bitmap of the slots that were never handed out
 */
struct giving {
	struct gc_slab *slab;
	u64 start;
	bool has_unused;
	u64 unused[GCHEAP_SLAB_WORDS];
};

/**
 * struct giving_back - all slabs that a call gives back
 * @nr: how many
 * @slabs: array, NULL for none
 */
struct giving_back {
	u32 nr;
	struct giving *slabs;
};

static void giving_back_free(struct giving_back *g)
{
	kvfree(g->slabs);
}

static int giving_back_copy(struct giving_back *g, u64 from)
{
	struct gcheap_slab_return __user *array = u64_to_user_ptr(from);
	struct gcheap_slab_return one;
	u32 i;

	for (i = 0; i < g->nr; i++) {
		struct giving *to = &g->slabs[i];

		if (copy_from_user(&one, array + i, sizeof(one)))
			return -EFAULT;
		to->start = one.start;
		to->has_unused = one.free;
		if (one.free &&
		    copy_from_user(to->unused, u64_to_user_ptr(one.free),
				   sizeof(to->unused)))
			return -EFAULT;
	}
	return 0;
}

static int giving_back_init(struct giving_back *g, u32 nr, u64 from)
{
	int err;

	*g = (struct giving_back) { .nr = nr };
	if (!nr)
		return 0;
	if (nr > GCHEAP_RELEASE_MAX)
		return -EINVAL;
	g->slabs = kvcalloc(nr, sizeof(*g->slabs), GC_GFP);
	if (!g->slabs)
		return -ENOMEM;
	err = giving_back_copy(g, from);
	if (err)
		giving_back_free(g);
	return err;
}

static struct gc_slab *owned_slab(struct gc_heap *heap, struct gc_mutator *m,
				  u64 start)
{
	struct gc_slab *slab;
	u32 index;

	slab = gc_slab_find(&heap->slabs, start - heap->base, &index);
	if (!slab || slab->state != SLAB_OWNED || slab->owner != m ||
	    heap->base + slab->offset != start)
		return NULL;
	return slab;
}

/* All or nothing; a slab that is named twice is not the caller's either. */
static int giving_back_find(struct gc_heap *heap, struct giving_back *g,
			    struct gc_mutator *m)
{
	u32 i;

	for (i = 0; i < g->nr; i++) {
		struct giving *one = &g->slabs[i];

		one->slab = owned_slab(heap, m, one->start);
		if (!one->slab)
			goto undo;
		one->slab->owner = NULL;
	}
	return 0;
undo:
	while (i--)
		g->slabs[i].slab->owner = m;
	return -EPERM;
}

static int give_back(struct gc_heap *heap, struct giving_back *g,
		     struct gc_mutator *m)
{
	int err = giving_back_find(heap, g, m);
	u32 i;

	for (i = 0; !err && i < g->nr; i++) {
		struct giving *one = &g->slabs[i];

		gc_slab_give_back(&heap->slabs, one->slab,
				  one->has_unused ?
				  (unsigned long *)one->unused : NULL);
		cond_resched();
	}
	return err;
}

/**
 * gc_release() - GCHEAP_IOC_RELEASE
 * @heap: heap
 * @release: what the caller asks for
 *
 * Context: may sleep; the heap's lock is not held.
 *
 * Return: 0, or as <linux/gcheap.h> says.
 */
int gc_release(struct gc_heap *heap, const struct gcheap_ioc_release *release)
{
	struct giving_back g;
	struct gc_mutator *m;
	int err;

	if (release->flags & ~GCHEAP_RELEASE_ALL || release->reserved)
		return -EINVAL;
	err = gc_map_check(heap);
	if (err)
		return err;
	/* Who asks only whether the heap is mapped does not wait for a collection. */
	if (!release->flags && !release->nr_back)
		return 0;
	err = giving_back_init(&g, release->nr_back, release->back);
	if (err)
		return err;
	err = -EINTR;
	if (mutex_lock_killable(&heap->lock))
		goto free;
	m = gc_mutator_current(heap);
	err = IS_ERR(m) ? PTR_ERR(m) : give_back(heap, &g, m);
	if (!err && release->flags & GCHEAP_RELEASE_ALL)
		gc_mutator_give_back_all(heap, m);
	gc_heap_unlock(heap);
free:
	giving_back_free(&g);
	return err;
}

/* Describe a slab that was just taken, for its owner. */
static void describe(struct gc_heap *heap, struct gc_slab *slab,
		     struct gcheap_slab *to)
{
	*to = (struct gcheap_slab) {
		.start = heap->base + slab->offset,
		.class_index = slab->class_index,
		.flags = slab->noscan ? GCHEAP_NOSCAN : 0,
		.nr_free = bitmap_weight(gc_slab_handed_bits(slab),
					 slab->slots),
	};
	bitmap_copy((unsigned long *)to->free, gc_slab_handed_bits(slab),
		    slab->slots);
}

/* At least one slab, with the help of a collection; the others if it is easy. */
static struct gc_slab *take_slab(struct gc_heap *heap, struct gc_mutator *m,
				 const struct gcheap_ioc_refill *refill)
{
	bool noscan = refill->flags & GCHEAP_NOSCAN;
	struct gc_slab *slab;

	slab = gc_slab_take(&heap->slabs, refill->class_index, noscan, m,
			    &m->slabs);
	if (slab != ERR_PTR(-ENOMEM) || refill->got ||
	    !gc_collect_for_room(heap))
		return slab;
	slab = gc_slab_take(&heap->slabs, refill->class_index, noscan, m,
			    &m->slabs);
	if (!IS_ERR(slab))
		heap->fruitless = 0;
	return slab;
}

/**
 * struct refilling - what a REFILL has taken so far
 * @live: where the thread is going to keep the bitmap of each slab
 * @slabs: slabs taken
 * @out: their description for the thread
 */
struct refilling {
	u64 live[GCHEAP_REFILL_MAX];
	struct gc_slab *slabs[GCHEAP_REFILL_MAX];
	struct gcheap_slab out[GCHEAP_REFILL_MAX];
};

static int refill_locked(struct gc_heap *heap, struct gc_mutator *m,
			 struct gcheap_ioc_refill *refill,
			 struct giving_back *g, struct refilling *r)
{
	int err;

	gc_scavenge_note(heap);
	err = give_back(heap, g, m);
	if (!err)
		err = gc_collect_if_due(heap, 0);
	if (err)
		return err;
	refill->got = 0;
	while (refill->got < refill->want) {
		struct gc_slab *slab = take_slab(heap, m, refill);

		if (IS_ERR(slab)) {
			err = PTR_ERR(slab);
			break;
		}
		slab->live = r->live[refill->got];
		r->slabs[refill->got] = slab;
		describe(heap, slab, &r->out[refill->got++]);
		if (gc_heap_due(heap, 0))
			break;
	}
	gc_heap_report(heap);
	refill->cycle = heap->slabs.cycle;
	m->refilled = heap->slabs.cycle;
	return refill->got ? 0 : err;
}

/* The slabs are the caller's, who is busy: nobody takes them away. */
static void clear_slabs(struct gc_heap *heap, struct gc_slab **slabs,
			u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		gc_slab_clear_handed(&heap->slabs, slabs[i]);
		cond_resched();
	}
}

static void map_slabs(struct gc_heap *heap, const struct gcheap_slab *slabs,
		      u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		gc_map_populate(heap, (slabs[i].start - heap->base) >> PAGE_SHIFT,
				size_classes[slabs[i].class_index].pages);
}

/* Those that are still the caller's: another thread may have unmapped the heap. */
static void refill_undo(struct gc_heap *heap, const struct gcheap_slab *slabs,
			u32 nr)
{
	struct gc_mutator *m;
	struct gc_slab *slab;
	u32 i;

	mutex_lock(&heap->lock);
	m = gc_mutator_find(heap, current);
	for (i = 0; m && i < nr; i++) {
		slab = owned_slab(heap, m, slabs[i].start);
		if (slab)
			gc_slab_give_back(&heap->slabs, slab,
					  gc_slab_handed_bits(slab));
	}
	gc_heap_unlock(heap);
}

/* Under the heap's lock; the caller is busy when it has got slabs. */
static int refill_busily(struct gc_heap *heap, struct gc_mutator **m,
			 struct gcheap_ioc_refill *refill,
			 struct giving_back *g, struct refilling *r)
{
	int err = gc_map_check_any(heap);
	bool only;

	if (err)
		return err;
	*m = gc_mutator_current(heap);
	if (IS_ERR(*m))
		return PTR_ERR(*m);
	only = list_empty(&(*m)->slabs) || (*m)->cache == refill->cache;
	err = refill_locked(heap, *m, refill, g, r);
	if (err)
		return err;
	gc_mutator_told(*m, refill->cache, only);
	(*m)->busy = true;
	return 0;
}

/*
 * The caller is busy for as long as that takes no longer than it must: what comes
 * after it may be kept waiting for ever by other threads of the process.
 */
static int refill_to_user(struct gc_heap *heap,
			  struct gcheap_ioc_refill *refill,
			  struct giving_back *g, struct refilling *r)
{
	struct gc_mutator *m;
	int err;

	if (mutex_lock_killable(&heap->lock))
		return -EINTR;
	err = refill_busily(heap, &m, refill, g, r);
	gc_heap_unlock(heap);
	if (err)
		return err;
	clear_slabs(heap, r->slabs, refill->got);
	gc_mutator_done(heap, m);
	map_slabs(heap, r->out, refill->got);
	if (!copy_to_user(u64_to_user_ptr(refill->slabs), r->out,
			  refill->got * sizeof(*r->out)))
		return 0;
	refill_undo(heap, r->out, refill->got);
	return -EFAULT;
}

/* All that can fail because of the caller's memory, before anything changes. */
static int refill_prepare(const struct gcheap_ioc_refill *refill,
			  struct refilling *r)
{
	if (refill->live &&
	    copy_from_user(r->live, u64_to_user_ptr(refill->live),
			   refill->want * sizeof(*r->live)))
		return -EFAULT;
	if (clear_user(u64_to_user_ptr(refill->slabs),
		       refill->want * sizeof(*r->out)))
		return -EFAULT;
	return 0;
}

/*
 * A vfork child has its parent's memory, its thread-local storage included, but
 * is a thread of its own to us: slabs that it got would come back when it execs,
 * while the parent's C library still allocates from them.
 */
static bool is_vfork_child(void)
{
	return current->vfork_done;
}

/**
 * gc_refill() - GCHEAP_IOC_REFILL
 * @heap: heap
 * @refill: what the caller asks for, and what it gets
 *
 * Context: may sleep; the heap's lock is not held.
 *
 * Return: 0, or as <linux/gcheap.h> says.
 */
int gc_refill(struct gc_heap *heap, struct gcheap_ioc_refill *refill)
{
	struct refilling *r;
	struct giving_back g;
	int err;

	if (refill->flags & ~GCHEAP_NOSCAN ||
	    refill->class_index >= SIZE_CLASS_COUNT ||
	    !refill->want || refill->want > GCHEAP_REFILL_MAX ||
	    refill->cache % sizeof(u64))
		return -EINVAL;
	err = gc_map_check(heap);
	if (err)
		return err;
	if (is_vfork_child())
		return -EBUSY;
	r = kvmalloc(sizeof(*r), GC_GFP);
	if (!r)
		return -ENOMEM;
	memset(r->live, 0, sizeof(r->live));
	err = giving_back_init(&g, refill->nr_back, refill->back);
	if (err)
		goto free_refilling;
	err = refill_prepare(refill, r);
	if (!err)
		err = refill_to_user(heap, refill, &g, r);
	giving_back_free(&g);
free_refilling:
	kvfree(r);
	return err;
}
