// SPDX-License-Identifier: GPL-2.0
/*
 * Pages and slabs on a machine that has little memory, or none that lies side by
 * side: the same sources once more, under other names, and with an allocator of
 * pages that does what the case says.
 */
#include <kunit/test.h>
#include <linux/gcheap.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#define gc_pages_new_top	scarce_pages_new_top
#define gc_pages_set_limit	scarce_pages_set_limit
#define gc_pages_init		scarce_pages_init
#define gc_backing_empty	scarce_backing_empty
#define gc_backing_destroy	scarce_backing_destroy
#define gc_backing_refused	scarce_backing_refused
#define gc_backing_take		scarce_backing_take
#define gc_backing_release	scarce_backing_release
#define gc_backing_vacate	scarce_backing_vacate
#define gc_backing_get		scarce_backing_get
#define gc_backing_put		scarce_backing_put
#define gc_backing_enter	scarce_backing_enter
#define gc_backing_abandon	scarce_backing_abandon
#define gc_pages_far		scarce_pages_far
#define gc_pages_alloc		scarce_pages_alloc
#define gc_pages_free		scarce_pages_free
#define gc_pages_set_slab	scarce_pages_set_slab
#define gc_pages_run		scarce_pages_run
#define gc_pages_zero		scarce_pages_zero
#define gc_pages_page		scarce_pages_page
#define gc_pages_find_lent	scarce_pages_find_lent

#define gc_slabs_init		scarce_slabs_init
#define gc_slabs_empty		scarce_slabs_empty
#define gc_slabs_destroy	scarce_slabs_destroy
#define gc_slab_take		scarce_slab_take
#define gc_slab_clear_handed	scarce_slab_clear_handed
#define gc_slab_piece		scarce_slab_piece
#define gc_slab_give_back	scarce_slab_give_back
#define gc_slab_alloc_object	scarce_slab_alloc_object
#define gc_slab_free_object	scarce_slab_free_object
#define gc_slab_next_object	scarce_slab_next_object
#define gc_slabs_sweep		scarce_slabs_sweep
#define gc_slab_sweep_owned	scarce_slab_sweep_owned
#define gc_slabs_marked		scarce_slabs_marked
#define gc_slabs_settle		scarce_slabs_settle
#define gc_slab_recall		scarce_slab_recall
#define gc_slabs_recalled	scarce_slabs_recalled
#define gc_slabs_unmark		scarce_slabs_unmark
#define gc_slabs_release	scarce_slabs_release
#define gc_slabs_release_free	scarce_slabs_release_free
#define gc_slabs_visit		scarce_slabs_visit

#include "bare_heap.h"
#include "graph.h"
#include "mark.h"

/* Blocks that the machine has, and the order of the largest. */
static unsigned long blocks_left;
static unsigned int largest_order;
/* No page comes right after the one before; the page kept for that. */
static bool scattered;
static struct page *kept;

/* Pages in pairs, the second one first. */
static struct page *scattered_page(gfp_t gfp)
{
	struct page *page = kept;

	kept = NULL;
	if (page)
		return page;
	page = alloc_pages(gfp, 1);
	if (!page)
		return NULL;
	split_page(page, 1);
	kept = page;
	return page + 1;
}

static struct page *scarce_block(gfp_t gfp, unsigned int order)
{
	if (order > largest_order || !blocks_left)
		return NULL;
	blocks_left--;
	return scattered ? scattered_page(gfp) : alloc_pages(gfp, order);
}

#undef alloc_pages
#define alloc_pages(gfp, order)	scarce_block(gfp, order)

#include "../backing.c"
#include "../pages.c"
#include "../slab.c"

static void machine_has(unsigned long blocks, unsigned int order)
{
	blocks_left = blocks;
	largest_order = order;
	scattered = false;
}

static void machine_is_scattered(void)
{
	machine_has(ULONG_MAX, 0);
	scattered = true;
}

static void scarce_exit(struct kunit *test)
{
	if (kept)
		__free_page(kept);
	kept = NULL;
}

static struct page *page_at(struct gc_pages *gp, unsigned long nr)
{
	unsigned long run = 1;

	return *gc_pages_run(gp, nr, &run);
}

