// SPDX-License-Identifier: GPL-2.0
/*
 * Memory behind a heap's pages: taken from the machine, and given back.
 *
 * The tree and one reference to each page are the heap's.  A page outlives it when
 * somebody else has a reference, and is then the last one's to free.  All is done
 * under the heap's lock, which the caller holds.  The locks taken here are that of a
 * page, whose holders do not wait for us, and those of the kernel that page tables
 * are emptied under.  Beside that only the allocator of memory is waited for.
 *
 * Blocks double with the heap, from 32 KiB to 2 MiB: a heap of one object is
 * small, and a large one costs few allocations.  Memory comes from
 * __GFP_NORETRY, so that an exhausted machine or memory cgroup gives an error
 * to the program instead of calling the OOM killer.  Nor is the last of it taken for a
 * moment, when others would be killed who want some: numbers tell before.
 *
 * A page that is given back leaves the tree first, under its own lock; who enters
 * pages into page tables looks whether it is there under the same lock, and does it
 * before it lets go.  So when page tables are emptied after that, the page is in none,
 * and another one may take its place: no process has the old one there.  That is how
 * the kernel truncates files.
 */
#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "backing.h"
#include "cgroup.h"
#include "gfp.h"
#include "trace.h"

/* A block that is not to be had at once is not worth waiting for. */
#define BLOCK_GFP	(GFP_KERNEL_ACCOUNT | __GFP_ZERO | \
			 __GFP_NORETRY | __GFP_NOWARN)
#define BLOCK_PAGES_MIN	8UL

/* Where pages have been given back, the heap had no need of them lately. */
#define HOLE_PAGES_MAX	64UL

/* Pages given back at a time: page tables are emptied once for all that adjoin. */
#define RELEASE_BATCH	64UL

/*
 * The blocks that are asked for to have others make way: what is smaller than the least
 * comes of what a processor has at hand of the cgroup's.  Not by waking up who looks for
 * such blocks.
 */
#define ASK_ORDER_MIN	7
#define ASK_ORDER_MAX	10
#define ASK_GFP		(BLOCK_GFP & ~(__GFP_ZERO | __GFP_KSWAPD_RECLAIM))

/* So long half of it is taken for granted. */
#define HEADROOM_TIME	(HZ / 50 + 1)

#define TAKING_BITS	6

/* Pages that threads are just taking: all, and by the limit that is next */
static atomic_long_t taking_all, taking_below[1 << TAKING_BITS];

/**
 * struct taking - pages that the calling thread is just taking
 * @nr: how many
 * @below: one of taking_below; NULL: nothing limits the thread's cgroup
 */
struct taking {
	unsigned long nr;
	atomic_long_t *below;
};

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

/**
 * gc_backing_refused() - the kernel has no memory, for pages or for what tells of them
 * @gp: pages
 *
 * The caller's caller may change that: see gc_shrink_make_way().
 *
 * Context: heap's lock held.
 *
 * Return: -ENOMEM.
 */
int gc_backing_refused(struct gc_pages *gp)
{
	gp->scarce = true;
	gp->scarce_all = gc_backing_is_machine_short();
	trace_gcheap_refused(gp, gp->scarce_all);
	return -ENOMEM;
}

static struct page *take_block(struct gc_pages *gp, unsigned int order)
{
	struct page *block;

	if (charge(gp, 1L << order))
		return NULL;
	block = alloc_pages(BLOCK_GFP, order);
	if (block)
		return block;
	charge(gp, -(1L << order));
	if (!order)
		gc_backing_refused(gp);
	return NULL;
}

/* Pages that lie side by side, 1 << *@order or less, which *@order is then. */
static struct page *get_block(struct gc_pages *gp, unsigned int *order)
{
	struct page *block;

	if (fatal_signal_pending(current))
		return ERR_PTR(-EINTR);
	for (;;) {
		block = take_block(gp, *order);
		if (block)
			break;
		if (!*order)
			return ERR_PTR(-ENOMEM);
		(*order)--;
	}
	if (*order)
		split_page(block, *order);
	return block;
}

/*
 * Put one block of at most 1 << @order pages behind the pages from @nr on, which have
 * a chunk.  Returns its order, or -ENOMEM, or -EINTR.
 */
