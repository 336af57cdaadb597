// SPDX-License-Identifier: GPL-2.0
/*
 * Free memory that somebody writes to is found out when it is handed out again,
 * whichever way it became free.
 */
#include <kunit/test.h>
#include <linux/gcheap.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "bare_heap.h"
#include "poison.h"

static struct gc_slabs *poisoned_heap(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);

	gs->pages.poison = true;
	return gs;
}

/* Faults found since the last look; the first is at @offset, unless -1. */
static unsigned int faults(struct kunit *test, struct gc_slabs *gs,
			   size_t offset)
{
	struct gc_faults *found = &gs->pages.faults;
	unsigned int nr = found->nr;

	if (nr && offset != -1UL)
		KUNIT_EXPECT_EQ(test, found->first[0].offset, offset);
	found->nr = 0;
	return nr;
}

static struct gc_slab *take(struct kunit *test, struct gc_slabs *gs,
			    unsigned int class_index, struct list_head *owned)
{
	struct gc_slab *slab = gc_slab_take(gs, class_index, false, owned,
					    owned);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, slab);
	gc_slab_clear_handed(gs, slab);
	KUNIT_EXPECT_TRUE(test, bare_heap_holds(gs, slab->offset, slab->slots *
						slab->object_size, 0));
	return slab;
}

/* The first byte of a slot, and the last one. */
static void reclaimed_object_that_is_written_to_is_found(struct kunit *test)
{
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slabs *gs = poisoned_heap(test);
		size_t size = size_classes[c].object_size, kept, dead[2];

		kept = bare_heap_alloc(test, gs, size, false);
		dead[0] = bare_heap_alloc(test, gs, size, false);
		dead[1] = bare_heap_alloc(test, gs, size, false);
		bare_heap_fill(gs, dead[0], size, 1);
		bare_heap_mark(gs, kept);
		bare_heap_sweep_all(gs);
		if (!bare_heap_slab(gs, dead[1]))
			continue;
		bare_heap_fill(gs, dead[0], 1, 2);
		bare_heap_fill(gs, dead[1] + size - 1, 1, 2);
		KUNIT_ASSERT_EQ(test, bare_heap_alloc(test, gs, size, false),
				dead[0]);
		KUNIT_EXPECT_EQ(test, faults(test, gs, dead[0]), 1);
		KUNIT_ASSERT_EQ(test, bare_heap_alloc(test, gs, size, false),
				dead[1]);
		KUNIT_EXPECT_EQ(test, faults(test, gs, dead[1] + size - 1), 1);
		KUNIT_EXPECT_TRUE(test, bare_heap_holds(gs, dead[0], size, 0));
		KUNIT_EXPECT_TRUE(test, bare_heap_holds(gs, dead[1], size, 0));
	}
}

static void slot_that_was_never_used_is_watched_too(struct kunit *test)
{
	struct gc_slabs *gs = poisoned_heap(test);
	size_t first = bare_heap_alloc(test, gs, 64, false);
	LIST_HEAD(owned);

	bare_heap_fill(gs, first, 65, 7);
	KUNIT_ASSERT_EQ(test, bare_heap_alloc(test, gs, 64, false), first + 64);
	KUNIT_EXPECT_EQ(test, faults(test, gs, first + 64), 1);
}

static void slots_that_came_back_unused_are_watched(struct kunit *test)
{
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	struct gc_slabs *gs = poisoned_heap(test);
	LIST_HEAD(owned);
	struct gc_slab *slab = take(test, gs, 3, &owned);
	size_t size = slab->object_size, offset = slab->offset;

	/* The owner may do with them what it likes. */
	bare_heap_fill(gs, offset, slab->slots * size, 9);
	bitmap_fill(unused, GCHEAP_SLAB_SLOTS);
	__clear_bit(0, unused);
	gc_slab_give_back(gs, slab, unused);
	KUNIT_ASSERT_PTR_EQ(test, gc_slab_take(gs, 3, false, &owned, &owned),
			    slab);
	KUNIT_EXPECT_EQ(test, faults(test, gs, -1), 0);
	bitmap_fill(unused, GCHEAP_SLAB_SLOTS);
	gc_slab_give_back(gs, slab, unused);
	bare_heap_fill(gs, offset + 5 * size + 1, 1, 9);
	KUNIT_ASSERT_PTR_EQ(test, gc_slab_take(gs, 3, false, &owned, &owned),
			    slab);
	KUNIT_EXPECT_EQ(test, faults(test, gs, offset + 5 * size + 1), 1);
}

static void slots_swept_under_an_owner_are_watched(struct kunit *test)
{
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS) = {};
	struct gc_slabs *gs = poisoned_heap(test);
	LIST_HEAD(owned);
	struct gc_slab *slab = take(test, gs, 3, &owned);
	size_t size = slab->object_size, offset = slab->offset;

	bare_heap_fill(gs, offset, slab->slots * size, 9);
	bare_heap_mark(gs, offset);
	gc_slab_sweep_owned(gs, slab, unused);
	bare_heap_marked(gs);
	gc_slab_give_back(gs, slab, NULL);
	bare_heap_fill(gs, offset + 3 * size, 1, 9);
	KUNIT_ASSERT_PTR_EQ(test, gc_slab_take(gs, 3, false, &owned, &owned),
			    slab);
	KUNIT_EXPECT_EQ(test, faults(test, gs, offset + 3 * size), 1);
}

/* Who wants all pages that are free has slabs without an object taken apart. */
static void want_all_pages(struct kunit *test, struct gc_slabs *gs)
{
	KUNIT_ASSERT_GT(test, gs->pages.free << PAGE_SHIFT, SIZE_CLASS_MAX);
	bare_heap_alloc(test, gs, gs->pages.free << PAGE_SHIFT, false);
}

