// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs: handing out, taking back, sweeping, and the accounts of all that.
 *
 * What differs by size class is tried for each of them.  A case that hands out a
 * slab plays its owner: it writes to all slots, also to those that it says it
 * did not use.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/gcheap.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "audit.h"
#include "bare_heap.h"
#include "slab.h"

#define DIRT	0xd1

/**
 * struct accounts - what a heap has counted
 * @mallocs: objects ever allocated
 * @frees: objects ever reclaimed
 * @total_alloc: bytes ever allocated
 * @total_freed: bytes ever reclaimed
 * @since: see struct gc_slabs
 */
struct accounts {
	u64 mallocs;
	u64 frees;
	u64 total_alloc;
	u64 total_freed;
	s64 since;
};

static struct accounts accounts_of(const struct gc_slabs *gs)
{
	struct accounts a = {
		.total_alloc = gs->total_alloc,
		.total_freed = gs->total_freed,
		.since = gs->since,
	};
	unsigned int i;

	for (i = 0; i < SLAB_KINDS; i++) {
		a.mallocs += gs->mallocs[i];
		a.frees += gs->frees[i];
	}
	return a;
}

static u64 size_of(unsigned int class_index)
{
	return size_classes[class_index].object_size;
}

static size_t slot_at(const struct gc_slab *slab, u32 index)
{
	return slab->offset + index * slab->object_size;
}

static struct gc_slab *take(struct kunit *test, struct gc_slabs *gs,
			    unsigned int class_index, struct list_head *owned)
{
	struct gc_slab *slab = gc_slab_take(gs, class_index, false, owned,
					    owned);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, slab);
	gc_slab_clear_handed(gs, slab);
	return slab;
}

static void random_bits(struct rnd_state *random, unsigned long *bits)
{
	prandom_bytes_state(random, bits, GCHEAP_SLAB_SLOTS / 8);
}

static bool slot_holds(struct gc_slabs *gs, struct gc_slab *slab, u32 index,
		       u8 value)
{
	return bare_heap_holds(gs, slot_at(slab, index), slab->object_size,
			       value);
}

static bool handed_slots_hold(struct gc_slabs *gs, struct gc_slab *slab,
			      u8 value)
{
	u32 i;

	for_each_set_bit(i, gc_slab_handed_bits(slab), slab->slots)
		if (!slot_holds(gs, slab, i, value))
			return false;
	return true;
}

static void slab_fill(struct gc_slabs *gs, struct gc_slab *slab)
{
	bare_heap_fill(gs, slab->offset, slab->nr_pages << PAGE_SHIFT, DIRT);
}

static void new_slab_hands_out_all_slots_zeroed(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	LIST_HEAD(owned);
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slab *slab = take(test, gs, c, &owned);

		KUNIT_ASSERT_EQ(test, slab->slots, size_classes[c].slots);
		KUNIT_ASSERT_TRUE(test, bitmap_full(gc_slab_handed_bits(slab),
						    slab->slots));
		KUNIT_ASSERT_LE(test, slot_at(slab, slab->slots),
				gs->pages.frontier << PAGE_SHIFT);
		KUNIT_ASSERT_TRUE(test, handed_slots_hold(gs, slab, 0));
	}
}

/* What the owner gets as a bitmap has words for the uapi's largest slab. */
static void no_slot_is_handed_out_beyond_the_last(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	LIST_HEAD(owned);
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slab *slab = take(test, gs, c, &owned);
		u32 bits = slab->words * BITS_PER_LONG;

		KUNIT_ASSERT_EQ(test, bitmap_weight(gc_slab_handed_bits(slab),
						    bits), slab->slots);
	}
}

static void taken_slab_is_its_owners(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	struct gc_slab *first, *second;
	LIST_HEAD(owned);

	first = take(test, gs, 3, &owned);
	second = take(test, gs, 3, &owned);
	KUNIT_EXPECT_PTR_NE(test, first, second);
	KUNIT_EXPECT_EQ(test, first->state, SLAB_OWNED);
	KUNIT_EXPECT_PTR_EQ(test, first->owner, (void *)&owned);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&owned), 2);
	gc_slab_give_back(gs, first, NULL);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&owned), 1);
	KUNIT_EXPECT_NULL(test, first->owner);
	KUNIT_EXPECT_EQ(test, first->state, SLAB_FULL);
}

/* Two slabs of a class and one slot more, of each class, both kinds. */
static void no_two_objects_overlap(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned long *used = kunit_kzalloc(test, BARE_HEAP_PAGES * PAGE_SIZE /
					    8 / BITS_PER_BYTE, GFP_KERNEL);
	unsigned int c, i;

	KUNIT_ASSERT_NOT_NULL(test, used);
	for (c = 0; c < 2 * SIZE_CLASS_COUNT; c++) {
		const struct size_class *class = &size_classes[c / 2];
		unsigned long words = class->object_size / 8;

		for (i = 0; i < 2 * class->slots + 1; i++) {
			size_t word = bare_heap_alloc(test, gs,
						      class->object_size,
						      c % 2) / 8;

			KUNIT_ASSERT_GE(test, find_next_bit(used, word + words,
							    word),
					word + words);
			bitmap_set(used, word, words);
		}
	}
}

static void objects_with_and_without_pointers_live_apart(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t scan = bare_heap_alloc(test, gs, 64, false);
	size_t noscan = bare_heap_alloc(test, gs, 64, true);

	KUNIT_EXPECT_FALSE(test, bare_heap_slab(gs, scan)->noscan);
	KUNIT_EXPECT_TRUE(test, bare_heap_slab(gs, noscan)->noscan);
	scan = bare_heap_alloc(test, gs, SZ_1M, false);
	noscan = bare_heap_alloc(test, gs, SZ_1M, true);
	KUNIT_EXPECT_FALSE(test, bare_heap_slab(gs, scan)->noscan);
	KUNIT_EXPECT_TRUE(test, bare_heap_slab(gs, noscan)->noscan);
}

static void check_returned(struct kunit *test, struct gc_slabs *gs,
			   unsigned int c, const unsigned long *unused)
{
	struct accounts before = accounts_of(gs), after;
	u64 mallocs = gs->mallocs[c], nr = size_classes[c].slots, used;
	unsigned long pages = gs->pages.frontier - gs->pages.free;
	struct gc_slab *slab;
	LIST_HEAD(owned);

	slab = take(test, gs, c, &owned);
	KUNIT_ASSERT_EQ(test, gs->since - before.since, nr * size_of(c));
	KUNIT_ASSERT_EQ(test, accounts_of(gs).total_alloc, before.total_alloc);
	used = unused ? nr - bitmap_weight(unused, nr) : nr;
	gc_slab_give_back(gs, slab, unused);
	after = accounts_of(gs);
	KUNIT_ASSERT_EQ(test, gs->mallocs[c] - mallocs, used);
	KUNIT_ASSERT_EQ(test, after.mallocs - before.mallocs, used);
	KUNIT_ASSERT_EQ(test, after.total_alloc - before.total_alloc,
			used * size_of(c));
	KUNIT_ASSERT_EQ(test, after.since - before.since, used * size_of(c));
	KUNIT_ASSERT_EQ(test, after.frees, before.frees);
	if (!used) {
		KUNIT_ASSERT_EQ(test, gs->pages.frontier - gs->pages.free,
				pages);
		return;
	}
	KUNIT_ASSERT_EQ(test, slab->nr_alloc, used);
	KUNIT_ASSERT_EQ(test, bitmap_weight(gc_slab_alloc_bits(slab), nr),
			used);
	KUNIT_ASSERT_EQ(test, slab->state,
			used < nr ? SLAB_PARTIAL : SLAB_FULL);
}

