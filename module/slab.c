// SPDX-License-Identifier: GPL-2.0
/*
 * Making, handing out, taking back and sweeping of slabs.  See slab.h.
 *
 * A slab's structure and bitmaps are the heap's, whoever owns its slots.  Nothing
 * here takes a lock or waits for anybody but the allocator of memory: the caller
 * holds the heap's lock.  Loops over slabs, of which a user has as many as there is
 * memory for, let others have the processor.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "backing.h"
#include "gfp.h"
#include "poison.h"
#include "slab.h"

/* Slabs swept at a time before memory is taken from the machine. */
#define SWEEP_BATCH	32

/* Most pages of a slab of small objects; see size_class_rows.h. */
#define SLAB_PAGES_MAX	16

/* Slabs among which one of the thread's own NUMA node is looked for */
#define NEAR_SLABS	16

/* EMPTY slabs that a heap has at most: their structures are memory, too. */
#define EMPTY_MAX	4096

/* Pages that come of EMPTY slabs at a time, when a slab is to be made of some */
#define APART_PAGES	64UL

/**
 * gc_slabs_init() - a heap without any slab
 * @gs: to be initialised
 * @limit_pages: hard size of the heap
 * @mapping: address_space of the heap, NULL when it is mapped nowhere
 *
 * Return: 0 or -ENOMEM.
 */
int gc_slabs_init(struct gc_slabs *gs, unsigned long limit_pages,
		  struct address_space *mapping)
{
	unsigned int i, j;

	memset(gs, 0, sizeof(*gs));
	for (i = 0; i < SLAB_KINDS; i++) {
		for (j = 0; j < 2; j++) {
			INIT_LIST_HEAD(&gs->lists[i][j].partial);
			INIT_LIST_HEAD(&gs->lists[i][j].sparse);
			INIT_LIST_HEAD(&gs->lists[i][j].full);
			INIT_LIST_HEAD(&gs->lists[i][j].empty);
			INIT_LIST_HEAD(&gs->lists[i][j].unswept);
		}
	}
	INIT_LIST_HEAD(&gs->owned);
	return gc_pages_init(&gs->pages, limit_pages, mapping);
}

/* The lists of a kind; what a marking has made UNSWEPT goes to where that is swept. */
static struct gc_slab_lists *lists_at(struct gc_slabs *gs, unsigned int class_index,
				      bool noscan)
{
	struct gc_slab_lists *lists = &gs->lists[class_index][noscan];

	if (__test_and_set_bit(2 * class_index + noscan, gs->settled))
		return lists;
	list_splice_tail_init(&lists->partial, &lists->unswept);
	list_splice_tail_init(&lists->sparse, &lists->unswept);
	list_splice_tail_init(&lists->full, &lists->unswept);
	return lists;
}

static struct gc_slab_lists *lists_of(struct gc_slabs *gs, struct gc_slab *slab)
{
	return lists_at(gs, slab->class_index, slab->noscan);
}

/* Large objects come first, and of each class those without pointers last. */
static struct gc_slab_lists *lists_by_kind(struct gc_slabs *gs, unsigned int kind)
{
	return lists_at(gs, SLAB_LARGE - kind / 2, kind % 2);
}

static u64 free_bytes(const struct gc_slab *slab)
{
	return (u64)(slab->slots - slab->nr_alloc) * slab->object_size;
}

static void slab_enlist(struct gc_slabs *gs, struct gc_slab *slab)
{
	struct gc_slab_lists *lists = lists_of(gs, slab);

	slab->epoch = gs->cycle;
	gs->nr_listed++;
	if (slab->nr_alloc == slab->slots) {
		slab->state = SLAB_FULL;
		list_add(&slab->node, &lists->full);
		return;
	}
	slab->state = slab->holes ? SLAB_SPARSE : SLAB_PARTIAL;
	list_add(&slab->node, slab->holes ? &lists->sparse : &lists->partial);
	slab->looked_at = false;
	gs->spare += free_bytes(slab);
}

/* It was PARTIAL, SPARSE or FULL. */
static void slab_delist(struct gc_slabs *gs, struct gc_slab *slab)
{
	list_del(&slab->node);
	gs->nr_listed--;
	if (!slab->looked_at)
		gs->spare -= free_bytes(slab);
}

static size_t slab_struct_size(struct gc_slab *slab)
{
	return struct_size(slab, bits, 3 * slab->words);
}

static void slab_free(struct gc_slabs *gs, struct gc_slab *slab)
{
	gs->meta_bytes -= slab_struct_size(slab);
	kfree(slab);
}

static void free_slab_pages(struct gc_slabs *gs, struct gc_slab *slab)
{
	unsigned long first = slab->offset >> PAGE_SHIFT, i;

	if (!slab->holes) {
		gc_pages_free(&gs->pages, first, slab->nr_pages);
		return;
	}
	for (i = 0; i < slab->nr_pages; i++) {
		if (test_bit(i, &slab->holes))
			gc_backing_abandon(&gs->pages, first + i);
		else
			gc_pages_free(&gs->pages, first + i, 1);
	}
}

/* Undo slab_new(); the slab is in no list any more. */
static void slab_destroy(struct gc_slabs *gs, struct gc_slab *slab)
{
	gc_pages_set_slab(&gs->pages, slab->offset >> PAGE_SHIFT,
			  slab->nr_pages, NULL);
	free_slab_pages(gs, slab);
	slab_free(gs, slab);
}

/*
 * No object is left in the slab, which is in no list.  What has holes would need memory
 * before it is handed out again.
 */
static void slab_set_aside(struct gc_slabs *gs, struct gc_slab *slab)
{
	if (slab->large || slab->holes || gs->nr_empty >= EMPTY_MAX) {
		slab_destroy(gs, slab);
		return;
	}
	slab->state = SLAB_EMPTY;
	list_add(&slab->node, &lists_of(gs, slab)->empty);
	gs->nr_empty++;
	gs->empty_pages += slab->nr_pages;
	gs->pages.free += slab->nr_pages;
}

