// SPDX-License-Identifier: GPL-2.0
/*
 * What was written to, told by the processor: it sets a bit in the entry of the page table
 * through which it stores.  See dirty.h.
 *
 * A look clears these bits in all processes, and flushes what the processors have cached of
 * them.  So a store that a look does not find was there, for whoever reads after it; and a
 * later one is found by the next look.
 *
 * Not all stores go through a page table that is there yet:
 *
 *  - An entry that goes, as its process unmaps the heap or ends, leaves the mark of the page
 *    itself (PG_dirty), under the lock of the page table.  Other threads may yet store
 *    through what their processors have cached, until that lock is let go.  So marks of
 *    pages are taken before the page tables are walked, which waits for those locks.  A table
 *    that goes as a whole is not waited for: so a page counts as written to when its mark is
 *    found, and once more in the next look.
 *  - Who has a reference to a page (a device, a pipe, io_uring) may store at any time, and
 *    marks the page when he is through; or not even that: so a page counts as written to
 *    when it is lent, and once more in the next look.  That is read before the walk, for who
 *    is gone after it, and after it, for who came meanwhile and stores when the page has
 *    been looked at.  What comes and goes between two looks, stores, and marks nothing, is
 *    not seen: no part of the kernel should do that with memory of a file.  af_alg does.
 *    Buffers of io_uring are not marked when they go, but when they come: the kernel takes
 *    references for long to what may be a file's not by its fast way, and the other one
 *    marks (mm/gup.c: gup_fast_folio_allowed(), FOLL_TOUCH).  Before 6.5 they may not be a
 *    file's, and from 6.10 on they are taken so; in between they are not marked at all
 *    (io_uring/rsrc.c: io_pin_pages()), and it is as if the kernel told nothing.
 *  - Who has page tables of his own beside the process's (a virtual machine) is told by the
 *    walk to give them up, and marks the pages then.  While the world is stopped nobody
 *    stores that way: so then marks are taken after the walk.  A kernel thread may yet store
 *    for the program then: for that, too, there is the next look.
 *
 * Who has stored by a reference before the program was stopped has it after the walk, or has
 * left a mark by then, or had it at the last look.  So then pages are gone through once,
 * after the walk, each for references first.
 *
 * What this module stores itself goes by the kernel's own mapping, and is not noted: it
 * clears memory, and moves roots from one place to another, which are read in each pause.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "compat.h"
#include "dirty.h"
#include "gfp.h"
#include "pages.h"

/* Room for a heap that grows meanwhile, in pages */
#define MORE_PAGES	4096UL

/* Pages whose entries are looked at in one go, in all processes */
#define LOOK_PAGES	(64 * CHUNK_PAGES)

/**
 * gc_dirty_possible() - whether the kernel tells what was written to
 *
 * Return: true when it does.
 */
bool gc_dirty_possible(void)
{
	return IS_ENABLED(CONFIG_MAPPING_DIRTY_HELPERS) && !GC_BUFFERS_UNMARKED;
}

/* A part of the heap at a time: the kernel lets nobody else have the processor in one. */
static void look_at_entries(struct gc_dirty *d)
{
#if IS_ENABLED(CONFIG_MAPPING_DIRTY_HELPERS)
	unsigned long nr;

	for (nr = 0; d->gp->mapping && nr < d->gp->frontier; nr += LOOK_PAGES) {
		pgoff_t first = 0, end = 0;

		clean_record_shared_mapping_range(d->gp->mapping, nr,
						  min(LOOK_PAGES,
						      d->gp->frontier - nr),
						  0, d->written, &first, &end);
		cond_resched();
	}
#endif
}

/* All pages of a heap are pages by themselves. */
static __always_inline bool is_marked(struct page *page)
{
	return folio_test_dirty((struct folio *)page);
}

static noinline void note(struct gc_dirty *d, struct page *page, unsigned long nr, bool marks)
{
	if (marks)
		folio_clear_dirty((struct folio *)page);
	__set_bit(nr, d->written);
	__set_bit(nr, d->lent);
}

/* Who gives a page back has marked it before, or had it at the last look. */
static __always_inline void look_at_page(struct gc_dirty *d, struct page *page,
					 unsigned long nr, bool marks)
{
	bool found = gc_page_lent(page);

	if (marks) {
		/* Pairs with that of the atomic operation that drops a reference. */
		smp_rmb();
		found |= is_marked(page);
	}
	if (unlikely(found))
		note(d, page, nr, marks);
}

