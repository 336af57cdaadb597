/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pages of a heap: which of its addresses are backed by memory, which of
 * those are in use, and by which slab.
 *
 * Pages are numbered from the heap's start.  The numbers below @frontier are
 * backed, in order, by blocks as large as the buddy allocator gives, split into
 * order-0 pages; but for those whose memory was given back: in a slab such a place
 * is a hole, elsewhere it is absent.  A run of pages in use belongs to one slab,
 * its holes too.
 *
 * A radix tree of fixed depth, like the processor's own page tables, leads from
 * a page number to the page and to its slab: region (1 GiB), chunk (2 MiB),
 * page.  Its nodes are only ever added until the heap ends; so faults, which
 * must not wait for the collector, read it without a lock.  All else needs the
 * heap's lock.
 */
#ifndef GCHEAP_PAGES_H
#define GCHEAP_PAGES_H

#include <linux/bitmap.h>
#include <linux/mm_types.h>
#include <linux/types.h>

#include "faults.h"

struct address_space;
struct gc_slab;

#define CHUNK_PAGES		512UL
#define REGION_CHUNKS		512UL
#define REGION_PAGES		(CHUNK_PAGES * REGION_CHUNKS)
/* Entries of the top of the tree of a heap with so many pages */
static inline unsigned long gc_region_count(unsigned long limit)
{
	return DIV_ROUND_UP(limit, REGION_PAGES);
}

/**
 * struct gc_chunk - 2 MiB of a heap's addresses
 * @pages: the page behind each number, NULL when it is not backed
 * @used: bit set: in use by a slab, or not backed
 * @absent: bit set: below the frontier, not backed and in no slab; a slab's hole has
 *	no page and no bit
 * @dirty: bit set: was in use before, so it may not be zero
 * @longest: no run of free pages in the chunk is longer than this
 * @longest_open: nor one of pages that are free or absent, than this
 * @nodes: memory of which NUMA nodes may be there, a bit each, modulo 64
 */
struct gc_chunk {
	struct page **pages;
	DECLARE_BITMAP(used, CHUNK_PAGES);
	DECLARE_BITMAP(absent, CHUNK_PAGES);
	DECLARE_BITMAP(dirty, CHUNK_PAGES);
	unsigned int longest;
	unsigned int longest_open;
	u64 nodes;
};

/**
 * struct gc_region - 1 GiB of a heap's addresses
 * @slabs: per chunk: the slab of each page, or NULL.  Apart from @chunks, as
 *	marking needs nothing else
 * @chunks: per chunk: its pages
 */
struct gc_region {
	struct gc_slab **slabs[REGION_CHUNKS];
	struct gc_chunk *chunks[REGION_CHUNKS];
};

/**
 * struct gc_pages - all pages of a heap
 * @regions: top of the tree, gc_region_count(@limit) entries
 * @mapping: address_space that the pages belong to, NULL in tests
 * @reserved: pages from the start on that are backed and never handed out: a
 *	program has the heap's address in its variables, and that must not keep
 *	an object; set before anything is allocated
 * @limit: largest @frontier
 * @frontier: pages below are backed, absent or holes
 * @free: backed pages in no slab, or in one without an object
 * @least_free: smallest @free since it was last set to that
 * @absent: pages that are absent
 * @holes: pages of slabs that are not backed
 * @released: pages ever given back
 * @first_free: no chunk below this one has a page that is free or absent
 * @meta_bytes: memory of the tree itself
 * @poison: free memory holds a pattern, see poison.h; set before anything is
 *	allocated
 * @faults: free memory that did not hold it
 * @charge: called before pages become the heap's with their number, and with a negative
 *	one when they are no longer; an error is the allocation's.  NULL: nobody pays
 * @payer: its first argument
 * @unmaps_left: ranges that may yet be unmapped to give pages back: ULONG_MAX but in
 *	gc_slabs_release()
 * @headroom: pages that may yet be taken before it is tried whether there are more
 * @headroom_until: in jiffies; then it is tried in any case
 * @scarce: the machine or the cgroup refused memory since it was last cleared
 * @scarce_all: it was the machine, the last time
 * @near_from: chunk where memory of the thread's own NUMA node is looked for first
 * @far_until: in jiffies; up to then memory of other NUMA nodes is as good
 */
