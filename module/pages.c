// SPDX-License-Identifier: GPL-2.0
/*
 * Backing a heap's addresses with pages, and handing out runs of them.
 *
 * The tree and one reference to each page are the heap's.  A page outlives it when
 * somebody else has a reference, and is then the last one's to free.  All is done
 * under the heap's lock, which the caller holds, but gc_pages_page(), which faults
 * call without a lock.  The only other lock is that of a page, when the page is
 * given back; whoever has it does not wait for us.  Beside that only the allocator
 * of memory is waited for.
 *
 * Blocks double with the heap, from 32 KiB to 2 MiB: a heap of one object is
 * small, and a large one costs few allocations.  Memory comes from
 * __GFP_NORETRY, so that an exhausted machine or memory cgroup gives an error
 * to the program instead of calling the OOM killer.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "gfp.h"
#include "pages.h"
#include "poison.h"

/* A block that is not to be had at once is not worth waiting for. */
#define BLOCK_GFP	(GFP_KERNEL_ACCOUNT | __GFP_ZERO | \
			 __GFP_NORETRY | __GFP_NOWARN)
#define BLOCK_ORDER_MAX	ilog2(CHUNK_PAGES)
#define BLOCK_PAGES_MIN	8UL

/*
 * What must be left for the program after the heap has grown: its stacks and
 * page tables come from the same memory cgroup, and it is killed if there is no
 * more for those.
 */
#define HEADROOM_PAGES	512UL

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
	*gp = (struct gc_pages) { .limit = limit, .mapping = mapping };
	gp->regions = kcalloc(REGION_COUNT, sizeof(*gp->regions),
			      GC_GFP);
	if (!gp->regions)
		return -ENOMEM;
	gp->meta_bytes = REGION_COUNT * sizeof(*gp->regions);
	return 0;
}

static struct gc_chunk *chunk_of(struct gc_pages *gp, unsigned long nr)
{
	struct gc_region *region = gp->regions[nr / REGION_PAGES];

	return region->chunks[nr / CHUNK_PAGES % REGION_CHUNKS];
}

static struct gc_region *region_make(struct gc_pages *gp, unsigned long nr)
{
	struct gc_region **slot = &gp->regions[nr / REGION_PAGES];
	struct gc_region *region = *slot;

	if (region)
		return region;
	region = kzalloc(sizeof(*region), GC_GFP);
	if (!region)
		return NULL;
	gp->meta_bytes += sizeof(*region);
	/* Pairs with the acquire in gc_pages_page(). */
	smp_store_release(slot, region);
	return region;
}

/* The tree's nodes for the page @nr; they stay, whatever fails later. */
static struct gc_chunk *chunk_make(struct gc_pages *gp, unsigned long nr)
{
	struct gc_region *region = region_make(gp, nr);
	unsigned long i = nr / CHUNK_PAGES % REGION_CHUNKS;
	struct gc_chunk *chunk;
	struct gc_slab **slabs;

	if (!region)
		return NULL;
	if (region->chunks[i])
		return region->chunks[i];
	chunk = kzalloc(sizeof(*chunk), GC_GFP);
	slabs = kcalloc(CHUNK_PAGES, sizeof(*slabs), GC_GFP);
	if (!chunk || !slabs)
		goto fail;
	chunk->pages = kcalloc(CHUNK_PAGES, sizeof(*chunk->pages),
			       GC_GFP);
	if (!chunk->pages)
		goto fail;
	bitmap_fill(chunk->used, CHUNK_PAGES);
	gp->meta_bytes += sizeof(*chunk) + CHUNK_PAGES *
			  (sizeof(*slabs) + sizeof(*chunk->pages));
	/* Pairs with the acquire in gc_pages_page(). */
	smp_store_release(&region->slabs[i], slabs);
	/* Likewise. */
	smp_store_release(&region->chunks[i], chunk);
	return chunk;
fail:
	kfree(slabs);
	kfree(chunk);
	return NULL;
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
	return chunk->pages[nr];
}

