// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs with holes: which pages go back to the machine, what becomes of the objects
 * beside them, and how the slab gets whole again.
 */
#include <kunit/test.h>
#include <linux/gcheap.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "audit.h"
#include "backing.h"
#include "bare_heap.h"

#define DIRT	0xd1

/* Not all size classes are tried, as that takes a heap for each. */
#define CLASS_STEP	5

/* The class of 1 KiB: 4 pages, of 4 slots each */
#define KIB_CLASS	29
#define KIB_SLOTS	16

static unsigned long release(struct kunit *test, struct gc_slabs *gs)
{
	unsigned long backed = gc_pages_backed(&gs->pages);
	unsigned long done = bare_heap_release(gs, ULONG_MAX, UINT_MAX);

	KUNIT_EXPECT_EQ(test, gc_pages_backed(&gs->pages), backed - done);
	gc_audit(gs);
	KUNIT_EXPECT_EQ(test, gs->pages.faults.nr, 0);
	return done;
}

/* A whole slab of dirty objects, of which one lives; returns that. */
static size_t lonely(struct kunit *test, struct gc_slabs *gs,
		     unsigned int class_index, u32 index)
{
	const struct size_class *class = &size_classes[class_index];
	size_t first = 0, size = class->object_size;
	u32 i;

	for (i = 0; i < class->slots; i++) {
		size_t offset = bare_heap_alloc(test, gs, size, false);

		if (!i)
			first = offset;
		KUNIT_ASSERT_EQ(test, offset, first + i * size);
		bare_heap_fill(gs, offset, size, DIRT);
	}
	bare_heap_mark(gs, first + index * size);
	bare_heap_sweep_all(gs);
	return first + index * size;
}

static struct page *page_at(struct gc_slabs *gs, unsigned long nr)
{
	return gc_pages_page(&gs->pages, nr);
}

/* The pages of a slab are there that the object has a part on, and no others. */
static bool only_pages_of(struct gc_slabs *gs, struct gc_slab *slab,
			  size_t object)
{
	unsigned long first = slab->offset >> PAGE_SHIFT, nr;

	for (nr = first; nr < first + slab->nr_pages; nr++) {
		bool needed = nr >= object >> PAGE_SHIFT &&
			      nr <= (object + slab->object_size - 1) >> PAGE_SHIFT;

		if (!!page_at(gs, nr) != needed)
			return false;
	}
	return true;
}

static void only_pages_with_objects_stay(struct kunit *test)
{
	unsigned int c, step;

	for (c = 0; c < SIZE_CLASS_COUNT; c += CLASS_STEP) {
		u32 slots = size_classes[c].slots;

		for (step = 0; step < 3; step++) {
			struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
			size_t kept = lonely(test, gs, c, (slots - 1) * step / 2);
			struct gc_slab *slab = bare_heap_slab(gs, kept);

			release(test, gs);
			KUNIT_ASSERT_TRUE(test, only_pages_of(gs, slab, kept));
			KUNIT_ASSERT_EQ(test, slab->state, slab->holes ?
					SLAB_SPARSE : SLAB_PARTIAL);
			KUNIT_ASSERT_TRUE(test, bare_heap_holds(gs, kept,
								slab->object_size,
								DIRT));
		}
	}
}

static void holes_are_filled_before_slots_are_handed_out(struct kunit *test)
{
	LIST_HEAD(owned);
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c += CLASS_STEP) {
		struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
		size_t kept = lonely(test, gs, c, 1), size, at;
		struct gc_slab *slab = bare_heap_slab(gs, kept);

		size = slab->object_size;
		release(test, gs);
		KUNIT_ASSERT_PTR_EQ(test, gc_slab_take(gs, c, false, &owned,
						       &owned), slab);
		gc_slab_clear_handed(gs, slab);
		KUNIT_ASSERT_EQ(test, slab->holes, 0);
		KUNIT_ASSERT_EQ(test, gs->pages.holes, 0);
		for (at = 0; at < slab->slots * size; at += size)
			KUNIT_ASSERT_TRUE(test, bare_heap_holds(gs, slab->offset + at, size,
								slab->offset + at == kept ?
								DIRT : 0));
	}
}