struct gc_pages {
	struct gc_region **regions;
	struct address_space *mapping;
	unsigned long reserved;
	unsigned long limit;
	unsigned long frontier;
	unsigned long free;
	unsigned long least_free;
	unsigned long absent;
	unsigned long holes;
	u64 released;
	unsigned long first_free;
	size_t meta_bytes;
	bool poison;
	struct gc_faults faults;
	int (*charge)(void *payer, long nr);
	void *payer;
	unsigned long unmaps_left;
	unsigned long headroom;
	unsigned long headroom_until;
	bool scarce;
	bool scarce_all;
	unsigned long near_from;
	unsigned long far_until;
};

struct gc_region **gc_pages_new_top(unsigned long limit);
struct gc_region **gc_pages_set_limit(struct gc_pages *gp, unsigned long limit,
				      struct gc_region **top);
int gc_pages_init(struct gc_pages *gp, unsigned long limit,
		  struct address_space *mapping);
bool gc_pages_far(const struct gc_pages *gp, unsigned long nr);
long gc_pages_alloc(struct gc_pages *gp, unsigned long nr, bool grow);
void gc_pages_free(struct gc_pages *gp, unsigned long first, unsigned long nr);
void gc_pages_set_slab(struct gc_pages *gp, unsigned long first,
		       unsigned long nr, struct gc_slab *slab);
struct page **gc_pages_run(struct gc_pages *gp, unsigned long nr,
			   unsigned long *run);
void gc_pages_zero(struct gc_pages *gp, unsigned long first, unsigned long nr);
unsigned long gc_pages_find_lent(struct gc_pages *gp, unsigned long first,
				 unsigned long end);

/* Pages that the heap has, whoever uses them; without its lock a guess. */
static inline unsigned long gc_pages_backed(const struct gc_pages *gp)
{
	return READ_ONCE(gp->frontier) - READ_ONCE(gp->absent) -
	       READ_ONCE(gp->holes);
}

/* The chunk of a page whose number is below the frontier. */
static inline struct gc_chunk *gc_pages_chunk(struct gc_pages *gp,
					      unsigned long nr)
{
	struct gc_region *region = gp->regions[nr / REGION_PAGES];

	return region->chunks[nr / CHUNK_PAGES % REGION_CHUNKS];
}

/* The two counts of a page, which lie side by side. */
union gc_page_counts {
	u64 both;
	struct {
		s32 mapped;	/* page tables that it is in, less one */
		s32 refs;
	};
};

static_assert(offsetof(struct page, _mapcount) % sizeof(union gc_page_counts) == 0);
static_assert(offsetof(struct page, _refcount) ==
	      offsetof(struct page, _mapcount) +
	      offsetof(union gc_page_counts, refs));

/*
 * Whether somebody has a reference beside the heap's own and the page tables'.
 * Who enters a page into a page table takes the reference first, and who takes it
 * out drops it last: so what is left over at one instant is never too little, and
 * a page that is held all the time always seems so.  Both counts are read at once,
 * since between two reads a page table could come and another go.
 */
static inline bool gc_page_lent(struct page *page)
{
	union gc_page_counts counts = {
		.both = READ_ONCE(*(u64 *)&page->_mapcount)
	};

	return counts.refs > 1 + counts.mapped + 1;
}

/**
 * gc_pages_slab() - the slab that a page belongs to
 * @gp: pages of the heap
 * @nr: page number, below gp->frontier, which the caller checked
 *
 * Return: the slab, or NULL.
 */
static inline struct gc_slab *gc_pages_slab(struct gc_pages *gp,
					    unsigned long nr)
{
	struct gc_region *region = gp->regions[nr / REGION_PAGES];
	struct gc_slab **slabs = region->slabs[nr / CHUNK_PAGES % REGION_CHUNKS];

	return slabs[nr % CHUNK_PAGES];
}

/**
 * gc_pages_page() - the page behind a number, NULL when none is in use there
 * @gp: pages of the heap
 * @nr: any number
 *
 * Context: any; needs no lock.
 *
 * Return: the page, or NULL.
 */
struct page *gc_pages_page(struct gc_pages *gp, unsigned long nr);

#endif /* GCHEAP_PAGES_H */
