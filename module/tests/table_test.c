// SPDX-License-Identifier: GPL-2.0
/*
 * A table of entries: each that was added is found, in whatever order they come and go, and
 * whoever goes through the buckets meanwhile misses none that stays.
 */
#include <kunit/test.h>
#include <linux/prandom.h>

#include "table.h"

#define ENTRIES		20000U

/**
 * struct numbered - an entry
 * @entry: in the table, by 8 times its number
 * @there: it is
 * @seen: it was found in a bucket
 */
struct numbered {
	struct gc_entry entry;
	bool there;
	bool seen;
};

static void table_end(void *arg)
{
	struct gc_table *table = arg;
	struct gc_entry *entry;
	unsigned long i;

	for (i = 0; i < table->buckets; i++)
		while ((entry = gc_table_bucket(table, i)))
			gc_table_remove(table, entry->key);
	gc_table_shrink(table);
}

static struct gc_table *table_new(struct kunit *test, struct numbered **all)
{
	struct gc_table *table = kunit_kzalloc(test, sizeof(*table), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, table);
	*all = kunit_kcalloc(test, ENTRIES, sizeof(**all), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, *all);
	for (i = 0; i < ENTRIES; i++)
		(*all)[i].entry.key = 8UL * i;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, table_end, table), 0);
	return table;
}

static void change(struct kunit *test, struct gc_table *table, struct numbered *n)
{
	if (n->there)
		KUNIT_ASSERT_PTR_EQ(test, gc_table_remove(table, n->entry.key), &n->entry);
	else
		KUNIT_ASSERT_EQ(test, gc_table_add(table, &n->entry), 0);
	n->there = !n->there;
}

static void expect_all(struct kunit *test, struct gc_table *table, struct numbered *all)
{
	unsigned long nr = 0;
	unsigned int i;

	for (i = 0; i < ENTRIES; i++) {
		KUNIT_EXPECT_PTR_EQ(test, gc_table_find(table, all[i].entry.key),
				    all[i].there ? &all[i].entry : NULL);
		nr += all[i].there;
	}
	KUNIT_EXPECT_EQ(test, table->nr, nr);
}

static void entries_come_and_go_in_any_order(struct kunit *test)
{
	struct numbered *all;
	struct gc_table *table = table_new(test, &all);
	struct rnd_state random;
	unsigned int i, round;

	prandom_seed_state(&random, 1);
	for (round = 1; round <= 5; round++) {
		for (i = 0; i < ENTRIES; i++)
			change(test, table, &all[prandom_u32_state(&random) %
						 (ENTRIES / round)]);
		gc_table_shrink(table);
		expect_all(test, table, all);
	}
}

static void see(struct gc_table *table, unsigned long nr)
{
	struct gc_entry *entry;

	for (entry = gc_table_bucket(table, nr); entry; entry = entry->next)
		container_of(entry, struct numbered, entry)->seen = true;
}

static void who_goes_through_the_buckets_of_a_growing_table_misses_none(struct kunit *test)
{
	struct numbered *all;
	struct gc_table *table = table_new(test, &all);
	unsigned int i, next = ENTRIES / 4;
	unsigned long nr;

	for (i = 0; i < next; i++)
		change(test, table, &all[i]);
	for (nr = 0; nr < table->buckets; nr++) {
		see(table, nr);
		for (i = 0; i < 3 && next < ENTRIES; i++)
			change(test, table, &all[next++]);
	}
	for (i = 0; i < ENTRIES / 4; i++)
		KUNIT_EXPECT_TRUE(test, all[i].seen);
}

static void table_that_has_become_empty_takes_nothing(struct kunit *test)
{
	struct numbered *all;
	struct gc_table *table = table_new(test, &all);
	size_t most;
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		change(test, table, &all[i]);
	most = gc_table_bytes(table);
	for (i = 0; i < ENTRIES - ENTRIES / 16; i++)
		change(test, table, &all[i]);
	gc_table_shrink(table);
	expect_all(test, table, all);
	KUNIT_EXPECT_LT(test, gc_table_bytes(table), most / 2);
	for (; i < ENTRIES; i++)
		change(test, table, &all[i]);
	gc_table_shrink(table);
	KUNIT_EXPECT_EQ(test, gc_table_bytes(table), (size_t)0);
	expect_all(test, table, all);
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(entries_come_and_go_in_any_order),
	KUNIT_CASE(who_goes_through_the_buckets_of_a_growing_table_misses_none),
	KUNIT_CASE(table_that_has_become_empty_takes_nothing),
	{}
};

static struct kunit_suite table_suite = {
	.name = "gcheap_table",
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