static void page_adopt(struct gc_pages *gp, struct page *page,
		       unsigned long nr)
{
	struct folio *folio = page_folio(page);

	/* A process-shared futex is identified by these two. */
	folio->mapping = gp->mapping;
	folio->index = nr;
}

static int charge(struct gc_pages *gp, long nr)
{
	return gp->charge ? gp->charge(gp->payer, nr) : 0;
}

static void page_release(struct gc_pages *gp, struct page *page)
{
	struct folio *folio = page_folio(page);

	/* Who has it pinned may be marking it dirty, under this lock. */
	folio_lock(folio);
	folio->mapping = NULL;
	folio_unlock(folio);
	/* Someone may have it pinned: then the last one frees it. */
	put_page(page);
	charge(gp, -1);
}

static struct page *take_block(struct gc_pages *gp, unsigned int order)
{
	struct page *block;

	if (charge(gp, 1L << order))
		return NULL;
	block = alloc_pages(BLOCK_GFP, order);
	if (!block)
		charge(gp, -(1L << order));
	return block;
}

/* Take one block of at most 1 << @order pages at the frontier. */
static int back_block(struct gc_pages *gp, unsigned int order)
{
	struct gc_chunk *chunk = chunk_make(gp, gp->frontier);
	unsigned long first = gp->frontier % CHUNK_PAGES, i;
	struct page *block;

	if (!chunk)
		return -ENOMEM;
	for (;;) {
		block = take_block(gp, order);
		if (block)
			break;
		if (!order)
			return -ENOMEM;
		order--;
	}
	if (order)
		split_page(block, order);
	for (i = 0; i < 1UL << order; i++) {
		page_adopt(gp, block + i, gp->frontier + i);
		chunk->pages[first + i] = block + i;
	}
	bitmap_clear(chunk->dirty, first, 1UL << order);
	chunk->longest = CHUNK_PAGES;
	for (i = 0; i < 1UL << order; i++) {
		if (gp->frontier++ < gp->reserved)
			continue;
		__clear_bit(first + i, chunk->used);
		gp->free++;
	}
	return 0;
}

/* Give back what lies between @frontier and the present one; none is in use. */
static void unback(struct gc_pages *gp, unsigned long frontier)
{
	while (gp->frontier > frontier) {
		unsigned long nr = --gp->frontier;
		struct gc_chunk *chunk = chunk_of(gp, nr);

		page_release(gp, chunk->pages[nr % CHUNK_PAGES]);
		chunk->pages[nr % CHUNK_PAGES] = NULL;
		if (!__test_and_set_bit(nr % CHUNK_PAGES, chunk->used))
			gp->free--;
		if (nr % CHUNK_PAGES == 0)
			cond_resched();
	}
}

static unsigned int block_order(struct gc_pages *gp, unsigned long end)
{
	unsigned long nr = max(end - gp->frontier, gp->frontier);

	nr = clamp(nr, BLOCK_PAGES_MIN, CHUNK_PAGES);
	if (gp->frontier)
		nr = min(nr, 1UL << __ffs(gp->frontier));
	nr = min(nr, gp->limit - gp->frontier);
	return ilog2(nr);
}

/* Whether the program would still get memory: take some, and give it back. */
static bool headroom(void)
{
	struct page *page, *next;
	unsigned long nr;
	LIST_HEAD(pages);

	for (nr = 0; nr < HEADROOM_PAGES; nr++) {
		page = alloc_page(BLOCK_GFP);
		if (!page)
			break;
		list_add(&page->lru, &pages);
	}
	list_for_each_entry_safe(page, next, &pages, lru)
		__free_page(page);
	return nr == HEADROOM_PAGES;
}

/*
 * A heap that grows by less than the largest blocks, though it is not small, has
 * no memory of that size to be had, or is in such a time.
 */
static bool scarce(struct gc_pages *gp, unsigned long before)
{
	return before >= CHUNK_PAGES && gp->frontier - before < CHUNK_PAGES;
}

static int back_one(struct gc_pages *gp, unsigned long end)
{
	unsigned long before = gp->frontier;
	int err;

	if (fatal_signal_pending(current))
		return -EINTR;
	err = back_block(gp, block_order(gp, end));
	if (!err && scarce(gp, before) && !headroom())
		err = -ENOMEM;
	return err;
}

