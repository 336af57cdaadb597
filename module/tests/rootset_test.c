// SPDX-License-Identifier: GPL-2.0
/*
 * Sets of hand-made roots.  That nothing is lost is for kmemleak to say, and that
 * nothing is freed too early for KASAN: the cases look at what they put.
 */
#include <kunit/test.h>
#include <linux/gcheap.h>
#include <linux/mm.h>
#include <linux/prandom.h>

#include "rootset.h"

#define RANGES	200UL

static void put(void *set)
{
	gc_rootset_put(set);
}

/* The case has one reference, which ends with it. */
static struct gc_rootset *managed(struct kunit *test, struct gc_rootset *set)
{
	KUNIT_ASSERT_NOT_NULL(test, set);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, put, set), 0);
	return set;
}

static void forget_all(void *list)
{
	struct gc_aging *aging, *next;

	list_for_each_entry_safe(aging, next, (struct list_head *)list, node)
		gc_aging_forget(aging);
}

/* What a heap has for all of its processes. */
static struct list_head *agings_new(struct kunit *test)
{
	struct list_head *agings = kunit_kmalloc(test, sizeof(*agings),
						 GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, agings);
	INIT_LIST_HEAD(agings);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, forget_all,
							agings), 0);
	return agings;
}

static unsigned long count(const struct gc_rootset *set)
{
	unsigned long nr = 0;
	struct rb_node *node;

	for (node = rb_first(&set->ranges); node; node = rb_next(node))
		nr++;
	return nr;
}

static void added_range_is_found_by_its_start(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	struct gc_root *root;

	KUNIT_ASSERT_EQ(test, gc_rootset_add(set, 0x1000, 64, NULL), 0);
	root = gc_rootset_find(set, 0x1000);
	KUNIT_ASSERT_NOT_NULL(test, root);
	KUNIT_EXPECT_EQ(test, root->start, 0x1000);
	KUNIT_EXPECT_EQ(test, root->length, 64);
	KUNIT_EXPECT_NULL(test, root->aging);
	KUNIT_EXPECT_NULL(test, gc_rootset_find(set, 0xff8));
	KUNIT_EXPECT_NULL(test, gc_rootset_find(set, 0x1008));
}

static void same_start_twice_is_eexist(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());

	KUNIT_ASSERT_EQ(test, gc_rootset_add(set, 0x1000, 64, NULL), 0);
	KUNIT_EXPECT_EQ(test, gc_rootset_add(set, 0x1000, 128, NULL), -EEXIST);
	KUNIT_EXPECT_EQ(test, gc_rootset_find(set, 0x1000)->length, 64);
	KUNIT_EXPECT_EQ(test, count(set), 1);
}

static void full_set_is_enospc_until_one_is_removed(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new()), *copy;
	unsigned long i;

	/* Tens of thousands take a minute, of which the last ones tell. */
	set->nr = GCHEAP_ROOTS_MAX - 100;
	for (i = 1; i <= 100; i++)
		KUNIT_ASSERT_EQ(test, gc_rootset_add(set, 8 * i, 8, NULL), 0);
	KUNIT_EXPECT_EQ(test, gc_rootset_add(set, 8 * i, 8, NULL), -ENOSPC);
	KUNIT_EXPECT_EQ(test, gc_rootset_add(set, 8, 8, NULL), -EEXIST);
	/* It has counted what there is. */
	copy = managed(test, gc_rootset_copy(set));
	KUNIT_EXPECT_EQ(test, copy->nr, 100);
	KUNIT_ASSERT_EQ(test, gc_rootset_del(set, 8), 0);
	KUNIT_EXPECT_EQ(test, gc_rootset_add(set, 8 * i, 8, NULL), 0);
	KUNIT_EXPECT_EQ(test, gc_rootset_add(set, 8, 8, NULL), -ENOSPC);
}

static void removing_what_is_not_there_is_enoent(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());

	KUNIT_EXPECT_EQ(test, gc_rootset_del(set, 0x1000), -ENOENT);
	KUNIT_ASSERT_EQ(test, gc_rootset_add(set, 0x1000, 64, NULL), 0);
	KUNIT_EXPECT_EQ(test, gc_rootset_del(set, 0x1008), -ENOENT);
	KUNIT_EXPECT_EQ(test, gc_rootset_del(set, 0x1000), 0);
	KUNIT_EXPECT_EQ(test, gc_rootset_del(set, 0x1000), -ENOENT);
}

