// SPDX-License-Identifier: GPL-2.0
/*
 * Which kind the next collection is.  The rule needs a few numbers of the heap and of the
 * collections that were, so both are zeroed structures with these numbers in them.
 */
#include <kunit/test.h>
#include <linux/sizes.h>

#include "collection.h"
#include "generations.h"
#include "heap.h"

/**
 * struct past - a heap, and what its last collection was
 * @heap: heap
 * @c: collection
 */
struct past {
	struct gc_heap *heap;
	struct gc_collection *c;
};

/* A collection of @minor or the other kind that has looked at @words, and left @live. */
static void collected(struct past *p, bool minor, u64 words, u64 live)
{
	struct gc_slabs *gs = &p->heap->slabs;

	*p->c = (struct gc_collection) {
		.minor = minor,
		.concurrent = true,
		.due = true,
		.live = gs->live,
		.in_use = gs->live + gs->since,
		.marker.scanned = words,
		.marker.marked = words * sizeof(long),
		.cycle.looks = 3,
	};
	gs->live = live;
	gs->marked = live;
	gs->since = 0;
	gc_generations_learn(p->heap, p->c);
	gc_heap_pace(p->heap);
}

/* It has come as far as to the goal. */
static bool next_is_minor(struct past *p)
{
	struct gc_heap *heap = p->heap;

	heap->slabs.since = gc_heap_next(heap) - heap->slabs.live;
	return gc_generations_minor(heap);
}

/* One full collection was due, in which all that was new was garbage. */
static struct past fruitful(struct kunit *test)
{
	struct past p = {
		.heap = kunit_kzalloc(test, sizeof(*p.heap), GFP_KERNEL),
		.c = kunit_kzalloc(test, sizeof(*p.c), GFP_KERNEL),
	};

	KUNIT_ASSERT_NOT_NULL(test, p.heap);
	KUNIT_ASSERT_NOT_NULL(test, p.c);
	p.heap->percent = 100;
	p.heap->slabs.sticky = true;
	p.heap->slabs.live = SZ_64M;
	p.heap->slabs.since = SZ_64M;
	collected(&p, false, SZ_8M, SZ_64M);
	return p;
}

static void next_is_minor_after_a_fruitful_one(struct kunit *test)
{
	struct past p = fruitful(test);

	KUNIT_EXPECT_TRUE(test, next_is_minor(&p));
	collected(&p, true, SZ_64K, SZ_64M + SZ_1M);
	KUNIT_EXPECT_TRUE(test, next_is_minor(&p));
}

static void next_is_full_when_nothing_is_old(struct kunit *test)
{
	struct past p = fruitful(test);

	p.heap->slabs.sticky = false;
	KUNIT_EXPECT_FALSE(test, next_is_minor(&p));
}

static void next_is_full_while_the_heap_grows(struct kunit *test)
{
	struct past p = fruitful(test);

	next_is_minor(&p);
	collected(&p, false, SZ_16M, SZ_128M);
	KUNIT_EXPECT_FALSE(test, next_is_minor(&p));
}

/* The cgroup is short, or memory runs out. */
static void next_is_full_before_the_goal(struct kunit *test)
{
	struct past p = fruitful(test);

	p.heap->slabs.since = SZ_32M;
	KUNIT_EXPECT_FALSE(test, gc_generations_minor(p.heap));
	p.heap->slabs.since = SZ_64M - SZ_4M;
	KUNIT_EXPECT_TRUE(test, gc_generations_minor(p.heap));
}

static void next_is_full_when_half_of_the_room_is_gone(struct kunit *test)
{
	struct past p = fruitful(test);
	u64 live = SZ_64M;
	int nr = 0;

	while (next_is_minor(&p) && nr < 100) {
		live += SZ_4M;
		collected(&p, true, SZ_64K, live);
		nr++;
	}
	KUNIT_EXPECT_EQ(test, nr, 9);
	collected(&p, false, SZ_8M, SZ_64M);
	KUNIT_EXPECT_TRUE(test, next_is_minor(&p));
}

/* Minor collections make do with the room that the last full one has left, nearly. */
static void goal_is_that_of_the_full_one(struct kunit *test)
{
	struct past p = fruitful(test);

	next_is_minor(&p);
	collected(&p, true, SZ_64K, SZ_64M + SZ_32M);
	KUNIT_EXPECT_EQ(test, gc_heap_next(p.heap), SZ_128M);
	next_is_minor(&p);
	collected(&p, true, SZ_64K, SZ_128M);
	KUNIT_EXPECT_EQ(test, gc_heap_next(p.heap), SZ_128M + SZ_8M);
	KUNIT_EXPECT_FALSE(test, next_is_minor(&p));
}

static unsigned int full_ones_before_a_minor_one(struct past *p)
{
	unsigned int nr = 0;

	while (!next_is_minor(p) && nr < 100) {
		collected(p, false, SZ_8M, SZ_64M);
		nr++;
	}
	return nr;
}

