// SPDX-License-Identifier: GPL-2.0
/*
 * Words that follow objects, on a heap that nobody maps: which of them are made zero, whether
 * the links were looked at before the world is stopped or not, and however many there are.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/prandom.h>

#include "bare_heap.h"
#include "links.h"

#define WORD		0x12345678UL
#define MANY		3000U

/**
 * struct linked - a heap with links, and one pair that has one
 * @gs: heap
 * @links: its links
 * @word: offset of an object that holds no pointers, whose first word is a link
 * @object: offset of the object that it follows
 */
struct linked {
	struct gc_slabs *gs;
	struct gc_links links;
	size_t word;
	size_t object;
};

static void linked_end(void *arg)
{
	struct linked *linked = arg;

	gc_links_end(&linked->links, linked->gs);
	gc_links_empty(&linked->links, linked->gs);
}

static void new_pair(struct kunit *test, struct linked *linked)
{
	linked->word = bare_heap_alloc(test, linked->gs, 8, true);
	linked->object = bare_heap_alloc(test, linked->gs, 64, false);
	*bare_heap_word(linked->gs, linked->word) = WORD;
	KUNIT_ASSERT_EQ(test, gc_links_add(&linked->links, linked->gs, linked->word,
					   linked->object + 63), 0);
}

static struct linked *linked_new(struct kunit *test)
{
	struct linked *linked = kunit_kzalloc(test, sizeof(*linked), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, linked);
	linked->gs = bare_heap_new(test, BARE_HEAP_PAGES);
	linked->gs->pages.reserved = 1;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, linked_end, linked), 0);
	new_pair(test, linked);
	return linked;
}

static unsigned long word_of(struct linked *linked)
{
	return *bare_heap_word(linked->gs, linked->word);
}

/* As a collection ends */
static void flip(struct linked *linked)
{
	gc_links_flip(&linked->links, linked->gs);
	gc_links_audit(&linked->links, linked->gs);
	bare_heap_sweep_all(linked->gs);
	gc_links_end(&linked->links, linked->gs);
}

static void expect_links(struct kunit *test, struct linked *linked, unsigned long nr)
{
	KUNIT_EXPECT_EQ(test, linked->links.table.nr, nr);
	KUNIT_EXPECT_EQ(test, linked->gs->pages.faults.nr, 0U);
}

static void word_stays_as_long_as_its_object_is_marked(struct kunit *test)
{
	struct linked *linked = linked_new(test);
	int i;

	for (i = 0; i < 3; i++) {
		gc_links_begin(&linked->links);
		bare_heap_mark(linked->gs, linked->word);
		bare_heap_mark(linked->gs, linked->object);
		flip(linked);
		KUNIT_EXPECT_EQ(test, word_of(linked), WORD);
	}
	expect_links(test, linked, 1);
}

static void word_is_zero_when_its_object_goes_some_time(struct kunit *test)
{
	struct linked *linked = linked_new(test);

	gc_links_begin(&linked->links);
	bare_heap_mark(linked->gs, linked->word);
	bare_heap_mark(linked->gs, linked->object);
	flip(linked);
	gc_links_begin(&linked->links);
	bare_heap_mark(linked->gs, linked->word);
	flip(linked);
	KUNIT_EXPECT_EQ(test, word_of(linked), 0UL);
	expect_links(test, linked, 0);
}

static void word_is_zero_when_its_object_is_not_marked(struct kunit *test)
{
	struct linked *linked = linked_new(test);

	gc_links_begin(&linked->links);
	bare_heap_mark(linked->gs, linked->word);
	flip(linked);
	KUNIT_EXPECT_EQ(test, word_of(linked), 0UL);
	expect_links(test, linked, 0);
}

/* Nobody writes to what is garbage. */
static void link_goes_with_the_object_that_it_is_in(struct kunit *test)
{
	struct linked *linked = linked_new(test);

	gc_links_begin(&linked->links);
	bare_heap_mark(linked->gs, linked->object);
	flip(linked);
	expect_links(test, linked, 0);
	new_pair(test, linked);
	gc_links_begin(&linked->links);
	gc_links_flip(&linked->links, linked->gs);
	KUNIT_EXPECT_EQ(test, word_of(linked), WORD);
}

