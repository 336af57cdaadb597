// SPDX-License-Identifier: GPL-2.0
/*
 * When a collection is due.  The rule needs a few numbers of the heap and nothing
 * else, so the heap is a zeroed structure with these numbers in it.
 */
#include <kunit/test.h>
#include <linux/sizes.h>
#include <linux/timekeeping.h>

#include "collect.h"
#include "collection.h"
#include "heap.h"
#include "stats.h"

#define HOUR_NS		(3600ULL * NSEC_PER_SEC)

static struct gc_heap *heap_with(struct kunit *test, u64 live, s32 percent,
				 u64 limit)
{
	struct gc_heap *heap = kunit_kzalloc(test, sizeof(*heap), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, heap);
	heap->slabs.live = live;
	heap->percent = percent;
	heap->limit = limit;
	return heap;
}

static u64 goal(struct kunit *test, u64 live, s32 percent, u64 limit)
{
	struct gc_heap *heap = heap_with(test, live, percent, limit);
	u64 bytes = gc_heap_goal(heap);

	kunit_kfree(test, heap);
	return bytes;
}

static void no_more_is_allocated_at_a_time_than_is_marked_for(struct kunit *test)
{
	struct gc_heap *heap = heap_with(test, SZ_64M, 100, 0);
	struct gc_collection *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	u64 portion;

	KUNIT_ASSERT_NOT_NULL(test, c);
	KUNIT_EXPECT_EQ(test, gc_collect_portion(heap), U64_MAX);
	heap->collection = c;
	c->room = SZ_2M;
	c->work = SZ_8M;
	portion = gc_collect_portion(heap);
	KUNIT_EXPECT_GT(test, portion, 0);
	/* There is as much to be marked for it as for a 128th of the room. */
	KUNIT_EXPECT_LE(test, portion, SZ_2M / 128);
	c->work = 16ULL * SZ_8M;
	KUNIT_EXPECT_EQ(test, gc_collect_portion(heap), portion / 16);
	/* Little is marked in one go. */
	c->work = 1;
	KUNIT_EXPECT_EQ(test, gc_collect_portion(heap), SZ_2M);
}

static void heap_grows_by_percent_of_what_lives(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, goal(test, SZ_64M, 100, 0), SZ_128M);
	KUNIT_EXPECT_EQ(test, goal(test, SZ_64M, 50, 0), SZ_64M + SZ_32M);
	KUNIT_EXPECT_EQ(test, goal(test, SZ_64M, 300, 0), SZ_256M);
	KUNIT_EXPECT_EQ(test, goal(test, 100000000, 1, 0), 101000000);
}

static void small_heap_is_left_alone_up_to_4_mib(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, goal(test, 0, 100, 0), SZ_4M);
	KUNIT_EXPECT_EQ(test, goal(test, SZ_2M, 100, 0), SZ_4M);
	KUNIT_EXPECT_EQ(test, goal(test, SZ_2M + 8, 100, 0), SZ_4M + 16);
}

static void least_goal_goes_with_percent(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, goal(test, 0, 50, 0), SZ_2M);
	KUNIT_EXPECT_EQ(test, goal(test, 0, 400, 0), SZ_16M);
}

static void largest_heap_and_percent_do_not_overflow(struct kunit *test)
{
	u64 live = GCHEAP_SIZE_MAX;

	KUNIT_EXPECT_EQ(test, goal(test, live, 100, 0), 2 * live);
	KUNIT_EXPECT_EQ(test, goal(test, live, GCHEAP_PERCENT_MAX, 0),
			live + live * (GCHEAP_PERCENT_MAX / 100));
}

/* Whoever goes on after that shall not be stopped in vain by each allocation. */
static void what_was_put_off_is_not_due_at_once(struct kunit *test)
{
	struct gc_heap *heap = heap_with(test, SZ_64M, 100, 0);

	gc_heap_pace(heap);
	heap->slabs.since = SZ_64M;
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 0));
	gc_heap_put_off(heap);
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, 0));
	heap->slabs.since += SZ_8M;
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, 0));
	heap->slabs.since += SZ_8M;
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 0));
}

static void off_is_never(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, goal(test, SZ_64M, GCHEAP_PERCENT_OFF, 0),
			U64_MAX);
}

