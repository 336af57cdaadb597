// SPDX-License-Identifier: GPL-2.0
/*
 * Handing out runs of a heap's pages.  See pages.h; backing.c has the memory.
 *
 * All is done under the heap's lock, which the caller holds, but gc_pages_page(),
 * which needs none.  Nobody is waited for but the allocator of memory.
 */
#include <linux/highmem.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "backing.h"
#include "cgroup.h"
#include "gfp.h"
#include "pages.h"
#include "poison.h"

/* What is free of other nodes' memory, but for a chunk, is at most this part. */
#define FAR_PART	8

/* For so long memory of other nodes is as good when near memory was not to be had. */
#define FAR_TIME	HZ

/* Looks at free pages for one of the thread's own node, each behind so many pages */
#define NEAR_LOOKS	64
#define NEAR_STEP	64UL

/* Chunks where one may be, which are all that are looked into for it */
#define NEAR_CHUNKS	256UL

/* The cgroup is short when it has no more room than this, and what the heap has free. */
#define ROOM_PAGES	2048UL

/**
 * gc_pages_new_top() - make the top of a tree
 * @limit: most pages that the heap may have
 *
 * Return: the top, for gc_pages_set_limit() or kfree(); or NULL.
 */
struct gc_region **gc_pages_new_top(unsigned long limit)
{
	return kcalloc(gc_region_count(limit), sizeof(struct gc_region *), GC_GFP);
}

/**
 * gc_pages_set_limit() - say how many pages a heap may have
 * @gp: pages of the heap, which has none yet, and nobody maps it
 * @limit: most pages
 * @top: from gc_pages_new_top(@limit)
 *
 * Context: any; heap's lock held.
 *
 * Return: the top that the tree had before; the caller's.
 */
struct gc_region **gc_pages_set_limit(struct gc_pages *gp, unsigned long limit,
				      struct gc_region **top)
{
	struct gc_region **old = gp->regions;

	gp->regions = top;
	gp->limit = limit;
	gp->meta_bytes = gc_region_count(limit) * sizeof(*gp->regions);
	return old;
}

/**
 * gc_pages_init() - make the tree for a heap without any page
 * @gp: to be initialised
 * @limit: most pages the heap may have
 * @mapping: address_space of the heap's inode, or NULL when it is mapped nowhere
 *
 * Return: 0 or -ENOMEM.
 */
int gc_pages_init(struct gc_pages *gp, unsigned long limit,
		  struct address_space *mapping)
{
	struct gc_region **top = gc_pages_new_top(limit);

	if (!top)
		return -ENOMEM;
	*gp = (struct gc_pages) {
		.mapping = mapping,
		.unmaps_left = ULONG_MAX,
		.far_until = jiffies,
	};
	gc_pages_set_limit(gp, limit, top);
	return 0;
}

struct page *gc_pages_page(struct gc_pages *gp, unsigned long nr)
{
	struct gc_region *region;
	struct gc_chunk *chunk;
	struct gc_slab **slabs;

	if (nr >= gp->limit)
		return NULL;
	/* Pairs with the release in region_make(). */
	region = smp_load_acquire(&gp->regions[nr / REGION_PAGES]);
	if (!region)
		return NULL;
	nr %= REGION_PAGES;
	/* Pairs with the release in chunk_make(). */
	slabs = smp_load_acquire(&region->slabs[nr / CHUNK_PAGES]);
	/* Likewise. */
	chunk = smp_load_acquire(&region->chunks[nr / CHUNK_PAGES]);
	if (!slabs || !chunk)
		return NULL;
	nr %= CHUNK_PAGES;
	/* Pairs with the release in gc_pages_set_slab(). */
	if (!smp_load_acquire(&slabs[nr]))
		return NULL;
	/* Of a hole that was filled, pairs with the release in gc_backing_enter(). */
	return smp_load_acquire(&chunk->pages[nr]);
}

static unsigned long chunk_count(struct gc_pages *gp)
{
	return DIV_ROUND_UP(gp->frontier, CHUNK_PAGES);
}

/*
 * Pages of a chunk that cannot be had; @open: not even by putting memory behind them,
 * for which @closed is room.
 */
static const unsigned long *taken_pages(const struct gc_chunk *chunk, bool open,
					unsigned long *closed)
{
	if (!open)
		return chunk->used;
	bitmap_andnot(closed, chunk->used, chunk->absent, CHUNK_PAGES);
	return closed;
}