static void removed_start_can_be_added_again(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());

	KUNIT_ASSERT_EQ(test, gc_rootset_add(set, 0x1000, 64, NULL), 0);
	KUNIT_ASSERT_EQ(test, gc_rootset_del(set, 0x1000), 0);
	KUNIT_EXPECT_NULL(test, gc_rootset_find(set, 0x1000));
	KUNIT_ASSERT_EQ(test, gc_rootset_add(set, 0x1000, 32, NULL), 0);
	KUNIT_EXPECT_EQ(test, gc_rootset_find(set, 0x1000)->length, 32);
}

/* Each case of a search tree, from random orders of coming and going. */
static void ranges_come_and_go_in_any_order(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	DECLARE_BITMAP(there, RANGES) = {};
	struct rnd_state random;
	unsigned int step;

	prandom_seed_state(&random, 1);
	for (step = 0; step < 20 * RANGES; step++) {
		unsigned long i = prandom_u32_state(&random) % RANGES;
		unsigned long start = PAGE_SIZE + 8 * i;
		bool was = test_bit(i, there);

		KUNIT_ASSERT_EQ(test, !!gc_rootset_find(set, start), was);
		if (was)
			KUNIT_ASSERT_EQ(test, gc_rootset_del(set, start), 0);
		else
			KUNIT_ASSERT_EQ(test, gc_rootset_add(set, start, 8,
							     NULL), 0);
		__change_bit(i, there);
	}
	KUNIT_EXPECT_EQ(test, count(set), bitmap_weight(there, RANGES));
}

static void ranges_are_sorted_by_address(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	unsigned long i, last = 0;
	struct rb_node *node;

	/* 7 and 200 have no divisor in common, so each is met once. */
	for (i = 0; i < RANGES; i++)
		KUNIT_ASSERT_EQ(test, gc_rootset_add(set,
						     8 + i * 7 % RANGES * 8, 8,
						     NULL), 0);
	for (node = rb_first(&set->ranges); node; node = rb_next(node)) {
		struct gc_root *root = rb_entry(node, struct gc_root, node);

		KUNIT_ASSERT_EQ(test, root->start, last + 8);
		last = root->start;
	}
	KUNIT_EXPECT_EQ(test, last, 8 * RANGES);
}

static void set_is_shared_while_others_have_it(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());

	KUNIT_EXPECT_FALSE(test, gc_rootset_shared(set));
	gc_rootset_get(set);
	KUNIT_EXPECT_TRUE(test, gc_rootset_shared(set));
	gc_rootset_put(set);
	KUNIT_EXPECT_FALSE(test, gc_rootset_shared(set));
}

static void copy_has_the_same_ranges_and_goes_its_own_way(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	struct gc_rootset *copy;
	unsigned long i;

	for (i = 1; i <= RANGES; i++)
		KUNIT_ASSERT_EQ(test, gc_rootset_add(set, i * 16, i, NULL), 0);
	copy = managed(test, gc_rootset_copy(set));
	KUNIT_EXPECT_EQ(test, count(copy), RANGES);
	for (i = 1; i <= RANGES; i++) {
		struct gc_root *root = gc_rootset_find(copy, i * 16);

		KUNIT_ASSERT_NOT_NULL(test, root);
		KUNIT_ASSERT_EQ(test, root->length, i);
	}
	KUNIT_EXPECT_EQ(test, gc_rootset_del(copy, 16), 0);
	KUNIT_EXPECT_EQ(test, gc_rootset_add(copy, 8, 8, NULL), 0);
	KUNIT_EXPECT_NOT_NULL(test, gc_rootset_find(set, 16));
	KUNIT_EXPECT_NULL(test, gc_rootset_find(set, 8));
}

static void copy_of_a_shared_set_is_not_shared(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	struct gc_rootset *copy;

	gc_rootset_get(set);
	copy = gc_rootset_copy(set);
	gc_rootset_put(set);
	managed(test, copy);
	KUNIT_EXPECT_FALSE(test, gc_rootset_shared(copy));
}

static struct gc_aging *aging_get(struct kunit *test, struct list_head *agings,
				  unsigned long start)
{
	struct gc_aging *aging = gc_aging_get(agings, start, 16);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, aging);
	return aging;
}

/* Have a range of the set age. */
static struct gc_aging *add_aging(struct kunit *test, struct gc_rootset *set,
				  struct list_head *agings, unsigned long start)
{
	struct gc_aging *aging = aging_get(test, agings, start);

	KUNIT_ASSERT_EQ(test, gc_rootset_add(set, start, 16, aging), 0);
	return aging;
}