/* Every class once in a heap: a partial slab would be taken again. */
static void check_all_returned(struct kunit *test, const unsigned long *unused)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++)
		check_returned(test, gs, c, unused);
}

static void returned_slab_counts_what_was_used(struct kunit *test)
{
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	struct rnd_state random;
	unsigned int i;

	check_all_returned(test, NULL);
	bitmap_fill(unused, GCHEAP_SLAB_SLOTS);
	check_all_returned(test, unused);
	bitmap_zero(unused, GCHEAP_SLAB_SLOTS);
	check_all_returned(test, unused);
	prandom_seed_state(&random, 1);
	for (i = 0; i < 4; i++) {
		random_bits(&random, unused);
		check_all_returned(test, unused);
	}
}

static void unused_bits_of_others_objects_are_ignored(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	LIST_HEAD(owned);
	unsigned int c;

	bitmap_fill(unused, GCHEAP_SLAB_SLOTS);
	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		size_t object = bare_heap_alloc(test, gs, size_of(c), false);
		struct accounts before = accounts_of(gs);
		struct gc_slab *slab = take(test, gs, c, &owned);
		u32 index;

		KUNIT_ASSERT_PTR_EQ(test, gc_slab_find(gs, object, &index),
				    slab);
		KUNIT_ASSERT_FALSE(test, test_bit(index,
						  gc_slab_handed_bits(slab)));
		gc_slab_give_back(gs, slab, unused);
		KUNIT_ASSERT_EQ(test, slab->nr_alloc, 1);
		KUNIT_ASSERT_TRUE(test, test_bit(index,
						 gc_slab_alloc_bits(slab)));
		KUNIT_ASSERT_EQ(test, accounts_of(gs).mallocs, before.mallocs);
		KUNIT_ASSERT_EQ(test, gs->since, before.since);
	}
}

static void unmarked_objects_and_their_pages_go(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	struct accounts a;
	unsigned int c, i;

	for (c = 0; c < SIZE_CLASS_COUNT; c++)
		for (i = 0; i < size_classes[c].slots + 1; i++)
			bare_heap_alloc(test, gs, size_of(c), i % 2);
	bare_heap_alloc(test, gs, SZ_2M + 1, false);
	bare_heap_sweep_all(gs);
	a = accounts_of(gs);
	KUNIT_EXPECT_EQ(test, gs->live, 0);
	KUNIT_EXPECT_EQ(test, gs->since, 0);
	KUNIT_EXPECT_EQ(test, a.mallocs, a.frees);
	KUNIT_EXPECT_EQ(test, a.total_alloc, a.total_freed);
	KUNIT_EXPECT_EQ(test, gs->pages.free, gs->pages.frontier);
	bare_heap_release(gs, ULONG_MAX, UINT_MAX);
	KUNIT_EXPECT_EQ(test, gc_pages_backed(&gs->pages), 0);
	KUNIT_EXPECT_EQ(test, gs->meta_bytes, 0);
}

/* Fill a slab, mark what @marks says, sweep, and look at what is left. */
static void check_swept(struct kunit *test, unsigned int c,
			const unsigned long *marks)
{
	struct gc_slabs *gs = bare_heap_new(test, 64);
	u32 nr = size_classes[c].slots, kept = bitmap_weight(marks, nr), i;
	struct gc_slab *slab;
	LIST_HEAD(owned);

	slab = take(test, gs, c, &owned);
	gc_slab_give_back(gs, slab, NULL);
	for_each_set_bit(i, marks, nr)
		bare_heap_mark(gs, slot_at(slab, i));
	bare_heap_marked(gs);
	KUNIT_ASSERT_EQ(test, gc_slab_state(gs, slab), SLAB_UNSWEPT);
	KUNIT_ASSERT_EQ(test, gs->nr_unswept, 1);
	KUNIT_ASSERT_EQ(test, gs->live, kept * size_of(c));
	KUNIT_ASSERT_TRUE(test, gc_slabs_sweep(gs, 1));
	KUNIT_ASSERT_FALSE(test, gc_slabs_sweep(gs, 1));
	KUNIT_ASSERT_EQ(test, gs->frees[c], nr - kept);
	KUNIT_ASSERT_EQ(test, gc_slabs_allocated(gs), kept * size_of(c));
	if (!kept)
		return;
	KUNIT_ASSERT_EQ(test, slab->nr_alloc, kept);
	KUNIT_ASSERT_TRUE(test, bitmap_empty(gc_slab_mark_bits(slab), slab->slots));
	KUNIT_ASSERT_TRUE(test, bitmap_equal(gc_slab_alloc_bits(slab), marks,
					     nr));
	KUNIT_ASSERT_TRUE(test, bitmap_empty(gc_slab_mark_bits(slab), nr));
}

static void exactly_the_marked_objects_stay(struct kunit *test)
{
	DECLARE_BITMAP(marks, GCHEAP_SLAB_SLOTS);
	struct rnd_state random;
	unsigned int c;

	prandom_seed_state(&random, 2);
	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		random_bits(&random, marks);
		check_swept(test, c, marks);
		bitmap_fill(marks, GCHEAP_SLAB_SLOTS);
		check_swept(test, c, marks);
	}
}

static void owned_slab_is_not_swept(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	LIST_HEAD(owned);
	unsigned int c;
	u64 live = 0;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slab *slab = take(test, gs, c, &owned);

		bare_heap_mark(gs, slab->offset);
		live += slab->slots * size_of(c);
	}
	bare_heap_sweep_all(gs);
	KUNIT_EXPECT_EQ(test, gs->live, live);
	KUNIT_EXPECT_EQ(test, accounts_of(gs).frees, 0);
	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slab *slab = list_first_entry(&owned, struct gc_slab,
							owner_node);

		KUNIT_ASSERT_EQ(test, slab->state, SLAB_OWNED);
		KUNIT_ASSERT_EQ(test, slab->nr_alloc, slab->slots);
		KUNIT_ASSERT_TRUE(test, bitmap_empty(gc_slab_mark_bits(slab), slab->slots));
		KUNIT_ASSERT_TRUE(test, bitmap_empty(gc_slab_mark_bits(slab),
						     slab->slots));
		gc_slab_give_back(gs, slab, NULL);
	}
	KUNIT_EXPECT_EQ(test, gc_slabs_allocated(gs), live);
}