static long find_in(struct gc_pages *gp, struct gc_chunk *chunk,
		    unsigned long nr, bool open)
{
	unsigned int longest = open ? chunk->longest_open : chunk->longest;
	DECLARE_BITMAP(closed, CHUNK_PAGES);
	unsigned long i;

	if (longest < nr)
		return -1;
	i = bitmap_find_next_zero_area((void *)taken_pages(chunk, open, closed),
				       CHUNK_PAGES, 0, nr, 0);
	if (i < CHUNK_PAGES)
		return i;
	if (open || !gp->absent)
		chunk->longest_open = min_t(unsigned int, nr - 1,
					    chunk->longest_open);
	chunk->longest = min_t(unsigned int, nr - 1, chunk->longest);
	return -1;
}

/* First run of @nr pages inside a chunk that are free, or @open: or absent; or -1. */
static long find_in_chunk(struct gc_pages *gp, unsigned long nr, bool open)
{
	unsigned long c;

	for (c = gp->first_free; c < chunk_count(gp); c++) {
		struct gc_chunk *chunk = gc_pages_chunk(gp, c * CHUNK_PAGES);
		long i = find_in(gp, chunk, nr, open);

		if (i >= 0)
			return c * CHUNK_PAGES + i;
		if (!chunk->longest_open && c == gp->first_free)
			gp->first_free++;
		cond_resched();
	}
	return -1;
}

/*
 * First run of @nr such pages that may go over several chunks; a run at the
 * frontier counts however short it is, as it can be made longer.
 */
static unsigned long find_over_chunks(struct gc_pages *gp, unsigned long nr,
				      bool open)
{
	unsigned long c, run = 0, start = gp->first_free * CHUNK_PAGES;
	DECLARE_BITMAP(closed, CHUNK_PAGES);

	for (c = gp->first_free; c < chunk_count(gp); c++) {
		struct gc_chunk *chunk = gc_pages_chunk(gp, c * CHUNK_PAGES);
		unsigned long backed = min(CHUNK_PAGES,
					   gp->frontier - c * CHUNK_PAGES);
		const unsigned long *taken = taken_pages(chunk, open, closed);
		unsigned long head = find_first_bit(taken, backed);
		unsigned long last;

		cond_resched();
		if (run + head >= nr)
			break;
		if (head == backed) {
			run += backed;
			continue;
		}
		last = find_last_bit(taken, backed);
		run = backed - (last + 1);
		start = c * CHUNK_PAGES + last + 1;
	}
	return max(min(start, gp->frontier), gp->reserved);
}

/* Where a run of @nr pages is that can be had with more memory */
static unsigned long find_open(struct gc_pages *gp, unsigned long nr)
{
	long first = -1;

	if (gp->absent && nr <= CHUNK_PAGES)
		first = find_in_chunk(gp, nr, true);
	return first < 0 ? find_over_chunks(gp, nr, true) : first;
}

/* Where a run of @nr free pages is, or -1 */
static long find_free(struct gc_pages *gp, unsigned long nr)
{
	long first = nr <= CHUNK_PAGES ? find_in_chunk(gp, nr, false) : -1;

	if (first >= 0)
		return first;
	first = find_over_chunks(gp, nr, false);
	return first + nr <= gp->frontier ? first : -1;
}

/* First run of @nr free pages of a chunk that begins with memory of a node, or -1 */
static long find_near_in(struct gc_chunk *chunk, unsigned long nr, int node,
			 unsigned int *looks)
{
	unsigned long i = 0;

	if (chunk->longest < nr || !(chunk->nodes & BIT_ULL(node % 64)))
		return -1;
	for (; *looks; (*looks)--) {
		i = bitmap_find_next_zero_area(chunk->used, CHUNK_PAGES, i, nr,
					       0);
		if (i >= CHUNK_PAGES)
			return -1;
		if (page_to_nid(chunk->pages[i]) == node)
			return i;
		i = min(find_next_bit(chunk->used, CHUNK_PAGES, i),
			round_up(i + 1, NEAR_STEP));
	}
	return -1;
}

/*
 * Where a run of @nr free pages is whose memory the calling thread reaches fast, or -1: so
 * much is looked at in one call, and where it ends the next one begins.  Where there is
 * but one node, any will do.
 */
static long find_near(struct gc_pages *gp, unsigned long nr)
{
	unsigned long count = chunk_count(gp), n;
	unsigned int looks = NEAR_LOOKS;
	int node = numa_mem_id();

	if (nr_online_nodes == 1 || nr > CHUNK_PAGES || gp->free < nr)
		return -1;
	for (n = 0; n < min(count, NEAR_CHUNKS) && looks; n++) {
		unsigned long c = gp->near_from < count ? gp->near_from : 0;
		long i = find_near_in(gc_pages_chunk(gp, c * CHUNK_PAGES), nr,
				      node, &looks);

		gp->near_from = c;
		if (i >= 0)
			return c * CHUNK_PAGES + i;
		gp->near_from++;
		cond_resched();
	}
	return -1;
}

