// SPDX-License-Identifier: GPL-2.0
/*
 * Runs of pages against a model: a bitmap of those handed out.
 *
 * The model also knows what the allocator may refuse: only what no run of free
 * pages below the limit could satisfy, so each refusal is checked, too.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "backing.h"
#include "bare_heap.h"
#include "pages.h"

#define LIMIT	2048UL
#define RUNS	64

/**
 * struct run - pages in use
 * @first: number of the first
 * @nr: how many, 0 for none
 */
struct run {
	unsigned long first;
	unsigned long nr;
};

/**
 * struct pages_model - the pages, and what should be so
 * @gp: pages under test
 * @used: those handed out, and those never handed out
 * @runs: the same as runs
 */
struct pages_model {
	struct gc_pages gp;
	DECLARE_BITMAP(used, LIMIT);
	struct run runs[RUNS];
};

KUNIT_DEFINE_ACTION_WRAPPER(pages_end, gc_backing_destroy, struct gc_pages *);

static struct pages_model *model_reserving(struct kunit *test,
					   unsigned long limit,
					   unsigned long reserved)
{
	struct pages_model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, m);
	KUNIT_ASSERT_EQ(test, gc_pages_init(&m->gp, limit, NULL), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, pages_end,
							&m->gp), 0);
	m->gp.reserved = reserved;
	bitmap_set(m->used, 0, reserved);
	return m;
}

static struct pages_model *model_new(struct kunit *test, unsigned long limit)
{
	return model_reserving(test, limit, 0);
}

static struct page *page_at(struct gc_pages *gp, unsigned long nr)
{
	unsigned long run = 1;

	return *gc_pages_run(gp, nr, &run);
}

static void check_accounts(struct kunit *test, struct pages_model *m)
{
	unsigned long used = bitmap_weight(m->used, m->gp.frontier);

	KUNIT_ASSERT_EQ(test, m->gp.frontier - used, m->gp.free + m->gp.absent);
	KUNIT_ASSERT_LE(test, m->gp.frontier, m->gp.limit);
}

/* Whether @nr free pages lie side by side below @end, by the model. */
static bool has_room(struct pages_model *m, unsigned long nr, unsigned long end)
{
	return bitmap_find_next_zero_area(m->used, end, 0, nr, 0) < end;
}

/* The same of pages that have memory. */
static bool has_memory(struct pages_model *m, unsigned long nr)
{
	unsigned long run = 0, i;

	for (i = 0; i < m->gp.frontier && run < nr; i++)
		run = test_bit(i, m->used) || !page_at(&m->gp, i) ? 0 : run + 1;
	return run == nr;
}

static bool model_alloc(struct kunit *test, struct pages_model *m,
			struct run *run, unsigned long nr, bool grow)
{
	unsigned long before = m->gp.frontier, free = m->gp.free;
	unsigned long absent = m->gp.absent;
	bool without_growing = has_room(m, nr, before);
	bool at_once = has_memory(m, nr);
	bool room = grow ? has_room(m, nr, m->gp.limit) : at_once;
	long first = gc_pages_alloc(&m->gp, nr, grow);
	unsigned long i;

	if (without_growing || !room)
		KUNIT_ASSERT_EQ(test, m->gp.frontier, before);
	if (!room) {
		KUNIT_ASSERT_EQ(test, first, -ENOMEM);
		KUNIT_ASSERT_EQ(test, m->gp.free, free);
		return false;
	}
	if (at_once)
		KUNIT_ASSERT_EQ(test, m->gp.absent, absent);
	KUNIT_ASSERT_GE(test, first, 0);
	KUNIT_ASSERT_LE(test, first + nr, m->gp.frontier);
	KUNIT_ASSERT_GE(test, find_next_bit(m->used, first + nr, first),
			first + nr);
	for (i = first; i < first + nr; i++)
		KUNIT_ASSERT_NOT_NULL(test, page_at(&m->gp, i));
	bitmap_set(m->used, first, nr);
	*run = (struct run) { first, nr };
	check_accounts(test, m);
	return true;
}

static void model_free(struct kunit *test, struct pages_model *m,
		       struct run *run)
{
	gc_pages_free(&m->gp, run->first, run->nr);
	bitmap_clear(m->used, run->first, run->nr);
	run->nr = 0;
	check_accounts(test, m);
}