/* It was EMPTY, and is in no list any more. */
static void slab_take_up(struct gc_slabs *gs, struct gc_slab *slab)
{
	list_del(&slab->node);
	gs->nr_empty--;
	gs->empty_pages -= slab->nr_pages;
	gs->pages.free -= slab->nr_pages;
}

/* The page at a place of a slab, NULL where there is a hole */
static struct page *slab_page(struct gc_slabs *gs, struct gc_slab *slab,
			      unsigned long i)
{
	unsigned long run = 1;

	return *gc_pages_run(&gs->pages, (slab->offset >> PAGE_SHIFT) + i, &run);
}

/* Where the kernel sees the slots, when their pages lie side by side. */
static void slab_place(struct gc_slabs *gs, struct gc_slab *slab)
{
	struct page *first = slab_page(gs, slab, 0);
	unsigned long i;

	slab->kaddr = NULL;
	slab->scan_words = 0;
	for (i = 1; i < slab->nr_pages; i++)
		if (page_to_pfn(slab_page(gs, slab, i)) != page_to_pfn(first) + i)
			return;
	slab->kaddr = page_address(first);
	if (!slab->noscan && slab->object_size % (2 * sizeof(long)) == 0)
		slab->scan_words = slab->object_size / sizeof(long);
}

/**
 * gc_slab_piece() - where the kernel has bytes of a slab
 * @gs: slabs of the heap
 * @slab: slab
 * @at: the first byte, from the start of the slab; not in a hole
 * @bytes: in: how many are wanted; out: how many of them lie side by side
 *
 * Context: any; heap's lock held, or the slab's owner's.
 *
 * Return: address.
 */
void *gc_slab_piece(struct gc_slabs *gs, const struct gc_slab *slab, size_t at,
		    size_t *bytes)
{
	size_t offset = slab->offset + at;
	unsigned long run = 1;
	struct page *page;

	if (slab->kaddr)
		return slab->kaddr + at;
	page = *gc_pages_run(&gs->pages, offset >> PAGE_SHIFT, &run);
	*bytes = min(*bytes, PAGE_SIZE - offset_in_page(offset));
	return page_address(page) + offset_in_page(offset);
}

static void set_bytes(struct gc_slabs *gs, const struct gc_slab *slab,
		      size_t at, u8 value, size_t bytes)
{
	size_t piece;

	for (; bytes; at += piece, bytes -= piece) {
		void *start;

		piece = bytes;
		start = gc_slab_piece(gs, slab, at, &piece);
		memset(start, value, piece);
	}
}

/* A SPARSE slab gets memory where it has holes; when that fails it stays as it is. */
static int slab_fill(struct gc_slabs *gs, struct gc_slab *slab)
{
	struct page *pages[SLAB_PAGES_MAX];
	unsigned long i;
	int err;

	err = gc_backing_get(&gs->pages, slab->holes, pages);
	if (err)
		return err;
	if (gs->pages.poison)
		for_each_set_bit(i, &slab->holes, slab->nr_pages)
			gc_poison_fill(page_address(pages[i]), PAGE_SIZE);
	gc_backing_enter(&gs->pages, slab->offset >> PAGE_SHIFT, slab->holes,
			 pages);
	slab->holes = 0;
	slab->entered = NULL;
	slab_place(gs, slab);
	return 0;
}

static size_t slot_at(const struct gc_slab *slab, u32 index)
{
	return index * slab->object_size;
}

/* These slots become free; the pages of a large object are poisoned as such. */
static void poison_slots(struct gc_slabs *gs, struct gc_slab *slab,
			 const unsigned long *slots)
{
	u32 i;

	if (!gs->pages.poison || slab->large)
		return;
	for_each_set_bit(i, slots, slab->slots)
		set_bytes(gs, slab, slot_at(slab, i), GC_POISON,
			  slab->object_size);
}

static void check_slot(struct gc_slabs *gs, struct gc_slab *slab, u32 index)
{
	size_t at = slot_at(slab, index), end = at + slab->object_size, piece;

	for (; at < end; at += piece) {
		void *start;

		piece = end - at;
		start = gc_slab_piece(gs, slab, at, &piece);
		gc_poison_check(&gs->pages.faults, start, piece,
				slab->offset + at, slab->offset);
	}
}

/* These slots are handed out. */
static void check_slots(struct gc_slabs *gs, struct gc_slab *slab,
			const unsigned long *slots)
{
	u32 i;

	if (!gs->pages.poison)
		return;
	for_each_set_bit(i, slots, slab->slots)
		check_slot(gs, slab, i);
}

/* @nr pages of EMPTY slabs, or all, come to be in no slab: the largest objects' first. */
static void take_apart(struct gc_slabs *gs, unsigned long nr)
{
	unsigned int kind;

	for (kind = 0; kind < 2 * SLAB_KINDS && gs->nr_empty && nr; kind++) {
		struct list_head *empty = &lists_by_kind(gs, kind)->empty;

		while (nr && !list_empty(empty)) {
			/* That was not used for the longest time. */
			struct gc_slab *slab = list_last_entry(empty,
							       struct gc_slab,
							       node);

			nr -= min(nr, slab->nr_pages);
			slab_take_up(gs, slab);
			/* Its pages are poisoned once more. */
			bitmap_fill(gc_slab_handed_bits(slab), slab->slots);
			check_slots(gs, slab, gc_slab_handed_bits(slab));
			slab_destroy(gs, slab);
			cond_resched();
		}
	}
}

