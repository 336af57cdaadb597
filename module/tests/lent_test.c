// SPDX-License-Identifier: GPL-2.0
/*
 * Garbage on pages that somebody has a reference to stays until that is dropped.
 *
 * A case plays whoever has the reference, and the page tables as well.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "audit.h"
#include "bare_heap.h"
#include "slab.h"

#define DIRT	0xd1

static struct page *page_of(struct gc_slabs *gs, size_t offset)
{
	return gc_pages_page(&gs->pages, offset >> PAGE_SHIFT);
}

/* One cycle in which nothing is marked. */
static void collect(struct kunit *test, struct gc_slabs *gs)
{
	bare_heap_sweep_all(gs);
	gc_audit(gs);
	KUNIT_ASSERT_EQ(test, gs->pages.faults.nr, 0);
}

static bool allocated(struct gc_slabs *gs, size_t offset)
{
	u32 index;
	struct gc_slab *slab = gc_slab_find(gs, offset, &index);

	return slab && test_bit(index, gc_slab_alloc_bits(slab));
}

static void page_tables_do_not_hold_a_page(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t object = bare_heap_alloc(test, gs, SZ_64K, false);
	unsigned long first = object >> PAGE_SHIFT;
	struct page *page = page_of(gs, object + 3 * PAGE_SIZE);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, gc_pages_find_lent(&gs->pages, first,
							 first + 16), first + 16);
		get_page(page);
		KUNIT_EXPECT_EQ(test, gc_pages_find_lent(&gs->pages, first,
							 first + 16), first + 3);
		KUNIT_EXPECT_EQ(test, gc_pages_find_lent(&gs->pages, first + 4,
							 first + 16), first + 16);
		atomic_inc(&page->_mapcount);
	}
	for (i = 0; i < 3; i++) {
		atomic_dec(&page->_mapcount);
		put_page(page);
	}
}

static void lent_pages_are_found_in_all_chunks(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t object = bare_heap_alloc(test, gs, 1100 * PAGE_SIZE, false);
	unsigned long first = object >> PAGE_SHIFT, end = first + 1100, nr;

	for (nr = first + 1; nr < end; nr += 157)
		get_page(page_of(gs, nr << PAGE_SHIFT));
	for (nr = first + 1; nr < end; nr += 157) {
		KUNIT_ASSERT_EQ(test, gc_pages_find_lent(&gs->pages, first, end),
				nr);
		put_page(page_of(gs, nr << PAGE_SHIFT));
	}
	KUNIT_EXPECT_EQ(test, gc_pages_find_lent(&gs->pages, first, end), end);
}

/* In each class, with each page of the slab in turn. */
static void garbage_is_held_where_a_page_is_lent(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned int c, p;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		const struct size_class *class = &size_classes[c];

		for (p = 0; p < class->pages; p++) {
			size_t size = class->object_size, held = 0, start;
			struct page *page;
			u32 i;

			for (i = 0; i < class->slots; i++)
				start = bare_heap_alloc(test, gs, size, false);
			start = bare_heap_slab(gs, start)->offset;
			bare_heap_fill(gs, start, class->slots * size, DIRT);
			page = page_of(gs, start + p * PAGE_SIZE);
			get_page(page);
			collect(test, gs);
			for (i = 0; i < class->slots; i++) {
				bool on_page = start + i * size <
					       start + (p + 1) * PAGE_SIZE &&
					       start + (i + 1) * size >
					       start + p * PAGE_SIZE;

				held += on_page;
				KUNIT_ASSERT_EQ(test, on_page,
						allocated(gs, start + i * size));
				KUNIT_ASSERT_TRUE(test, !on_page ||
						  bare_heap_holds(gs, start +
								  i * size,
								  size, DIRT));
			}
			KUNIT_ASSERT_EQ(test, gs->held, held * size);
			KUNIT_ASSERT_EQ(test, gc_slabs_allocated(gs), gs->held);
			put_page(page);
			collect(test, gs);
			KUNIT_ASSERT_EQ(test, gs->held, 0);
			KUNIT_ASSERT_EQ(test, gc_slabs_allocated(gs), 0);
		}
	}
}