/* Many short runs, some of several chunks. */
static unsigned long random_length(struct rnd_state *random)
{
	switch (random_below(random, 8)) {
	case 0:
		return 1 + random_below(random, 1200);
	case 1:
		return 1 + random_below(random, 300);
	default:
		return 1 + random_below(random, 16);
	}
}

static void model_release(struct kunit *test, struct pages_model *m,
			  unsigned long nr)
{
	unsigned long free = m->gp.free, absent = m->gp.absent;
	u64 released = m->gp.released;
	unsigned long done = gc_backing_release(&m->gp, nr);

	KUNIT_ASSERT_EQ(test, done, min(nr, free));
	KUNIT_ASSERT_EQ(test, m->gp.absent, absent + done);
	KUNIT_ASSERT_EQ(test, m->gp.released, released + done);
	check_accounts(test, m);
}

static void random_step(struct kunit *test, struct pages_model *m,
			struct rnd_state *random)
{
	struct run *run = &m->runs[random_below(random, RUNS)];

	if (!random_below(random, 16))
		model_release(test, m, random_below(random, 2) ?
				       random_below(random, 300) : ULONG_MAX);
	else if (run->nr)
		model_free(test, m, run);
	else
		model_alloc(test, m, run, random_length(random),
			    random_below(random, 2));
}

static void free_all(struct kunit *test, struct pages_model *m)
{
	unsigned int i;

	for (i = 0; i < RUNS; i++)
		if (m->runs[i].nr)
			model_free(test, m, &m->runs[i]);
}

static void random_runs(struct kunit *test, u64 seed, unsigned long limit,
			unsigned long reserved)
{
	struct pages_model *m = model_reserving(test, limit, reserved);
	struct rnd_state random;
	unsigned int step;
	struct run all;

	prandom_seed_state(&random, seed);
	for (step = 0; step < 2000; step++)
		random_step(test, m, &random);
	free_all(test, m);
	KUNIT_EXPECT_EQ(test, m->gp.free + m->gp.absent,
			m->gp.frontier - reserved);
	KUNIT_EXPECT_TRUE(test, model_alloc(test, m, &all, m->gp.frontier -
					    reserved, true));
	KUNIT_EXPECT_EQ(test, m->gp.absent, 0);
	model_free(test, m, &all);
	model_release(test, m, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, gc_pages_backed(&m->gp), min(reserved, m->gp.frontier));
}

static void random_runs_are_as_the_model_says(struct kunit *test)
{
	u64 seed;

	for (seed = 1; seed <= 4; seed++)
		random_runs(test, seed, LIMIT, 0);
}

static void random_runs_below_an_odd_limit(struct kunit *test)
{
	random_runs(test, 5, 1, 0);
	random_runs(test, 6, 77, 0);
	random_runs(test, 7, 1291, 0);
}

/* A heap reserves one; more to see the boundaries of blocks and chunks. */
static void reserved_pages_are_never_handed_out(struct kunit *test)
{
	random_runs(test, 8, LIMIT, 1);
	random_runs(test, 9, 50, 1);
	random_runs(test, 10, LIMIT, 9);
	random_runs(test, 11, LIMIT, CHUNK_PAGES + 1);
}

static void reserved_page_is_backed_and_in_no_slab(struct kunit *test)
{
	struct pages_model *m = model_reserving(test, LIMIT, 1);

	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, m->runs, 1, true));
	KUNIT_EXPECT_EQ(test, m->runs[0].first, 1);
	KUNIT_EXPECT_NOT_NULL(test, page_at(&m->gp, 0));
	KUNIT_EXPECT_NULL(test, gc_pages_page(&m->gp, 0));
}

static void reserving_the_whole_heap_is_enomem(struct kunit *test)
{
	struct pages_model *m = model_reserving(test, 8, 8);

	KUNIT_EXPECT_FALSE(test, model_alloc(test, m, m->runs, 1, true));
}

