// SPDX-License-Identifier: GPL-2.0
/*
 * The audit is silent on a heap whose books are right, whatever was done to it,
 * and finds each kind of entry that is wrong.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "audit.h"
#include "bare_heap.h"

static unsigned int audit(struct gc_slabs *gs)
{
	unsigned int nr;

	gc_audit(gs);
	nr = gs->pages.faults.nr;
	gs->pages.faults.nr = 0;
	return nr;
}

/* A heap with slabs in each state, and a free chunk's worth of pages. */
static struct gc_slabs *mixed_heap(struct kunit *test, struct list_head *owned)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t kept[3], large;
	unsigned int i;

	kept[0] = bare_heap_alloc(test, gs, 48, false);
	kept[1] = bare_heap_alloc(test, gs, 48, false);
	kept[2] = bare_heap_alloc(test, gs, SIZE_CLASS_MAX, true);
	large = bare_heap_alloc(test, gs, SZ_1M, false);
	KUNIT_ASSERT_GT(test, large, kept[2]);
	for (i = 0; i < 3; i++)
		bare_heap_mark(gs, kept[i]);
	bare_heap_sweep_all(gs);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, gc_slab_take(gs, 7, false, owned,
							owned));
	bare_heap_alloc(test, gs, 100, true);
	bare_heap_mark(gs, kept[0]);
	bare_heap_marked(gs);
	bare_heap_alloc(test, gs, 8, false);
	KUNIT_ASSERT_GT(test, gs->nr_unswept, 0);
	KUNIT_ASSERT_EQ(test, audit(gs), 0);
	return gs;
}

static struct gc_slab *first_slab(struct kunit *test, struct gc_slabs *gs,
				  struct list_head *owned)
{
	KUNIT_ASSERT_FALSE(test, list_empty(owned));
	return list_first_entry(owned, struct gc_slab, owner_node);
}

static void random_step(struct kunit *test, struct gc_slabs *gs,
			struct rnd_state *random, struct list_head *owned)
{
	DECLARE_BITMAP(unused, 4096);
	unsigned int class_index = random_below(random, SIZE_CLASS_COUNT);
	struct gc_slab *slab;

	prandom_bytes_state(random, unused, sizeof(unused));
	switch (random_below(random, 9)) {
	case 0 ... 2:
		bare_heap_alloc(test, gs, 1 + random_below(random, 300),
				random_below(random, 2));
		break;
	case 3:
		bare_heap_alloc(test, gs, 1 + random_below(random, SZ_128K),
				random_below(random, 2));
		break;
	case 4 ... 5:
		slab = gc_slab_take(gs, class_index, random_below(random, 2),
				    owned, owned);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, slab);
		break;
	case 6:
		if (!list_empty(owned))
			gc_slab_give_back(gs, first_slab(test, gs, owned),
					  random_below(random, 4) ? unused :
					  NULL);
		break;
	case 7:
		bare_heap_release(gs, random_below(random, 64),
				  random_below(random, 8));
		break;
	default:
		gc_slabs_sweep(gs, random_below(random, 4));
	}
}

static void mark_some(struct gc_slab *slab, void *random)
{
	u32 i;

	for_each_set_bit(i, gc_slab_alloc_bits(slab), slab->slots)
		if (random_below(random, 3))
			__set_bit(i, gc_slab_mark_bits(slab));
}

static void books_are_right_after_each_step(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	struct rnd_state random;
	LIST_HEAD(owned);
	unsigned int i;

	prandom_seed_state(&random, 77);
	for (i = 1; i <= 3000; i++) {
		random_step(test, gs, &random, &owned);
		if (i % 300 == 0) {
			gc_slabs_sweep(gs, UINT_MAX);
			gc_slabs_visit(gs, mark_some, &random);
			bare_heap_marked(gs);
		}
		if (i % 10 == 0)
			KUNIT_ASSERT_EQ_MSG(test, audit(gs), 0, "step %u", i);
	}
}

/*
 * Each counter of the heap, one too many and one too few.  Those of a class are found
 * to be wrong in themselves, and in the sum of all.
 */