static void limit_counts_what_the_heap_takes_beside_objects(struct kunit *test)
{
	struct gc_heap *heap = heap_with(test, SZ_64M, GCHEAP_PERCENT_OFF, SZ_1G);

	heap->slabs.meta_bytes = 1000;
	heap->slabs.pages.meta_bytes = SZ_1M;
	KUNIT_EXPECT_GE(test, gc_stats_meta_bytes(heap), SZ_1M + 1000);
	KUNIT_EXPECT_EQ(test, gc_heap_goal(heap),
			SZ_1G - gc_stats_meta_bytes(heap));
}

static void limit_and_percent_the_earlier_counts(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, goal(test, SZ_64M, 100, SZ_1G), SZ_128M);
	KUNIT_EXPECT_LT(test, goal(test, SZ_64M, 100, SZ_64M + SZ_32M),
			SZ_64M + SZ_32M);
}

static void limit_below_what_lives_leaves_a_sixteenth(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, goal(test, SZ_64M, 100, SZ_32M),
			SZ_64M + SZ_4M);
	KUNIT_EXPECT_EQ(test, goal(test, SZ_64M, GCHEAP_PERCENT_OFF, SZ_32M),
			SZ_64M + SZ_4M);
	KUNIT_EXPECT_EQ(test, goal(test, SZ_1M, 100, SZ_1M), SZ_1M + SZ_256K);
}

/* Not even the room for the heap's own tables. */
static void limit_of_one_byte_leaves_256_kib(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, goal(test, 0, 100, 1), SZ_256K);
}

static void collection_is_due_when_the_goal_is_reached(struct kunit *test)
{
	struct gc_heap *heap = heap_with(test, SZ_4M, 100, 0);

	gc_heap_pace(heap);
	heap->slabs.since = SZ_4M - 1;
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, 0));
	heap->slabs.since = SZ_4M;
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 0));
}

static void what_is_about_to_be_allocated_counts(struct kunit *test)
{
	struct gc_heap *heap = heap_with(test, SZ_4M, 100, 0);

	gc_heap_pace(heap);
	heap->slabs.since = SZ_1M;
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, SZ_2M));
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, SZ_2M + SZ_1M));
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 1ULL << 40));
}

/* It could not free a thing: nothing was allocated since the last one. */
static void nothing_is_due_before_something_is_allocated(struct kunit *test)
{
	struct gc_heap *heap = heap_with(test, SZ_4M, 100, 0);

	gc_heap_pace(heap);
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, 1ULL << 40));
}

/* @since falls below 0 when slots come back that were @live when marked. */
static void slots_come_back_unused_after_a_marking(struct kunit *test)
{
	struct gc_heap *heap = heap_with(test, SZ_4M, 100, 0);

	gc_heap_pace(heap);
	heap->slabs.since = -(s64)SZ_1M;
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, 0));
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, SZ_8M));
}

static void when_off_nothing_is_due(struct kunit *test)
{
	struct gc_heap *heap = heap_with(test, SZ_4M, GCHEAP_PERCENT_OFF, 0);

	gc_heap_pace(heap);
	heap->slabs.since = GCHEAP_SIZE_MAX;
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, GCHEAP_SIZE_MAX));
}

/* A collection under way that is due may be complete somewhat later, by percent. */
static void goal_may_be_overrun_by_so_much(struct kunit *test)
{
	struct gc_heap *heap = heap_with(test, SZ_64M, 100, 0);

	heap->slabs.pages.free = SZ_1M;
	gc_heap_pace(heap);
	heap->slabs.since = SZ_64M;
	KUNIT_EXPECT_TRUE(test, gc_heap_may_overrun(heap, SZ_2M));
	heap->slabs.since = SZ_64M + SZ_2M - 1;
	KUNIT_EXPECT_TRUE(test, gc_heap_may_overrun(heap, SZ_2M));
	heap->slabs.since = SZ_64M + SZ_2M;
	KUNIT_EXPECT_FALSE(test, gc_heap_may_overrun(heap, SZ_2M));
	KUNIT_EXPECT_TRUE(test, gc_heap_may_overrun(heap, SZ_4M));
	heap->slabs.since = SZ_64M + SZ_4M;
	KUNIT_EXPECT_FALSE(test, gc_heap_may_overrun(heap, SZ_64M));
	heap->percent = GCHEAP_PERCENT_OFF;
	gc_heap_pace(heap);
	heap->slabs.since = 0;
	KUNIT_EXPECT_FALSE(test, gc_heap_may_overrun(heap, SZ_128M));
}