static void heap_without_pages_has_none(struct kunit *test)
{
	struct pages_model *m = model_new(test, LIMIT);
	struct run run;

	check_accounts(test, m);
	KUNIT_EXPECT_EQ(test, m->gp.frontier, 0);
	KUNIT_EXPECT_FALSE(test, model_alloc(test, m, &run, 1, false));
	KUNIT_EXPECT_NULL(test, gc_pages_page(&m->gp, 0));
}

static void limit_is_reached_to_the_page(struct kunit *test)
{
	static const unsigned long limits[] = { 1, 5, 8, 513, 1023 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		struct pages_model *m = model_new(test, limits[i]);
		unsigned long nr = 0;
		struct run run;

		while (model_alloc(test, m, &run, 1, true))
			nr++;
		KUNIT_EXPECT_EQ(test, nr, limits[i]);
		KUNIT_EXPECT_EQ(test, m->gp.frontier, limits[i]);
	}
}

static void beyond_the_limit_is_enomem_and_nothing_is_lost(struct kunit *test)
{
	struct pages_model *m = model_new(test, 1000);
	struct run run;

	KUNIT_EXPECT_FALSE(test, model_alloc(test, m, &run, 1001, true));
	KUNIT_EXPECT_FALSE(test, model_alloc(test, m, &run, ULONG_MAX / 2,
					     true));
	KUNIT_EXPECT_EQ(test, m->gp.frontier, 0);
	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, &run, 10, true));
	KUNIT_EXPECT_FALSE(test, model_alloc(test, m, &run, 991, true));
	KUNIT_EXPECT_TRUE(test, model_alloc(test, m, &run, 990, true));
}

static void runs_go_over_chunks(struct kunit *test)
{
	struct pages_model *m = model_new(test, LIMIT);
	unsigned int i;

	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, &m->runs[0], 1, true));
	for (i = 1; i < 4; i++)
		KUNIT_ASSERT_TRUE(test, model_alloc(test, m, &m->runs[i],
						    CHUNK_PAGES + 1, true));
	KUNIT_EXPECT_EQ(test, m->runs[3].first, 1 + 2 * (CHUNK_PAGES + 1));
	model_free(test, m, &m->runs[1]);
	model_free(test, m, &m->runs[2]);
	/* Exactly the hole, of three chunks, is found again. */
	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, &m->runs[1],
					    2 * (CHUNK_PAGES + 1), false));
	KUNIT_EXPECT_EQ(test, m->runs[1].first, 1);
}

/* Short and of several chunks: the search differs. */
static void freed_runs_are_used_before_memory_of_the_machine(struct kunit *test)
{
	static const unsigned long lengths[] = { 1, 16, 512, 513, 1100 };
	struct pages_model *m = model_new(test, LIMIT);
	unsigned int i, again;
	unsigned long most;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (again = 0; again < 20; again++) {
			KUNIT_ASSERT_TRUE(test, model_alloc(test, m, m->runs,
							    lengths[i], true));
			model_free(test, m, m->runs);
		}
		most = roundup_pow_of_two(max(lengths[i], 8));
		KUNIT_EXPECT_LE(test, m->gp.frontier, most);
	}
}

static void hole_of_each_length_is_found(struct kunit *test)
{
	struct pages_model *m = model_new(test, LIMIT);
	unsigned int i;

	/* Runs of 1 to 40 pages, of which every other goes. */
	for (i = 0; i < 40; i++)
		KUNIT_ASSERT_TRUE(test, model_alloc(test, m, &m->runs[i],
						    i + 1, true));
	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, &m->runs[i], m->gp.free,
					    false));
	for (i = 0; i < 40; i += 2)
		model_free(test, m, &m->runs[i]);
	/* The longest first: no other hole has the room. */
	for (i = 40; i >= 2; i -= 2)
		KUNIT_ASSERT_TRUE(test, model_alloc(test, m, &m->runs[i - 2],
						    i - 1, false));
	KUNIT_EXPECT_EQ(test, m->gp.free, 0);
	KUNIT_EXPECT_FALSE(test, model_alloc(test, m, &m->runs[i], 1, false));
}

static void fill(struct gc_pages *gp, const struct run *run)
{
	unsigned long i;

	for (i = 0; i < run->nr; i++)
		memset(page_address(page_at(gp, run->first + i)), 0xa5,
		       PAGE_SIZE);
}

