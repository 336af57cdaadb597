// SPDX-License-Identifier: GPL-2.0
/*
 * Marking without memory for the queue: the same source once more, under other
 * names, and with an allocator of pages that refuses when the case says so.
 *
 * The allocator also counts, as kmemleak does not see pages.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "bare_heap.h"
#include "graph.h"

#define gc_marker_init		scarce_marker_init
#define gc_marker_destroy	scarce_marker_destroy
#define gc_mark_words		scarce_mark_words
#define gc_mark_words_and_ends	scarce_mark_words_and_ends
#define gc_mark_drain		scarce_mark_drain
#define gc_mark_page		scarce_mark_page
#define gc_mark_page_words	scarce_mark_page_words
#define gc_mark_some		scarce_mark_some
#define gc_segments_push	scarce_segments_push
#define gc_segments_pop		scarce_segments_pop
#define gc_segments_move	scarce_segments_move
#define gc_marker_stock		scarce_marker_stock
#define gc_marker_split		scarce_marker_split
#define gc_marker_adopt		scarce_marker_adopt
#define gc_marker_join		scarce_marker_join
#define gc_marker_leave		scarce_marker_leave

/* Pages that the queue has, and may have. */
static unsigned int taken, limit;
/* When to refuse every second time, too: how often it was asked. */
static bool fickle;
static unsigned int asked;

static unsigned long take_page(gfp_t gfp)
{
	unsigned long page;

	if (taken >= limit || (asked++ % 2 && fickle))
		return 0;
	page = __get_free_pages(gfp, 0);
	taken += !!page;
	return page;
}

static void return_page(unsigned long page)
{
	free_pages(page, 0);
	taken--;
}

#undef __get_free_page
#define __get_free_page(gfp)	take_page(gfp)
#undef free_page
#define free_page(page)		return_page(page)

#include "../mark.c"

/* Bytes of an object with about as many words as a page of the queue has entries */
#define WIDE			2048UL

static void allow(unsigned int pages, bool every_second_time)
{
	taken = 0;
	asked = 0;
	limit = pages;
	fickle = every_second_time;
}

static void mark_from(struct kunit *test, struct gc_slabs *gs,
		      const unsigned long *words, size_t nr)
{
	struct gc_marker marker;
	int err = gc_marker_init(&marker, gs, HEAP_BASE);

	KUNIT_ASSERT_EQ(test, err, 0);
	gc_mark_words(&marker, words, nr);
	err = gc_mark_drain(&marker);
	gc_marker_destroy(&marker);
	KUNIT_ASSERT_EQ(test, err, 0);
	KUNIT_ASSERT_EQ(test, taken, 0);
}

static void count_marks(struct gc_slab *slab, void *arg)
{
	u64 *nr = arg;

	*nr += bitmap_weight(gc_slab_mark_bits(slab), slab->slots);
}

static u64 marks(struct gc_slabs *gs)
{
	u64 nr = 0;

	gc_slabs_visit(gs, count_marks, &nr);
	return nr;
}

static void without_a_first_page_is_enomem(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	struct gc_marker marker;

	allow(0, false);
	KUNIT_EXPECT_EQ(test, gc_marker_init(&marker, gs, HEAP_BASE), -ENOMEM);
}

/* An object with more pointers than the queue has entries. */
static struct gc_slabs *wide_heap(struct kunit *test, size_t bytes, size_t *at)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t i;

	*at = bare_heap_alloc(test, gs, bytes, false);
	for (i = 0; i < bytes; i += 8) {
		size_t son = bare_heap_alloc(test, gs, 16, false);

		*bare_heap_word(gs, *at + i) = HEAP_BASE + son;
		/* And a grandson, which only a son that is scanned leads to. */
		*bare_heap_word(gs, son) = HEAP_BASE +
			bare_heap_alloc(test, gs, 32, false);
	}
	return gs;
}