static __always_inline void look_at_chunk(struct gc_dirty *d, unsigned long nr, bool marks)
{
	struct page **pages = gc_pages_chunk(d->gp, nr)->pages;
	unsigned long end = min(CHUNK_PAGES, d->gp->frontier - nr), i;

	for (i = 0; i < end; i++)
		if (pages[i])
			look_at_page(d, pages[i], nr + i, marks);
	cond_resched();
}

/* Who has references, and has left @marks of what is not to be known by its page tables */
static void look_at_pages(struct gc_dirty *d, bool marks)
{
	unsigned long nr;

	for (nr = 0; nr < d->gp->frontier; nr += CHUNK_PAGES)
		if (marks)
			look_at_chunk(d, nr, true);
		else
			look_at_chunk(d, nr, false);
}

/**
 * gc_dirty_look() - find what was written to since the last look
 * @d: pages; gc_dirty_make_room() was called under the same lock
 * @stopped: nobody has been in user mode for the heap, nor will be before what is found
 *	has been looked at
 *
 * Context: may sleep; heap's lock held.
 */
void gc_dirty_look(struct gc_dirty *d, bool stopped)
{
	/* Those that were lent may have been stored to until they came back. */
	bitmap_or(d->written, d->written, d->lent, d->gp->frontier);
	bitmap_zero(d->lent, d->gp->frontier);
	if (!stopped)
		look_at_pages(d, true);
	look_at_entries(d);
	look_at_pages(d, stopped);
	d->next = 0;
	d->found = bitmap_weight(d->written, d->gp->frontier);
}

/**
 * gc_dirty_take() - one of the pages that were written to
 * @d: pages
 * @nr: out: its number
 *
 * Context: heap's lock held.
 *
 * Return: false when there is none left.
 */
bool gc_dirty_take(struct gc_dirty *d, unsigned long *nr)
{
	d->next = find_next_bit(d->written, d->room, d->next);
	if (d->next >= d->room)
		return false;
	__clear_bit(d->next, d->written);
	*nr = d->next++;
	return true;
}

/**
 * gc_dirty_next() - which page was written to
 * @d: pages
 * @nr: number of a page
 *
 * Context: heap's lock held.
 *
 * Return: the number of the first one from @nr on, or gc_dirty.room.
 */
unsigned long gc_dirty_next(const struct gc_dirty *d, unsigned long nr)
{
	return find_next_bit(d->written, d->room, nr);
}

/**
 * gc_dirty_forget() - nothing is marked, so that it does not matter what was written so far
 * @d: pages, which were looked at
 *
 * Context: heap's lock held.
 */
void gc_dirty_forget(struct gc_dirty *d)
{
	bitmap_zero(d->written, d->room);
}

static int resize(unsigned long **bits, unsigned long from, unsigned long to)
{
	unsigned long *larger = kvcalloc(BITS_TO_LONGS(to), sizeof(long), GC_GFP);

	if (!larger)
		return -ENOMEM;
	if (*bits)
		bitmap_copy(larger, *bits, from);
	kvfree(*bits);
	*bits = larger;
	return 0;
}

/**
 * gc_dirty_make_room() - for all pages that the heap has
 * @d: pages
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: 0 or -ENOMEM.
 */
int gc_dirty_make_room(struct gc_dirty *d)
{
	unsigned long room = d->gp->frontier + d->gp->frontier / 4 + MORE_PAGES;
	int err;

	if (d->gp->frontier <= d->room)
		return 0;
	room = round_up(room, BITS_PER_LONG);
	err = resize(&d->written, d->room, room);
	if (!err)
		err = resize(&d->lent, d->room, room);
	if (!err)
		d->room = room;
	return err;
}

/**
 * gc_dirty_begin() - from now on it is known what is written to
 * @d: zeroed, or what was begun before
 * @gp: pages of the heap
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: 0 or -ENOMEM; gc_dirty_end() follows in any case.
 */
int gc_dirty_begin(struct gc_dirty *d, struct gc_pages *gp)
{
	int err;

	d->gp = gp;
	err = gc_dirty_make_room(d);
	if (err)
		return err;
	gc_dirty_look(d, false);
	gc_dirty_forget(d);
	return 0;
}

/**
 * gc_dirty_end() - nobody wants to know any more
 * @d: pages
 */
void gc_dirty_end(struct gc_dirty *d)
{
	kvfree(d->written);
	kvfree(d->lent);
	*d = (struct gc_dirty) {};
}