static unsigned long count_zero(struct gc_pages *gp, const struct run *run)
{
	unsigned long i, nr = 0;

	for (i = 0; i < run->nr; i++)
		nr += !memchr_inv(page_address(page_at(gp, run->first + i)), 0,
				  PAGE_SIZE);
	return nr;
}

static void fresh_pages_are_zero(struct kunit *test)
{
	struct pages_model *m = model_new(test, LIMIT);

	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, m->runs, 600, true));
	KUNIT_EXPECT_EQ(test, count_zero(&m->gp, m->runs), 600);
}

static void pages_that_were_in_use_are_cleared(struct kunit *test)
{
	struct pages_model *m = model_new(test, LIMIT);

	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, m->runs, 600, true));
	fill(&m->gp, m->runs);
	model_free(test, m, m->runs);
	/* Some that were in use, and some that were not. */
	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, m->runs, 700, true));
	gc_pages_zero(&m->gp, m->runs[0].first, m->runs[0].nr);
	KUNIT_EXPECT_EQ(test, count_zero(&m->gp, m->runs), 700);
}

/* Once only: a slab is cleared when it is made, and never again. */
static void clearing_leaves_the_neighbours_alone(struct kunit *test)
{
	struct pages_model *m = model_new(test, LIMIT);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_TRUE(test, model_alloc(test, m, &m->runs[i], 5,
						    true));
		fill(&m->gp, &m->runs[i]);
	}
	model_free(test, m, &m->runs[1]);
	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, &m->runs[1], 5, false));
	KUNIT_ASSERT_EQ(test, m->runs[1].first, m->runs[0].first + 5);
	gc_pages_zero(&m->gp, m->runs[0].first, 15);
	KUNIT_EXPECT_EQ(test, count_zero(&m->gp, &m->runs[0]), 0);
	KUNIT_EXPECT_EQ(test, count_zero(&m->gp, &m->runs[1]), 5);
	KUNIT_EXPECT_EQ(test, count_zero(&m->gp, &m->runs[2]), 0);
}

static void page_is_found_in_slabs_only(struct kunit *test)
{
	struct pages_model *m = model_new(test, LIMIT);
	struct gc_slab *slab = kunit_kzalloc(test, sizeof(*slab), GFP_KERNEL);
	struct run *run = m->runs;
	unsigned long i;

	KUNIT_ASSERT_NOT_NULL(test, slab);
	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, run, 600, true));
	KUNIT_EXPECT_NULL(test, gc_pages_page(&m->gp, run->first));
	gc_pages_set_slab(&m->gp, run->first + 1, run->nr - 2, slab);
	for (i = 1; i < run->nr - 1; i++) {
		KUNIT_ASSERT_PTR_EQ(test, gc_pages_page(&m->gp, run->first + i),
				    page_at(&m->gp, run->first + i));
		KUNIT_ASSERT_PTR_EQ(test, gc_pages_slab(&m->gp, run->first + i),
				    slab);
	}
	KUNIT_EXPECT_NULL(test, gc_pages_page(&m->gp, run->first));
	KUNIT_EXPECT_NULL(test, gc_pages_page(&m->gp, run->first + i));
	gc_pages_set_slab(&m->gp, run->first, run->nr, NULL);
	for (i = 0; i < run->nr; i++)
		KUNIT_ASSERT_NULL(test, gc_pages_page(&m->gp, run->first + i));
}

static void no_page_beyond_frontier_and_limit(struct kunit *test)
{
	struct pages_model *m = model_new(test, LIMIT);
	unsigned long nr;

	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, m->runs, 3, true));
	for (nr = m->gp.frontier; nr < LIMIT + 10; nr++)
		KUNIT_ASSERT_NULL(test, gc_pages_page(&m->gp, nr));
	KUNIT_EXPECT_NULL(test, gc_pages_page(&m->gp, REGION_PAGES));
	KUNIT_EXPECT_NULL(test, gc_pages_page(&m->gp,
					      1024 * REGION_PAGES));
	KUNIT_EXPECT_NULL(test, gc_pages_page(&m->gp, ULONG_MAX));
}