/*
 * On machines with several nodes the heap grows rather than that memory of others, which
 * is free, is taken: as long as that is not much, nor the cgroup short of memory, and it
 * was of use the last time.  Who wants a heap to be collected before it grows beyond what
 * its cgroup allows has it use up what is free first.
 */
static bool prefers_near(const struct gc_pages *gp, unsigned long nr)
{
	const unsigned long least = ROOM_PAGES + gp->free;

	return nr_online_nodes > 1 && nr <= CHUNK_PAGES &&
	       gp->free <= gc_pages_backed(gp) / FAR_PART + CHUNK_PAGES &&
	       !time_before(jiffies, gp->far_until) &&
	       gc_cgroup_room(true, false, 0, least + 1) > least;
}

/**
 * gc_pages_far() - whether a run of pages is likely free, though not near
 * @gp: pages of the heap
 * @nr: how many pages, which gc_pages_alloc() without @grow has just refused
 *
 * Context: heap's lock held.
 *
 * Return: true when gc_pages_alloc() with @grow takes such a one if it has to.
 */
bool gc_pages_far(const struct gc_pages *gp, unsigned long nr)
{
	return gp->free >= nr && prefers_near(gp, nr);
}

/* Where a run of @nr pages is that all of the memory will be new of */
static unsigned long find_new(struct gc_pages *gp, unsigned long nr)
{
	unsigned long c, from, to;

	for (c = gp->first_free; gp->absent && c < chunk_count(gp); c++) {
		struct gc_chunk *chunk = gc_pages_chunk(gp, c * CHUNK_PAGES);

		if (chunk->longest_open < nr)
			continue;
		for_each_set_bitrange(from, to, chunk->absent, CHUNK_PAGES)
			if (to - from >= nr)
				return c * CHUNK_PAGES + from;
		cond_resched();
	}
	return max(gp->frontier, gp->reserved);
}

/* A run of @nr pages with more memory; as gc_pages_alloc(). */
static long grow_at(struct gc_pages *gp, unsigned long first, unsigned long nr)
{
	int err;

	if (first > gp->limit - nr)
		return -ENOMEM;
	err = gc_backing_take(gp, first, nr);
	return err ? err : first;
}

static int nid_of(struct gc_pages *gp, unsigned long nr)
{
	return page_to_nid(gc_pages_chunk(gp, nr)->pages[nr % CHUNK_PAGES]);
}

static long find_with_more(struct gc_pages *gp, unsigned long nr, bool near)
{
	long first;

	if (!near)
		return grow_at(gp, find_open(gp, nr), nr);
	first = grow_at(gp, find_new(gp, nr), nr);
	/* What is far is as good while the machine has nothing near, or nothing at all. */
	if (first < 0 || nid_of(gp, first) != numa_mem_id())
		gp->far_until = jiffies + FAR_TIME;
	if (first != -ENOMEM)
		return first;
	first = find_free(gp, nr);
	return first >= 0 ? first : grow_at(gp, find_open(gp, nr), nr);
}

/* When find_near() has found nothing; as gc_pages_alloc() */
static long find_elsewhere(struct gc_pages *gp, unsigned long nr, bool grow)
{
	bool near = prefers_near(gp, nr);
	long first = near ? -1 : find_free(gp, nr);

	if (first >= 0)
		return first;
	return grow ? find_with_more(gp, nr, near) : -ENOMEM;
}

static void set_used(struct gc_pages *gp, unsigned long first, unsigned long nr)
{
	gp->free -= nr;
	gp->least_free = min(gp->least_free, gp->free);
	while (nr) {
		unsigned long i = first % CHUNK_PAGES;
		unsigned long n = min(nr, CHUNK_PAGES - i);

		bitmap_set(gc_pages_chunk(gp, first)->used, i, n);
		first += n;
		nr -= n;
	}
}

/**
 * gc_pages_alloc() - take a run of pages
 * @gp: pages of the heap
 * @nr: how many, at least 1
 * @grow: back more addresses with memory when no such run is free
 *
 * Context: may sleep; heap's lock held.
 *
 * Memory of the calling thread's NUMA node comes first.
 *
 * Return: number of the first, or -ENOMEM (no memory, or the heap's hard size
 * does not allow it, or @grow is needed) or -EINTR (the caller is being
 * killed).  The pages hold whatever they held before: see gc_pages_zero().
 */
long gc_pages_alloc(struct gc_pages *gp, unsigned long nr, bool grow)
{
	long first;

	if (nr > gp->limit)
		return -ENOMEM;
	first = find_near(gp, nr);
	if (first < 0)
		first = find_elsewhere(gp, nr, grow);
	if (first < 0)
		return first;
	set_used(gp, first, nr);
	return first;
}