/* Free pages, those of EMPTY slabs too; or -ENOMEM */
static long take_free(struct gc_slabs *gs, unsigned long nr)
{
	/* Small runs are found among a few slabs' pages. */
	unsigned long most = nr > SLAB_PAGES_MAX ? ULONG_MAX : APART_PAGES;

	while (gs->pages.free >= nr) {
		long first = gc_pages_alloc(&gs->pages, nr, false);

		if (first >= 0 || !gs->nr_empty)
			return first;
		take_apart(gs, most);
		/* All chunks may have been looked at: not too often. */
		most = most < ULONG_MAX / 4 ? 4 * most : ULONG_MAX;
	}
	return -ENOMEM;
}

/*
 * Garbage that is not yet swept comes before memory of the machine; without @grow, or when
 * there would be memory enough but for the node that it is of, a part of it is looked at.
 */
static long take_pages(struct gc_slabs *gs, unsigned long nr, bool grow)
{
	bool more;
	long first;

	do {
		first = take_free(gs, nr);
		if (first >= 0)
			return first;
		more = gc_slabs_sweep(gs, SWEEP_BATCH);
	} while (more && grow && !gc_pages_far(&gs->pages, nr));
	if (more)
		first = take_free(gs, nr);
	if (first >= 0 || !grow)
		return first;
	/* They may be a part of a run that more memory makes long enough. */
	take_apart(gs, ULONG_MAX);
	return gc_pages_alloc(&gs->pages, nr, true);
}

/* A slab with all slots free and zero, in no list. */
static struct gc_slab *slab_new(struct gc_slabs *gs, unsigned long nr_pages,
				u32 slots, size_t object_size, bool grow)
{
	u32 words = BITS_TO_LONGS(slots);
	struct gc_slab *slab;
	long first;

	slab = kzalloc(struct_size(slab, bits, 3 * words), GC_GFP);
	if (!slab)
		return ERR_PTR(gc_backing_refused(&gs->pages));
	slab->words = words;
	slab->slots = slots;
	slab->object_size = object_size;
	slab->nr_pages = nr_pages;
	gs->meta_bytes += slab_struct_size(slab);
	first = take_pages(gs, nr_pages, grow);
	if (first < 0) {
		slab_free(gs, slab);
		return ERR_PTR(first);
	}
	slab->offset = first << PAGE_SHIFT;
	gc_pages_zero(&gs->pages, first, nr_pages);
	gc_pages_set_slab(&gs->pages, first, nr_pages, slab);
	return slab;
}

static struct gc_slab *slab_new_small(struct gc_slabs *gs,
				      unsigned int class_index, bool noscan,
				      bool grow)
{
	const struct size_class *class = &size_classes[class_index];
	struct gc_slab *slab;

	slab = slab_new(gs, class->pages, class->slots, class->object_size,
			grow);
	if (IS_ERR(slab))
		return slab;
	slab->magic = class->magic;
	slab->class_index = class_index;
	slab->noscan = noscan;
	slab_place(gs, slab);
	if (gs->pages.poison) {
		set_bytes(gs, slab, 0, GC_POISON,
			  slab->slots * slab->object_size);
		slab->unclean = true;
	}
	return slab;
}

static void slab_account_free(struct gc_slabs *gs, struct gc_slab *slab,
			      u32 nr)
{
	gs->frees[slab->class_index] += nr;
	__set_bit(slab->class_index, gs->counted);
	gs->total_frees += nr;
	gs->total_freed += (u64)nr * slab->object_size;
}

static void slab_account_alloc(struct gc_slabs *gs, struct gc_slab *slab,
			       u32 nr)
{
	gs->mallocs[slab->class_index] += nr;
	__set_bit(slab->class_index, gs->counted);
	gs->total_mallocs += nr;
	gs->total_alloc += (u64)nr * slab->object_size;
}

static void slab_unmark(struct gc_slab *slab, void *arg)
{
	bitmap_zero(gc_slab_mark_bits(slab), slab->slots);
}

/* The slots with a part on the @nr-th page of a slab: from the first to before the end */
static u32 first_slot_on(const struct gc_slab *slab, unsigned long nr)
{
	return (nr << PAGE_SHIFT) / slab->object_size;
}

static u32 end_slot_on(const struct gc_slab *slab, unsigned long nr)
{
	return min_t(size_t, slab->slots,
		     (((nr + 1) << PAGE_SHIFT) - 1) / slab->object_size + 1);
}

/* Slots with a part on the @nr-th page are no garbage. */
static void hold_page(struct gc_slab *slab, unsigned long *dead,
		      unsigned long nr)
{
	bool owned = slab->state == SLAB_OWNED;
	u32 end = end_slot_on(slab, nr), i;

	for (i = first_slot_on(slab, nr); i < end; i++) {
		if (!__test_and_clear_bit(i, dead))
			continue;
		/* The others are in use, as long as their owner has them. */
		if (!owned || !test_bit(i, gc_slab_handed_bits(slab)))
			slab->nr_held++;
	}
}

static void hold_lent(struct gc_slabs *gs, struct gc_slab *slab,
		      unsigned long *dead)
{
	unsigned long first = slab->offset >> PAGE_SHIFT, nr = first;
	unsigned long end = first + slab->nr_pages;

	while ((nr = gc_pages_find_lent(&gs->pages, nr, end)) < end)
		hold_page(slab, dead, nr++ - first);
}

/*
 * Reclaim the slots in @dead, which is what is not marked.  Those that are held
 * are taken out of it.
 */
static void reclaim(struct gc_slabs *gs, struct gc_slab *slab,
		    unsigned long *dead)
{
	unsigned long *alloc = gc_slab_alloc_bits(slab);
	u32 nr_dead;

	gs->held -= (u64)slab->nr_held * slab->object_size;
	slab->nr_held = 0;
	if (bitmap_empty(dead, slab->slots))
		return;
	hold_lent(gs, slab, dead);
	gs->held += (u64)slab->nr_held * slab->object_size;
	nr_dead = bitmap_weight(dead, slab->slots);
	bitmap_andnot(alloc, alloc, dead, slab->slots);
	poison_slots(gs, slab, dead);
	slab->nr_alloc -= nr_dead;
	slab->unclean = true;
	slab_account_free(gs, slab, nr_dead);
}