static void wrong_counters_are_found(struct kunit *test)
{
	LIST_HEAD(owned);
	struct gc_slabs *gs = mixed_heap(test, &owned);
	u64 *counters[] = {
		&gs->total_alloc, &gs->total_freed, &gs->live,
		(u64 *)&gs->since, (u64 *)&gs->nr_unswept,
		(u64 *)&gs->nr_listed,
		(u64 *)&gs->meta_bytes, (u64 *)&gs->pages.free,
		(u64 *)&gs->nr_empty, (u64 *)&gs->empty_pages,
		&gs->spare, &gs->total_mallocs, &gs->total_frees,
		&gs->mallocs[0], &gs->frees[SLAB_LARGE],
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		unsigned int faults = i < ARRAY_SIZE(counters) - 2 ? 1 : 2;

		++*counters[i];
		KUNIT_EXPECT_EQ_MSG(test, audit(gs), faults, "counter %u", i);
		*counters[i] -= 2;
		KUNIT_EXPECT_EQ_MSG(test, audit(gs), faults, "counter %u", i);
		++*counters[i];
	}
	KUNIT_EXPECT_EQ(test, audit(gs), 0);
}

static void wrong_counts_of_a_slab_are_found(struct kunit *test)
{
	LIST_HEAD(owned);
	struct gc_slabs *gs = mixed_heap(test, &owned);
	struct gc_slab *slab = first_slab(test, gs, &owned);
	u32 *counts[] = { &slab->nr_alloc, &slab->slots, &slab->magic };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		--*counts[i];
		KUNIT_EXPECT_GT_MSG(test, audit(gs), 0, "count %u", i);
		++*counts[i];
	}
	KUNIT_EXPECT_EQ(test, audit(gs), 0);
}

/* The allocation bitmap lies behind that of marks, and behind it what was handed out. */
static void byte_written_past_a_bitmap_is_found(struct kunit *test)
{
	LIST_HEAD(owned);
	struct gc_slabs *gs = mixed_heap(test, &owned);
	struct gc_slab *slab = first_slab(test, gs, &owned);
	u8 *past = (u8 *)(gc_slab_mark_bits(slab) + slab->words);

	*past ^= 1;
	KUNIT_EXPECT_GT(test, audit(gs), 0);
	*past ^= 1;
	past = (u8 *)(gc_slab_alloc_bits(slab) + slab->words);
	*past ^= 1;
	KUNIT_EXPECT_GT(test, audit(gs), 0);
	*past ^= 1;
	KUNIT_EXPECT_EQ(test, audit(gs), 0);
}

static void wrong_state_and_owner_are_found(struct kunit *test)
{
	LIST_HEAD(owned);
	struct gc_slabs *gs = mixed_heap(test, &owned);
	struct gc_slab *slab = first_slab(test, gs, &owned);

	slab->state = SLAB_FULL;
	KUNIT_EXPECT_GT(test, audit(gs), 0);
	slab->state = SLAB_OWNED;
	slab->owner = NULL;
	KUNIT_EXPECT_EQ(test, audit(gs), 1);
	slab->owner = &owned;
	slab->noscan = !slab->noscan;
	KUNIT_EXPECT_EQ(test, audit(gs), 0);
	slab->noscan = !slab->noscan;
	slab = list_first_entry(&gs->lists[0][0].partial, struct gc_slab, node);
	slab->noscan = true;
	KUNIT_EXPECT_EQ(test, audit(gs), 1);
	slab->noscan = false;
	KUNIT_EXPECT_EQ(test, audit(gs), 0);
}

static void wrong_entries_of_the_tree_are_found(struct kunit *test)
{
	LIST_HEAD(owned);
	struct gc_slabs *gs = mixed_heap(test, &owned);
	struct gc_slab *slab = first_slab(test, gs, &owned);
	unsigned long nr = slab->offset >> PAGE_SHIFT;
	struct gc_chunk *chunk = gs->pages.regions[0]->chunks[0];

	gc_pages_set_slab(&gs->pages, nr, 1, NULL);
	KUNIT_EXPECT_GT(test, audit(gs), 0);
	gc_pages_set_slab(&gs->pages, nr, 1, slab);
	__clear_bit(nr, chunk->used);
	KUNIT_EXPECT_GT(test, audit(gs), 0);
	__set_bit(nr, chunk->used);
	page_folio(chunk->pages[nr])->index++;
	KUNIT_EXPECT_EQ(test, audit(gs), 1);
	page_folio(chunk->pages[nr])->index--;
	KUNIT_EXPECT_EQ(test, audit(gs), 0);
}