static void unused_slots_leave_nothing_due_after_a_marking(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	struct gc_slab *slab;
	LIST_HEAD(owned);

	bitmap_fill(unused, GCHEAP_SLAB_SLOTS);
	slab = take(test, gs, 5, &owned);
	bare_heap_sweep_all(gs);
	KUNIT_EXPECT_EQ(test, gs->since, 0);
	gc_slab_give_back(gs, slab, unused);
	KUNIT_EXPECT_EQ(test, gs->live + gs->since, 0);
}

static void reused_slots_are_zero_and_kept_ones_untouched(struct kunit *test)
{
	DECLARE_BITMAP(marks, GCHEAP_SLAB_SLOTS);
	struct rnd_state random;
	unsigned int c;

	prandom_seed_state(&random, 3);
	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slabs *gs = bare_heap_new(test, 64);
		struct gc_slab *slab;
		LIST_HEAD(owned);
		u32 i;

		slab = take(test, gs, c, &owned);
		slab_fill(gs, slab);
		gc_slab_give_back(gs, slab, NULL);
		random_bits(&random, marks);
		__set_bit(0, marks);
		__clear_bit(1, marks);
		for_each_set_bit(i, marks, slab->slots)
			bare_heap_mark(gs, slot_at(slab, i));
		bare_heap_sweep_all(gs);
		KUNIT_ASSERT_PTR_EQ(test, take(test, gs, c, &owned), slab);
		KUNIT_ASSERT_TRUE(test, handed_slots_hold(gs, slab, 0));
		for_each_set_bit(i, marks, slab->slots)
			KUNIT_ASSERT_TRUE(test, slot_holds(gs, slab, i, DIRT));
	}
}

/* No owner had the slab, so nobody but sweeping knows that it is not zero. */
static void slots_of_swept_objects_are_zero(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	LIST_HEAD(owned);
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		size_t object = bare_heap_alloc(test, gs, size_of(c), false);
		struct gc_slab *slab = bare_heap_slab(gs, object);

		bare_heap_fill(gs, object, size_of(c), DIRT);
		bare_heap_marked(gs);
		KUNIT_ASSERT_PTR_EQ(test, take(test, gs, c, &owned), slab);
		KUNIT_ASSERT_TRUE(test, handed_slots_hold(gs, slab, 0));
	}
}

/* The owner may have written to a slot and then said that it did not use it. */
static void slots_that_came_back_unused_are_zero_again(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	LIST_HEAD(owned);
	unsigned int c;

	bitmap_fill(unused, GCHEAP_SLAB_SLOTS);
	__clear_bit(0, unused);
	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slab *slab = take(test, gs, c, &owned);

		slab_fill(gs, slab);
		gc_slab_give_back(gs, slab, unused);
		KUNIT_ASSERT_PTR_EQ(test, take(test, gs, c, &owned), slab);
		KUNIT_ASSERT_TRUE(test, handed_slots_hold(gs, slab, 0));
		KUNIT_ASSERT_TRUE(test, slot_holds(gs, slab, 0, DIRT));
	}
}

static void pages_of_a_slab_that_went_are_zero_again(struct kunit *test)
{
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slabs *gs = bare_heap_new(test, 64);
		struct gc_slab *slab;
		LIST_HEAD(owned);

		slab = take(test, gs, c, &owned);
		slab_fill(gs, slab);
		gc_slab_give_back(gs, slab, NULL);
		bare_heap_sweep_all(gs);
		slab = take(test, gs, SIZE_CLASS_COUNT - 1 - c, &owned);
		KUNIT_ASSERT_TRUE(test, handed_slots_hold(gs, slab, 0));
	}
}

static void object_is_zeroed_aligned_and_large_enough(struct kunit *test)
{
	static const size_t sizes[] = {
		1, 8, 9, 16, 17, 128, 129, 4096, 4097, SIZE_CLASS_MAX,
		SIZE_CLASS_MAX + 1, SZ_64K, SZ_1M + 5, 3 * SZ_1M,
	};
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned int i;

	for (i = 0; i < 3 * ARRAY_SIZE(sizes); i++) {
		size_t bytes = sizes[i % ARRAY_SIZE(sizes)];
		size_t offset = bare_heap_alloc(test, gs, bytes, false);
		struct gc_slab *slab = bare_heap_slab(gs, offset);

		KUNIT_ASSERT_NOT_NULL(test, slab);
		KUNIT_ASSERT_GE(test, slab->object_size, bytes);
		KUNIT_ASSERT_EQ(test, slab->large, bytes > SIZE_CLASS_MAX);
		KUNIT_ASSERT_EQ(test, offset % (bytes <= 8 ? 8 : 16), 0);
		KUNIT_ASSERT_TRUE(test, bare_heap_holds(gs, offset,
							slab->object_size, 0));
		bare_heap_fill(gs, offset, slab->object_size, DIRT);
	}
}

/* ALLOC in a slab that an owner left dirty. */
static void object_in_a_dirty_slab_is_zero(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	LIST_HEAD(owned);
	unsigned int c;

	bitmap_fill(unused, GCHEAP_SLAB_SLOTS);
	__clear_bit(0, unused);
	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slab *slab = take(test, gs, c, &owned);
		size_t offset;

		slab_fill(gs, slab);
		gc_slab_give_back(gs, slab, unused);
		offset = bare_heap_alloc(test, gs, size_of(c), false);
		KUNIT_ASSERT_EQ(test, offset, slot_at(slab, 1));
		KUNIT_ASSERT_TRUE(test, slot_holds(gs, slab, 1, 0));
		KUNIT_ASSERT_TRUE(test, slot_holds(gs, slab, 0, DIRT));
	}
}

static void large_object_goes_and_its_pages_come_again(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t bytes = 5 * SZ_1M, offset = 0;
	unsigned long frontier = 0;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		offset = bare_heap_alloc(test, gs, bytes, i % 2);
		KUNIT_ASSERT_TRUE(test, bare_heap_holds(gs, offset, bytes, 0));
		bare_heap_fill(gs, offset, bytes, DIRT);
		frontier = frontier ?: gs->pages.frontier;
		bare_heap_sweep_all(gs);
		KUNIT_ASSERT_EQ(test, gs->pages.frontier, frontier);
		KUNIT_ASSERT_EQ(test, gs->pages.free, frontier);
		KUNIT_ASSERT_NULL(test, bare_heap_slab(gs, offset));
	}
	KUNIT_EXPECT_EQ(test, gs->mallocs[SLAB_LARGE], 4);
	KUNIT_EXPECT_EQ(test, gs->frees[SLAB_LARGE], 4);
	KUNIT_EXPECT_EQ(test, gs->total_freed, 4 * bytes);
}