static void memory_that_ends_midway_goes_back(struct kunit *test)
{
	struct gc_pages *gp = &bare_heap_new(test, BARE_HEAP_PAGES)->pages;

	machine_has(ULONG_MAX, MAX_PAGE_ORDER);
	KUNIT_ASSERT_EQ(test, gc_pages_alloc(gp, 5, true), 0);
	machine_has(9, 3);
	KUNIT_EXPECT_EQ(test, gc_pages_alloc(gp, 100, true), -ENOMEM);
	KUNIT_EXPECT_EQ(test, blocks_left, 0);
	KUNIT_EXPECT_EQ(test, gp->frontier, 8);
	KUNIT_EXPECT_EQ(test, gp->free, 3);
	KUNIT_EXPECT_NULL(test, page_at(gp, 8));
	machine_has(ULONG_MAX, MAX_PAGE_ORDER);
	KUNIT_EXPECT_EQ(test, gc_pages_alloc(gp, 100, true), 5);
}

static void memory_that_ends_over_chunks_goes_back(struct kunit *test)
{
	struct gc_pages *gp = &bare_heap_new(test, BARE_HEAP_PAGES)->pages;

	gp->reserved = 1;
	machine_has(5, 8);
	KUNIT_EXPECT_EQ(test, gc_pages_alloc(gp, 2000, true), -ENOMEM);
	KUNIT_EXPECT_EQ(test, gp->frontier, 0);
	KUNIT_EXPECT_EQ(test, gp->free, 0);
	machine_has(ULONG_MAX, 8);
	KUNIT_EXPECT_EQ(test, gc_pages_alloc(gp, 2000, true), 1);
	KUNIT_EXPECT_EQ(test, gp->free, gp->frontier - 2001);
}

static void small_blocks_do_when_large_ones_are_not_to_be_had(struct kunit *test)
{
	unsigned int order;

	for (order = 0; order < 9; order++) {
		struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
		struct gc_pages *gp = &gs->pages;
		unsigned long nr;

		machine_has(ULONG_MAX, order);
		KUNIT_ASSERT_EQ(test, gc_pages_alloc(gp, 600, true), 0);
		KUNIT_ASSERT_EQ(test, gp->free, gp->frontier - 600);
		for (nr = 0; nr < gp->frontier; nr++)
			KUNIT_ASSERT_EQ(test,
					page_folio(page_at(gp, nr))->index, nr);
	}
}

/* Else the next page fault of the program is its end. */
static void heap_does_not_take_the_last_memory(struct kunit *test)
{
	struct gc_pages *gp = &bare_heap_new(test, BARE_HEAP_PAGES)->pages;

	machine_has(ULONG_MAX, MAX_PAGE_ORDER);
	KUNIT_ASSERT_EQ(test, gc_pages_alloc(gp, 512, true), 0);
	machine_has(100, 3);
	KUNIT_EXPECT_EQ(test, gc_pages_alloc(gp, 8, true), -ENOMEM);
	KUNIT_EXPECT_EQ(test, gp->frontier, 512);
	KUNIT_EXPECT_EQ(test, gp->free, 0);
}

static void slab_without_memory_is_enomem(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	LIST_HEAD(owned);

	machine_has(0, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(gc_slab_take(gs, 0, false, &owned,
						   &owned)), -ENOMEM);
	KUNIT_EXPECT_EQ(test, gc_slab_alloc_object(gs, SZ_1M, true), -ENOMEM);
	KUNIT_EXPECT_EQ(test, gs->meta_bytes, 0);
	KUNIT_EXPECT_EQ(test, gs->since, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&owned));
}

static struct gc_slab *scattered_slab(struct kunit *test, struct gc_slabs *gs,
				      unsigned int class_index,
				      struct list_head *owned)
{
	struct gc_slab *slab = gc_slab_take(gs, class_index, false, owned,
					    owned);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, slab);
	KUNIT_ASSERT_NULL(test, slab->kaddr);
	gc_slab_clear_handed(gs, slab);
	return slab;
}

/* Each word of a slab by itself */
static size_t *word_at(struct gc_slabs *gs, struct gc_slab *slab, size_t at)
{
	size_t bytes = sizeof(size_t);

	return gc_slab_piece(gs, slab, at, &bytes);
}

static void pieces_of_a_slab_end_where_its_pages_do(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	struct gc_slab *slab;
	LIST_HEAD(owned);
	size_t bytes;

	machine_is_scattered();
	slab = scattered_slab(test, gs, 0, &owned);
	bytes = 100;
	gc_slab_piece(gs, slab, 8, &bytes);
	KUNIT_EXPECT_EQ(test, bytes, 100);
	bytes = 100;
	gc_slab_piece(gs, slab, PAGE_SIZE - 8, &bytes);
	KUNIT_EXPECT_EQ(test, bytes, 8);
	bytes = PAGE_SIZE;
	gc_slab_piece(gs, slab, PAGE_SIZE, &bytes);
	KUNIT_EXPECT_EQ(test, bytes, PAGE_SIZE);
}