static int back_block(struct gc_pages *gp, unsigned long nr, unsigned int order)
{
	struct gc_chunk *chunk = gc_pages_chunk(gp, nr);
	unsigned long first = nr % CHUNK_PAGES, i;
	struct page *block = get_block(gp, &order);

	if (IS_ERR(block))
		return PTR_ERR(block);
	for (i = 0; i < 1UL << order; i++) {
		page_adopt(gp, block + i, nr + i);
		WRITE_ONCE(chunk->pages[first + i], block + i);
	}
	bitmap_clear(chunk->dirty, first, 1UL << order);
	chunk->nodes |= BIT_ULL(page_to_nid(block) % 64);
	chunk->longest = CHUNK_PAGES;
	chunk->longest_open = CHUNK_PAGES;
	trace_gcheap_grow(gp, 1UL << order, gc_pages_backed(gp) + (1UL << order));
	return order;
}

/* Others see that, who are about to take some, too: or this thread sees them. */
static struct taking taking_begin(unsigned long nr)
{
	const void *tightest = gc_cgroup_tightest();
	struct taking t = { .nr = nr };

	if (tightest) {
		t.below = &taking_below[hash_ptr(tightest, TAKING_BITS)];
		atomic_long_add_return(nr, t.below);
	}
	atomic_long_add_return(nr, &taking_all);
	return t;
}

static void taking_reduce(struct taking *t, unsigned long nr)
{
	if (t->below)
		atomic_long_sub(t->nr - nr, t->below);
	atomic_long_sub(t->nr - nr, &taking_all);
	t->nr = nr;
}

/* What the machine could give, if it swapped; that it does both is not expected of it. */
static unsigned long machine_room(void)
{
	return max(gc_machine_room(), gc_swap_room());
}

/* Likewise the cgroup; not counted beyond @enough. */
static unsigned long group_room(unsigned long enough)
{
	return gc_cgroup_room(false, false, gc_swap_room(), enough);
}

static unsigned long whole_room(unsigned long enough)
{
	return min(machine_room(), group_room(enough));
}

/* Beside what others are just taking */
static bool has_room(const struct taking *t)
{
	unsigned long nr = t->nr + GC_HEADROOM_PAGES;
	unsigned long below = t->below ? atomic_long_read(t->below) - t->nr : 0;
	unsigned long all = atomic_long_read(&taking_all) - t->nr;

	return group_room(nr + below) >= nr + below && machine_room() >= nr + all;
}

/*
 * Have make way who would in the cgroup: other heaps, what the kernel has in slabs.  It is
 * more each time than what nobody has: so nothing is had unless somebody makes way, and
 * what is had goes back at once.
 */
static bool ask_cgroup(const struct taking *t)
{
	unsigned int order;

	for (order = ASK_ORDER_MIN; order <= ASK_ORDER_MAX; order++) {
		struct page *block;

		if (gc_cgroup_room(false, false, 0, 0) >> order)
			continue;
		block = alloc_pages(ASK_GFP, order);
		if (!block)
			break;
		__free_pages(block, order);
		if (has_room(t))
			return true;
	}
	return has_room(t);
}

/*
 * Whether others would still get memory after so many pages were taken.  To take them
 * and see would have somebody killed who wants some in that moment, if there is nothing
 * that could be swapped out for him.  What the machine could give has been counted.
 */
static bool affordable(const struct taking *t)
{
	if (has_room(t))
		return true;
	return machine_room() >= t->nr + GC_HEADROOM_PAGES && ask_cgroup(t);
}

/* What there is for @t, beside what others are just taking */
static unsigned long room_for(const struct taking *t)
{
	unsigned long below = t->below ? atomic_long_read(t->below) - t->nr : 0;
	unsigned long all = atomic_long_read(&taking_all) - t->nr;
	unsigned long group = group_room(t->nr + GC_HEADROOM_PAGES + below);
	unsigned long machine = machine_room();
	unsigned long taken = GC_HEADROOM_PAGES;

	group -= min(group, taken + below);
	machine -= min(machine, taken + all);
	return min(group, machine);
}

/* At most 1 << @order pages that are affordable: their order, or -ENOMEM */
static int affordable_order(struct gc_pages *gp, struct taking *t, unsigned int order)
{
	unsigned long room = order ? room_for(t) : t->nr;

	if (room < t->nr) {
		order = room ? ilog2(room) : 0;
		taking_reduce(t, 1UL << order);
	}
	return affordable(t) ? order : gc_backing_refused(gp);
}