/* A futex that processes share is identified by its page's index. */
static void pages_know_their_number(struct kunit *test)
{
	struct pages_model *m = model_new(test, LIMIT);
	unsigned long nr;

	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, m->runs, 1100, true));
	for (nr = 0; nr < m->gp.frontier; nr++)
		KUNIT_ASSERT_EQ(test, page_folio(page_at(&m->gp, nr))->index,
				nr);
}

static void array_of_a_run_ends_with_the_chunk(struct kunit *test)
{
	struct pages_model *m = model_new(test, LIMIT);
	unsigned long nr = 20;

	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, m->runs, 600, true));
	KUNIT_EXPECT_PTR_EQ(test, gc_pages_run(&m->gp, 500, &nr)[11],
			    page_at(&m->gp, 511));
	KUNIT_EXPECT_EQ(test, nr, 12);
	gc_pages_run(&m->gp, 512, &nr);
	KUNIT_EXPECT_EQ(test, nr, 12);
}

/* Someone may still read into it, say by O_DIRECT. */
static void pinned_page_outlives_the_heap(struct kunit *test)
{
	struct gc_pages gp;
	struct page *page;

	KUNIT_ASSERT_EQ(test, gc_pages_init(&gp, LIMIT, NULL), 0);
	if (gc_pages_alloc(&gp, 9, true) < 0) {
		gc_backing_destroy(&gp);
		KUNIT_FAIL(test, "no pages");
		return;
	}
	page = page_at(&gp, 5);
	get_page(page);
	gc_backing_destroy(&gp);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	KUNIT_EXPECT_NULL(test, page_folio(page)->mapping);
	put_page(page);
}

static void killed_caller_gets_eintr_and_nothing_changes(struct kunit *test)
{
	struct pages_model *m = model_new(test, LIMIT);

	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, m->runs, 5, true));
	caller_is_killed();
	KUNIT_EXPECT_EQ(test, gc_pages_alloc(&m->gp, 600, true), -EINTR);
	caller_lives_on();
	KUNIT_EXPECT_EQ(test, m->gp.frontier, 8);
	check_accounts(test, m);
	KUNIT_EXPECT_TRUE(test, model_alloc(test, m, m->runs, 600, true));
}

static void heap_of_one_page_takes_128_kib_at_most(struct kunit *test)
{
	struct pages_model *m = model_new(test, LIMIT);

	KUNIT_ASSERT_TRUE(test, model_alloc(test, m, m->runs, 1, true));
	KUNIT_EXPECT_LE(test, m->gp.frontier * PAGE_SIZE + m->gp.meta_bytes,
			SZ_128K);
}

static struct kunit_case pages_cases[] = {
	KUNIT_CASE(heap_without_pages_has_none),
	KUNIT_CASE(random_runs_are_as_the_model_says),
	KUNIT_CASE(random_runs_below_an_odd_limit),
	KUNIT_CASE(reserved_pages_are_never_handed_out),
	KUNIT_CASE(reserved_page_is_backed_and_in_no_slab),
	KUNIT_CASE(reserving_the_whole_heap_is_enomem),
	KUNIT_CASE(limit_is_reached_to_the_page),
	KUNIT_CASE(beyond_the_limit_is_enomem_and_nothing_is_lost),
	KUNIT_CASE(runs_go_over_chunks),
	KUNIT_CASE(freed_runs_are_used_before_memory_of_the_machine),
	KUNIT_CASE(hole_of_each_length_is_found),
	KUNIT_CASE(fresh_pages_are_zero),
	KUNIT_CASE(pages_that_were_in_use_are_cleared),
	KUNIT_CASE(clearing_leaves_the_neighbours_alone),
	KUNIT_CASE(page_is_found_in_slabs_only),
	KUNIT_CASE(no_page_beyond_frontier_and_limit),
	KUNIT_CASE(pages_know_their_number),
	KUNIT_CASE(array_of_a_run_ends_with_the_chunk),
	KUNIT_CASE(pinned_page_outlives_the_heap),
	KUNIT_CASE(killed_caller_gets_eintr_and_nothing_changes),
	KUNIT_CASE(heap_of_one_page_takes_128_kib_at_most),
	{}
};

static struct kunit_suite pages_suite = {
	.name = "gcheap_pages",
	.test_cases = pages_cases,
};

kunit_test_suite(pages_suite);