static void marked_large_object_stays(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t object = bare_heap_alloc(test, gs, SZ_1M, false);

	bare_heap_fill(gs, object, SZ_1M, DIRT);
	bare_heap_mark(gs, object);
	bare_heap_sweep_all(gs);
	KUNIT_EXPECT_EQ(test, gs->live, SZ_1M);
	KUNIT_ASSERT_NOT_NULL(test, bare_heap_slab(gs, object));
	KUNIT_EXPECT_TRUE(test, bare_heap_holds(gs, object, SZ_1M, DIRT));
	bare_heap_sweep_all(gs);
	KUNIT_EXPECT_NULL(test, bare_heap_slab(gs, object));
}

/* As a program would mostly allocate: garbage of one kind, then of another. */
static void garbage_comes_before_memory_of_the_machine(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned long frontier;
	unsigned int i;

	for (i = 0; i < 2048; i++)
		bare_heap_alloc(test, gs, 4096, false);
	frontier = gs->pages.frontier;
	bare_heap_marked(gs);
	bare_heap_alloc(test, gs, SZ_1M, false);
	KUNIT_EXPECT_GT(test, gs->nr_unswept, 0);
	for (i = 0; i < 2048 - SZ_1M / 4096; i++)
		bare_heap_alloc(test, gs, 4096, true);
	KUNIT_EXPECT_EQ(test, gs->pages.frontier, frontier);
	KUNIT_EXPECT_EQ(test, gs->nr_unswept, 0);
}

static void slab_of_the_class_is_swept_when_it_is_wanted(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned long unswept;
	LIST_HEAD(owned);
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++)
		bare_heap_alloc(test, gs, size_of(c), false);
	bare_heap_marked(gs);
	unswept = gs->nr_unswept;
	KUNIT_ASSERT_EQ(test, unswept, SIZE_CLASS_COUNT);
	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slab *slab = take(test, gs, c, &owned);

		KUNIT_ASSERT_EQ(test, gs->nr_unswept, --unswept);
		KUNIT_ASSERT_EQ(test, gs->frees[c], 1);
		KUNIT_ASSERT_TRUE(test, bitmap_full(gc_slab_handed_bits(slab),
						    slab->slots));
	}
}

static void full_heap_is_enomem_and_changes_nothing(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, 100);
	struct accounts before, after;
	LIST_HEAD(owned);
	size_t meta;

	bare_heap_alloc(test, gs, 99 * PAGE_SIZE, false);
	before = accounts_of(gs);
	meta = gs->meta_bytes;
	KUNIT_EXPECT_EQ(test, gc_slab_alloc_object(gs, 8, false), -ENOMEM);
	KUNIT_EXPECT_EQ(test, gc_slab_alloc_object(gs, SZ_1M, true), -ENOMEM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(gc_slab_take(gs, 0, false, &owned,
						   &owned)), -ENOMEM);
	after = accounts_of(gs);
	KUNIT_EXPECT_MEMEQ(test, &before, &after, sizeof(before));
	KUNIT_EXPECT_EQ(test, gs->meta_bytes, meta);
	KUNIT_EXPECT_EQ(test, gs->pages.free, gs->pages.frontier - 99);
	KUNIT_EXPECT_TRUE(test, list_empty(&owned));
	bare_heap_sweep_all(gs);
	KUNIT_EXPECT_GE(test, gc_slab_alloc_object(gs, 8, false), 0);
}

/* An object of all pages there can be, and one beyond what a long can say. */
static void absurd_sizes_are_enomem(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, 100);

	KUNIT_EXPECT_EQ(test, gc_slab_alloc_object(gs, 101 * PAGE_SIZE, false),
			-ENOMEM);
	KUNIT_EXPECT_EQ(test, gc_slab_alloc_object(gs, 1UL << 40, false),
			-ENOMEM);
	KUNIT_EXPECT_EQ(test, gc_slab_alloc_object(gs, LONG_MAX, false),
			-ENOMEM);
	KUNIT_EXPECT_EQ(test, gs->meta_bytes, 0);
	KUNIT_EXPECT_EQ(test, accounts_of(gs).mallocs, 0);
}

static void each_byte_leads_to_its_slot(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	LIST_HEAD(owned);
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slab *slab = take(test, gs, c, &owned);
		size_t end = slot_at(slab, slab->slots), wrong = 0, byte;
		u32 index;

		for (byte = slab->offset; byte < end; byte++)
			wrong += gc_slab_find(gs, byte, &index) != slab ||
				 index != (byte - slab->offset) / size_of(c);
		end = slab->offset + (slab->nr_pages << PAGE_SHIFT);
		for (; byte < end; byte++)
			wrong += !!gc_slab_find(gs, byte, &index);
		KUNIT_EXPECT_EQ_MSG(test, wrong, 0, "class %u", c);
	}
}

static void each_page_of_a_large_object_leads_to_it(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t object = bare_heap_alloc(test, gs, 3 * SZ_1M, false), byte;
	struct gc_slab *slab = bare_heap_slab(gs, object);
	u32 index;

	for (byte = object; byte < object + 3 * SZ_1M; byte += PAGE_SIZE - 1) {
		KUNIT_ASSERT_PTR_EQ(test, gc_slab_find(gs, byte, &index), slab);
		KUNIT_ASSERT_EQ(test, index, 0);
	}
	byte = object + 3 * SZ_1M;
	KUNIT_EXPECT_PTR_EQ(test, gc_slab_find(gs, byte - 1, &index), slab);
	KUNIT_EXPECT_PTR_NE(test, gc_slab_find(gs, byte, &index), slab);
}

static void no_slot_where_there_is_no_slab(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned long page;

	KUNIT_EXPECT_NULL(test, bare_heap_slab(gs, 0));
	bare_heap_alloc(test, gs, 8, false);
	page = size_classes[0].pages;
	for (; page < gs->pages.frontier; page++)
		KUNIT_ASSERT_NULL(test, bare_heap_slab(gs, page << PAGE_SHIFT));
	/* A whole chunk: beyond it there is not even a table. */
	bare_heap_alloc(test, gs, CHUNK_PAGES << PAGE_SHIFT, false);
	bare_heap_alloc(test, gs, (gs->pages.frontier % CHUNK_PAGES ?:
				   CHUNK_PAGES) << PAGE_SHIFT, false);
	page = gs->pages.frontier;
	KUNIT_ASSERT_EQ(test, page % CHUNK_PAGES, 0);
	for (; page < 2 * REGION_PAGES; page++)
		KUNIT_ASSERT_NULL(test, bare_heap_slab(gs, page << PAGE_SHIFT));
	KUNIT_EXPECT_NULL(test, bare_heap_slab(gs, -1UL));
	KUNIT_EXPECT_NULL(test, bare_heap_slab(gs, LONG_MAX));
	KUNIT_EXPECT_NULL(test, bare_heap_slab(gs, 1UL << 40));
}