static void slabs_without_holes_come_first(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t kept = lonely(test, gs, KIB_CLASS, 0), other;
	struct gc_slab *sparse = bare_heap_slab(gs, kept);
	unsigned int i;

	release(test, gs);
	/* There is no other free memory, so the hole is filled. */
	other = bare_heap_alloc(test, gs, SZ_1K, false);
	KUNIT_EXPECT_PTR_EQ(test, bare_heap_slab(gs, other), sparse);
	bare_heap_mark(gs, kept);
	bare_heap_sweep_all(gs);
	release(test, gs);
	KUNIT_ASSERT_EQ(test, sparse->state, SLAB_SPARSE);
	/* Free pages are there, and then a slab on them that is partial. */
	bare_heap_alloc(test, gs, SZ_4K, true);
	for (i = 0; i < KIB_SLOTS; i++) {
		other = bare_heap_alloc(test, gs, SZ_1K, false);
		KUNIT_EXPECT_PTR_NE(test, bare_heap_slab(gs, other), sparse);
	}
	KUNIT_EXPECT_EQ(test, sparse->state, SLAB_SPARSE);
}

/* Addresses of the slab are the heap's again, and not lost. */
static void holes_of_a_slab_that_goes_are_absent(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned long frontier, holes;

	lonely(test, gs, KIB_CLASS, 5);
	frontier = gs->pages.frontier;
	release(test, gs);
	holes = gs->pages.holes;
	KUNIT_EXPECT_EQ(test, holes, 3);
	KUNIT_EXPECT_EQ(test, gc_pages_backed(&gs->pages), 1);
	bare_heap_sweep_all(gs);
	KUNIT_EXPECT_EQ(test, gs->pages.holes, 0);
	KUNIT_EXPECT_EQ(test, gs->pages.absent, frontier - 1);
	KUNIT_EXPECT_EQ(test, gs->pages.free, 1);
	gc_audit(gs);
	KUNIT_EXPECT_EQ(test, gs->pages.faults.nr, 0);
	KUNIT_EXPECT_EQ(test, gc_pages_alloc(&gs->pages, frontier, true), 0);
	KUNIT_EXPECT_EQ(test, gs->pages.frontier, frontier);
	KUNIT_EXPECT_EQ(test, gs->pages.absent, 0);
}

static void sparse_slab_is_swept_when_its_class_is_wanted(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t kept = lonely(test, gs, KIB_CLASS, 0), other;
	struct gc_slab *slab = bare_heap_slab(gs, kept);

	release(test, gs);
	bare_heap_mark(gs, kept);
	gc_slabs_marked(gs, bare_heap_marked_bytes(gs), false);
	KUNIT_EXPECT_EQ(test, gc_slab_state(gs, slab), SLAB_UNSWEPT);
	/* It holds nothing that may be handed out as it is. */
	other = bare_heap_alloc(test, gs, SZ_1K, false);
	KUNIT_EXPECT_TRUE(test, bare_heap_holds(gs, other, SZ_1K, 0));
	KUNIT_EXPECT_TRUE(test, bare_heap_holds(gs, kept, SZ_1K, DIRT));
	/* One that is empty then goes. */
	gc_slabs_marked(gs, bare_heap_marked_bytes(gs), false);
	gc_slabs_sweep(gs, UINT_MAX);
	lonely(test, gs, KIB_CLASS, 0);
	release(test, gs);
	gc_slabs_marked(gs, bare_heap_marked_bytes(gs), false);
	bare_heap_alloc(test, gs, SZ_1K, false);
	KUNIT_EXPECT_EQ(test, gs->pages.holes, 0);
	gc_audit(gs);
	KUNIT_EXPECT_EQ(test, gs->pages.faults.nr, 0);
}