static void scattered_slab_is_the_pages_of_the_heap(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	LIST_HEAD(owned);
	unsigned int c;

	machine_is_scattered();
	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slab *slab = scattered_slab(test, gs, c, &owned);
		size_t bytes = slab->nr_pages << PAGE_SHIFT, at;

		KUNIT_ASSERT_TRUE(test, bare_heap_holds(gs, slab->offset, bytes,
							0));
		for (at = 0; at < bytes; at += 8)
			*word_at(gs, slab, at) = slab->offset + at;
		for (at = 0; at < bytes; at += 8)
			KUNIT_ASSERT_EQ(test, slab->offset + at,
					*bare_heap_word(gs, slab->offset + at));
	}
}

static void scattered_slots_are_zero_again(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	LIST_HEAD(owned);
	unsigned int c;

	machine_is_scattered();
	bitmap_fill(unused, GCHEAP_SLAB_SLOTS);
	__clear_bit(1, unused);
	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slab *slab = scattered_slab(test, gs, c, &owned);
		size_t size = slab->object_size;

		bare_heap_fill(gs, slab->offset, slab->slots * size, 0xd1);
		gc_slab_give_back(gs, slab, unused);
		KUNIT_ASSERT_PTR_EQ(test, scattered_slab(test, gs, c, &owned),
				    slab);
		KUNIT_ASSERT_TRUE(test, bare_heap_holds(gs, slab->offset, size,
							0));
		KUNIT_ASSERT_TRUE(test, bare_heap_holds(gs, slab->offset + size,
							size, 0xd1));
		KUNIT_ASSERT_TRUE(test, bare_heap_holds(gs,
							slab->offset + 2 * size,
							(slab->slots - 2) *
							size, 0));
	}
}

static void scattered_objects_are_followed(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	long small, middle, large;
	unsigned long word;
	struct gc_marker marker;

	machine_is_scattered();
	small = gc_slab_alloc_object(gs, 16, false);
	middle = gc_slab_alloc_object(gs, SIZE_CLASS_MAX, false);
	large = gc_slab_alloc_object(gs, SZ_1M, false);
	KUNIT_ASSERT_GE(test, min3(small, middle, large), 0);
	*bare_heap_word(gs, large + SZ_1M - 8) = HEAP_BASE + middle;
	*bare_heap_word(gs, middle + SIZE_CLASS_MAX - 8) = HEAP_BASE + small;
	word = HEAP_BASE + large;
	KUNIT_ASSERT_EQ(test, gc_marker_init(&marker, gs, HEAP_BASE), 0);
	gc_mark_words(&marker, &word, 1);
	KUNIT_EXPECT_EQ(test, gc_mark_drain(&marker), 0);
	gc_marker_destroy(&marker);
	KUNIT_EXPECT_TRUE(test, bare_heap_is_marked(gs, large));
	KUNIT_EXPECT_TRUE(test, bare_heap_is_marked(gs, middle));
	KUNIT_EXPECT_TRUE(test, bare_heap_is_marked(gs, small));
}

static const struct gc_release all_of_it = {
	ULONG_MAX, ULONG_MAX, UINT_MAX, U64_MAX
};

static void scattered_slabs_go_like_others(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned int c;

	machine_is_scattered();
	for (c = 0; c < SIZE_CLASS_COUNT; c++)
		KUNIT_ASSERT_GE(test, gc_slab_alloc_object(gs, 1 << c % 16,
							   c % 2), 0);
	gc_slabs_marked(gs, bare_heap_marked_bytes(gs), false);
	while (gc_slabs_sweep(gs, 64))
		;
	KUNIT_EXPECT_EQ(test, gs->pages.free, gs->pages.frontier);
	gc_slabs_release(gs, &all_of_it);
	KUNIT_EXPECT_EQ(test, gc_pages_backed(&gs->pages), 0);
	KUNIT_EXPECT_EQ(test, gs->meta_bytes, 0);
}