static void what_is_marked_late_is_alive(struct kunit *test)
{
	struct linked *linked = linked_new(test);

	gc_links_begin(&linked->links);
	KUNIT_EXPECT_FALSE(test, gc_links_look(&linked->links, linked->gs, ULONG_MAX));
	bare_heap_mark(linked->gs, linked->word);
	bare_heap_mark(linked->gs, linked->object);
	flip(linked);
	KUNIT_EXPECT_EQ(test, word_of(linked), WORD);
	expect_links(test, linked, 1);
}

/* All has been looked at, and marked. */
static void begin_and_look(struct linked *linked)
{
	gc_links_begin(&linked->links);
	bare_heap_mark(linked->gs, linked->word);
	bare_heap_mark(linked->gs, linked->object);
	gc_links_look(&linked->links, linked->gs, ULONG_MAX);
}

static void link_that_is_made_meanwhile_is_looked_at(struct kunit *test)
{
	struct linked *linked = linked_new(test);
	size_t word = linked->word;

	begin_and_look(linked);
	new_pair(test, linked);
	bare_heap_mark(linked->gs, linked->word);
	flip(linked);
	KUNIT_EXPECT_EQ(test, word_of(linked), 0UL);
	KUNIT_EXPECT_EQ(test, *bare_heap_word(linked->gs, word), WORD);
	expect_links(test, linked, 1);
}

static void link_that_is_changed_meanwhile_is_looked_at(struct kunit *test)
{
	struct linked *linked = linked_new(test);
	size_t other = bare_heap_alloc(test, linked->gs, 64, false);

	begin_and_look(linked);
	KUNIT_EXPECT_EQ(test, gc_links_add(&linked->links, linked->gs, linked->word, other), 0);
	flip(linked);
	KUNIT_EXPECT_EQ(test, word_of(linked), 0UL);
	expect_links(test, linked, 0);
}

static void link_that_is_taken_back_is_let_alone(struct kunit *test)
{
	struct linked *linked = linked_new(test);

	KUNIT_EXPECT_EQ(test, gc_links_del(&linked->links, linked->gs, linked->word), 0);
	KUNIT_EXPECT_EQ(test, gc_links_del(&linked->links, linked->gs, linked->word), -ENOENT);
	gc_links_begin(&linked->links);
	bare_heap_mark(linked->gs, linked->word);
	flip(linked);
	KUNIT_EXPECT_EQ(test, word_of(linked), WORD);
	expect_links(test, linked, 0);
}

static void suspect_that_is_taken_back_is_let_alone(struct kunit *test)
{
	struct linked *linked = linked_new(test);

	gc_links_begin(&linked->links);
	bare_heap_mark(linked->gs, linked->word);
	gc_links_look(&linked->links, linked->gs, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, gc_links_del(&linked->links, linked->gs, linked->word), 0);
	flip(linked);
	KUNIT_EXPECT_EQ(test, word_of(linked), WORD);
	expect_links(test, linked, 0);
}

static void collection_that_is_given_up_changes_nothing(struct kunit *test)
{
	struct linked *linked = linked_new(test);

	gc_links_begin(&linked->links);
	gc_links_look(&linked->links, linked->gs, ULONG_MAX);
	gc_links_end(&linked->links, linked->gs);
	KUNIT_EXPECT_EQ(test, word_of(linked), WORD);
	expect_links(test, linked, 1);
	begin_and_look(linked);
	flip(linked);
	KUNIT_EXPECT_EQ(test, word_of(linked), WORD);
	expect_links(test, linked, 1);
}

static void what_is_no_object_is_refused(struct kunit *test)
{
	struct linked *linked = linked_new(test);
	size_t free = linked->object + 64, beyond = BARE_HEAP_PAGES << PAGE_SHIFT;
	struct gc_links *links = &linked->links;
	struct gc_slabs *gs = linked->gs;

	KUNIT_EXPECT_EQ(test, gc_links_add(links, gs, free, linked->object), -EFAULT);
	KUNIT_EXPECT_EQ(test, gc_links_add(links, gs, beyond, linked->object), -EFAULT);
	KUNIT_EXPECT_EQ(test, gc_links_add(links, gs, -8UL, linked->object), -EFAULT);
	KUNIT_EXPECT_EQ(test, gc_links_add(links, gs, linked->word, free), -ENOENT);
	KUNIT_EXPECT_EQ(test, gc_links_add(links, gs, linked->word, -8UL), -ENOENT);
	/* What is garbage, and not swept yet */
	bare_heap_mark(gs, linked->object);
	bare_heap_marked(gs);
	KUNIT_EXPECT_EQ(test, gc_links_add(links, gs, linked->word, linked->object), -EFAULT);
	KUNIT_EXPECT_EQ(test, gc_links_add(links, gs, linked->object, linked->word), -ENOENT);
	KUNIT_EXPECT_EQ(test, gc_links_add(links, gs, linked->object, linked->object), 0);
}