static void page_that_is_lent_stays(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t kept = lonely(test, gs, KIB_CLASS, 0);
	struct page *page = page_at(gs, (kept >> PAGE_SHIFT) + 2);

	get_page(page);
	release(test, gs);
	KUNIT_EXPECT_EQ(test, gs->pages.holes, 2);
	KUNIT_EXPECT_PTR_EQ(test, page_at(gs, (kept >> PAGE_SHIFT) + 2), page);
	put_page(page);
	bare_heap_mark(gs, kept);
	bare_heap_sweep_all(gs);
	release(test, gs);
	KUNIT_EXPECT_EQ(test, gs->pages.holes, 3);
}

/* Else who is short of memory would look at all slabs for each page. */
static void slab_is_looked_at_once(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	struct gc_slab *slab;
	size_t kept;

	kept = lonely(test, gs, KIB_CLASS, 0);
	slab = bare_heap_slab(gs, kept);
	gc_backing_release(&gs->pages, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, bare_heap_release(gs, ULONG_MAX, 0), 0);
	KUNIT_EXPECT_FALSE(test, slab->looked_at);
	KUNIT_EXPECT_EQ(test, gs->spare, 15 * SZ_1K);
	KUNIT_EXPECT_EQ(test, bare_heap_release(gs, 1, 1), 3);
	KUNIT_EXPECT_TRUE(test, slab->looked_at);
	KUNIT_EXPECT_EQ(test, gs->spare, 0);
	KUNIT_EXPECT_EQ(test, release(test, gs), 0);
	bare_heap_mark(gs, kept);
	bare_heap_sweep_all(gs);
	KUNIT_EXPECT_FALSE(test, slab->looked_at);
	KUNIT_EXPECT_EQ(test, release(test, gs), 0);
}

/* A program at work fills them again: each page would go and come for nothing. */
static void slab_that_is_young_stays(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	struct gc_release most = {
		.pages = ULONG_MAX, .unmaps = ULONG_MAX, .looks = UINT_MAX,
	};
	size_t kept = lonely(test, gs, KIB_CLASS, 0);

	most.before = gs->cycle - 1;
	gc_backing_release(&gs->pages, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, gc_slabs_release(gs, &most), 0);
	KUNIT_EXPECT_EQ(test, gs->pages.holes, 0);
	KUNIT_EXPECT_EQ(test, gs->spare, 15 * SZ_1K);
	/* It goes when it is older, or when age is of no matter any more. */
	bare_heap_mark(gs, kept);
	bare_heap_sweep_all(gs);
	KUNIT_EXPECT_EQ(test, gc_slabs_release(gs, &most), 0);
	KUNIT_EXPECT_EQ(test, release(test, gs), 3);
	bare_heap_alloc(test, gs, SZ_1K, false);
	bare_heap_mark(gs, kept);
	bare_heap_sweep_all(gs);
	bare_heap_mark(gs, kept);
	bare_heap_sweep_all(gs);
	most.before = gs->cycle - 1;
	KUNIT_EXPECT_EQ(test, gc_slabs_release(gs, &most), 3);
}

/* Each range is looked for in the page tables of all who map the heap. */
static void ranges_that_are_unmapped_are_bounded(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	const struct gc_release most = {
		.pages = ULONG_MAX, .unmaps = 1, .looks = UINT_MAX, .before = U64_MAX,
	};
	unsigned long free, done = 0, nr;
	unsigned int i, calls = 0;

	for (i = 0; i < 9; i++) {
		size_t object = bare_heap_alloc(test, gs, SZ_64K, false);

		if (i % 2)
			bare_heap_mark(gs, object);
	}
	bare_heap_sweep_all(gs);
	for (free = gs->pages.free; (nr = gc_slabs_release(gs, &most)); calls++)
		done += nr;
	KUNIT_EXPECT_EQ(test, done, free);
	KUNIT_EXPECT_GE(test, calls, 5);
}