static void goal_is_not_overrun_where_the_heap_is_full(struct kunit *test)
{
	struct gc_heap *heap = heap_with(test, SZ_64M, 100, 0);
	struct gc_pages *gp = &heap->slabs.pages;

	gp->frontier = SZ_128K;
	gp->limit = gp->frontier + SZ_64K;
	gc_heap_pace(heap);
	heap->slabs.since = SZ_64M;
	KUNIT_EXPECT_TRUE(test, gc_heap_may_overrun(heap, SZ_4M));
	gp->limit = gp->frontier + 16;
	KUNIT_EXPECT_FALSE(test, gc_heap_may_overrun(heap, SZ_4M));
	gp->free = SZ_64K;
	KUNIT_EXPECT_TRUE(test, gc_heap_may_overrun(heap, SZ_4M));
}

static void limit_is_not_overrun(struct kunit *test)
{
	struct gc_heap *heap = heap_with(test, SZ_64M, 100, SZ_64M + SZ_32M);

	heap->slabs.pages.free = SZ_1M;
	gc_heap_pace(heap);
	heap->slabs.since = SZ_32M;
	KUNIT_EXPECT_FALSE(test, gc_heap_may_overrun(heap, SZ_4M));
	/* It is a little beyond what percent allows. */
	heap->limit = SZ_128M + SZ_2M;
	gc_heap_pace(heap);
	heap->slabs.since = SZ_64M;
	KUNIT_EXPECT_TRUE(test, gc_heap_may_overrun(heap, SZ_4M));
	heap->slabs.since = SZ_64M + SZ_2M;
	KUNIT_EXPECT_FALSE(test, gc_heap_may_overrun(heap, SZ_4M));
}

/* A limit below what lives, so that the goal is 68 MiB, and that of percent 128. */
static struct gc_heap *heap_beyond_limit(struct kunit *test, s32 percent)
{
	struct gc_heap *heap = heap_with(test, SZ_64M, percent, SZ_32M);

	gc_heap_pace(heap);
	heap->slabs.since = SZ_8M;
	return heap;
}

/* A collection just ended that took so long. */
static void collected(struct gc_heap *heap, u64 took_ns)
{
	heap->last_end_ns = ktime_get_ns();
	heap->last_took_ns = took_ns;
	heap->debt_ns = took_ns;
}

static void limit_leaves_the_program_as_much_time_as_the_last_collection_took(struct kunit *test)
{
	struct gc_heap *heap = heap_beyond_limit(test, 100);

	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 0));
	collected(heap, HOUR_NS);
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, 0));
	collected(heap, 0);
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 0));
	collected(heap, HOUR_NS);
	heap->last_end_ns -= HOUR_NS;
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 0));
}

/* A collection that began right after the last one, and just ended */
static void collected_at_once(struct gc_heap *heap, u64 took_ns)
{
	u64 start = ktime_get_ns() - took_ns;

	heap->last_end_ns = start;
	gc_heap_collected(heap, start, took_ns);
}

static void limit_is_kept_until_collections_have_taken_too_much(struct kunit *test)
{
	struct gc_heap *heap = heap_beyond_limit(test, GCHEAP_PERCENT_OFF);

	collected_at_once(heap, 60 * NSEC_PER_MSEC);
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 0));
	collected_at_once(heap, HOUR_NS);
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, 0));
	KUNIT_EXPECT_EQ(test, heap->gc_cpu_ns / HOUR_NS, 1);
}

/* Somebody asks for one after the other: that is no debt for hours. */
static void what_many_collections_in_a_row_took_is_forgotten(struct kunit *test)
{
	struct gc_heap *heap = heap_beyond_limit(test, GCHEAP_PERCENT_OFF);
	int i;

	for (i = 0; i < 10; i++)
		collected_at_once(heap, HOUR_NS);
	KUNIT_EXPECT_LE(test, heap->debt_ns, 2 * HOUR_NS);
}

static void what_percent_says_is_due_without_delay(struct kunit *test)
{
	struct gc_heap *heap = heap_beyond_limit(test, 100);

	collected(heap, HOUR_NS);
	heap->slabs.since = SZ_64M - 1;
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, 0));
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 1));
	heap->limit = 0;
	gc_heap_pace(heap);
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 1));
}

static void limit_alone_has_nothing_due_at_once(struct kunit *test)
{
	struct gc_heap *heap = heap_beyond_limit(test, GCHEAP_PERCENT_OFF);

	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 0));
	collected(heap, HOUR_NS);
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, GCHEAP_SIZE_MAX));
}