/* One without an object, beside a large free place; returns the offset of a word of it. */
static size_t empty_slab(struct kunit *test, struct gc_slabs *gs)
{
	size_t object = bare_heap_alloc(test, gs, 64, false);

	bare_heap_alloc(test, gs, SZ_64K, false);
	bare_heap_sweep_all(gs);
	KUNIT_ASSERT_EQ(test, bare_heap_slab(gs, object)->state, SLAB_EMPTY);
	return object + PAGE_SIZE + 8;
}

static void pages_of_a_slab_that_went_are_watched(struct kunit *test)
{
	struct gc_slabs *gs = poisoned_heap(test);
	size_t at = empty_slab(test, gs);
	unsigned long *word = bare_heap_word(gs, at);

	want_all_pages(test, gs);
	bare_heap_sweep_all(gs);
	KUNIT_ASSERT_NULL(test, bare_heap_slab(gs, at));
	*word = 1;
	bare_heap_alloc(test, gs, 64, false);
	KUNIT_ASSERT_NOT_NULL(test, bare_heap_slab(gs, at));
	KUNIT_EXPECT_EQ(test, faults(test, gs, at), 1);
}

static void empty_slab_is_watched(struct kunit *test)
{
	struct gc_slabs *gs = poisoned_heap(test);
	size_t at = empty_slab(test, gs);
	LIST_HEAD(owned);

	*bare_heap_word(gs, at) = 1;
	take(test, gs, size_class_of(64), &owned);
	KUNIT_EXPECT_EQ(test, faults(test, gs, at), 1);
}

static void empty_slab_that_is_taken_apart_is_watched(struct kunit *test)
{
	struct gc_slabs *gs = poisoned_heap(test);
	size_t at = empty_slab(test, gs);

	*bare_heap_word(gs, at) = 1;
	want_all_pages(test, gs);
	KUNIT_EXPECT_EQ(test, faults(test, gs, at), 1);
}

static void large_object_that_is_written_to_is_found(struct kunit *test)
{
	struct gc_slabs *gs = poisoned_heap(test);
	size_t object = bare_heap_alloc(test, gs, SZ_64K, false);
	unsigned long *word = bare_heap_word(gs, object + SZ_64K - 8);

	bare_heap_fill(gs, object, SZ_64K, 3);
	bare_heap_sweep_all(gs);
	*word = 1;
	KUNIT_ASSERT_EQ(test, bare_heap_alloc(test, gs, SZ_64K, false), object);
	KUNIT_EXPECT_EQ(test, faults(test, gs, object + SZ_64K - 8), 1);
	KUNIT_EXPECT_TRUE(test, bare_heap_holds(gs, object, SZ_64K, 0));
}

/* Slots of @slab that the owner has used up, and writes to. */
static void use_slots(struct gc_slabs *gs, struct gc_slab *slab,
		      const unsigned long *unused)
{
	u32 i;

	for_each_set_bit(i, gc_slab_handed_bits(slab), slab->slots)
		if (!test_bit(i, unused))
			bare_heap_fill(gs, slab->offset + i * slab->object_size,
				       slab->object_size, i);
}

static void mark_some(struct gc_slab *slab, void *random)
{
	u32 i;

	for_each_set_bit(i, gc_slab_alloc_bits(slab), slab->slots)
		if (random_below(random, 3))
			__set_bit(i, gc_slab_mark_bits(slab));
}

static void own_memory_may_be_written_to(struct kunit *test)
{
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	struct gc_slabs *gs = poisoned_heap(test);
	struct rnd_state random;
	LIST_HEAD(owned);
	unsigned int i;

	prandom_seed_state(&random, 5);
	for (i = 1; i <= 2000; i++) {
		size_t bytes = 1 + random_below(&random, i % 50 ? 500 : SZ_64K);
		size_t offset = bare_heap_alloc(test, gs, bytes, i % 2);
		struct gc_slab *slab;

		bare_heap_fill(gs, offset, bytes, i);
		slab = gc_slab_take(gs, random_below(&random, 30), i % 2,
				    &owned, &owned);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, slab);
		gc_slab_clear_handed(gs, slab);
		prandom_bytes_state(&random, unused, sizeof(unused));
		use_slots(gs, slab, unused);
		gc_slab_give_back(gs, slab, unused);
		if (i % 100)
			continue;
		gc_slabs_sweep(gs, UINT_MAX);
		gc_slabs_visit(gs, mark_some, &random);
		bare_heap_marked(gs);
	}
	KUNIT_EXPECT_EQ(test, faults(test, gs, -1), 0);
}

static struct kunit_case poison_cases[] = {
	KUNIT_CASE(reclaimed_object_that_is_written_to_is_found),
	KUNIT_CASE(slot_that_was_never_used_is_watched_too),
	KUNIT_CASE(slots_that_came_back_unused_are_watched),
	KUNIT_CASE(slots_swept_under_an_owner_are_watched),
	KUNIT_CASE(pages_of_a_slab_that_went_are_watched),
	KUNIT_CASE(empty_slab_is_watched),
	KUNIT_CASE(empty_slab_that_is_taken_apart_is_watched),
	KUNIT_CASE(large_object_that_is_written_to_is_found),
	KUNIT_CASE(own_memory_may_be_written_to),
	{}
};

static struct kunit_suite poison_suite = {
	.name = "gcheap_poison",
	.test_cases = poison_cases,
};

kunit_test_suite(poison_suite);