/*
 * What is marked stays allocated, and what is held.  Returns whether anything is
 * left.
 */
static bool slab_sweep(struct gc_slabs *gs, struct gc_slab *slab)
{
	/* Without an owner that bitmap says nothing. */
	unsigned long *dead = gc_slab_handed_bits(slab);

	list_del(&slab->node);
	gs->nr_unswept--;
	bitmap_andnot(dead, gc_slab_alloc_bits(slab), gc_slab_mark_bits(slab),
		      slab->slots);
	reclaim(gs, slab, dead);
	if (!gs->sticky)
		slab_unmark(slab, NULL);
	return slab->nr_alloc;
}

static void sweep_and_enlist(struct gc_slabs *gs, struct gc_slab *slab)
{
	if (slab_sweep(gs, slab))
		slab_enlist(gs, slab);
	else
		slab_set_aside(gs, slab);
}

/* One that the calling thread reaches fast, if such a one is among the first. */
static struct gc_slab *slab_find_near(struct list_head *list,
				      struct gc_slabs *gs)
{
	unsigned int looks = NEAR_SLABS;
	struct gc_slab *slab;

	if (nr_online_nodes > 1) {
		int nid = numa_mem_id();

		list_for_each_entry(slab, list, node) {
			if (page_to_nid(slab_page(gs, slab, 0)) == nid)
				return slab;
			if (!--looks)
				break;
		}
	}
	return list_first_entry_or_null(list, struct gc_slab, node);
}

/*
 * An EMPTY slab, in no list; or NULL.  Where there are several nodes and none of the class
 * is near, those of all classes become free pages, among which near memory is looked for,
 * and it is decided whether far will do.
 */
static struct gc_slab *slab_get_empty(struct list_head *empty,
				      struct gc_slabs *gs)
{
	struct gc_slab *slab = slab_find_near(empty, gs);

	if (nr_online_nodes > 1 && gs->nr_empty &&
	    (!slab || page_to_nid(slab_page(gs, slab, 0)) != numa_mem_id())) {
		take_apart(gs, ULONG_MAX);
		return NULL;
	}
	if (!slab)
		return NULL;
	slab_take_up(gs, slab);
	gs->pages.least_free = min(gs->pages.least_free, gs->pages.free);
	return slab;
}

/*
 * A slab of the class with a free slot and without holes, in no list; NULL when there
 * is none.
 */
static struct gc_slab *slab_find_free(struct gc_slab_lists *lists,
				      struct gc_slabs *gs)
{
	struct gc_slab *slab = slab_find_near(&lists->partial, gs);

	if (slab) {
		slab_delist(gs, slab);
		return slab;
	}
	while (!list_empty(&lists->unswept)) {
		slab = list_first_entry(&lists->unswept, struct gc_slab, node);
		if (slab->holes) {
			sweep_and_enlist(gs, slab);
		} else {
			slab_sweep(gs, slab);
			if (slab->nr_alloc < slab->slots)
				return slab;
			slab_enlist(gs, slab);
		}
		cond_resched();
	}
	return slab_get_empty(&lists->empty, gs);
}

/* One that has holes no more, in no list. */
static struct gc_slab *slab_get_sparse(struct gc_slabs *gs,
				       struct list_head *sparse)
{
	struct gc_slab *slab = list_first_entry(sparse, struct gc_slab, node);
	int err = slab_fill(gs, slab);

	if (err)
		return ERR_PTR(err);
	slab_delist(gs, slab);
	return slab;
}

/*
 * Memory that the heap has comes first, then what makes slabs whole that have holes:
 * a heap that grows beside them would be neither small nor dense.
 */
static struct gc_slab *slab_get(struct gc_slabs *gs, unsigned int class_index,
				bool noscan)
{
	struct gc_slab_lists *lists = lists_at(gs, class_index, noscan);
	struct gc_slab *slab = slab_find_free(lists, gs);

	if (slab)
		return slab;
	if (list_empty(&lists->sparse))
		return slab_new_small(gs, class_index, noscan, true);
	if (gs->nr_unswept ||
	    gs->pages.free >= size_classes[class_index].pages) {
		slab = slab_new_small(gs, class_index, noscan, false);
		if (!IS_ERR(slab))
			return slab;
	}
	slab = slab_get_sparse(gs, &lists->sparse);
	/* There may yet be garbage that was not swept. */
	return slab == ERR_PTR(-ENOMEM) ?
	       slab_new_small(gs, class_index, noscan, true) : slab;
}

/**
 * gc_slab_take() - hand a slab with free slots to a thread
 * @gs: slabs of the heap
 * @class_index: size class
 * @noscan: its objects hold no pointers
 * @owner: who gets it
 * @owner_list: list of the owner's slabs
 *
 * The slots handed out are in gc_slab_handed_bits(); call
 * gc_slab_clear_handed() before telling the thread.
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: the slab, or ERR_PTR(-ENOMEM) or ERR_PTR(-EINTR).
 */
struct gc_slab *gc_slab_take(struct gc_slabs *gs, unsigned int class_index,
			     bool noscan, void *owner,
			     struct list_head *owner_list)
{
	struct gc_slab *slab = slab_get(gs, class_index, noscan);

	if (IS_ERR(slab))
		return slab;
	gs->since += (u64)(slab->slots - slab->nr_alloc) * slab->object_size;
	/* Not bitmap_complement(), which sets bits beyond the last slot. */
	bitmap_fill(gc_slab_handed_bits(slab), slab->slots);
	bitmap_andnot(gc_slab_handed_bits(slab), gc_slab_handed_bits(slab),
		      gc_slab_alloc_bits(slab), slab->slots);
	bitmap_fill(gc_slab_alloc_bits(slab), slab->slots);
	check_slots(gs, slab, gc_slab_handed_bits(slab));
	slab->nr_alloc = slab->slots;
	slab->state = SLAB_OWNED;
	slab->owner = owner;
	slab->live = 0;
	slab->cycle = gs->cycle;
	list_add(&slab->node, &gs->owned);
	list_add(&slab->owner_node, owner_list);
	return slab;
}