static void full_heap_gets_some_collections_of_no_use_and_then_waits(struct kunit *test)
{
	struct gc_heap *heap = heap_with(test, SZ_4M, 100, 0);
	unsigned int nr;

	for (nr = 0; nr < 100; nr++) {
		collected(heap, HOUR_NS);
		if (!gc_heap_may_help(heap))
			break;
		heap->fruitless++;
	}
	KUNIT_EXPECT_GE(test, nr, 3);
	KUNIT_EXPECT_LE(test, nr, 10);
	collected(heap, 0);
	KUNIT_EXPECT_TRUE(test, gc_heap_may_help(heap));
	collected(heap, HOUR_NS);
	heap->slabs.since = SZ_1M;
	KUNIT_EXPECT_TRUE(test, gc_heap_may_help(heap));
}

/* That has lived through a peak of 64 MiB, and still has its memory */
static struct gc_heap *heap_after_peak(struct kunit *test, u64 limit)
{
	struct gc_heap *heap = heap_with(test, SZ_64M, 100, limit);

	heap->slabs.pages.frontier = SZ_128M >> PAGE_SHIFT;
	gc_heap_pace(heap);
	heap->slabs.live = SZ_16M;
	gc_heap_pace(heap);
	return heap;
}

/* Time has gone by, and then there is a collection. */
static void paced_later(struct gc_heap *heap, u64 ns)
{
	heap->held_ns -= ns;
	gc_heap_pace(heap);
}

static void memory_that_is_held_is_used_before_a_collection(struct kunit *test)
{
	struct gc_heap *heap = heap_after_peak(test, 0);

	KUNIT_EXPECT_EQ(test, heap->goal, SZ_32M);
	/* Four times the 16 MiB that percent gives */
	KUNIT_EXPECT_EQ(test, gc_heap_next(heap), SZ_64M + SZ_16M);
	heap->slabs.since = SZ_32M;
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, 0));
	heap->slabs.since = SZ_64M;
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 0));
}

/* Of what was given back, and what the heap would grow by */
static void no_memory_is_taken_before_a_collection(struct kunit *test)
{
	struct gc_heap *heap = heap_after_peak(test, 0);
	struct gc_pages *gp = &heap->slabs.pages;

	heap->slabs.since = SZ_32M;
	gp->absent = SZ_64M >> PAGE_SHIFT;
	gp->released = gp->absent;
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, 0));
	gp->absent--;
	KUNIT_EXPECT_EQ(test, gc_heap_next(heap), SZ_32M);
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 0));
	gp->absent++;
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, 0));
	gp->frontier++;
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, 0));
}

/* It uses what it has, takes a little more, is collected, and so on. */
static void no_memory_is_taken_bit_by_bit_either(struct kunit *test)
{
	struct gc_heap *heap = heap_after_peak(test, 0);
	struct gc_pages *gp = &heap->slabs.pages;
	u64 backed = SZ_32M + SZ_8M;
	int i;

	gp->absent = gp->frontier - (backed >> PAGE_SHIFT);
	gp->released = gp->absent;
	for (i = 0; i < 100; i++) {
		u64 next = gc_heap_next(heap);

		if (next > backed) {
			gp->absent -= SZ_256K >> PAGE_SHIFT;
			backed += SZ_256K;
			next = backed;
		}
		heap->slabs.since = next - heap->slabs.live;
		KUNIT_ASSERT_TRUE(test, gc_heap_due(heap, 0));
		gc_heap_settle(heap);
		heap->slabs.since = 0;
		gc_heap_pace(heap);
	}
	KUNIT_EXPECT_LE(test, backed, SZ_32M + SZ_8M + SZ_256K);
}

static void large_object_is_no_reason_to_take_memory_before_a_collection(struct kunit *test)
{
	struct gc_heap *heap = heap_after_peak(test, 0);

	heap->slabs.since = SZ_8M;
	heap->slabs.pages.free = SZ_16M >> PAGE_SHIFT;
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, SZ_16M));
	KUNIT_EXPECT_TRUE(test, gc_heap_due(heap, SZ_16M + PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, gc_heap_due(heap, SZ_4M));
}

static void goal_of_a_heap_after_a_peak_falls_in_time(struct kunit *test)
{
	struct gc_heap *heap = heap_after_peak(test, 0);
	u64 next = gc_heap_next(heap);
	int i;

	for (i = 0; i < 20; i++) {
		paced_later(heap, NSEC_PER_SEC);
		KUNIT_EXPECT_LT(test, gc_heap_next(heap), next);
		next = gc_heap_next(heap);
	}
	KUNIT_EXPECT_LT(test, next, SZ_32M + SZ_8M);
	paced_later(heap, HOUR_NS);
	KUNIT_EXPECT_EQ(test, gc_heap_next(heap), SZ_32M);
	paced_later(heap, U64_MAX / 2);
	KUNIT_EXPECT_EQ(test, gc_heap_next(heap), SZ_32M);
}