static void pairs_at_an_address_are_the_same_for_all(struct kunit *test)
{
	struct list_head *agings = agings_new(test);
	struct gc_aging *aging = aging_get(test, agings, 16);
	struct gc_aging *other = aging_get(test, agings, 32);

	KUNIT_EXPECT_EQ(test, aging->start, 16);
	KUNIT_EXPECT_EQ(test, aging->length, 16);
	KUNIT_EXPECT_PTR_NE(test, other, aging);
	KUNIT_EXPECT_PTR_EQ(test, aging_get(test, agings, 16), aging);
	KUNIT_EXPECT_EQ(test, list_count_nodes(agings), 2);
	gc_aging_put(aging);
	gc_aging_put(aging);
	gc_aging_put(other);
}

static void known_pairs_with_another_length_are_eexist(struct kunit *test)
{
	struct list_head *agings = agings_new(test);
	struct gc_aging *aging = aging_get(test, agings, 16);

	KUNIT_EXPECT_EQ(test, PTR_ERR(gc_aging_get(agings, 16, 32)), -EEXIST);
	KUNIT_EXPECT_EQ(test, refcount_read(&aging->ref), 2);
	gc_aging_put(aging);
}

/* Else a pair that two processes have would age twice in one collection. */
static void copies_share_the_pairs(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	struct list_head *agings = agings_new(test);
	struct gc_aging *aging = add_aging(test, set, agings, 16);
	struct gc_rootset *copy = managed(test, gc_rootset_copy(set));

	KUNIT_EXPECT_PTR_EQ(test, gc_rootset_find(copy, 16)->aging, aging);
	KUNIT_EXPECT_EQ(test, refcount_read(&aging->ref), 3);
}

static void range_that_is_there_leaves_the_pairs_to_the_caller(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	struct list_head *agings = agings_new(test);
	struct gc_aging *aging = aging_get(test, agings, 16);

	KUNIT_ASSERT_EQ(test, gc_rootset_add(set, 16, 16, NULL), 0);
	KUNIT_EXPECT_EQ(test, gc_rootset_add(set, 16, 16, aging), -EEXIST);
	KUNIT_EXPECT_EQ(test, refcount_read(&aging->ref), 2);
	gc_aging_put(aging);
}

static void removal_lets_go_of_the_pairs(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	struct list_head *agings = agings_new(test);
	struct gc_aging *aging = add_aging(test, set, agings, 16);

	KUNIT_EXPECT_EQ(test, refcount_read(&aging->ref), 2);
	KUNIT_EXPECT_EQ(test, gc_rootset_del(set, 16), 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&aging->ref), 1);
}

static void set_that_ends_lets_go_of_the_pairs(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	struct list_head *agings = agings_new(test);
	struct gc_aging *aging = add_aging(test, set, agings, 16);
	struct gc_rootset *copy = gc_rootset_copy(set);

	KUNIT_ASSERT_NOT_NULL(test, copy);
	KUNIT_EXPECT_EQ(test, refcount_read(&aging->ref), 3);
	gc_rootset_put(copy);
	KUNIT_EXPECT_EQ(test, refcount_read(&aging->ref), 2);
}

static void forgotten_pairs_live_as_long_as_a_set_has_them(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	struct list_head *agings = agings_new(test);
	struct gc_aging *aging = add_aging(test, set, agings, 16), *again;

	gc_aging_forget(aging);
	KUNIT_EXPECT_TRUE(test, list_empty(agings));
	KUNIT_EXPECT_EQ(test, refcount_read(&aging->ref), 1);
	again = aging_get(test, agings, 16);
	KUNIT_EXPECT_PTR_NE(test, again, aging);
	gc_aging_put(again);
}

static void freed_pairs_are_forgotten_if_nobody_has_them(struct kunit *test)
{
	struct list_head *agings = agings_new(test);
	struct gc_aging *aging = aging_get(test, agings, 16);

	gc_aging_put(aging);
	gc_aging_free(aging);
	KUNIT_EXPECT_TRUE(test, list_empty(agings));
}

/* Whoever has the range takes it for registered. */
static void freed_pairs_come_back_with_the_same_range(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	struct gc_rootset *next = managed(test, gc_rootset_new());
	struct list_head *agings = agings_new(test);
	struct gc_aging *aging = add_aging(test, set, agings, 16);

	gc_aging_free(aging);
	KUNIT_EXPECT_TRUE(test, aging->freed);
	KUNIT_EXPECT_EQ(test, list_count_nodes(agings), 1);
	KUNIT_EXPECT_PTR_EQ(test, add_aging(test, next, agings, 16), aging);
	KUNIT_EXPECT_FALSE(test, aging->freed);
}