/* It has found a little, for as much work as a full one that finds all. */
static void what_was_not_worth_it_is_tried_ever_less_often(struct kunit *test)
{
	static const unsigned int expected[] = { 3, 7, 15, 15 };
	struct past p = fruitful(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		KUNIT_EXPECT_TRUE(test, next_is_minor(&p));
		collected(&p, true, SZ_8M, SZ_64M + SZ_16M);
		KUNIT_EXPECT_EQ(test, full_ones_before_a_minor_one(&p), expected[i]);
	}
	collected(&p, true, SZ_64K, SZ_64M);
	KUNIT_EXPECT_TRUE(test, next_is_minor(&p));
	collected(&p, true, SZ_8M, SZ_64M + SZ_16M);
	KUNIT_EXPECT_EQ(test, full_ones_before_a_minor_one(&p), 3);
}

/* It has begun as a minor one. */
static void what_has_most_to_look_at_again_is_a_full_one(struct kunit *test)
{
	struct past p = fruitful(test);

	p.heap->last[false].once = SZ_8M;
	KUNIT_EXPECT_TRUE(test, gc_generations_pays(p.heap, SZ_4M));
	KUNIT_EXPECT_TRUE(test, next_is_minor(&p));
	KUNIT_EXPECT_FALSE(test, gc_generations_pays(p.heap, SZ_4M + 1));
	KUNIT_EXPECT_EQ(test, full_ones_before_a_minor_one(&p), 3);
	KUNIT_EXPECT_FALSE(test, gc_generations_pays(p.heap, SZ_8M));
	KUNIT_EXPECT_EQ(test, full_ones_before_a_minor_one(&p), 7);
	collected(&p, true, SZ_64K, SZ_64M + SZ_16M);
	KUNIT_EXPECT_TRUE(test, gc_generations_pays(p.heap, SZ_4M + SZ_1M));
	KUNIT_EXPECT_FALSE(test, gc_generations_pays(p.heap, SZ_4M + SZ_1M + 1));
}

static void collection_that_was_asked_for_says_nothing_of_what_is_due(struct kunit *test)
{
	struct past p = fruitful(test);

	*p.c = (struct gc_collection) { .due = false, .live = SZ_64M, .in_use = SZ_64M };
	p.heap->slabs.since = 0;
	gc_generations_learn(p.heap, p.c);
	gc_heap_pace(p.heap);
	KUNIT_EXPECT_TRUE(test, next_is_minor(&p));
	KUNIT_EXPECT_EQ(test, p.heap->generations.freed, SZ_64M);
}

static void what_is_old_is_known_when_that_is_of_use(struct kunit *test)
{
	struct past p = fruitful(test);
	struct gc_generations *g = &p.heap->generations;
	struct gc_collection *c = p.c;

	*c = (struct gc_collection) { .due = true, .live = SZ_64M, .in_use = SZ_128M };
	KUNIT_EXPECT_TRUE(test, gc_generations_wanted(p.heap, c, SZ_64M));
	KUNIT_EXPECT_FALSE(test, gc_generations_wanted(p.heap, c, SZ_128M));
	g->wait = 1;
	KUNIT_EXPECT_TRUE(test, gc_generations_wanted(p.heap, c, SZ_64M));
	g->wait = 2;
	KUNIT_EXPECT_FALSE(test, gc_generations_wanted(p.heap, c, SZ_64M));
	c->due = false;
	g->wait = 1;
	KUNIT_EXPECT_FALSE(test, gc_generations_wanted(p.heap, c, SZ_64M));
	g->wait = 0;
	KUNIT_EXPECT_TRUE(test, gc_generations_wanted(p.heap, c, SZ_128M));
}

static void next_is_full_where_a_limit_is_near(struct kunit *test)
{
	struct past p = fruitful(test);

	p.heap->limit = SZ_64M + SZ_32M;
	gc_heap_pace(p.heap);
	KUNIT_EXPECT_FALSE(test, next_is_minor(&p));
	p.heap->limit = SZ_1G;
	gc_heap_pace(p.heap);
	KUNIT_EXPECT_TRUE(test, next_is_minor(&p));
	collected(&p, true, SZ_64K, SZ_128M + SZ_1M);
	KUNIT_EXPECT_EQ(test, gc_heap_next(p.heap), SZ_128M + SZ_1M + SZ_8M);
}

static struct kunit_case generations_cases[] = {
	KUNIT_CASE(next_is_minor_after_a_fruitful_one),
	KUNIT_CASE(next_is_full_when_nothing_is_old),
	KUNIT_CASE(next_is_full_while_the_heap_grows),
	KUNIT_CASE(next_is_full_before_the_goal),
	KUNIT_CASE(next_is_full_when_half_of_the_room_is_gone),
	KUNIT_CASE(goal_is_that_of_the_full_one),
	KUNIT_CASE(what_was_not_worth_it_is_tried_ever_less_often),
	KUNIT_CASE(what_has_most_to_look_at_again_is_a_full_one),
	KUNIT_CASE(collection_that_was_asked_for_says_nothing_of_what_is_due),
	KUNIT_CASE(what_is_old_is_known_when_that_is_of_use),
	KUNIT_CASE(next_is_full_where_a_limit_is_near),
	{}
};

/* Whether it is so by default is not what is tried here. */
static bool by_default;

static int generations_init(struct kunit *test)
{
	by_default = gc_generational;
	WRITE_ONCE(gc_generational, true);
	return 0;
}

static void generations_exit(struct kunit *test)
{
	WRITE_ONCE(gc_generational, by_default);
}

static struct kunit_suite generations_suite = {
	.name = "gcheap_generations",
	.init = generations_init,
	.exit = generations_exit,
	.test_cases = generations_cases,
};

kunit_test_suite(generations_suite);