/* And with it what the heap takes beside objects */
static void limit_counts_for_memory_that_is_held(struct kunit *test)
{
	u64 limit = SZ_32M + SZ_8M;
	struct gc_heap *heap = heap_after_peak(test, limit);

	heap->slabs.meta_bytes = SZ_1M;
	gc_heap_pace(heap);
	KUNIT_EXPECT_EQ(test, heap->goal, SZ_32M);
	KUNIT_EXPECT_LE(test, gc_heap_next(heap), limit - SZ_1M);
	KUNIT_EXPECT_EQ(test, gc_heap_next(heap_after_peak(test, SZ_8M)),
			SZ_16M + SZ_1M);
}

static void heap_that_was_off_is_held_to_what_percent_gives(struct kunit *test)
{
	struct gc_heap *heap = heap_after_peak(test, 0);

	heap->percent = GCHEAP_PERCENT_OFF;
	gc_heap_pace(heap);
	KUNIT_EXPECT_EQ(test, gc_heap_next(heap), U64_MAX);
	heap->percent = 100;
	gc_heap_pace(heap);
	KUNIT_EXPECT_LE(test, gc_heap_next(heap), SZ_64M + SZ_16M);
	heap->percent = 0;
	gc_heap_pace(heap);
	KUNIT_EXPECT_EQ(test, gc_heap_next(heap), SZ_16M);
}

static struct kunit_case pace_cases[] = {
	KUNIT_CASE(no_more_is_allocated_at_a_time_than_is_marked_for),
	KUNIT_CASE(heap_grows_by_percent_of_what_lives),
	KUNIT_CASE(small_heap_is_left_alone_up_to_4_mib),
	KUNIT_CASE(least_goal_goes_with_percent),
	KUNIT_CASE(largest_heap_and_percent_do_not_overflow),
	KUNIT_CASE(what_was_put_off_is_not_due_at_once),
	KUNIT_CASE(off_is_never),
	KUNIT_CASE(limit_counts_what_the_heap_takes_beside_objects),
	KUNIT_CASE(limit_and_percent_the_earlier_counts),
	KUNIT_CASE(limit_below_what_lives_leaves_a_sixteenth),
	KUNIT_CASE(limit_of_one_byte_leaves_256_kib),
	KUNIT_CASE(collection_is_due_when_the_goal_is_reached),
	KUNIT_CASE(what_is_about_to_be_allocated_counts),
	KUNIT_CASE(nothing_is_due_before_something_is_allocated),
	KUNIT_CASE(slots_come_back_unused_after_a_marking),
	KUNIT_CASE(when_off_nothing_is_due),
	KUNIT_CASE(goal_may_be_overrun_by_so_much),
	KUNIT_CASE(goal_is_not_overrun_where_the_heap_is_full),
	KUNIT_CASE(limit_is_not_overrun),
	KUNIT_CASE(limit_leaves_the_program_as_much_time_as_the_last_collection_took),
	KUNIT_CASE(limit_is_kept_until_collections_have_taken_too_much),
	KUNIT_CASE(what_many_collections_in_a_row_took_is_forgotten),
	KUNIT_CASE(what_percent_says_is_due_without_delay),
	KUNIT_CASE(limit_alone_has_nothing_due_at_once),
	KUNIT_CASE(full_heap_gets_some_collections_of_no_use_and_then_waits),
	KUNIT_CASE(memory_that_is_held_is_used_before_a_collection),
	KUNIT_CASE(no_memory_is_taken_before_a_collection),
	KUNIT_CASE(no_memory_is_taken_bit_by_bit_either),
	KUNIT_CASE(large_object_is_no_reason_to_take_memory_before_a_collection),
	KUNIT_CASE(goal_of_a_heap_after_a_peak_falls_in_time),
	KUNIT_CASE(limit_counts_for_memory_that_is_held),
	KUNIT_CASE(heap_that_was_off_is_held_to_what_percent_gives),
	{}
};

static struct kunit_suite pace_suite = {
	.name = "gcheap_pace",
	.test_cases = pace_cases,
};

kunit_test_suite(pace_suite);