/**
 * gc_slab_clear_handed() - clear the slots that were handed out
 * @gs: slabs of the heap
 * @slab: slab, just taken by gc_slab_take()
 *
 * Context: the owner's; needs no lock, since the slots are the owner's.
 */
void gc_slab_clear_handed(struct gc_slabs *gs, struct gc_slab *slab)
{
	unsigned long *handed = gc_slab_handed_bits(slab);
	unsigned int from, to;

	if (!slab->unclean)
		return;
	for_each_set_bitrange(from, to, handed, slab->slots)
		set_bytes(gs, slab, slot_at(slab, from), 0,
			  (to - from) * slab->object_size);
}

/**
 * gc_slab_give_back() - take a slab back from its owner
 * @gs: slabs of the heap
 * @slab: SLAB_OWNED slab
 * @unused: bitmap of slots that the owner did not use, NULL when it does not
 *	say: then all count as used.  Other bits than of slots that were handed
 *	out are ignored
 *
 * The owner may have written to slots that it did not use, so they are cleared
 * when they are handed out next.
 *
 * Context: heap's lock held.
 */
void gc_slab_give_back(struct gc_slabs *gs, struct gc_slab *slab,
		       const unsigned long *unused)
{
	unsigned long *handed = gc_slab_handed_bits(slab);
	unsigned long *alloc = gc_slab_alloc_bits(slab);
	u32 nr_handed = bitmap_weight(handed, slab->slots), nr_unused = 0;

	if (unused) {
		/*
		 * What is left in @handed was given out and not used.  What a marking
		 * has found counts as used: it is old, or the marker is about to look at it.
		 */
		bitmap_and(handed, handed, unused, slab->slots);
		bitmap_andnot(handed, handed, gc_slab_mark_bits(slab),
			      slab->slots);
		nr_unused = bitmap_weight(handed, slab->slots);
		bitmap_andnot(alloc, alloc, handed, slab->slots);
		poison_slots(gs, slab, handed);
	}
	slab->nr_alloc -= nr_unused;
	slab_account_alloc(gs, slab, nr_handed - nr_unused);
	gs->since -= (u64)nr_unused * slab->object_size;
	slab->unclean = true;
	slab->owner = NULL;
	list_del(&slab->owner_node);
	list_del(&slab->node);
	if (slab->nr_alloc)
		slab_enlist(gs, slab);
	else
		slab_set_aside(gs, slab);
}

static long alloc_large(struct gc_slabs *gs, size_t bytes, bool noscan)
{
	unsigned long nr = DIV_ROUND_UP(bytes, PAGE_SIZE);
	struct gc_slab *slab = slab_new(gs, nr, 1, nr << PAGE_SHIFT, true);

	if (IS_ERR(slab))
		return PTR_ERR(slab);
	slab->large = true;
	slab->class_index = SLAB_LARGE;
	slab->noscan = noscan;
	slab->nr_alloc = 1;
	__set_bit(0, gc_slab_alloc_bits(slab));
	slab_enlist(gs, slab);
	slab_account_alloc(gs, slab, 1);
	gs->since += slab->object_size;
	return slab->offset;
}

/**
 * gc_slab_alloc_object() - allocate one object
 * @gs: slabs of the heap
 * @bytes: size, at least 1
 * @noscan: it holds no pointers
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: offset of the object, zeroed, from the heap's start; or -ENOMEM or
 * -EINTR.
 */
long gc_slab_alloc_object(struct gc_slabs *gs, size_t bytes, bool noscan)
{
	struct gc_slab *slab;
	size_t in_slab;
	u32 index;

	if (bytes > SIZE_CLASS_MAX)
		return alloc_large(gs, bytes, noscan);
	slab = slab_get(gs, size_class_of(bytes), noscan);
	if (IS_ERR(slab))
		return PTR_ERR(slab);
	index = find_first_zero_bit(gc_slab_alloc_bits(slab), slab->slots);
	if (gs->pages.poison)
		check_slot(gs, slab, index);
	__set_bit(index, gc_slab_alloc_bits(slab));
	slab->nr_alloc++;
	slab->cycle = gs->cycle;
	slab_enlist(gs, slab);
	slab_account_alloc(gs, slab, 1);
	gs->since += slab->object_size;
	in_slab = slot_at(slab, index);
	set_bytes(gs, slab, in_slab, 0, slab->object_size);
	return slab->offset + in_slab;
}

/* The slab with a slot that an offset lies in, swept; or NULL */
static struct gc_slab *find_swept(struct gc_slabs *gs, size_t offset, u32 *index)
{
	struct gc_slab *slab = gc_slab_find(gs, offset, index);

	if (!slab || gc_slab_state(gs, slab) != SLAB_UNSWEPT)
		return slab;
	lists_of(gs, slab);
	sweep_and_enlist(gs, slab);
	/* It may have gone. */
	return gc_slab_find(gs, offset, index);
}

/* No marker is at work: what is marked is old. */
static void slot_unmark(struct gc_slabs *gs, struct gc_slab *slab, u32 index)
{
	if (__test_and_clear_bit(index, gc_slab_mark_bits(slab)))
		gs->marked -= slab->object_size;
}

/* Its owner may be clearing other slots of the slab meanwhile: see gc_slab_clear_handed(). */
static void slot_free(struct gc_slabs *gs, struct gc_slab *slab, u32 index)
{
	__clear_bit(index, gc_slab_alloc_bits(slab));
	slab->nr_alloc--;
	if (gs->pages.poison && !slab->large)
		set_bytes(gs, slab, slot_at(slab, index), GC_POISON, slab->object_size);
	slab_account_free(gs, slab, 1);
	gs->since -= slab->object_size;
}

