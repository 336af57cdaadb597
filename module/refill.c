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
#include "heap.h"
#include "map.h"
#include "mutator.h"
#include "refill.h"
#include "scavenge.h"
#include "shrink.h"
#include "trace.h"

/* As many slabs as a call may name or get without memory being allocated for it */
#define FEW		2

/**
 * struct giving_back - all slabs that a call gives back, copied from the caller
 * @nr: how many
 * @asked: what the caller says of each
 * @slabs: they, once they are known to be the caller's
 * @unused: bitmaps of the slots that were never handed out, of those slabs that the
 *	caller gave one for, in their order; NULL when there are none
 * @few_asked: @asked, when they are few
 * @few_slabs: @slabs, when they are few
 */
struct giving_back {
	u32 nr;
	struct gcheap_slab_return *asked;
	struct gc_slab **slabs;
	u64 (*unused)[GCHEAP_SLAB_WORDS];
	struct gcheap_slab_return few_asked[FEW];
	struct gc_slab *few_slabs[FEW];
};

static void giving_back_free(struct giving_back *g)
{
	kvfree(g->unused);
	if (g->asked != g->few_asked)
		kvfree(g->asked);
}

static int giving_back_alloc(struct giving_back *g)
{
	g->asked = g->few_asked;
	g->slabs = g->few_slabs;
	if (g->nr <= FEW)
		return 0;
	g->asked = gc_shrink_alloc(g->nr, sizeof(*g->asked) + sizeof(*g->slabs));
	g->slabs = (void *)(g->asked + g->nr);
	return g->asked ? 0 : -ENOMEM;
}

/* Slabs that are used up, which nearly all are, come without a bitmap. */
static int giving_back_copy_unused(struct giving_back *g)
{
	u32 i, nr = 0;

	for (i = 0; i < g->nr; i++)
		nr += !!g->asked[i].free;
	if (!nr)
		return 0;
	g->unused = gc_shrink_alloc(nr, sizeof(*g->unused));
	if (!g->unused)
		return -ENOMEM;
	for (i = 0, nr = 0; i < g->nr; i++)
		if (g->asked[i].free &&
		    copy_from_user(g->unused[nr++],
				   u64_to_user_ptr(g->asked[i].free),
				   sizeof(*g->unused)))
			return -EFAULT;
	return 0;
}

static int giving_back_init(struct giving_back *g, u32 nr, u64 from)
{
	int err;

	g->nr = nr;
	g->unused = NULL;
	if (nr > GCHEAP_RELEASE_MAX)
		return -EINVAL;
	err = giving_back_alloc(g);
	if (err || !nr)
		return err;
	if (copy_from_user(g->asked, u64_to_user_ptr(from),
			   nr * sizeof(*g->asked)))
		err = -EFAULT;
	else
		err = giving_back_copy_unused(g);
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
		g->slabs[i] = owned_slab(heap, m, g->asked[i].start);
		if (!g->slabs[i])
			goto undo;
		g->slabs[i]->owner = NULL;
	}
	return 0;
undo:
	while (i--)
		g->slabs[i]->owner = m;
	return -EPERM;
}

static int give_back(struct gc_heap *heap, struct giving_back *g,
		     struct gc_mutator *m)
{
	int err = giving_back_find(heap, g, m);
	u32 i, nr = 0;