/* Slots in turn: there before the slab was taken, used, and not yet used. */
static struct gc_slab *slab_of_three_kinds(struct kunit *test,
					   struct gc_slabs *gs, unsigned int c,
					   struct list_head *owned,
					   unsigned long *unused)
{
	DECLARE_BITMAP(others, GCHEAP_SLAB_SLOTS) = {};
	struct gc_slab *slab = take(test, gs, c, owned);
	u32 i;

	bitmap_zero(unused, GCHEAP_SLAB_SLOTS);
	for (i = 0; i < slab->slots; i++) {
		if (i % 3)
			__set_bit(i, others);
		if (i % 3 == 2)
			__set_bit(i, unused);
	}
	gc_slab_give_back(gs, slab, others);
	KUNIT_ASSERT_PTR_EQ(test, take(test, gs, c, owned), slab);
	return slab;
}

static void owner_that_tells_keeps_unused_and_marked_slots(struct kunit *test)
{
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slabs *gs = bare_heap_new(test, 64);
		u32 i, nr = size_classes[c].slots, kept = 0;
		const unsigned long *alloc;
		struct gc_slab *slab;
		LIST_HEAD(owned);

		slab = slab_of_three_kinds(test, gs, c, &owned, unused);
		alloc = gc_slab_alloc_bits(slab);
		/* Every fourth is marked: some of each kind. */
		for (i = 0; i < nr; i += 4)
			bare_heap_mark(gs, slot_at(slab, i));
		gc_slab_sweep_owned(gs, slab, unused);
		for (i = 0; i < nr; i++) {
			bool keep = i % 3 == 2 || i % 4 == 0;

			kept += keep;
			KUNIT_ASSERT_EQ(test, keep, test_bit(i, alloc));
		}
		KUNIT_ASSERT_EQ(test, slab->nr_alloc, kept);
		KUNIT_ASSERT_EQ(test, gs->frees[c], nr - kept);
		bare_heap_marked(gs);
		KUNIT_ASSERT_EQ(test, gs->live, kept * size_of(c));
	}
}

/* Whatever it says is unused, what it was not given is not its business. */
static void owner_cannot_keep_what_it_was_not_given(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, 64);
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	struct gc_slab *slab;
	LIST_HEAD(owned);

	slab = slab_of_three_kinds(test, gs, 3, &owned, unused);
	bitmap_fill(unused, GCHEAP_SLAB_SLOTS);
	gc_slab_sweep_owned(gs, slab, unused);
	KUNIT_EXPECT_EQ(test, gs->frees[3], DIV_ROUND_UP(slab->slots, 3));
	KUNIT_EXPECT_EQ(test, slab->nr_alloc, slab->slots - gs->frees[3]);
}

static void slots_swept_under_an_owner_are_counted_once(struct kunit *test)
{
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	DECLARE_BITMAP(copy, GCHEAP_SLAB_SLOTS);
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slabs *gs = bare_heap_new(test, 64);
		u32 nr = size_classes[c].slots, used = nr - nr / 3;
		struct gc_slab *slab;
		LIST_HEAD(owned);

		slab = slab_of_three_kinds(test, gs, c, &owned, unused);
		bare_heap_mark(gs, slab->offset);
		bitmap_copy(copy, unused, GCHEAP_SLAB_SLOTS);
		gc_slab_sweep_owned(gs, slab, copy);
		bare_heap_marked(gs);
		/* A second time, with all there is marked, frees nothing. */
		bitmap_copy(copy, unused, GCHEAP_SLAB_SLOTS);
		bare_heap_mark(gs, slab->offset);
		gc_slab_sweep_owned(gs, slab, copy);
		bare_heap_marked(gs);
		gc_slab_give_back(gs, slab, unused);
		KUNIT_ASSERT_EQ(test, gs->mallocs[c], used);
		KUNIT_ASSERT_EQ(test, gs->frees[c], used - 1);
		KUNIT_ASSERT_EQ(test, gc_slabs_allocated(gs), size_of(c));
		KUNIT_ASSERT_EQ(test, slab->nr_alloc, 1);
		KUNIT_ASSERT_EQ(test, gs->live + gs->since, size_of(c));
	}
}

static void slots_swept_under_an_owner_come_back_zero(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, 64);
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	struct gc_slab *slab;
	LIST_HEAD(owned);

	slab = slab_of_three_kinds(test, gs, 4, &owned, unused);
	slab_fill(gs, slab);
	bare_heap_mark(gs, slab->offset);
	gc_slab_sweep_owned(gs, slab, unused);
	bare_heap_marked(gs);
	gc_slab_give_back(gs, slab, NULL);
	KUNIT_ASSERT_PTR_EQ(test, take(test, gs, 4, &owned), slab);
	KUNIT_EXPECT_GT(test, bitmap_weight(gc_slab_handed_bits(slab),
					    slab->slots), 0);
	KUNIT_EXPECT_TRUE(test, handed_slots_hold(gs, slab, 0));
}

/*
 * A slab of three kinds of slots of which one is marked, recalled; NULL when the class
 * has no such slot.
 */
static struct gc_slab *recalled_slab(struct kunit *test, struct gc_slabs *gs,
				     unsigned int c, u32 marked)
{
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	DECLARE_BITMAP(copy, GCHEAP_SLAB_SLOTS);
	u32 nr = size_classes[c].slots;
	struct gc_slab *slab;
	LIST_HEAD(owned);

	if (marked >= nr)
		return NULL;
	slab = slab_of_three_kinds(test, gs, c, &owned, unused);
	bare_heap_mark(gs, slot_at(slab, marked));
	bitmap_copy(copy, unused, GCHEAP_SLAB_SLOTS);
	KUNIT_ASSERT_EQ(test, gc_slab_sweep_owned(gs, slab, copy), nr / 3);
	gc_slabs_marked(gs, bare_heap_marked_bytes(gs), false);
	gc_slab_recall(gs, slab, unused);
	gc_slabs_recalled(gs);
	KUNIT_ASSERT_TRUE(test, list_empty(&owned));
	return slab;
}

/* The owner holds nothing from the marking on: pacing does not see what it held. */
static void what_a_recalled_slab_had_unused_has_not_lived(struct kunit *test)
{
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slabs *gs = bare_heap_new(test, 64);
		struct gc_slab *slab = recalled_slab(test, gs, c, 0);
		u32 nr = size_classes[c].slots;

		KUNIT_ASSERT_EQ(test, slab->nr_alloc, 1);
		KUNIT_ASSERT_EQ(test, gs->live, size_of(c));
		KUNIT_ASSERT_EQ(test, gs->since, 0);
		KUNIT_ASSERT_EQ(test, gs->mallocs[c], nr - nr / 3);
		KUNIT_ASSERT_EQ(test, gc_slabs_allocated(gs), size_of(c));
	}
}

