// SPDX-License-Identifier: GPL-2.0
/*
 * The audit of slabs and pages: each slab by itself, the sums over all slabs
 * against the heap's counters, and the tree of pages against both.
 *
 * It owns nothing, changes nothing but the list of faults, and waits for nobody;
 * the caller holds the heap's lock, and no other is taken.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "audit.h"

/**
 * struct audit - sums over all slabs
 * @gs: slabs of the heap
 * @slab: slab being looked at, or NULL
 * @pages: pages of slabs
 * @holes: of these, the ones that were given back
 * @absent: pages of the heap that were given back and are in no slab
 * @listed: slabs that nobody owns, with an object, and swept
 * @unswept: slabs that are to be swept
 * @empty: slabs without an object
 * @empty_pages: pages of these, which are free
 * @spare: bytes of free slots in slabs that were not looked at
 * @meta_bytes: memory of the slab structures
 * @mallocs: objects that ever were, as the counts of classes have it
 * @frees: likewise, that were reclaimed
 * @objects: objects that are allocated, by class: what owners may yet hand out
 *	does not count
 * @bytes: the same, all classes
 * @held: bytes that are held
 * @marked: bytes that are marked
 * @in_use: bytes in use as pacing has it: what owners may yet hand out counts,
 *	what is held, or not marked and not yet swept, does not
 */
struct audit {
	struct gc_slabs *gs;
	struct gc_slab *slab;
	unsigned long pages;
	unsigned long holes;
	unsigned long absent;
	unsigned long listed;
	unsigned long unswept;
	unsigned long empty;
	unsigned long empty_pages;
	u64 spare;
	size_t meta_bytes;
	u64 mallocs;
	u64 frees;
	u64 objects[SLAB_KINDS];
	u64 bytes;
	u64 held;
	u64 marked;
	u64 in_use;
};

static void expect(struct audit *a, const char *what, u64 found, u64 expected)
{
	if (found == expected)
		return;
	gc_fault(&a->gs->pages.faults, (struct gc_fault) {
		.what = what,
		.offset = a->slab ? a->slab->offset : 0,
		.slab = a->slab ? a->slab->offset : 0,
		.found = found,
		.expected = expected,
	});
}

static void audit_shape(struct audit *a, struct gc_slab *slab)
{
	const struct size_class *class;

	expect(a, "words of a bitmap", slab->words, BITS_TO_LONGS(slab->slots));
	expect(a, "large", slab->large, slab->class_index == SLAB_LARGE);
	if (slab->large) {
		expect(a, "slots of a large object", slab->slots, 1);
		expect(a, "size of a large object", slab->object_size,
		       slab->nr_pages << PAGE_SHIFT);
		return;
	}
	class = &size_classes[slab->class_index];
	expect(a, "size of an object", slab->object_size, class->object_size);
	expect(a, "slots", slab->slots, class->slots);
	expect(a, "pages of a slab", slab->nr_pages, class->pages);
	expect(a, "magic", slab->magic, class->magic);
}

/* Bits of the last word that stand for no slot. */
static unsigned long beyond(struct gc_slab *slab, const unsigned long *bits)
{
	return bits[slab->words - 1] & ~BITMAP_LAST_WORD_MASK(slab->slots);
}

static void audit_bits(struct audit *a, struct gc_slab *slab)
{
	unsigned long *alloc = gc_slab_alloc_bits(slab);
	unsigned long *mark = gc_slab_mark_bits(slab);
	unsigned long *handed = gc_slab_handed_bits(slab);

	expect(a, "slots allocated", slab->nr_alloc,
	       bitmap_weight(alloc, slab->slots));
	expect(a, "held slots are allocated",
	       slab->nr_held <= slab->nr_alloc, true);
	expect(a, "marked slots are allocated",
	       bitmap_subset(mark, alloc, slab->slots), true);
	expect(a, "marks beyond the last slot", beyond(slab, mark), 0);
	expect(a, "handed slots beyond the last one", beyond(slab, handed), 0);
	if (slab->state == SLAB_OWNED)
		expect(a, "handed slots are allocated",
		       bitmap_subset(handed, alloc, slab->slots), true);
}