/* What lies there then is some object, and none of a range. */
static void freed_pairs_do_not_come_back_with_a_range_that_is_refused(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	struct gc_rootset *next = managed(test, gc_rootset_new());
	struct list_head *agings = agings_new(test);
	struct gc_aging *aging = add_aging(test, set, agings, 16);

	gc_aging_free(aging);
	KUNIT_ASSERT_EQ(test, gc_rootset_add(next, 16, 16, NULL), 0);
	KUNIT_EXPECT_EQ(test, gc_rootset_add(next, 16, 16, aging_get(test, agings, 16)), -EEXIST);
	gc_aging_abandon(aging);
	KUNIT_EXPECT_TRUE(test, aging->freed);
	KUNIT_EXPECT_EQ(test, refcount_read(&aging->ref), 2);
}

static void freed_pairs_make_way_for_another_length(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	struct list_head *agings = agings_new(test);
	struct gc_rootset *next = managed(test, gc_rootset_new());
	struct gc_aging *aging = add_aging(test, set, agings, 16), *other;

	gc_aging_free(aging);
	other = gc_aging_get(agings, 16, 32);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	KUNIT_EXPECT_PTR_NE(test, other, aging);
	KUNIT_EXPECT_EQ(test, PTR_ERR(gc_aging_get(agings, 16, 16)), -EEXIST);
	gc_aging_free(other);
	KUNIT_EXPECT_PTR_EQ(test, add_aging(test, next, agings, 16), aging);
	KUNIT_EXPECT_EQ(test, PTR_ERR(gc_aging_get(agings, 16, 32)), -EEXIST);
	gc_aging_put(other);
}

static void abandoned_pairs_are_forgotten_if_nobody_had_them(struct kunit *test)
{
	struct list_head *agings = agings_new(test);
	struct gc_aging *aging = aging_get(test, agings, 16);

	gc_aging_abandon(aging);
	KUNIT_EXPECT_TRUE(test, list_empty(agings));
}

static void abandoned_pairs_stay_if_a_set_has_them(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	struct list_head *agings = agings_new(test);
	struct gc_aging *aging = add_aging(test, set, agings, 16);

	gc_aging_abandon(aging_get(test, agings, 16));
	KUNIT_EXPECT_EQ(test, list_count_nodes(agings), 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&aging->ref), 2);
}

/* The next collection clears their words, and forgets them. */
static void abandoned_pairs_stay_if_a_process_had_them(struct kunit *test)
{
	struct gc_rootset *set = managed(test, gc_rootset_new());
	struct list_head *agings = agings_new(test);
	struct gc_aging *aging = add_aging(test, set, agings, 16);

	KUNIT_ASSERT_EQ(test, gc_rootset_del(set, 16), 0);
	gc_aging_abandon(aging_get(test, agings, 16));
	KUNIT_EXPECT_EQ(test, list_count_nodes(agings), 1);
	KUNIT_EXPECT_EQ(test, refcount_read(&aging->ref), 1);
}

static struct kunit_case rootset_cases[] = {
	KUNIT_CASE(added_range_is_found_by_its_start),
	KUNIT_CASE(same_start_twice_is_eexist),
	KUNIT_CASE(full_set_is_enospc_until_one_is_removed),
	KUNIT_CASE(removing_what_is_not_there_is_enoent),
	KUNIT_CASE(removed_start_can_be_added_again),
	KUNIT_CASE(ranges_come_and_go_in_any_order),
	KUNIT_CASE(ranges_are_sorted_by_address),
	KUNIT_CASE(set_is_shared_while_others_have_it),
	KUNIT_CASE(copy_has_the_same_ranges_and_goes_its_own_way),
	KUNIT_CASE(copy_of_a_shared_set_is_not_shared),
	KUNIT_CASE(pairs_at_an_address_are_the_same_for_all),
	KUNIT_CASE(known_pairs_with_another_length_are_eexist),
	KUNIT_CASE(copies_share_the_pairs),
	KUNIT_CASE(range_that_is_there_leaves_the_pairs_to_the_caller),
	KUNIT_CASE(removal_lets_go_of_the_pairs),
	KUNIT_CASE(set_that_ends_lets_go_of_the_pairs),
	KUNIT_CASE(freed_pairs_are_forgotten_if_nobody_has_them),
	KUNIT_CASE(freed_pairs_come_back_with_the_same_range),
	KUNIT_CASE(freed_pairs_do_not_come_back_with_a_range_that_is_refused),
	KUNIT_CASE(freed_pairs_make_way_for_another_length),
	KUNIT_CASE(forgotten_pairs_live_as_long_as_a_set_has_them),
	KUNIT_CASE(abandoned_pairs_are_forgotten_if_nobody_had_them),
	KUNIT_CASE(abandoned_pairs_stay_if_a_set_has_them),
	KUNIT_CASE(abandoned_pairs_stay_if_a_process_had_them),
	{}
};

static struct kunit_suite rootset_suite = {
	.name = "gcheap_rootset",
	.test_cases = rootset_cases,
};

kunit_test_suite(rootset_suite);