static void slabs_of_others_are_left_alone(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t kept = lonely(test, gs, KIB_CLASS, 0);
	struct gc_slab *slab;
	LIST_HEAD(owned);

	bare_heap_mark(gs, kept);
	gc_slabs_marked(gs, bare_heap_marked_bytes(gs), false);
	release(test, gs);
	KUNIT_EXPECT_EQ(test, gs->pages.holes, 0);
	gc_slabs_sweep(gs, UINT_MAX);
	slab = gc_slab_take(gs, KIB_CLASS, false, &owned, &owned);
	KUNIT_ASSERT_PTR_EQ(test, slab, bare_heap_slab(gs, kept));
	release(test, gs);
	KUNIT_EXPECT_EQ(test, gs->pages.holes, 0);
	gc_slab_give_back(gs, slab, gc_slab_handed_bits(slab));
	release(test, gs);
	KUNIT_EXPECT_EQ(test, gs->pages.holes, 3);
}

static void killed_caller_gets_eintr_and_the_slab_stays_sparse(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t kept = lonely(test, gs, KIB_CLASS, 0);
	struct gc_slab *slab = bare_heap_slab(gs, kept);

	release(test, gs);
	caller_is_killed();
	KUNIT_EXPECT_EQ(test, gc_slab_alloc_object(gs, SZ_1K, false), -EINTR);
	caller_lives_on();
	KUNIT_EXPECT_EQ(test, slab->state, SLAB_SPARSE);
	KUNIT_EXPECT_EQ(test, gs->pages.holes, 3);
	KUNIT_EXPECT_PTR_EQ(test, bare_heap_slab(gs, bare_heap_alloc(test, gs, SZ_1K, false)),
			    slab);
}

/* Memory fresh from the machine does not hold the pattern by itself. */
static void filled_holes_are_poisoned(struct kunit *test)
{
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c += CLASS_STEP) {
		struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
		size_t size = size_classes[c].object_size, kept, at;
		struct gc_slab *slab;
		LIST_HEAD(owned);

		gs->pages.poison = true;
		kept = lonely(test, gs, c, 0);
		release(test, gs);
		slab = gc_slab_take(gs, c, false, &owned, &owned);
		KUNIT_ASSERT_PTR_EQ(test, slab, bare_heap_slab(gs, kept));
		KUNIT_ASSERT_EQ(test, gs->pages.faults.nr, 0);
		gc_slab_give_back(gs, slab, gc_slab_handed_bits(slab));
		/* Who writes to what was filled is found. */
		at = (slab->slots - 1) * size;
		bare_heap_fill(gs, slab->offset + at, 1, 7);
		gc_slab_take(gs, c, false, &owned, &owned);
		KUNIT_ASSERT_EQ(test, gs->pages.faults.nr, 1);
	}
}

static struct kunit_case sparse_cases[] = {
	KUNIT_CASE(only_pages_with_objects_stay),
	KUNIT_CASE(holes_are_filled_before_slots_are_handed_out),
	KUNIT_CASE(slabs_without_holes_come_first),
	KUNIT_CASE(holes_of_a_slab_that_goes_are_absent),
	KUNIT_CASE(sparse_slab_is_swept_when_its_class_is_wanted),
	KUNIT_CASE(page_that_is_lent_stays),
	KUNIT_CASE(slab_is_looked_at_once),
	KUNIT_CASE(slab_that_is_young_stays),
	KUNIT_CASE(ranges_that_are_unmapped_are_bounded),
	KUNIT_CASE(slabs_of_others_are_left_alone),
	KUNIT_CASE(killed_caller_gets_eintr_and_the_slab_stays_sparse),
	KUNIT_CASE(filled_holes_are_poisoned),
	{}
};

static struct kunit_suite sparse_suite = {
	.name = "gcheap_sparse",
	.test_cases = sparse_cases,
};

kunit_test_suite(sparse_suite);