static void audit_state(struct audit *a, struct gc_slab *slab)
{
	enum gc_slab_state state = gc_slab_state(a->gs, slab);
	bool owned = state == SLAB_OWNED;

	expect(a, "it has an owner", !!slab->owner, owned);
	if (state != SLAB_UNSWEPT && !a->gs->sticky)
		expect(a, "slots marked, though swept",
		       bitmap_weight(gc_slab_mark_bits(slab), slab->slots), 0);
	if (!owned)
		expect(a, "it has an allocated slot", !!slab->nr_alloc,
		       state != SLAB_EMPTY);
	if (state == SLAB_PARTIAL || state == SLAB_SPARSE)
		expect(a, "it has a free slot", slab->nr_alloc < slab->slots,
		       true);
	if (state != SLAB_UNSWEPT)
		expect(a, "it has holes", !!slab->holes,
		       state == SLAB_SPARSE);
	if (state == SLAB_FULL)
		expect(a, "it has no free slot", slab->nr_alloc, slab->slots);
}

/* A place of a slab where there is no page, nor may be anything else */
static void audit_hole(struct audit *a, struct gc_slab *slab, unsigned long i)
{
	size_t start = i << PAGE_SHIFT, end = start + PAGE_SIZE;
	u32 slot;

	for_each_set_bit(slot, gc_slab_alloc_bits(slab), slab->slots)
		expect(a, "no object in a hole",
		       slot * slab->object_size < end &&
		       (slot + 1) * slab->object_size > start, false);
	a->holes++;
}

static void audit_page(struct audit *a, struct gc_slab *slab, unsigned long i)
{
	unsigned long run = 1, nr = (slab->offset >> PAGE_SHIFT) + i;
	bool hole = i < BITS_PER_LONG && test_bit(i, &slab->holes);
	struct gc_pages *gp = &a->gs->pages;
	struct page *page;

	if (nr >= gp->frontier) {
		expect(a, "page of a slab beyond the frontier", nr, 0);
		return;
	}
	expect(a, "slab of a page", (unsigned long)gc_pages_slab(gp, nr),
	       (unsigned long)slab);
	page = *gc_pages_run(gp, nr, &run);
	expect(a, "there is a page", !!page, !hole);
	if (hole)
		audit_hole(a, slab, i);
	if (!page)
		return;
	expect(a, "mapping of a page", (unsigned long)page_folio(page)->mapping,
	       (unsigned long)gp->mapping);
	expect(a, "index of a page", page_folio(page)->index, nr);
	expect(a, "somebody holds the page", page_count(page) > 0, true);
}

static void audit_pages_of(struct audit *a, struct gc_slab *slab)
{
	unsigned long i;

	expect(a, "offset in a page", offset_in_page(slab->offset), 0);
	expect(a, "below the first page for objects",
	       slab->offset >> PAGE_SHIFT < a->gs->pages.reserved, false);
	if (slab->nr_pages < BITS_PER_LONG)
		expect(a, "holes beyond the last page",
		       slab->holes >> slab->nr_pages, 0);
	for (i = 0; i < slab->nr_pages; i++)
		audit_page(a, slab, i);
}