static void wrong_holes_are_found(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t kept = bare_heap_alloc(test, gs, SZ_1K, false);
	struct gc_slab *slab = bare_heap_slab(gs, kept);

	bare_heap_release(gs, ULONG_MAX, UINT_MAX);
	KUNIT_ASSERT_EQ(test, slab->holes, 0xe);
	KUNIT_EXPECT_EQ(test, audit(gs), 0);
	/* An object lies there, or nothing does, or it is not the slab's. */
	slab->holes = 0xf;
	KUNIT_EXPECT_GT(test, audit(gs), 0);
	slab->holes = 0x6;
	KUNIT_EXPECT_GT(test, audit(gs), 0);
	slab->holes = 0x1e;
	KUNIT_EXPECT_EQ(test, audit(gs), 1);
	slab->holes = 0xe;
	gs->pages.holes++;
	KUNIT_EXPECT_GT(test, audit(gs), 0);
	gs->pages.holes--;
	__set_bit(4, gc_slab_alloc_bits(slab));
	slab->nr_alloc++;
	KUNIT_EXPECT_GT(test, audit(gs), 0);
	__clear_bit(4, gc_slab_alloc_bits(slab));
	slab->nr_alloc--;
	slab->state = SLAB_PARTIAL;
	KUNIT_EXPECT_GT(test, audit(gs), 0);
	slab->state = SLAB_SPARSE;
	KUNIT_EXPECT_EQ(test, audit(gs), 0);
}

/* A page that is marked as used and belongs to nobody is lost. */
static void lost_page_is_found(struct kunit *test)
{
	LIST_HEAD(owned);
	struct gc_slabs *gs = mixed_heap(test, &owned);
	struct gc_chunk *chunk = gs->pages.regions[0]->chunks[0];
	unsigned long nr = find_first_zero_bit(chunk->used, CHUNK_PAGES);

	KUNIT_ASSERT_LT(test, nr, CHUNK_PAGES);
	__set_bit(nr, chunk->used);
	gs->pages.free--;
	KUNIT_EXPECT_GT(test, audit(gs), 0);
	gs->pages.free++;
	__clear_bit(nr, chunk->used);
	KUNIT_EXPECT_EQ(test, audit(gs), 0);
}

static void wrong_hints_of_the_search_are_found(struct kunit *test)
{
	LIST_HEAD(owned);
	struct gc_slabs *gs = mixed_heap(test, &owned);
	struct gc_chunk *chunk = gs->pages.regions[0]->chunks[0];
	unsigned int longest = chunk->longest;

	chunk->longest = 0;
	KUNIT_EXPECT_EQ(test, audit(gs), 1);
	chunk->longest = longest;
	gs->pages.first_free = 1;
	KUNIT_EXPECT_EQ(test, audit(gs), 1);
	gs->pages.first_free = 0;
	KUNIT_EXPECT_EQ(test, audit(gs), 0);
}

static struct kunit_case audit_cases[] = {
	KUNIT_CASE(books_are_right_after_each_step),
	KUNIT_CASE(wrong_counters_are_found),
	KUNIT_CASE(wrong_counts_of_a_slab_are_found),
	KUNIT_CASE(byte_written_past_a_bitmap_is_found),
	KUNIT_CASE(wrong_state_and_owner_are_found),
	KUNIT_CASE(wrong_entries_of_the_tree_are_found),
	KUNIT_CASE(wrong_holes_are_found),
	KUNIT_CASE(lost_page_is_found),
	KUNIT_CASE(wrong_hints_of_the_search_are_found),
	{}
};

static struct kunit_suite audit_suite = {
	.name = "gcheap_audit",
	.test_cases = audit_cases,
};

kunit_test_suite(audit_suite);