	for (i = 0; !err && i < g->nr; i++) {
		gc_slab_give_back(&heap->slabs, g->slabs[i], g->asked[i].free ?
				  (unsigned long *)g->unused[nr++] : NULL);
		cond_resched();
	}
	/* Once, whatever comes. */
	if (!err)
		g->nr = 0;
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
 * @runs: pages of theirs that are to be entered into the caller's page tables
 * @nr_runs: how many runs
 * @out: the slabs' description for the thread
 */
struct refilling {
	u64 *live;
	struct gc_slab **slabs;
	struct gc_page_run *runs;
	u32 nr_runs;
	struct gcheap_slab *out;
};

/* What it takes for one slab */
struct refilling_one {
	u64 live;
	struct gc_slab *slab;
	struct gc_page_run run;
	struct gcheap_slab out;
};

static void refilling_place(struct refilling *r, void *memory, u32 want)
{
	r->nr_runs = 0;
	r->out = memory;
	r->runs = (void *)(r->out + want);
	r->slabs = (void *)(r->runs + want);
	r->live = (void *)(r->slabs + want);
}

/*
 * What was entered once is there still, unless its pages went: then they come by faults,
 * as all do where this was a guess.
 */
static void note_run(struct gc_slab *slab, struct refilling *r)
{
	if (slab->entered == current->mm)
		return;
	slab->entered = current->mm;
	r->runs[r->nr_runs++] = (struct gc_page_run) {
		.first = slab->offset >> PAGE_SHIFT,
		.nr = slab->nr_pages,
	};
}

static int refill_locked(struct gc_heap *heap, struct gc_mutator *m,
			 struct gcheap_ioc_refill *refill,
			 struct giving_back *g, struct refilling *r)
{
	s64 since;
	u64 portion;
	int err;

	gc_scavenge_note(heap);
	err = give_back(heap, g, m);
	if (!err)
		err = gc_collect_if_due(heap, 0);
	if (err)
		return err;
	refill->got = 0;
	since = heap->slabs.since;
	portion = gc_collect_portion(heap);
	while (refill->got < refill->want) {
		struct gc_slab *slab = take_slab(heap, m, refill);

		if (IS_ERR(slab)) {
			err = PTR_ERR(slab);
			break;
		}
		slab->live = r->live[refill->got];
		note_run(slab, r);
		r->slabs[refill->got] = slab;
		describe(heap, slab, &r->out[refill->got++]);
		if (gc_heap_due(heap, 0) || heap->slabs.since - since >= portion)
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
	struct gc_wish wish = { .pages = size_classes[refill->class_index].pages };
	bool scarce;
	int err;

	do {
		if (mutex_lock_killable(&heap->lock))
			return -EINTR;
		gc_shrink_try(heap, &wish);
		err = refill_busily(heap, &m, refill, g, r);
		scarce = gc_shrink_tried(heap, &wish, err);
		gc_heap_unlock(heap);
	} while (scarce && gc_shrink_make_way(heap, &wish));
	if (err)
		return err;
	clear_slabs(heap, r->slabs, refill->got);
	gc_mutator_done(heap, m);
	if (r->nr_runs)
		gc_map_populate(heap, r->runs, r->nr_runs);
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
	if (!refill->live)
		memset(r->live, 0, refill->want * sizeof(*r->live));
	else if (copy_from_user(r->live, u64_to_user_ptr(refill->live),
				refill->want * sizeof(*r->live)))
		return -EFAULT;
	if (clear_user(u64_to_user_ptr(refill->slabs),
		       refill->want * sizeof(*r->out)))
		return -EFAULT;
	return 0;
}

static int refill_into(struct gc_heap *heap, struct gcheap_ioc_refill *refill,
		       void *memory)
{
	struct giving_back g;
	struct refilling r;
	int err = giving_back_init(&g, refill->nr_back, refill->back);

	if (err)
		return err;
	refilling_place(&r, memory, refill->want);
	err = refill_prepare(refill, &r);
	if (!err)
		err = refill_to_user(heap, refill, &g, &r);
	giving_back_free(&g);
	return err;
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
	struct refilling_one few[FEW];
	void *memory = few;
	int err;

	if (refill->flags & ~GCHEAP_NOSCAN ||
	    refill->class_index >= SIZE_CLASS_COUNT ||
	    !refill->want || refill->want > GCHEAP_REFILL_MAX ||
	    refill->cache % sizeof(u64))
		return -EINVAL;
	err = gc_map_check(heap);
	if (err)
		return err;
	/* They would come back when it execs, while its parent still allocates from them. */
	if (gc_is_vfork_child())
		return -EBUSY;
	if (refill->want > FEW)
		memory = gc_shrink_alloc(refill->want, sizeof(*few));
	if (!memory)
		return -ENOMEM;
	err = refill_into(heap, refill, memory);
	trace_gcheap_refill(heap, refill, err);
	if (memory != few)
		kvfree(memory);
	return err;
}