static void add_up(struct audit *a, struct gc_slab *slab)
{
	u32 objects = slab->nr_alloc, in_use = slab->nr_alloc - slab->nr_held;

	if (slab->state == SLAB_OWNED)
		objects -= bitmap_weight(gc_slab_handed_bits(slab),
					 slab->slots);
	switch (gc_slab_state(a->gs, slab)) {
	case SLAB_UNSWEPT:
		in_use = bitmap_weight(gc_slab_mark_bits(slab), slab->slots);
		a->unswept++;
		break;
	case SLAB_PARTIAL:
	case SLAB_SPARSE:
	case SLAB_FULL:
		a->listed++;
		break;
	default:
		break;
	}
	if (slab->state == SLAB_EMPTY) {
		a->empty++;
		a->empty_pages += slab->nr_pages;
	}
	a->objects[slab->class_index] += objects;
	a->bytes += (u64)objects * slab->object_size;
	a->marked += (u64)bitmap_weight(gc_slab_mark_bits(slab), slab->slots) *
		     slab->object_size;
	a->held += (u64)slab->nr_held * slab->object_size;
	a->in_use += (u64)in_use * slab->object_size;
	a->pages += slab->nr_pages;
	a->meta_bytes += struct_size(slab, bits, 3 * slab->words);
}

static void audit_slab(struct audit *a, struct gc_slab *slab)
{
	a->slab = slab;
	expect(a, "class is known", slab->class_index < SLAB_KINDS, true);
	if (slab->class_index >= SLAB_KINDS)
		return;
	audit_shape(a, slab);
	audit_bits(a, slab);
	audit_state(a, slab);
	audit_pages_of(a, slab);
	add_up(a, slab);
	a->slab = NULL;
	cond_resched();
}

/* Who was looked at comes last; returns whether one was. */
static bool audit_looks(struct audit *a, struct gc_slab *slab, bool before)
{
	enum gc_slab_state state = gc_slab_state(a->gs, slab);

	if (state != SLAB_PARTIAL && state != SLAB_SPARSE)
		return false;
	expect(a, "looked at, and another one behind it not",
	       before && !slab->looked_at, false);
	if (!slab->looked_at)
		a->spare += (u64)(slab->slots - slab->nr_alloc) *
			    slab->object_size;
	return slab->looked_at;
}

static void audit_list(struct audit *a, struct list_head *list,
		       enum gc_slab_state state, unsigned int kind)
{
	bool looked_at = false;
	struct gc_slab *slab;

	list_for_each_entry(slab, list, node) {
		a->slab = slab;
		looked_at = audit_looks(a, slab, looked_at);
		expect(a, "state, by its list", gc_slab_state(a->gs, slab), state);
		expect(a, "kind, by its list",
		       2 * slab->class_index + slab->noscan, kind);
		audit_slab(a, slab);
	}
}

static void audit_slabs(struct audit *a)
{
	struct gc_slab *slab;
	unsigned int i;

	list_for_each_entry(slab, &a->gs->owned, node) {
		a->slab = slab;
		expect(a, "state, by its list", slab->state, SLAB_OWNED);
		audit_slab(a, slab);
	}
	for (i = 0; i < 2 * SLAB_KINDS; i++) {
		struct gc_slab_lists *lists = &a->gs->lists[i / 2][i % 2];

		audit_list(a, &lists->partial, SLAB_PARTIAL, i);
		audit_list(a, &lists->sparse, SLAB_SPARSE, i);
		audit_list(a, &lists->full, SLAB_FULL, i);
		audit_list(a, &lists->empty, SLAB_EMPTY, i);
		audit_list(a, &lists->unswept, SLAB_UNSWEPT, i);
	}
}

static void audit_sums(struct audit *a)
{
	struct gc_slabs *gs = a->gs;
	unsigned int i;

	expect(a, "slabs that are swept", gs->nr_listed, a->listed);
	expect(a, "slabs to be swept", gs->nr_unswept, a->unswept);
	expect(a, "empty slabs", gs->nr_empty, a->empty);
	expect(a, "pages of empty slabs", gs->empty_pages, a->empty_pages);
	expect(a, "bytes that may be given back", gs->spare, a->spare);
	expect(a, "memory of the slab structures", gs->meta_bytes,
	       a->meta_bytes);
	expect(a, "bytes allocated", gc_slabs_allocated(gs), a->bytes);
	expect(a, "bytes held", gs->held, a->held);
	if (gs->sticky)
		expect(a, "bytes marked", gs->marked, a->marked);
	expect(a, "bytes in use", gs->live + gs->since, a->in_use);
	for (i = 0; i < SLAB_KINDS; i++) {
		expect(a, "objects of a class", gs->mallocs[i] - gs->frees[i],
		       a->objects[i]);
		a->mallocs += gs->mallocs[i];
		a->frees += gs->frees[i];
	}
	expect(a, "objects ever allocated", gs->total_mallocs, a->mallocs);
	expect(a, "objects ever reclaimed", gs->total_frees, a->frees);
}