/* As back_block(), if it is affordable. */
static int back_affordable(struct gc_pages *gp, unsigned long nr, unsigned int order)
{
	struct taking t = taking_begin(1UL << order);
	int got = affordable_order(gp, &t, order);

	if (got >= 0)
		got = back_block(gp, nr, got);
	taking_reduce(&t, 0);
	return got;
}

static bool can_take_headroom(void)
{
	struct page *page, *next;
	LIST_HEAD(pages);
	unsigned long nr;

	for (nr = 0; nr < GC_HEADROOM_PAGES; nr++) {
		page = alloc_page(BLOCK_GFP);
		if (!page)
			break;
		list_add(&page->lru, &pages);
	}
	list_for_each_entry_safe(page, next, &pages, lru)
		__free_page(page);
	return nr == GC_HEADROOM_PAGES;
}

/*
 * Whether the program would still get memory: take some, and give it back.  What is
 * affordable may yet be where the calling thread must not have it.  But not all of
 * it is taken.
 */
static bool headroom(void)
{
	struct taking t = taking_begin(GC_HEADROOM_PAGES);
	bool there;

	/* Others were as fast.  Each processor has some that are counted as taken. */
	if (has_room(&t))
		there = can_take_headroom();
	else
		there = whole_room(GC_HEADROOM_PAGES / 2) >= GC_HEADROOM_PAGES / 2;
	taking_reduce(&t, 0);
	return there;
}

/* Likewise, for pages that were taken; not tried for each few anew. */
static bool known_headroom(struct gc_pages *gp, unsigned long nr)
{
	if (gp->headroom < nr || time_after(jiffies, gp->headroom_until) ||
	    whole_room(GC_HEADROOM_PAGES) < GC_HEADROOM_PAGES) {
		gp->headroom = 0;
		if (!headroom())
			return false;
		gp->headroom = GC_HEADROOM_PAGES / 2;
		gp->headroom_until = jiffies + HEADROOM_TIME;
	}
	gp->headroom -= min(gp->headroom, nr);
	return true;
}

/*
 * A heap that is not small, and grows by less than the largest blocks, has no memory
 * of that size to be had, or is in such a time.
 */