/* What is before it in the queue leaves room for few of its sons. */
static void wide_object_is_followed_all_the_same(struct kunit *test)
{
	size_t at, bytes = SIZE_CLASS_MAX;
	struct gc_slabs *gs = wide_heap(test, bytes, &at);
	unsigned int pages, nr = 0;
	unsigned long *roots;

	roots = kunit_kcalloc(test, 3 * SEGMENT_ENTRIES, sizeof(*roots), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, roots);
	for (pages = 1; pages <= 3; pages++) {
		struct gc_marker marker;
		bool overflowed;

		for (; nr < pages * SEGMENT_ENTRIES - PIECE_WORDS / 2; nr++)
			roots[nr] = HEAP_BASE + bare_heap_alloc(test, gs, 48, false);
		roots[nr] = HEAP_BASE + at;
		allow(pages, false);
		KUNIT_ASSERT_EQ(test, gc_marker_init(&marker, gs, HEAP_BASE),
				0);
		gc_mark_words(&marker, roots, nr + 1);
		empty_queue(&marker);
		overflowed = marker.overflowed;
		gc_marker_destroy(&marker);
		/* Else this shows nothing. */
		KUNIT_ASSERT_TRUE(test, overflowed);
		gc_slabs_unmark(gs);
		mark_from(test, gs, roots, nr + 1);
		KUNIT_ASSERT_EQ(test, marks(gs), nr + 1 + 2 * bytes / 8);
		gc_slabs_unmark(gs);
	}
}

/* What is before it in the queue leaves room for little of its rest. */
static void large_object_is_followed_all_the_same(struct kunit *test)
{
	size_t at, bytes = SZ_64K;
	struct gc_slabs *gs = wide_heap(test, bytes, &at);
	unsigned long *roots, nr = SEGMENT_ENTRIES, i;

	roots = kunit_kcalloc(test, nr + 1, sizeof(*roots), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, roots);
	for (i = 0; i < nr; i++)
		roots[i] = HEAP_BASE + bare_heap_alloc(test, gs, 48, false);
	roots[nr] = HEAP_BASE + at;
	for (i = 0; i < 3; i++) {
		allow(1, false);
		mark_from(test, gs, roots + i, nr + 1 - i);
		KUNIT_ASSERT_EQ(test, marks(gs), nr + 1 - i + 2 * bytes / 8);
		gc_slabs_unmark(gs);
	}
}

/*
 * Its first page alone finds no room in the queue, which the sons of an object that is
 * taken before it fill up exactly, for one of these numbers.
 */
static void page_that_finds_no_room_is_followed_all_the_same(struct kunit *test)
{
	unsigned long words[22];
	unsigned int sons, i;

	for (sons = SEGMENT_ENTRIES - 40; sons < SEGMENT_ENTRIES; sons++) {
		size_t at;
		struct gc_slabs *gs = wide_heap(test, sons * 8, &at);
		size_t large = bare_heap_alloc(test, gs, SZ_64K, false);

		for (i = 0; i < 20; i++)
			words[i] = HEAP_BASE + bare_heap_alloc(test, gs, 48, false);
		words[20] = HEAP_BASE + large;
		words[21] = HEAP_BASE + at;
		*bare_heap_word(gs, large) = HEAP_BASE +
			bare_heap_alloc(test, gs, 48, false);
		allow(1, false);
		mark_from(test, gs, words, ARRAY_SIZE(words));
		KUNIT_EXPECT_EQ(test, marks(gs), ARRAY_SIZE(words) + 2 * sons + 1);
	}
}

static void random_graphs_are_marked_all_the_same(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 6; i++) {
		struct graph *graph = graph_new(test, 10 + i);

		allow(1 + i / 2, i % 2);
		mark_from(test, graph->gs, graph->roots, GRAPH_ROOTS);
		graph_check_marks(test, graph);
	}
}

/* So that also its own roots overflow. */
static void many_roots_are_followed_all_the_same(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned long *roots, i, nr = 2000;

	roots = kunit_kcalloc(test, nr, sizeof(*roots), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, roots);
	for (i = 0; i < nr; i++) {
		size_t root = bare_heap_alloc(test, gs, 16, false);

		*bare_heap_word(gs, root) = HEAP_BASE +
			bare_heap_alloc(test, gs, 32, false);
		roots[i] = HEAP_BASE + root;
	}
	allow(2, false);
	mark_from(test, gs, roots, nr);
	KUNIT_EXPECT_EQ(test, marks(gs), 2 * nr);
}