/* A thread's library may be wrong about its slabs. */
static void recalled_slab_keeps_what_is_marked_though_told_unused(struct kunit *test)
{
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slabs *gs = bare_heap_new(test, 64);
		struct gc_slab *slab = recalled_slab(test, gs, c, 2);

		if (!slab)
			continue;
		KUNIT_ASSERT_EQ(test, slab->nr_alloc, 1);
		KUNIT_ASSERT_TRUE(test, test_bit(2, gc_slab_alloc_bits(slab)));
		KUNIT_ASSERT_TRUE(test, bitmap_empty(gc_slab_mark_bits(slab), slab->slots));
		KUNIT_ASSERT_EQ(test, gs->live, size_of(c));
	}
}

/* A marking is complete, and all is swept. */
static void marked_and_swept(struct kunit *test, struct gc_slabs *gs, bool sticky)
{
	gc_slabs_marked(gs, bare_heap_marked_bytes(gs), sticky);
	gc_slabs_recalled(gs);
	gc_slabs_sweep(gs, UINT_MAX);
	gc_audit(gs);
	KUNIT_ASSERT_EQ(test, gs->pages.faults.nr, 0);
}

/* One in a slab that a thread has, one in one that nobody has, and a large one */
static void what_is_old_stays_marked_until_nobody_wants_to_know(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	LIST_HEAD(owned);
	size_t old[] = {
		take(test, gs, 1, &owned)->offset,
		gc_slab_alloc_object(gs, 100, false),
		gc_slab_alloc_object(gs, SZ_64K, false),
	};
	size_t young, garbage;
	int i;

	for (i = 0; i < ARRAY_SIZE(old); i++)
		bare_heap_mark(gs, old[i]);
	marked_and_swept(test, gs, true);
	young = gc_slab_alloc_object(gs, 100, false);
	garbage = gc_slab_alloc_object(gs, 100, false);
	for (i = 0; i < ARRAY_SIZE(old); i++)
		KUNIT_EXPECT_TRUE(test, bare_heap_is_marked(gs, old[i]));
	KUNIT_EXPECT_FALSE(test, bare_heap_is_marked(gs, young));
	KUNIT_EXPECT_FALSE(test, bare_heap_is_marked(gs, garbage));
	bare_heap_mark(gs, young);
	marked_and_swept(test, gs, false);
	KUNIT_EXPECT_EQ(test, bare_heap_marked_bytes(gs), 0);
	KUNIT_EXPECT_EQ(test, gs->frees[size_class_of(100)], 1);
	KUNIT_EXPECT_EQ(test, gs->frees[SLAB_LARGE], 0);
}

static void slab_knows_the_cycle_it_was_handed_out_in(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	LIST_HEAD(owned);

	KUNIT_EXPECT_EQ(test, take(test, gs, 1, &owned)->cycle, 0);
	bare_heap_sweep_all(gs);
	bare_heap_sweep_all(gs);
	KUNIT_EXPECT_EQ(test, take(test, gs, 1, &owned)->cycle, 2);
}

struct census {
	struct gc_slabs *gs;
	u64 count[SLAB_UNSWEPT + 1];
};

static void count_slab(struct gc_slab *slab, void *arg)
{
	struct census *census = arg;

	census->count[gc_slab_state(census->gs, slab)]++;
}

static void visit_meets_each_slab_once(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	struct census census = { .gs = gs };
	LIST_HEAD(owned);
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++)
		bare_heap_alloc(test, gs, size_of(c), false);
	bare_heap_marked(gs);
	for (c = 0; c < SIZE_CLASS_COUNT; c++)
		bare_heap_alloc(test, gs, size_of(c), true);
	gc_slab_give_back(gs, take(test, gs, 0, &owned), NULL);
	take(test, gs, 7, &owned);
	bare_heap_alloc(test, gs, SZ_1M, false);
	gc_slabs_visit(gs, count_slab, &census);
	KUNIT_EXPECT_EQ(test, census.count[SLAB_OWNED], 1);
	KUNIT_EXPECT_EQ(test, census.count[SLAB_PARTIAL], SIZE_CLASS_COUNT);
	KUNIT_EXPECT_EQ(test, census.count[SLAB_UNSWEPT], gs->nr_unswept);
	KUNIT_EXPECT_EQ(test, census.count[SLAB_FULL], 2);
}

#define OBJECTS	400

/**
 * struct program - what a made-up program did, and what the heap should count
 * @gs: heap
 * @random: its decisions
 * @objects: objects that it can reach, 0 for none: see new_object()
 * @mallocs: objects allocated
 * @total_alloc: their bytes
 */
struct program {
	struct gc_slabs *gs;
	struct rnd_state random;
	size_t objects[OBJECTS];
	u64 mallocs;
	u64 total_alloc;
};

static size_t random_size(struct rnd_state *random)
{
	u32 limit = 1 << random_below(random, 18);

	return 1 + random_below(random, limit);
}

static void new_object(struct kunit *test, struct program *p, size_t *object)
{
	size_t offset = bare_heap_alloc(test, p->gs, random_size(&p->random),
					random_below(&p->random, 2));
	size_t bytes = bare_heap_slab(p->gs, offset)->object_size;

	KUNIT_ASSERT_TRUE(test, bare_heap_holds(p->gs, offset, bytes, 0));
	bare_heap_fill(p->gs, offset, bytes, DIRT);
	p->mallocs++;
	p->total_alloc += bytes;
	/* So that the first one, at 0, counts, too. */
	*object = offset + 1;
}

static void check_program(struct kunit *test, struct program *p, u64 objects,
			  u64 bytes)
{
	struct accounts a = accounts_of(p->gs);

	KUNIT_ASSERT_EQ(test, a.mallocs, p->mallocs);
	KUNIT_ASSERT_EQ(test, a.total_alloc, p->total_alloc);
	KUNIT_ASSERT_EQ(test, a.mallocs - a.frees, objects);
	KUNIT_ASSERT_EQ(test, gc_slabs_allocated(p->gs), bytes);
	KUNIT_ASSERT_EQ(test, p->gs->live, bytes);
}

static void collect(struct kunit *test, struct program *p)
{
	u64 objects = 0, bytes = 0;
	unsigned int i;

	for (i = 0; i < OBJECTS; i++) {
		size_t size;

		if (!p->objects[i])
			continue;
		size = bare_heap_slab(p->gs, p->objects[i] - 1)->object_size;
		KUNIT_ASSERT_TRUE(test, bare_heap_holds(p->gs,
							p->objects[i] - 1,
							size, DIRT));
		bare_heap_mark(p->gs, p->objects[i] - 1);
		objects++;
		bytes += size;
	}
	bare_heap_sweep_all(p->gs);
	check_program(test, p, objects, bytes);
}