static int refuse_second_page(void *payer, long nr)
{
	long *pages = payer;

	if (*pages + nr > 1)
		return -ENOMEM;
	*pages += nr;
	return 0;
}

static void links_are_memory_of_the_heap(struct kunit *test)
{
	struct linked *linked = linked_new(test);
	struct gc_pages *gp = &linked->gs->pages;
	unsigned int nr = 0;
	long pages = 0;
	int err = 0;

	KUNIT_ASSERT_EQ(test, gc_links_del(&linked->links, linked->gs, linked->word), 0);
	linked->object = bare_heap_alloc(test, linked->gs, PAGE_SIZE, true);
	gp->charge = refuse_second_page;
	gp->payer = &pages;
	while (!err && nr < PAGE_SIZE / 8)
		err = gc_links_add(&linked->links, linked->gs, linked->object + 8 * nr++,
				   linked->object);
	KUNIT_EXPECT_EQ(test, err, -ENOMEM);
	KUNIT_EXPECT_EQ(test, pages, 1L);
	KUNIT_EXPECT_EQ(test, linked->links.table.nr, PAGE_SIZE / 64);
	gc_links_empty(&linked->links, linked->gs);
	KUNIT_EXPECT_EQ(test, pages, 0L);
	gp->charge = NULL;
	KUNIT_EXPECT_EQ(test, gc_links_bytes(&linked->links), (size_t)0);
}

/* Which are marked before the look, and which by the end, is drawn by lot. */
static void of_many_those_go_whose_objects_do(struct kunit *test)
{
	struct linked *linked = linked_new(test);
	size_t *words = kunit_kcalloc(test, MANY, sizeof(*words), GFP_KERNEL), object;
	struct gc_slabs *gs = linked->gs;
	struct rnd_state random;
	unsigned int i, zero = 0;
	bool more;

	KUNIT_ASSERT_NOT_NULL(test, words);
	prandom_seed_state(&random, 1);
	gc_links_begin(&linked->links);
	for (i = 0; i < MANY; i++) {
		/* Half of them came before. */
		if (i == MANY / 2)
			gc_links_look(&linked->links, gs, 100);
		new_pair(test, linked);
		words[i] = linked->word;
	}
	for (i = 0; i < MANY; i++)
		bare_heap_mark(gs, words[i]);
	object = linked->object;
	for (i = 0; i < MANY; i++) {
		KUNIT_ASSERT_EQ(test, gc_links_add(&linked->links, gs, words[i],
						   i % 2 ? object : words[i / 2]), 0);
		zero += i % 2;
	}
	do {
		more = gc_links_look(&linked->links, gs, 1 + random_below(&random, 500));
	} while (more);
	flip(linked);
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, *bare_heap_word(gs, words[i]), i % 2 ? 0 : WORD);
	expect_links(test, linked, MANY - zero);
}

static struct kunit_case links_cases[] = {
	KUNIT_CASE(word_stays_as_long_as_its_object_is_marked),
	KUNIT_CASE(word_is_zero_when_its_object_goes_some_time),
	KUNIT_CASE(word_is_zero_when_its_object_is_not_marked),
	KUNIT_CASE(link_goes_with_the_object_that_it_is_in),
	KUNIT_CASE(what_is_marked_late_is_alive),
	KUNIT_CASE(link_that_is_made_meanwhile_is_looked_at),
	KUNIT_CASE(link_that_is_changed_meanwhile_is_looked_at),
	KUNIT_CASE(link_that_is_taken_back_is_let_alone),
	KUNIT_CASE(suspect_that_is_taken_back_is_let_alone),
	KUNIT_CASE(collection_that_is_given_up_changes_nothing),
	KUNIT_CASE(what_is_no_object_is_refused),
	KUNIT_CASE(links_are_memory_of_the_heap),
	KUNIT_CASE(of_many_those_go_whose_objects_do),
	{}
};

static struct kunit_suite links_suite = {
	.name = "gcheap_links",
	.test_cases = links_cases,
};

kunit_test_suite(links_suite);