/* The slab is nobody's. */
static void slot_free_and_enlist(struct gc_slabs *gs, struct gc_slab *slab, u32 index)
{
	slab_delist(gs, slab);
	slot_free(gs, slab, index);
	slab->unclean = true;
	if (slab->nr_alloc)
		slab_enlist(gs, slab);
	else
		slab_set_aside(gs, slab);
}

/* The slot becomes one that came with the slab, in use as yet. */
static void slot_hand_over(struct gc_slabs *gs, struct gc_slab *slab, u32 index)
{
	if (!__test_and_set_bit(index, gc_slab_handed_bits(slab)))
		slab_account_free(gs, slab, 1);
}

static enum gc_freed slot_be_done(struct gc_slabs *gs, struct gc_slab *slab, u32 index,
				  const void *owner, bool marking)
{
	bool owned = slab->state == SLAB_OWNED;
	bool own = owned && owner && slab->owner == owner;
	bool handed = owned && test_bit(index, gc_slab_handed_bits(slab));

	if (handed ? !own : slab->nr_held)
		return OBJECT_LATER;
	if (!marking)
		slot_unmark(gs, slab, index);
	if (own) {
		slot_hand_over(gs, slab, index);
		return OBJECT_YOURS;
	}
	if (test_bit(index, gc_slab_mark_bits(slab)))
		return OBJECT_LATER;
	if (owned)
		slot_free(gs, slab, index);
	else
		slot_free_and_enlist(gs, slab, index);
	return OBJECT_FREED;
}

/**
 * gc_slab_free_object() - a program is done with an object
 * @gs: slabs of the heap
 * @offset: where it begins, in bytes from the heap's start; any value
 * @owner: who frees it, as in gc_slab_take(), or NULL
 * @marking: a marking is under way: what it has marked may be in its queue
 *
 * A collection is left what is marked while that is so; what another owner may have yet to
 * hand out; and what is in a slab where garbage is held, as it may be that.
 *
 * What is in the owner's own slab stays allocated as all of that, and may be marked, as if
 * it had been handed out since.
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: what has become of it.
 */
enum gc_freed gc_slab_free_object(struct gc_slabs *gs, size_t offset, const void *owner,
				  bool marking)
{
	struct gc_slab *slab;
	u32 index;

	slab = find_swept(gs, offset, &index);
	if (!slab || !test_bit(index, gc_slab_alloc_bits(slab)) ||
	    offset != slab->offset + slot_at(slab, index))
		return OBJECT_NONE;
	gs->dangling = true;
	return slot_be_done(gs, slab, index, owner, marking);
}

/* The slab of a page, swept; or NULL */
static struct gc_slab *swept_slab_of(struct gc_slabs *gs, unsigned long nr)
{
	struct gc_slab *slab = gc_pages_slab(&gs->pages, nr);
	u32 index;

	return slab ? find_swept(gs, slab->offset, &index) : NULL;
}

/* The first slot from an offset on that is in use; of an owned slab as far as that is known */
static u32 next_in_use(struct gc_slab *slab, size_t offset)
{
	size_t from = offset - min(offset, slab->offset);
	unsigned long *alloc = gc_slab_alloc_bits(slab);
	u32 index = DIV_ROUND_UP(from, slab->object_size);

	index = find_next_bit(alloc, slab->slots, index);
	while (slab->state == SLAB_OWNED && index < slab->slots &&
	       test_bit(index, gc_slab_handed_bits(slab)))
		index = find_next_bit(alloc, slab->slots, index + 1);
	return index;
}

/**
 * gc_slab_next_object() - the next object by address
 * @gs: slabs of the heap
 * @offset: in: from where on, in bytes from the heap's start; out: where the object begins,
 *	or from where on none was found
 * @looks: in: pages without an object, or slabs, that are looked at, at most; out: what is
 *	left of that
 *
 * What an owner may have handed out of a slab since it has that is not found.
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: its slab; NULL when there is none, or @looks is 0.
 */
struct gc_slab *gc_slab_next_object(struct gc_slabs *gs, size_t *offset,
				    unsigned long *looks)
{
	unsigned long nr = *offset >> PAGE_SHIFT;
	struct gc_slab *slab;
	u32 index;

	for (; nr < gs->pages.frontier && *looks; --*looks) {
		slab = swept_slab_of(gs, nr);
		index = slab ? next_in_use(slab, *offset) : 0;
		if (slab && index < slab->slots) {
			*offset = slab->offset + slot_at(slab, index);
			return slab;
		}
		nr = slab ? (slab->offset >> PAGE_SHIFT) + slab->nr_pages : nr + 1;
		*offset = nr << PAGE_SHIFT;
		cond_resched();
	}
	return NULL;
}

/* First class from *@kind on, in both kinds, with something to sweep. */
static struct gc_slab *next_unswept(struct gc_slabs *gs, unsigned int *kind)
{
	struct gc_slab *slab;

	for (; *kind < 2 * SLAB_KINDS; (*kind)++) {
		slab = list_first_entry_or_null(&lists_by_kind(gs, *kind)->unswept,
						struct gc_slab, node);
		if (slab)
			return slab;
	}
	return NULL;
}

/**
 * gc_slabs_sweep() - sweep some slabs, the largest first
 * @gs: slabs of the heap
 * @nr: at most so many
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: whether any was left to sweep.
 */
bool gc_slabs_sweep(struct gc_slabs *gs, unsigned int nr)
{
	bool any = gs->nr_unswept;
	unsigned int kind = 0;
	struct gc_slab *slab;

	while (nr-- && gs->nr_unswept) {
		slab = next_unswept(gs, &kind);
		sweep_and_enlist(gs, slab);
		cond_resched();
	}
	return any;
}