static void poison_pages(struct gc_pages *gp, unsigned long first,
			 unsigned long nr)
{
	for (; nr; first++, nr--) {
		struct page **page = &gc_pages_chunk(gp, first)->pages[first %
								 CHUNK_PAGES];

		gc_poison_fill(page_address(*page), PAGE_SIZE);
		cond_resched();
	}
}

/**
 * gc_pages_free() - give back a run of pages
 * @gp: pages of the heap
 * @first: number of the first
 * @nr: how many; all are in use, and no slab is set for them any more
 *
 * They stay backed, and mapped where they are mapped.
 *
 * Context: may sleep; heap's lock held.
 */
void gc_pages_free(struct gc_pages *gp, unsigned long first, unsigned long nr)
{
	if (gp->poison)
		poison_pages(gp, first, nr);
	gp->free += nr;
	gp->first_free = min(gp->first_free, first / CHUNK_PAGES);
	while (nr) {
		struct gc_chunk *chunk = gc_pages_chunk(gp, first);
		unsigned long i = first % CHUNK_PAGES;
		unsigned long n = min(nr, CHUNK_PAGES - i);

		bitmap_clear(chunk->used, i, n);
		bitmap_set(chunk->dirty, i, n);
		chunk->longest = CHUNK_PAGES;
		chunk->longest_open = CHUNK_PAGES;
		first += n;
		nr -= n;
	}
}

/**
 * gc_pages_set_slab() - say which slab pages belong to
 * @gp: pages of the heap
 * @first: number of the first
 * @nr: how many
 * @slab: the slab, NULL for none
 *
 * From now on a page fault finds the pages (or finds them no more).
 *
 * Context: may sleep; heap's lock held.
 */
void gc_pages_set_slab(struct gc_pages *gp, unsigned long first,
		       unsigned long nr, struct gc_slab *slab)
{
	for (; nr; first++, nr--) {
		struct gc_region *region = gp->regions[first / REGION_PAGES];
		unsigned long c = first / CHUNK_PAGES % REGION_CHUNKS;

		/* Pairs with the acquire in gc_pages_page(). */
		smp_store_release(&region->slabs[c][first % CHUNK_PAGES], slab);
		if (first % CHUNK_PAGES == CHUNK_PAGES - 1)
			cond_resched();
	}
}

/**
 * gc_pages_run() - the pages behind a run of numbers, as one array
 * @gp: pages of the heap
 * @nr: number of the first, below the frontier
 * @run: in: how many are wanted; out: how many the array has
 *
 * Return: the array; a hole's entry is NULL.
 */
struct page **gc_pages_run(struct gc_pages *gp, unsigned long nr,
			   unsigned long *run)
{
	*run = min(*run, CHUNK_PAGES - nr % CHUNK_PAGES);
	return gc_pages_chunk(gp, nr)->pages + nr % CHUNK_PAGES;
}

/**
 * gc_pages_zero() - clear those pages of a run that were in use before
 * @gp: pages of the heap
 * @first: number of the first
 * @nr: how many; all are in use
 *
 * Context: may sleep.
 */
void gc_pages_zero(struct gc_pages *gp, unsigned long first, unsigned long nr)
{
	for (; nr; first++, nr--) {
		struct gc_chunk *chunk = gc_pages_chunk(gp, first);
		unsigned long i = first % CHUNK_PAGES;

		if (!__test_and_clear_bit(i, chunk->dirty))
			continue;
		if (gp->poison)
			gc_poison_check(&gp->faults,
					page_address(chunk->pages[i]),
					PAGE_SIZE, first << PAGE_SHIFT,
					first << PAGE_SHIFT);
		clear_highpage(chunk->pages[i]);
		if (i % 64 == 0)
			cond_resched();
	}
}

/**
 * gc_pages_find_lent() - find a page that somebody outside has a reference to
 * @gp: pages of the heap
 * @first: number of the first page to look at
 * @end: number of the page to stop at; all between are in use, holes are passed over
 *
 * Outside are those who read and write a page without a page table: direct I/O,
 * pipes, whoever has it pinned.  A reference that somebody takes for a moment
 * counts as well.
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: number of the first such page, or @end.
 */
unsigned long gc_pages_find_lent(struct gc_pages *gp, unsigned long first,
				 unsigned long end)
{
	while (first < end) {
		unsigned long run = end - first, i;
		struct page **pages = gc_pages_run(gp, first, &run);

		for (i = 0; i < run; i++)
			if (pages[i] && gc_page_lent(pages[i]))
				return first + i;
		first += run;
		if (first < end)
			cond_resched();
	}
	return end;
}