/*
 * Back all pages below @end.  When it fails, what this call took goes back,
 * since a process at its memory cgroup's limit would be killed by its next
 * page fault.
 */
static int back(struct gc_pages *gp, unsigned long end)
{
	unsigned long before = gp->frontier;
	int err;

	while (gp->frontier < end) {
		err = back_one(gp, end);
		if (err) {
			unback(gp, before);
			return err;
		}
		cond_resched();
	}
	gp->first_free = min(gp->first_free, before / CHUNK_PAGES);
	return 0;
}

static unsigned long chunk_count(struct gc_pages *gp)
{
	return DIV_ROUND_UP(gp->frontier, CHUNK_PAGES);
}

/* First run of @nr free pages inside a chunk, or -1. */
static long find_in_chunk(struct gc_pages *gp, unsigned long nr)
{
	unsigned long c, i;

	for (c = gp->first_free; c < chunk_count(gp); c++) {
		struct gc_chunk *chunk = chunk_of(gp, c * CHUNK_PAGES);

		cond_resched();
		if (chunk->longest < nr) {
			if (!chunk->longest && c == gp->first_free)
				gp->first_free++;
			continue;
		}
		i = bitmap_find_next_zero_area(chunk->used, CHUNK_PAGES, 0,
					       nr, 0);
		if (i < CHUNK_PAGES)
			return c * CHUNK_PAGES + i;
		chunk->longest = nr - 1;
	}
	return -1;
}

/*
 * First run of @nr free pages that may go over several chunks; a run at the
 * frontier counts however short it is, as it can be made longer.
 */
static unsigned long find_over_chunks(struct gc_pages *gp, unsigned long nr)
{
	unsigned long c, run = 0, start = gp->first_free * CHUNK_PAGES;

	for (c = gp->first_free; c < chunk_count(gp); c++) {
		struct gc_chunk *chunk = chunk_of(gp, c * CHUNK_PAGES);
		unsigned long backed = min(CHUNK_PAGES,
					   gp->frontier - c * CHUNK_PAGES);
		unsigned long head = find_first_bit(chunk->used, backed);
		unsigned long last;

		cond_resched();
		if (run + head >= nr)
			break;
		if (head == backed) {
			run += backed;
			continue;
		}
		last = find_last_bit(chunk->used, backed);
		run = backed - (last + 1);
		start = c * CHUNK_PAGES + last + 1;
	}
	return max(min(start, gp->frontier), gp->reserved);
}