static void visit_list(struct list_head *list, gc_slab_visit visit, void *arg)
{
	struct gc_slab *slab;

	list_for_each_entry(slab, list, node) {
		visit(slab, arg);
		cond_resched();
	}
}

/**
 * gc_slabs_visit() - call a function for each slab
 * @gs: slabs of the heap
 * @visit: function; it must not move the slab to another list
 * @arg: its second argument
 *
 * Context: may sleep; heap's lock held.
 */
void gc_slabs_visit(struct gc_slabs *gs, gc_slab_visit visit, void *arg)
{
	unsigned int i;

	visit_list(&gs->owned, visit, arg);
	for (i = 0; i < 2 * SLAB_KINDS; i++) {
		struct gc_slab_lists *lists = &gs->lists[i / 2][i % 2];

		visit_list(&lists->partial, visit, arg);
		visit_list(&lists->sparse, visit, arg);
		visit_list(&lists->full, visit, arg);
		visit_list(&lists->empty, visit, arg);
		visit_list(&lists->unswept, visit, arg);
	}
}

/**
 * gc_slabs_unmark() - forget a marking that was given up, or what is old
 * @gs: slabs of the heap, all swept
 *
 * Context: may sleep; heap's lock held.
 */
void gc_slabs_unmark(struct gc_slabs *gs)
{
	gc_slabs_visit(gs, slab_unmark, NULL);
	gs->sticky = false;
	gs->marked = 0;
}

/**
 * gc_slab_sweep_owned() - reclaim in a slab that a thread has
 * @gs: slabs of the heap
 * @slab: SLAB_OWNED slab
 * @unused: slots that the thread may yet hand out, and perhaps more; overwritten
 *
 * What is neither marked nor unused nor held is free, and comes to a thread with
 * the next REFILL after the slab was given back.
 *
 * Context: heap's lock held, the world stopped, marking complete, before
 * gc_slabs_marked().
 *
 * Return: how many slots the thread may yet hand out.
 */
u32 gc_slab_sweep_owned(struct gc_slabs *gs, struct gc_slab *slab,
			unsigned long *unused)
{
	unsigned long *handed = gc_slab_handed_bits(slab);
	unsigned long *dead = unused;
	u32 nr_unused;

	bitmap_and(unused, unused, handed, slab->slots);
	nr_unused = bitmap_weight(unused, slab->slots);
	bitmap_or(unused, unused, gc_slab_mark_bits(slab), slab->slots);
	bitmap_andnot(dead, gc_slab_alloc_bits(slab), unused, slab->slots);
	reclaim(gs, slab, dead);
	/* Those handed out since the slab was taken were not counted yet. */
	bitmap_and(dead, dead, handed, slab->slots);
	slab_account_alloc(gs, slab, bitmap_weight(dead, slab->slots));
	bitmap_andnot(handed, handed, dead, slab->slots);
	return nr_unused;
}

/**
 * gc_slabs_marked() - marking is complete: all slabs but the owned are to be
 *	swept
 * @gs: slabs of the heap, all swept
 * @bytes: of the objects that are marked
 * @sticky: whether marks are to stay: see gc_slabs.sticky
 *
 * Owned slabs keep their marks, for gc_slab_recall(), up to gc_slabs_recalled() at least.  Of
 * the others none is looked at, as the world is waiting.
 *
 * Context: may sleep; heap's lock held, the world stopped.
 */
void gc_slabs_marked(struct gc_slabs *gs, u64 bytes, bool sticky)
{
	struct gc_slab *slab;

	gs->sticky = sticky;
	gs->marked = bytes;
	gs->live = bytes;
	gs->since = 0;
	gs->cycle++;
	gs->nr_unswept = gs->nr_listed;
	gs->nr_listed = 0;
	bitmap_zero(gs->settled, 2 * SLAB_KINDS);
	gs->spare = 0;
	list_for_each_entry(slab, &gs->owned, node) {
		u32 marked = bitmap_weight(gc_slab_mark_bits(slab), slab->slots);

		gs->live += ((s64)slab->nr_alloc - slab->nr_held - marked) *
			    (s64)slab->object_size;
		cond_resched();
	}
}

/**
 * gc_slabs_settle() - have each slab in the list of its state
 * @gs: slabs of the heap
 *
 * Context: heap's lock held.
 */
void gc_slabs_settle(struct gc_slabs *gs)
{
	unsigned int kind;

	for (kind = 0; kind < 2 * SLAB_KINDS; kind++)
		lists_by_kind(gs, kind);
}

/* Pages that are there, and where all slots are free that have a part on them */
static unsigned long idle_pages(struct gc_slab *slab)
{
	unsigned long *alloc = gc_slab_alloc_bits(slab);
	unsigned long idle = 0, i;

	for (i = 0; i < slab->nr_pages; i++) {
		u32 end = end_slot_on(slab, i);

		if (!test_bit(i, &slab->holes) &&
		    find_next_bit(alloc, end, first_slot_on(slab, i)) >= end)
			__set_bit(i, &idle);
	}
	return idle;
}

/* Gives back what it can of a PARTIAL or SPARSE slab; returns how many pages. */
static unsigned long slab_thin_out(struct gc_slabs *gs, struct gc_slab *slab)
{
	struct gc_slab_lists *lists = lists_of(gs, slab);
	unsigned long idle = idle_pages(slab), done = 0, from, to;

	for_each_set_bitrange(from, to, &idle, slab->nr_pages)
		done += gc_backing_vacate(&gs->pages,
					  (slab->offset >> PAGE_SHIFT) + from,
					  to - from);
	for_each_set_bit(from, &idle, slab->nr_pages)
		if (!slab_page(gs, slab, from))
			__set_bit(from, &slab->holes);
	slab_delist(gs, slab);
	/* It may have more to give. */
	if (!gs->pages.unmaps_left) {
		slab_enlist(gs, slab);
		return done;
	}
	gs->nr_listed++;
	slab->looked_at = true;
	slab->state = slab->holes ? SLAB_SPARSE : SLAB_PARTIAL;
	list_add_tail(&slab->node,
		      slab->holes ? &lists->sparse : &lists->partial);
	return done;
}