static void accounts_of_a_random_program_add_up(struct kunit *test)
{
	struct program *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	unsigned int step;

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->gs = bare_heap_new(test, BARE_HEAP_PAGES);
	prandom_seed_state(&p->random, 4);
	for (step = 1; step <= 3000; step++) {
		size_t *object = &p->objects[random_below(&p->random, OBJECTS)];

		if (random_below(&p->random, 4))
			new_object(test, p, object);
		else
			*object = 0;
		if (step % 500 == 0)
			collect(test, p);
	}
	memset(p->objects, 0, sizeof(p->objects));
	collect(test, p);
	KUNIT_EXPECT_EQ(test, p->gs->pages.free, p->gs->pages.frontier);
	bare_heap_release(p->gs, ULONG_MAX, UINT_MAX);
	KUNIT_EXPECT_EQ(test, gc_pages_backed(&p->gs->pages), 0);
	KUNIT_EXPECT_EQ(test, p->gs->meta_bytes, 0);
}

static void slab_that_nobody_used_stays_with_its_class(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	LIST_HEAD(owned);
	unsigned int c;

	bitmap_fill(unused, GCHEAP_SLAB_SLOTS);
	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slab *slab = take(test, gs, c, &owned), *again;
		unsigned long free = gs->pages.free;

		slab_fill(gs, slab);
		gc_slab_give_back(gs, slab, unused);
		KUNIT_ASSERT_EQ(test, slab->state, SLAB_EMPTY);
		KUNIT_EXPECT_EQ(test, gs->pages.free, free + slab->nr_pages);
		gs->pages.least_free = ULONG_MAX;
		again = take(test, gs, c, &owned);
		KUNIT_ASSERT_PTR_EQ(test, again, slab);
		KUNIT_EXPECT_TRUE(test, bitmap_full(gc_slab_handed_bits(slab),
						    slab->slots));
		KUNIT_EXPECT_TRUE(test, handed_slots_hold(gs, slab, 0));
		KUNIT_EXPECT_EQ(test, gs->pages.free, free);
		KUNIT_EXPECT_EQ(test, gs->pages.least_free, free);
	}
	KUNIT_EXPECT_EQ(test, gs->nr_empty, 0);
	KUNIT_EXPECT_EQ(test, gs->empty_pages, 0);
}

/* A heap with so many slabs of one class, without an object, and room for more */
static struct gc_slabs *heap_of_empty_slabs(struct kunit *test,
					    unsigned int class_index,
					    unsigned long pages,
					    unsigned long more)
{
	struct gc_slabs *gs = bare_heap_new(test, pages + more);
	long i, nr = pages / size_classes[class_index].pages *
		     size_classes[class_index].slots;

	for (i = 0; i < nr; i++)
		bare_heap_alloc(test, gs, size_of(class_index), false);
	bare_heap_sweep_all(gs);
	KUNIT_ASSERT_EQ(test, gs->empty_pages,
			rounddown(pages, size_classes[class_index].pages));
	return gs;
}

static void empty_slabs_make_room_for_other_classes(struct kunit *test)
{
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slabs *gs = heap_of_empty_slabs(test, c, 64, 0);
		LIST_HEAD(owned);
		unsigned int other;

		for (other = 0; other < 2; other++)
			take(test, gs, other ? SIZE_CLASS_COUNT - 1 : 0, &owned);
		KUNIT_EXPECT_LE(test, gs->pages.frontier, 64);
	}
}

/* A large object in a heap of 64 pages of EMPTY slabs, and so many that it may grow by */
static void large_object_beside_empty_slabs(struct kunit *test,
					    unsigned long more)
{
	size_t bytes = (64 + more) * PAGE_SIZE, offset;
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		struct gc_slabs *gs = heap_of_empty_slabs(test, c, 64, more);

		offset = bare_heap_alloc(test, gs, bytes, false);
		KUNIT_EXPECT_TRUE(test, bare_heap_holds(gs, offset, bytes, 0));
		KUNIT_EXPECT_EQ(test, gs->nr_empty, 0);
	}
}

static void empty_slabs_make_room_for_large_objects(struct kunit *test)
{
	large_object_beside_empty_slabs(test, 0);
}

static void empty_slabs_are_a_part_of_what_a_heap_grows_by(struct kunit *test)
{
	large_object_beside_empty_slabs(test, 32);
}

static void empty_slabs_are_given_back(struct kunit *test)
{
	struct gc_slabs *gs = heap_of_empty_slabs(test, 3, 64, 0);

	KUNIT_EXPECT_EQ(test, gc_slabs_release_free(gs, 1), 1);
	KUNIT_EXPECT_EQ(test, gc_pages_backed(&gs->pages), 63);
	KUNIT_EXPECT_EQ(test, bare_heap_release(gs, ULONG_MAX, UINT_MAX), 63);
	KUNIT_EXPECT_EQ(test, gs->meta_bytes, 0);
}

/* Their structures are memory, too. */
static void empty_slabs_are_not_too_many(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, 2 * BARE_HEAP_PAGES);
	LIST_HEAD(owned);
	unsigned int i;

	for (i = 0; i < 5000; i++)
		take(test, gs, 2, &owned);
	while (!list_empty(&owned)) {
		struct gc_slab *slab = list_first_entry(&owned, struct gc_slab,
							owner_node);

		gc_slab_give_back(gs, slab, gc_slab_handed_bits(slab));
	}
	KUNIT_EXPECT_EQ(test, gs->nr_empty, 4096);
	KUNIT_EXPECT_EQ(test, gs->pages.free, gs->pages.frontier);
}

static void freed_object_is_free_at_once(struct kunit *test)
{
	static const size_t sizes[] = { 8, 48, 1000, SIZE_CLASS_MAX, SZ_64K };
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t other = bare_heap_alloc(test, gs, sizes[i], false);
		size_t offset = bare_heap_alloc(test, gs, sizes[i], false);
		u64 allocated = gc_slabs_allocated(gs);
		size_t bytes = bare_heap_slab(gs, offset)->object_size;

		KUNIT_EXPECT_EQ(test, gc_slab_free_object(gs, offset + 8, NULL, false),
				OBJECT_NONE);
		KUNIT_EXPECT_EQ(test, gc_slab_free_object(gs, offset, NULL, false),
				OBJECT_FREED);
		KUNIT_EXPECT_EQ(test, gc_slab_free_object(gs, offset, NULL, false),
				OBJECT_NONE);
		KUNIT_EXPECT_EQ(test, gc_slabs_allocated(gs), allocated - bytes);
		KUNIT_EXPECT_TRUE(test, bare_heap_slab(gs, other));
		gc_audit(gs);
		KUNIT_EXPECT_EQ(test, bare_heap_alloc(test, gs, sizes[i], false), offset);
	}
	KUNIT_EXPECT_EQ(test, gs->pages.faults.nr, 0);
}