static void set_used(struct gc_pages *gp, unsigned long first, unsigned long nr)
{
	gp->free -= nr;
	while (nr) {
		unsigned long i = first % CHUNK_PAGES;
		unsigned long n = min(nr, CHUNK_PAGES - i);

		bitmap_set(chunk_of(gp, first)->used, i, n);
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
 * Return: number of the first, or -ENOMEM (no memory, or the heap's hard size
 * does not allow it, or @grow is needed) or -EINTR (the caller is being
 * killed).  The pages hold whatever they held before: see gc_pages_zero().
 */
long gc_pages_alloc(struct gc_pages *gp, unsigned long nr, bool grow)
{
	long first = nr <= CHUNK_PAGES ? find_in_chunk(gp, nr) : -1;
	int err;

	if (first < 0) {
		first = find_over_chunks(gp, nr);
		if (nr > gp->limit || first > gp->limit - nr)
			return -ENOMEM;
		if (!grow && first + nr > gp->frontier)
			return -ENOMEM;
		err = back(gp, first + nr);
		if (err)
			return err;
	}
	set_used(gp, first, nr);
	return first;
}

static void poison_pages(struct gc_pages *gp, unsigned long first,
			 unsigned long nr)
{
	for (; nr; first++, nr--) {
		struct page **page = &chunk_of(gp, first)->pages[first %
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
		struct gc_chunk *chunk = chunk_of(gp, first);
		unsigned long i = first % CHUNK_PAGES;
		unsigned long n = min(nr, CHUNK_PAGES - i);

		bitmap_clear(chunk->used, i, n);
		bitmap_set(chunk->dirty, i, n);
		chunk->longest = CHUNK_PAGES;
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
 * Return: the array.
 */
struct page **gc_pages_run(struct gc_pages *gp, unsigned long nr,
			   unsigned long *run)
{
	*run = min(*run, CHUNK_PAGES - nr % CHUNK_PAGES);
	return chunk_of(gp, nr)->pages + nr % CHUNK_PAGES;
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
		struct gc_chunk *chunk = chunk_of(gp, first);
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
 * gc_pages_contiguous() - whether pages lie side by side in the direct map
 * @gp: pages of the heap
 * @first: number of the first
 * @nr: how many
 *
 * Return: true when page_address() of the first leads through all.
 */
bool gc_pages_contiguous(struct gc_pages *gp, unsigned long first,
			 unsigned long nr)
{
	unsigned long pfn = 0, i;

	for (i = 0; i < nr; i++) {
		struct gc_chunk *chunk = chunk_of(gp, first + i);
		struct page *page = chunk->pages[(first + i) % CHUNK_PAGES];

		if (i && page_to_pfn(page) != pfn + i)
			return false;
		if (!i)
			pfn = page_to_pfn(page);
	}
	return true;
}

/* The two counts of a page, which lie side by side. */
union counts {
	u64 both;
	struct {
		s32 mapped;	/* page tables that it is in, less one */
		s32 refs;
	};
};

static_assert(offsetof(struct page, _mapcount) % sizeof(union counts) == 0);
static_assert(offsetof(struct page, _refcount) ==
	      offsetof(struct page, _mapcount) + offsetof(union counts, refs));

/*
 * Whether somebody has a reference beside the heap's own and the page tables'.
 * Who enters a page into a page table takes the reference first, and who takes it
 * out drops it last: so what is left over at one instant is never too little, and
 * a page that is held all the time always seems so.  Both counts are read at once,
 * since between two reads a page table could come and another go.
 */
static bool page_lent(struct page *page)
{
	union counts counts = { .both = READ_ONCE(*(u64 *)&page->_mapcount) };

	return counts.refs > 1 + counts.mapped + 1;
}

/**
 * gc_pages_find_lent() - find a page that somebody outside has a reference to
 * @gp: pages of the heap
 * @first: number of the first page to look at
 * @end: number of the page to stop at; all between are in use
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
			if (page_lent(pages[i]))
				return first + i;
		first += run;
		if (first < end)
			cond_resched();
	}
	return end;
}

static void chunk_destroy(struct gc_pages *gp, struct gc_chunk *chunk)
{
	unsigned long i;

	if (!chunk)
		return;
	for (i = 0; i < CHUNK_PAGES; i++)
		if (chunk->pages[i])
			page_release(gp, chunk->pages[i]);
	kfree(chunk->pages);
	kfree(chunk);
	cond_resched();
}

static void region_destroy(struct gc_pages *gp, struct gc_region *region)
{
	unsigned long c;

	if (!region)
		return;
	for (c = 0; c < REGION_CHUNKS; c++) {
		chunk_destroy(gp, region->chunks[c]);
		kfree(region->slabs[c]);
	}
	kfree(region);
}

/**
 * gc_pages_empty() - give all pages and the tree below its top back
 * @gp: pages of the heap; no slab is left, nobody maps them or looks for them
 *
 * Context: may sleep; heap's lock held, or the heap ends.
 */
void gc_pages_empty(struct gc_pages *gp)
{
	unsigned long r;

	for (r = 0; r < REGION_COUNT; r++) {
		region_destroy(gp, gp->regions[r]);
		gp->regions[r] = NULL;
	}
	gp->frontier = 0;
	gp->free = 0;
	gp->first_free = 0;
	gp->meta_bytes = REGION_COUNT * sizeof(*gp->regions);
}

/**
 * gc_pages_destroy() - give all pages and the tree back
 * @gp: pages of the heap; no slab is left, nobody maps them
 *
 * Context: may sleep.
 */
void gc_pages_destroy(struct gc_pages *gp)
{
	gc_pages_empty(gp);
	kfree(gp->regions);
}