/*
 * In slabs of one list, until @left has no pages or looks left.  Young ones stay where
 * they are: a program at work would soon fill them again.
 */
static unsigned long release_in_list(struct gc_slabs *gs, struct list_head *list,
				     struct gc_release *left)
{
	unsigned long done = 0;
	struct gc_slab *slab, *next;

	list_for_each_entry_safe(slab, next, list, node) {
		if (slab->looked_at || done >= left->pages || !left->looks ||
		    !gs->pages.unmaps_left)
			break;
		left->looks--;
		if (slab->cycle < left->before)
			done += slab_thin_out(gs, slab);
		cond_resched();
	}
	left->pages -= min(done, left->pages);
	return done;
}

/**
 * gc_slabs_release_free() - give free pages back to the machine
 * @gs: slabs of the heap
 * @nr: at most so many
 *
 * Context: as gc_backing_release().
 *
 * Return: how many were given back.
 */
unsigned long gc_slabs_release_free(struct gc_slabs *gs, unsigned long nr)
{
	/* All of them, since of all that is free the last goes. */
	if (nr)
		take_apart(gs, ULONG_MAX);
	return gc_backing_release(&gs->pages, nr);
}

/**
 * gc_slabs_release() - give memory back to the machine
 * @gs: slabs of the heap
 * @most: how much
 *
 * Free pages go first, then those that no object has a byte on: of slabs that nobody
 * owns and that are swept, the largest objects' first.  A slab that was looked at in
 * vain, as its pages were lent, is not looked at again before it has been swept.
 *
 * Context: as gc_backing_release().
 *
 * Return: how many pages were given back.
 */
unsigned long gc_slabs_release(struct gc_slabs *gs,
			       const struct gc_release *most)
{
	struct gc_release left = *most;
	unsigned long done;
	unsigned int kind;

	gs->pages.unmaps_left = most->unmaps;
	done = gc_slabs_release_free(gs, left.pages);
	left.pages -= done;
	for (kind = 0; kind < 2 * SLAB_KINDS && gs->spare && left.pages; kind++) {
		struct gc_slab_lists *lists = lists_by_kind(gs, kind);

		done += release_in_list(gs, &lists->partial, &left);
		done += release_in_list(gs, &lists->sparse, &left);
	}
	gs->pages.unmaps_left = ULONG_MAX;
	return done;
}

/**
 * gc_slab_recall() - take a slab from its owner at the end of a marking
 * @gs: slabs of the heap
 * @slab: SLAB_OWNED slab, swept by gc_slab_sweep_owned()
 * @unused: as for gc_slab_give_back(), but overwritten
 *
 * What is marked is in use, whatever its owner tells: it is no longer believed when it
 * gives the slab back itself.
 *
 * What the owner did not use has not lived: pacing is as if the slab had come back
 * before the marking.
 *
 * Context: heap's lock held, after gc_slabs_marked(), before gc_slabs_recalled().
 */
void gc_slab_recall(struct gc_slabs *gs, struct gc_slab *slab,
		    unsigned long *unused)
{
	s64 since = gs->since;

	if (unused)
		bitmap_andnot(unused, unused, gc_slab_mark_bits(slab),
			      slab->slots);
	if (!gs->sticky)
		slab_unmark(slab, NULL);
	gc_slab_give_back(gs, slab, unused);
	gs->live -= since - gs->since;
	gs->since = since;
}

/**
 * gc_slabs_recalled() - what is owned now stays so
 * @gs: slabs of the heap
 *
 * Context: may sleep; heap's lock held, after gc_slabs_marked(), before anything is
 * handed out.
 */
void gc_slabs_recalled(struct gc_slabs *gs)
{
	if (!gs->sticky)
		visit_list(&gs->owned, slab_unmark, NULL);
}

static void destroy_list(struct gc_slabs *gs, struct list_head *list)
{
	struct gc_slab *slab, *next;

	list_for_each_entry_safe(slab, next, list, node) {
		list_del(&slab->node);
		slab_account_free(gs, slab, slab->nr_alloc);
		slab_destroy(gs, slab);
		cond_resched();
	}
}

/**
 * gc_slabs_empty() - give all objects back, and all memory
 * @gs: slabs of the heap; no thread owns one, nobody maps the heap
 *
 * Context: may sleep; heap's lock held, or the heap ends.
 */
void gc_slabs_empty(struct gc_slabs *gs)
{
	bool poison = gs->pages.poison;
	unsigned int i;

	/* These pages are not handed out again, and some may be lent to a pipe. */
	gs->pages.poison = false;
	take_apart(gs, ULONG_MAX);
	destroy_list(gs, &gs->owned);
	for (i = 0; i < 2 * SLAB_KINDS; i++) {
		destroy_list(gs, &gs->lists[i / 2][i % 2].partial);
		destroy_list(gs, &gs->lists[i / 2][i % 2].sparse);
		destroy_list(gs, &gs->lists[i / 2][i % 2].full);
		destroy_list(gs, &gs->lists[i / 2][i % 2].unswept);
	}
	gc_backing_empty(&gs->pages);
	gs->pages.poison = poison;
	gs->nr_listed = 0;
	gs->nr_unswept = 0;
	gs->spare = 0;
	gs->held = 0;
	gs->dangling = false;
	gs->sticky = false;
	gs->marked = 0;
	gs->live = 0;
	gs->since = 0;
}

/**
 * gc_slabs_destroy() - the heap ends
 * @gs: slabs of the heap; no thread owns one, nobody maps the heap
 *
 * Context: may sleep.
 */
void gc_slabs_destroy(struct gc_slabs *gs)
{
	gc_slabs_empty(gs);
	gc_backing_destroy(&gs->pages);
}