static bool scarce(const struct gc_pages *gp, unsigned long before,
		   unsigned long got, unsigned long wanted)
{
	return (before >= CHUNK_PAGES && got < wanted) ||
	       gc_room(GC_HEADROOM_PAGES) < GC_HEADROOM_PAGES;
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

/* One block at the frontier. */
static int advance(struct gc_pages *gp, unsigned long end)
{
	struct gc_chunk *chunk = chunk_make(gp, gp->frontier);
	unsigned long before = gp->frontier, i;
	int got;

	if (!chunk)
		return gc_backing_refused(gp);
	got = back_affordable(gp, before, block_order(gp, end));
	if (got < 0)
		return got;
	for (i = 0; i < 1UL << got; i++) {
		unsigned long nr = gp->frontier++;

		if (nr < gp->reserved)
			continue;
		__clear_bit(nr % CHUNK_PAGES, chunk->used);
		gp->free++;
	}
	return scarce(gp, before, 1UL << got, CHUNK_PAGES) &&
	       !known_headroom(gp, 1UL << got) ? gc_backing_refused(gp) : 0;
}

/* Undo what was done beyond @frontier; none of it is in use. */
static void retreat(struct gc_pages *gp, unsigned long frontier)
{
	unsigned long nr_pages = gp->frontier - frontier;

	while (gp->frontier > frontier) {
		unsigned long nr = --gp->frontier;
		struct gc_chunk *chunk = gc_pages_chunk(gp, nr);

		page_release(gp, chunk->pages[nr % CHUNK_PAGES]);
		WRITE_ONCE(chunk->pages[nr % CHUNK_PAGES], NULL);
		if (!__test_and_set_bit(nr % CHUNK_PAGES, chunk->used))
			gp->free--;
		if (nr % CHUNK_PAGES == 0)
			cond_resched();
	}
	if (nr_pages)
		trace_gcheap_give_back(gp, nr_pages, gc_pages_backed(gp));
}

/* First page from @nr on, and below @end, that was given back; or @end. */
static unsigned long next_absent(struct gc_pages *gp, unsigned long nr,
				 unsigned long end)
{
	while (nr < end) {
		unsigned long i = nr % CHUNK_PAGES;
		unsigned long to = min(CHUNK_PAGES, i + end - nr);

		i = find_next_bit(gc_pages_chunk(gp, nr)->absent, to, i);
		nr = round_down(nr, CHUNK_PAGES) + i;
		if (i < to)
			return nr;
	}
	return end;
}

static unsigned int hole_order(struct gc_pages *gp, unsigned long nr)
{
	struct gc_chunk *chunk = gc_pages_chunk(gp, nr);
	unsigned long i = nr % CHUNK_PAGES, run;

	run = find_next_zero_bit(chunk->absent, CHUNK_PAGES, i) - i;
	run = min(run, HOLE_PAGES_MAX);
	if (i)
		run = min(run, 1UL << __ffs(i));
	return ilog2(run);
}

/* One block where pages were given back, from @nr on. */
static int fill(struct gc_pages *gp, unsigned long nr)
{
	struct gc_chunk *chunk = gc_pages_chunk(gp, nr);
	unsigned int order = hole_order(gp, nr);
	int got = back_affordable(gp, nr, order);

	if (got < 0)
		return got;
	bitmap_clear(chunk->absent, nr % CHUNK_PAGES, 1UL << got);
	bitmap_clear(chunk->used, nr % CHUNK_PAGES, 1UL << got);
	gp->absent -= 1UL << got;
	gp->free += 1UL << got;
	return scarce(gp, gp->frontier, 1UL << got, 1UL << order) &&
	       !known_headroom(gp, 1UL << got) ? gc_backing_refused(gp) : 0;
}

/**
 * struct leaving - pages that adjoin and are to be given back
 * @first: number of the first
 * @nr: how many
 * @pages: they, which are no more in the tree
 */
struct leaving {
	unsigned long first;
	unsigned long nr;
	struct page *pages[RELEASE_BATCH];
};

static void leave(struct gc_pages *gp, struct leaving *l)
{
	unsigned long i;

	if (!l->nr)
		return;
	if (gp->unmaps_left)
		gp->unmaps_left--;
	if (gp->mapping)
		unmap_mapping_range(gp->mapping, (loff_t)l->first << PAGE_SHIFT,
				    (loff_t)l->nr << PAGE_SHIFT, 1);
	for (i = 0; i < l->nr; i++)
		page_release(gp, l->pages[i]);
	gp->released += l->nr;
	trace_gcheap_give_back(gp, l->nr, gc_pages_backed(gp));
	l->nr = 0;
	cond_resched();
}

/*
 * A page of no use leaves the tree, unless somebody has it: it would be no memory for
 * the machine.  Who enters it into a page table just now may be who waits for memory
 * here.
 */
static struct page *take_out(struct gc_chunk *chunk, unsigned long i)
{
	struct page *page = chunk->pages[i];

	if (!page || gc_page_lent(page) || !trylock_page(page))
		return NULL;
	WRITE_ONCE(chunk->pages[i], NULL);
	unlock_page(page);
	__clear_bit(i, chunk->dirty);
	return page;
}

/* The page that was here was free, or the slab's, which is to have a hole. */
static void note_gone(struct gc_pages *gp, struct gc_chunk *chunk,
		      unsigned long i, bool in_slab)
{
	if (in_slab) {
		gp->holes++;
		return;
	}
	__set_bit(i, chunk->used);
	__set_bit(i, chunk->absent);
	gp->absent++;
	gp->free--;
}

/*
 * The pages [@from, @to) of a chunk are free, or of no use to their slab.  Up to @nr of
 * them go, the last first.
 */
static unsigned long release_run(struct gc_pages *gp, unsigned long chunk_nr,
				 unsigned long from, unsigned long to,
				 unsigned long nr, bool in_slab)
{
	struct gc_chunk *chunk = gc_pages_chunk(gp, chunk_nr * CHUNK_PAGES);
	struct leaving l = { .nr = 0 };
	unsigned long done = 0;

	while (to > from && done < nr && gp->unmaps_left) {
		struct page *page = take_out(chunk, --to);

		if (!page || l.nr == RELEASE_BATCH)
			leave(gp, &l);
		if (!page)
			continue;
		note_gone(gp, chunk, to, in_slab);
		l.first = chunk_nr * CHUNK_PAGES + to;
		l.pages[l.nr++] = page;
		done++;
	}
	leave(gp, &l);
	return done;
}

static unsigned long release_in_chunk(struct gc_pages *gp, unsigned long c,
				      unsigned long nr)
{
	struct gc_chunk *chunk = gc_pages_chunk(gp, c * CHUNK_PAGES);
	unsigned long end = CHUNK_PAGES, done = 0;

	while (end && done < nr && gp->unmaps_left) {
		unsigned long from, to;

		for (to = end; to && test_bit(to - 1, chunk->used); to--)
			;
		if (!to)
			break;
		from = find_last_bit(chunk->used, to);
		from = from < to ? from + 1 : 0;
		done += release_run(gp, c, from, to, nr - done, false);
		end = from;
	}
	chunk->longest_open = CHUNK_PAGES;
	return done;
}

/**
 * gc_backing_release() - give free pages back to the machine
 * @gp: pages of the heap
 * @nr: at most so many; ULONG_MAX for all
 *
 * The last ones go first, so that the heap becomes dense.  Pages that somebody has a
 * reference to stay, as their memory would not be had by it.  @gp->unmaps_left bounds
 * what it takes.
 *
 * Context: may sleep; heap's lock held.  May be called while memory is reclaimed for
 * a fault in the heap.
 *
 * Return: how many were given back.
 */
unsigned long gc_backing_release(struct gc_pages *gp, unsigned long nr)
{
	unsigned long c = DIV_ROUND_UP(gp->frontier, CHUNK_PAGES), done = 0;

	while (c-- && done < nr && gp->free && gp->unmaps_left) {
		if (gc_pages_chunk(gp, c * CHUNK_PAGES)->longest)
			done += release_in_chunk(gp, c, nr - done);
		cond_resched();
	}
	return done;
}

static unsigned long release_range(struct gc_pages *gp, unsigned long first,
				   unsigned long end, bool in_slab)
{
	unsigned long done = 0;

	while (first < end) {
		unsigned long i = first % CHUNK_PAGES;
		unsigned long to = min(CHUNK_PAGES, i + end - first);

		done += release_run(gp, first / CHUNK_PAGES, i, to, ULONG_MAX,
				    in_slab);
		first += to - i;
	}
	return done;
}

/**
 * gc_backing_vacate() - give pages of a slab back, where no object has a byte
 * @gp: pages of the heap
 * @first: number of the first
 * @nr: how many
 *
 * Those that go leave holes: see gc_pages_run().  As with gc_backing_release(), pages
 * that somebody has a reference to stay.
 *
 * Context: as gc_backing_release().
 *
 * Return: how many were given back.
 */
unsigned long gc_backing_vacate(struct gc_pages *gp, unsigned long first,
				unsigned long nr)
{
	return release_range(gp, first, first + nr, true);
}

/**
 * gc_backing_put() - undo gc_backing_get()
 * @gp: pages of the heap
 * @holes: bit set: the page at that place of the array goes back
 * @pages: array
 *
 * Context: may sleep; heap's lock held.
 */
void gc_backing_put(struct gc_pages *gp, unsigned long holes,
		    struct page **pages)
{
	unsigned long i;

	for_each_set_bit(i, &holes, BITS_PER_LONG) {
		put_page(pages[i]);
		charge(gp, -1);
	}
}

/**
 * gc_backing_get() - get memory for holes of a slab
 * @gp: pages of the heap
 * @holes: bit set: a page is wanted at that place of the array; there are some, and not
 *	at all places
 * @pages: array, which gets pages that are zero, and nobody knows yet:
 *	gc_backing_enter() or gc_backing_put() follows
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: 0, or -ENOMEM, or -EINTR (the caller is being killed).
 */
int gc_backing_get(struct gc_pages *gp, unsigned long holes,
		   struct page **pages)
{
	struct taking t = taking_begin(hweight_long(holes));
	int err = affordable(&t) ? 0 : gc_backing_refused(gp);
	unsigned long left = holes;
	bool short_of = false;

	while (left && !err) {
		unsigned long first = __ffs(left), i;
		unsigned int wanted = ilog2(ffz(left >> first)), order = wanted;
		struct page *block = get_block(gp, &order);

		if (IS_ERR(block)) {
			err = PTR_ERR(block);
			break;
		}
		for (i = first; i < first + (1UL << order); i++) {
			pages[i] = block++;
			__clear_bit(i, &left);
		}
		short_of |= scarce(gp, gp->frontier, 1UL << order, 1UL << wanted);
	}
	taking_reduce(&t, 0);
	if (short_of && !err && !known_headroom(gp, hweight_long(holes)))
		err = gc_backing_refused(gp);
	if (err) {
		gp->headroom = 0;
		gc_backing_put(gp, holes & ~left, pages);
	}
	return err;
}

/**
 * gc_backing_enter() - put pages where holes of a slab are
 * @gp: pages of the heap
 * @first: number of the slab's first page
 * @holes: as gc_backing_get()
 * @pages: array that it filled
 *
 * From now on a page fault finds them.
 *
 * Context: any; heap's lock held.
 */
void gc_backing_enter(struct gc_pages *gp, unsigned long first,
		      unsigned long holes, struct page **pages)
{
	unsigned long i;

	for_each_set_bit(i, &holes, BITS_PER_LONG) {
		struct gc_chunk *chunk = gc_pages_chunk(gp, first + i);

		page_adopt(gp, pages[i], first + i);
		chunk->nodes |= BIT_ULL(page_to_nid(pages[i]) % 64);
		/* Pairs with the acquire in gc_pages_page(). */
		smp_store_release(&chunk->pages[(first + i) % CHUNK_PAGES],
				  pages[i]);
		gp->holes--;
	}
	trace_gcheap_grow(gp, hweight_long(holes), gc_pages_backed(gp));
}

/**
 * gc_backing_abandon() - a hole's slab goes, and the place is absent
 * @gp: pages of the heap
 * @nr: number of the page; no slab is set for it any more
 *
 * Context: any; heap's lock held.
 */
void gc_backing_abandon(struct gc_pages *gp, unsigned long nr)
{
	struct gc_chunk *chunk = gc_pages_chunk(gp, nr);

	__set_bit(nr % CHUNK_PAGES, chunk->absent);
	chunk->longest_open = CHUNK_PAGES;
	gp->first_free = min(gp->first_free, nr / CHUNK_PAGES);
	gp->holes--;
	gp->absent++;
}

/**
 * gc_backing_take() - see to it that there is memory behind pages
 * @gp: pages of the heap
 * @first: number of the first, at most the frontier
 * @nr: how many; those below the frontier are free, or were given back
 *
 * When it fails, as much goes back as this call took, since a process at its memory
 * cgroup's limit would be killed by its next page fault.
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: 0, or -ENOMEM, or -EINTR (the caller is being killed).
 */
int gc_backing_take(struct gc_pages *gp, unsigned long first, unsigned long nr)
{
	unsigned long before = gp->frontier, end = first + nr;
	unsigned long hole, below = min(end, before);
	unsigned long absent = gp->absent;
	int err = 0;

	while (!err && (hole = next_absent(gp, first, below)) < below) {
		err = fill(gp, hole);
		cond_resched();
	}
	while (!err && gp->frontier < end) {
		err = advance(gp, end);
		cond_resched();
	}
	if (err) {
		retreat(gp, before);
		if (gp->absent != absent)
			release_range(gp, first, below, false);
	}
	gp->first_free = min(gp->first_free, first / CHUNK_PAGES);
	return err;
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
 * gc_backing_empty() - give all pages and the tree below its top back
 * @gp: pages of the heap; no slab is left, nobody maps them or looks for them
 *
 * Context: may sleep; heap's lock held, or the heap ends.
 */
void gc_backing_empty(struct gc_pages *gp)
{
	unsigned long r;

	for (r = 0; r < gc_region_count(gp->limit); r++) {
		region_destroy(gp, gp->regions[r]);
		gp->regions[r] = NULL;
	}
	gp->released += gc_pages_backed(gp);
	if (gc_pages_backed(gp))
		trace_gcheap_give_back(gp, gc_pages_backed(gp), 0);
	gp->frontier = 0;
	gp->free = 0;
	gp->least_free = 0;
	gp->absent = 0;
	gp->first_free = 0;
	gp->meta_bytes = gc_region_count(gp->limit) * sizeof(*gp->regions);
}

/**
 * gc_backing_destroy() - give all pages and the tree back
 * @gp: pages of the heap; no slab is left, nobody maps them
 *
 * Context: may sleep.
 */
void gc_backing_destroy(struct gc_pages *gp)
{
	gc_backing_empty(gp);
	kfree(gp->regions);
}