/* It may be in the queue. */
static void marked_object_is_not_freed_while_marking(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t offset = bare_heap_alloc(test, gs, 48, false);
	size_t other = bare_heap_alloc(test, gs, 48, false);

	bare_heap_mark(gs, offset);
	KUNIT_EXPECT_EQ(test, gc_slab_free_object(gs, offset, NULL, true), OBJECT_LATER);
	KUNIT_EXPECT_TRUE(test, bare_heap_is_marked(gs, offset));
	KUNIT_EXPECT_EQ(test, gc_slab_free_object(gs, other, NULL, true), OBJECT_FREED);
	gc_slabs_unmark(gs);
	KUNIT_EXPECT_EQ(test, gc_slab_free_object(gs, offset, NULL, true), OBJECT_FREED);
}

static void old_object_is_freed_with_its_mark(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t offset = bare_heap_alloc(test, gs, 48, false);
	size_t other = bare_heap_alloc(test, gs, 48, false);

	bare_heap_mark(gs, offset);
	bare_heap_mark(gs, other);
	gc_slabs_marked(gs, 2 * 48, true);
	KUNIT_EXPECT_EQ(test, gc_slab_free_object(gs, offset, NULL, false), OBJECT_FREED);
	KUNIT_EXPECT_FALSE(test, bare_heap_is_marked(gs, offset));
	KUNIT_EXPECT_TRUE(test, bare_heap_is_marked(gs, other));
	gc_audit(gs);
	KUNIT_EXPECT_EQ(test, gs->pages.faults.nr, 0);
}

/* Of one that was there before, the slot becomes the owner's; of others only that goes. */
static void only_its_owner_has_a_slot_back(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t first = bare_heap_alloc(test, gs, 48, false);
	size_t second = bare_heap_alloc(test, gs, 48, false);
	unsigned int class_index = size_class_of(48);
	struct gc_slab *slab;
	LIST_HEAD(owned);
	u32 a, b;

	slab = take(test, gs, class_index, &owned);
	KUNIT_ASSERT_PTR_EQ(test, slab, gc_slab_find(gs, first, &a));
	KUNIT_ASSERT_PTR_EQ(test, slab, gc_slab_find(gs, second, &b));
	KUNIT_EXPECT_EQ(test, gc_slab_free_object(gs, first, &owned, true), OBJECT_YOURS);
	KUNIT_EXPECT_TRUE(test, test_bit(a, gc_slab_handed_bits(slab)));
	KUNIT_EXPECT_EQ(test, gc_slab_free_object(gs, first, NULL, false), OBJECT_LATER);
	KUNIT_EXPECT_EQ(test, gc_slab_free_object(gs, second, NULL, false), OBJECT_FREED);
	KUNIT_EXPECT_EQ(test, gc_slab_free_object(gs, second, &owned, false), OBJECT_NONE);
	gc_audit(gs);
	gc_slab_give_back(gs, slab, gc_slab_handed_bits(slab));
	gc_audit(gs);
	KUNIT_EXPECT_EQ(test, gs->pages.faults.nr, 0);
	KUNIT_EXPECT_EQ(test, gc_slabs_allocated(gs), 0);
}

static struct kunit_case slab_cases[] = {
	KUNIT_CASE(slab_that_nobody_used_stays_with_its_class),
	KUNIT_CASE(empty_slabs_make_room_for_other_classes),
	KUNIT_CASE(empty_slabs_make_room_for_large_objects),
	KUNIT_CASE(empty_slabs_are_a_part_of_what_a_heap_grows_by),
	KUNIT_CASE(empty_slabs_are_given_back),
	KUNIT_CASE(empty_slabs_are_not_too_many),
	KUNIT_CASE(new_slab_hands_out_all_slots_zeroed),
	KUNIT_CASE(no_slot_is_handed_out_beyond_the_last),
	KUNIT_CASE(taken_slab_is_its_owners),
	KUNIT_CASE(no_two_objects_overlap),
	KUNIT_CASE(objects_with_and_without_pointers_live_apart),
	KUNIT_CASE(returned_slab_counts_what_was_used),
	KUNIT_CASE(unused_bits_of_others_objects_are_ignored),
	KUNIT_CASE(unmarked_objects_and_their_pages_go),
	KUNIT_CASE(exactly_the_marked_objects_stay),
	KUNIT_CASE(owned_slab_is_not_swept),
	KUNIT_CASE(unused_slots_leave_nothing_due_after_a_marking),
	KUNIT_CASE(reused_slots_are_zero_and_kept_ones_untouched),
	KUNIT_CASE(slots_of_swept_objects_are_zero),
	KUNIT_CASE(slots_that_came_back_unused_are_zero_again),
	KUNIT_CASE(pages_of_a_slab_that_went_are_zero_again),
	KUNIT_CASE(object_is_zeroed_aligned_and_large_enough),
	KUNIT_CASE(object_in_a_dirty_slab_is_zero),
	KUNIT_CASE(large_object_goes_and_its_pages_come_again),
	KUNIT_CASE(marked_large_object_stays),
	KUNIT_CASE(garbage_comes_before_memory_of_the_machine),
	KUNIT_CASE(slab_of_the_class_is_swept_when_it_is_wanted),
	KUNIT_CASE(full_heap_is_enomem_and_changes_nothing),
	KUNIT_CASE(absurd_sizes_are_enomem),
	KUNIT_CASE(each_byte_leads_to_its_slot),
	KUNIT_CASE(each_page_of_a_large_object_leads_to_it),
	KUNIT_CASE(no_slot_where_there_is_no_slab),
	KUNIT_CASE(owner_that_tells_keeps_unused_and_marked_slots),
	KUNIT_CASE(owner_cannot_keep_what_it_was_not_given),
	KUNIT_CASE(slots_swept_under_an_owner_are_counted_once),
	KUNIT_CASE(slots_swept_under_an_owner_come_back_zero),
	KUNIT_CASE(what_a_recalled_slab_had_unused_has_not_lived),
	KUNIT_CASE(recalled_slab_keeps_what_is_marked_though_told_unused),
	KUNIT_CASE(what_is_old_stays_marked_until_nobody_wants_to_know),
	KUNIT_CASE(slab_knows_the_cycle_it_was_handed_out_in),
	KUNIT_CASE(visit_meets_each_slab_once),
	KUNIT_CASE(accounts_of_a_random_program_add_up),
	KUNIT_CASE(freed_object_is_free_at_once),
	KUNIT_CASE(marked_object_is_not_freed_while_marking),
	KUNIT_CASE(old_object_is_freed_with_its_mark),
	KUNIT_CASE(only_its_owner_has_a_slot_back),
	{}
};

static struct kunit_suite slab_suite = {
	.name = "gcheap_slab",
	.test_cases = slab_cases,
};

kunit_test_suite(slab_suite);