static void large_object_is_held_by_each_of_its_pages(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned long p;

	for (p = 0; p < 600; p += 37) {
		size_t object = bare_heap_alloc(test, gs, 600 * PAGE_SIZE, false);
		struct page *page = page_of(gs, object + p * PAGE_SIZE);

		get_page(page);
		collect(test, gs);
		KUNIT_ASSERT_TRUE(test, allocated(gs, object));
		KUNIT_ASSERT_EQ(test, gs->held, 600 * PAGE_SIZE);
		put_page(page);
		collect(test, gs);
		KUNIT_ASSERT_FALSE(test, allocated(gs, object));
		KUNIT_ASSERT_EQ(test, gs->held, 0);
	}
}

static void what_is_held_is_neither_live_nor_new(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t held = bare_heap_alloc(test, gs, 4096, false);
	size_t kept = bare_heap_alloc(test, gs, 4096, false);
	size_t dead = bare_heap_alloc(test, gs, 4096, false);
	unsigned int i;

	get_page(page_of(gs, held));
	for (i = 0; i < 3; i++) {
		bare_heap_mark(gs, kept);
		collect(test, gs);
		KUNIT_EXPECT_TRUE(test, allocated(gs, held));
		KUNIT_EXPECT_FALSE(test, allocated(gs, dead));
		KUNIT_EXPECT_EQ(test, gs->live, 4096);
		KUNIT_EXPECT_EQ(test, gs->since, 0);
		KUNIT_EXPECT_EQ(test, gs->held, 4096);
		KUNIT_EXPECT_EQ(test, gc_slabs_allocated(gs), 8192);
	}
	/* It is found alive after all. */
	bare_heap_mark(gs, kept);
	bare_heap_mark(gs, held);
	collect(test, gs);
	KUNIT_EXPECT_EQ(test, gs->live, 8192);
	KUNIT_EXPECT_EQ(test, gs->held, 0);
	put_page(page_of(gs, held));
}

/* The slab is a thread's, and comes and goes with what is held in it. */
static void garbage_is_held_in_a_slab_that_a_thread_has(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t old = bare_heap_alloc(test, gs, 64, false), used;
	DECLARE_BITMAP(unused, 4096);
	struct gc_slab *slab;
	LIST_HEAD(owned);

	slab = gc_slab_take(gs, size_class_of(64), false, &owned, &owned);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, slab);
	KUNIT_ASSERT_PTR_EQ(test, slab, bare_heap_slab(gs, old));
	used = old + 64;
	get_page(page_of(gs, old));
	bitmap_copy(unused, gc_slab_handed_bits(slab), slab->slots);
	__clear_bit(1, unused);
	gc_slab_sweep_owned(gs, slab, unused);
	collect(test, gs);
	KUNIT_EXPECT_TRUE(test, allocated(gs, old));
	KUNIT_EXPECT_TRUE(test, allocated(gs, used));
	/* What the thread got counts as in use as long as it has the slab. */
	KUNIT_EXPECT_EQ(test, gs->held, 64);
	bitmap_copy(unused, gc_slab_handed_bits(slab), slab->slots);
	__clear_bit(1, unused);
	gc_slab_give_back(gs, slab, unused);
	gc_audit(gs);
	KUNIT_EXPECT_EQ(test, gs->pages.faults.nr, 0);
	KUNIT_EXPECT_EQ(test, gc_slabs_allocated(gs), 128);
	collect(test, gs);
	KUNIT_EXPECT_EQ(test, gs->held, 128);
	put_page(page_of(gs, old));
	collect(test, gs);
	KUNIT_EXPECT_EQ(test, gs->held, 0);
	KUNIT_EXPECT_FALSE(test, allocated(gs, old));
	KUNIT_EXPECT_FALSE(test, allocated(gs, used));
}

static struct kunit_case lent_cases[] = {
	KUNIT_CASE(page_tables_do_not_hold_a_page),
	KUNIT_CASE(lent_pages_are_found_in_all_chunks),
	KUNIT_CASE(garbage_is_held_where_a_page_is_lent),
	KUNIT_CASE(large_object_is_held_by_each_of_its_pages),
	KUNIT_CASE(what_is_held_is_neither_live_nor_new),
	KUNIT_CASE(garbage_is_held_in_a_slab_that_a_thread_has),
	{}
};

static struct kunit_suite lent_suite = {
	.name = "gcheap_lent",
	.test_cases = lent_cases,
};

kunit_test_suite(lent_suite);