/* A slab of 2 KiB slots, of which one is in use, with holes in 7 pages of 8 */
static struct gc_slab *sparse_slab(struct kunit *test, struct gc_slabs *gs,
				   size_t *kept)
{
	size_t first = bare_heap_alloc(test, gs, SZ_2K, false), i;

	for (i = 1; i < 16; i++)
		*kept = bare_heap_alloc(test, gs, SZ_2K, false);
	KUNIT_ASSERT_EQ(test, *kept, first + 15 * SZ_2K);
	bare_heap_fill(gs, *kept, SZ_2K, 0x77);
	bare_heap_mark(gs, *kept);
	gc_slabs_marked(gs, bare_heap_marked_bytes(gs), false);
	gc_slabs_sweep(gs, UINT_MAX);
	gc_slabs_release(gs, &all_of_it);
	KUNIT_ASSERT_EQ(test, gs->pages.holes, 7);
	return bare_heap_slab(gs, *kept);
}

static void hole_without_memory_is_enomem_and_stays(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	struct gc_slab *slab;
	LIST_HEAD(owned);
	size_t kept;
	unsigned int blocks;

	machine_has(ULONG_MAX, MAX_PAGE_ORDER);
	slab = sparse_slab(test, gs, &kept);
	for (blocks = 0; blocks < 7; blocks++) {
		machine_has(blocks, 0);
		KUNIT_EXPECT_EQ(test, PTR_ERR(gc_slab_take(gs, slab->class_index,
							   false, &owned, &owned)),
				-ENOMEM);
		KUNIT_EXPECT_EQ(test, blocks_left, 0);
		KUNIT_EXPECT_EQ(test, slab->state, SLAB_SPARSE);
		KUNIT_EXPECT_EQ(test, gs->pages.holes, 7);
		KUNIT_EXPECT_EQ(test, gc_pages_backed(&gs->pages), 1);
	}
	machine_has(7, 0);
	KUNIT_EXPECT_PTR_EQ(test, gc_slab_take(gs, slab->class_index, false,
					       &owned, &owned), slab);
	gc_slab_clear_handed(gs, slab);
	KUNIT_EXPECT_TRUE(test, bare_heap_holds(gs, slab->offset, 15 * SZ_2K, 0));
	KUNIT_EXPECT_TRUE(test, bare_heap_holds(gs, kept, SZ_2K, 0x77));
}

/* The kernel sees the new pages, too, wherever they and the old ones lie. */
static void filled_slab_is_seen_where_its_pages_are(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	struct gc_slab *slab;
	unsigned int round;
	LIST_HEAD(owned);
	size_t kept, at;

	machine_has(ULONG_MAX, MAX_PAGE_ORDER);
	slab = sparse_slab(test, gs, &kept);
	KUNIT_EXPECT_NOT_NULL(test, slab->kaddr);
	machine_is_scattered();
	for (round = 0; round < 3; round++) {
		KUNIT_ASSERT_PTR_EQ(test, scattered_slab(test, gs, slab->class_index,
							 &owned), slab);
		for (at = 0; at < 15 * SZ_2K; at += 8)
			*word_at(gs, slab, at) = round + at;
		for (at = 0; at < 15 * SZ_2K; at += 8)
			KUNIT_ASSERT_EQ(test, *bare_heap_word(gs, slab->offset + at),
					round + at);
		KUNIT_ASSERT_TRUE(test, bare_heap_holds(gs, kept, SZ_2K, 0x77));
		gc_slab_give_back(gs, slab, gc_slab_handed_bits(slab));
		gc_slabs_release(gs, &all_of_it);
		KUNIT_ASSERT_EQ(test, gs->pages.holes, 7);
	}
}

static struct kunit_case scarce_cases[] = {
	KUNIT_CASE(memory_that_ends_midway_goes_back),
	KUNIT_CASE(memory_that_ends_over_chunks_goes_back),
	KUNIT_CASE(small_blocks_do_when_large_ones_are_not_to_be_had),
	KUNIT_CASE(heap_does_not_take_the_last_memory),
	KUNIT_CASE(slab_without_memory_is_enomem),
	KUNIT_CASE(pieces_of_a_slab_end_where_its_pages_do),
	KUNIT_CASE(scattered_slab_is_the_pages_of_the_heap),
	KUNIT_CASE(scattered_slots_are_zero_again),
	KUNIT_CASE(scattered_objects_are_followed),
	KUNIT_CASE(scattered_slabs_go_like_others),
	KUNIT_CASE(hole_without_memory_is_enomem_and_stays),
	KUNIT_CASE(filled_slab_is_seen_where_its_pages_are),
	{}
};

static struct kunit_suite scarce_suite = {
	.name = "gcheap_scarce",
	.exit = scarce_exit,
	.test_cases = scarce_cases,
};

kunit_test_suite(scarce_suite);