/* Longest run of clear bits. */
static unsigned long longest_run(const unsigned long *bits, unsigned long size)
{
	unsigned long longest = 0, from, to;

	for (from = find_next_zero_bit(bits, size, 0); from < size;
	     from = find_next_zero_bit(bits, size, to)) {
		to = find_next_bit(bits, size, from);
		longest = max(longest, to - from);
	}
	return longest;
}

/* Returns the number of pages that are in use. */
static unsigned long audit_chunk(struct audit *a, unsigned long first)
{
	struct gc_pages *gp = &a->gs->pages;
	struct gc_region *region = gp->regions[first / REGION_PAGES];
	unsigned long i = first / CHUNK_PAGES % REGION_CHUNKS, nr, in_use = 0;
	struct gc_chunk *chunk = region->chunks[i];
	struct gc_slab **slabs = region->slabs[i];
	DECLARE_BITMAP(closed, CHUNK_PAGES);

	for (nr = first; nr < first + CHUNK_PAGES; nr++) {
		bool absent = test_bit(nr % CHUNK_PAGES, chunk->absent);
		bool backed = nr < gp->frontier && !absent;
		bool slab = slabs[nr % CHUNK_PAGES];
		bool used = test_bit(nr % CHUNK_PAGES, chunk->used);
		bool page = chunk->pages[nr % CHUNK_PAGES];

		/* Whether it is a hole was asked of the slab. */
		if (page || !slab)
			expect(a, "there is a page", page, backed);
		expect(a, "page in use", used,
		       slab || nr < gp->reserved || !backed);
		expect(a, "no slab where there is no page", slab && !backed,
		       false);
		expect(a, "not in use before, where there is no page",
		       absent && test_bit(nr % CHUNK_PAGES, chunk->dirty),
		       false);
		a->absent += absent && nr < gp->frontier;
		in_use += used && backed;
	}
	bitmap_andnot(closed, chunk->used, chunk->absent, CHUNK_PAGES);
	expect(a, "no longer run is free or absent",
	       longest_run(closed, CHUNK_PAGES) <= chunk->longest_open, true);
	expect(a, "no longer run is free",
	       longest_run(chunk->used, CHUNK_PAGES) <= chunk->longest, true);
	if (first / CHUNK_PAGES < gp->first_free)
		expect(a, "no free page below the first one",
		       bitmap_full(closed, CHUNK_PAGES), true);
	return in_use;
}

static void audit_tree(struct audit *a)
{
	struct gc_pages *gp = &a->gs->pages;
	unsigned long first, in_use = 0;

	for (first = 0; first < gp->frontier; first += CHUNK_PAGES) {
		in_use += audit_chunk(a, first);
		cond_resched();
	}
	expect(a, "pages in use", in_use,
	       a->pages + min(gp->reserved, gp->frontier));
	expect(a, "absent pages", gp->absent, a->absent);
	expect(a, "holes", gp->holes, a->holes);
	expect(a, "free pages", gp->free + in_use,
	       gc_pages_backed(gp) + a->holes + a->empty_pages);
}

/**
 * gc_audit() - check the books
 * @gs: slabs of the heap; faults go to its pages
 *
 * May be called at any time but in the middle of a marking.
 *
 * Context: may sleep; heap's lock held.
 */
void gc_audit(struct gc_slabs *gs)
{
	struct audit a = { .gs = gs };

	gc_slabs_settle(gs);
	audit_slabs(&a);
	audit_sums(&a);
	audit_tree(&a);
}