static void pages_of_the_queue_go_back(struct kunit *test)
{
	size_t at;
	struct gc_slabs *gs = wide_heap(test, SIZE_CLASS_MAX, &at);
	unsigned long word = HEAP_BASE + at;
	struct gc_marker marker;

	allow(UINT_MAX, false);
	mark_from(test, gs, &word, 1);
	gc_slabs_unmark(gs);
	/* Also when what is queued is given up. */
	KUNIT_ASSERT_EQ(test, gc_marker_init(&marker, gs, HEAP_BASE), 0);
	gc_mark_words(&marker, bare_heap_word(gs, at), PAGE_SIZE / 8);
	KUNIT_EXPECT_GT(test, taken, 1);
	gc_marker_destroy(&marker);
	KUNIT_EXPECT_EQ(test, taken, 0);
}

static void killed_caller_does_not_walk_the_heap(struct kunit *test)
{
	size_t at;
	struct gc_slabs *gs = wide_heap(test, SZ_64K, &at);
	size_t large = bare_heap_alloc(test, gs, SZ_2M, false);
	unsigned long words[] = { HEAP_BASE + at, HEAP_BASE + large };
	struct gc_marker marker;

	allow(1, false);
	KUNIT_ASSERT_EQ(test, gc_marker_init(&marker, gs, HEAP_BASE), 0);
	gc_mark_words(&marker, words, 2);
	caller_is_killed();
	KUNIT_EXPECT_EQ(test, gc_mark_drain(&marker), -EINTR);
	caller_lives_on();
	gc_marker_destroy(&marker);
	KUNIT_EXPECT_EQ(test, taken, 0);
}

/*
 * Sons that go to the queue, then one more, then words that push that one out of the ring of
 * candidates.
 */
static void have_sons(struct kunit *test, struct gc_slabs *gs, size_t at, size_t last)
{
	size_t son = 0, i;

	for (i = 0; i < WIDE - 26 * 8; i += 8) {
		son = bare_heap_alloc(test, gs, 16, false);
		*bare_heap_word(gs, at + i) = HEAP_BASE + son;
	}
	*bare_heap_word(gs, at + i) = HEAP_BASE + last;
	while ((i += 8) < WIDE)
		*bare_heap_word(gs, at + i) = HEAP_BASE + (i % 16 ? son : at);
}

/*
 * Of two such objects, one of which leads to the other, the second one's last son finds no
 * room in a queue of one page.  It is visited before them: so each walk goes on by one pair.
 */
static void kernel_thread_does_not_walk_for_ever(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t at = bare_heap_alloc(test, gs, WIDE, false);
	struct gc_marker marker;
	unsigned int i;
	unsigned long word;

	for (i = 0; i < 2 * WALKS_MAX; i++) {
		size_t wide = bare_heap_alloc(test, gs, WIDE, false);
		size_t from = bare_heap_alloc(test, gs, WIDE, false);

		have_sons(test, gs, wide, at);
		have_sons(test, gs, from, wide);
		at = from;
	}
	word = HEAP_BASE + at;
	allow(1, false);
	KUNIT_ASSERT_EQ(test, gc_marker_init(&marker, gs, HEAP_BASE), 0);
	gc_mark_words(&marker, &word, 1);
	KUNIT_EXPECT_EQ(test, gc_mark_drain(&marker), -E2BIG);
	gc_marker_destroy(&marker);
	gc_slabs_unmark(gs);
	allow(UINT_MAX, false);
	mark_from(test, gs, &word, 1);
}

static struct kunit_case mark_overflow_cases[] = {
	KUNIT_CASE(without_a_first_page_is_enomem),
	KUNIT_CASE(wide_object_is_followed_all_the_same),
	KUNIT_CASE(large_object_is_followed_all_the_same),
	KUNIT_CASE(page_that_finds_no_room_is_followed_all_the_same),
	KUNIT_CASE(many_roots_are_followed_all_the_same),
	KUNIT_CASE(random_graphs_are_marked_all_the_same),
	KUNIT_CASE(pages_of_the_queue_go_back),
	KUNIT_CASE(killed_caller_does_not_walk_the_heap),
	KUNIT_CASE(kernel_thread_does_not_walk_for_ever),
	{}
};

static struct kunit_suite mark_overflow_suite = {
	.name = "gcheap_mark_overflow",
	.test_cases = mark_overflow_cases,
};

kunit_test_suite(mark_overflow_suite);
