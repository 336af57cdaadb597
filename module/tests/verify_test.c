// SPDX-License-Identifier: GPL-2.0
/*
 * The second marking agrees with the first, and says so when it does not: bugs
 * are planted in the marks.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "bare_heap.h"
#include "graph.h"
#include "mark.h"
#include "verify.h"

/**
 * struct both - both markings of a graph
 * @graph: the graph
 * @marker: the first one
 * @verify: the second one
 * @faults: where they differ
 */
struct both {
	struct graph *graph;
	struct gc_marker marker;
	struct gc_verify *verify;
	struct gc_faults faults;
};

KUNIT_DEFINE_ACTION_WRAPPER(verify_end, gc_verify_free, struct gc_verify *);

static struct both *both_new(struct kunit *test, u64 seed)
{
	struct both *both = kunit_kzalloc(test, sizeof(*both), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, both);
	both->graph = graph_new(test, seed);
	both->verify = gc_verify_new(both->graph->gs, HEAP_BASE);
	KUNIT_ASSERT_NOT_NULL(test, both->verify);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, verify_end,
							both->verify), 0);
	return both;
}

/* Up to where the heap's own words are followed. */
static void mark_roots(struct kunit *test, struct both *both)
{
	struct graph *graph = both->graph;

	KUNIT_ASSERT_EQ(test, gc_marker_init(&both->marker, graph->gs,
					     HEAP_BASE), 0);
	gc_verify_begin(both->verify, true);
	gc_mark_words(&both->marker, graph->roots, GRAPH_ROOTS);
	gc_verify_words(both->verify, graph->roots, GRAPH_ROOTS);
	KUNIT_ASSERT_EQ(test, gc_verify_walk(both->verify), 0);
}

static void mark_rest(struct kunit *test, struct both *both)
{
	KUNIT_ASSERT_EQ(test, gc_mark_drain(&both->marker), 0);
	gc_marker_destroy(&both->marker);
}

static unsigned int compare(struct kunit *test, struct both *both)
{
	KUNIT_ASSERT_EQ(test, gc_verify_walk(both->verify), 0);
	gc_verify_compare(both->verify, &both->faults);
	return both->faults.nr;
}

static struct graph_node *find_node(struct kunit *test, struct both *both,
				    bool reached)
{
	struct graph_node *node;

	for (node = both->graph->nodes;
	     node < both->graph->nodes + GRAPH_NODES; node++)
		if (node->reached == reached)
			return node;
	KUNIT_FAIL_AND_ABORT(test, "no such node");
	return NULL;
}

static void both_markings_agree_on_random_graphs(struct kunit *test)
{
	u64 seed;

	for (seed = 1; seed <= 20; seed++) {
		struct both *both = both_new(test, seed);

		mark_roots(test, both);
		mark_rest(test, both);
		KUNIT_ASSERT_EQ_MSG(test, compare(test, both), 0, "seed %llu",
				    seed);
		graph_check_marks(test, both->graph);
		gc_slabs_unmark(both->graph->gs);
	}
}

/* Each word in turn: the bounds of objects, and what is beside those. */
static void both_markings_agree_on_ends_of_objects(struct kunit *test)
{
	struct both *both = both_new(test, 1);
	struct graph *graph = both->graph;
	unsigned long words[5 * GRAPH_ROOTS];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		struct graph_node *node = &graph->nodes[i / 5 * 97];

		words[i] = HEAP_BASE + node->offset + node->size + i % 5 - 2;
	}
	KUNIT_ASSERT_EQ(test, gc_marker_init(&both->marker, graph->gs,
					     HEAP_BASE), 0);
	gc_verify_begin(both->verify, true);
	gc_mark_words_and_ends(&both->marker, words, ARRAY_SIZE(words));
	gc_verify_words_and_ends(both->verify, words, ARRAY_SIZE(words));
	KUNIT_ASSERT_EQ(test, gc_verify_walk(both->verify), 0);
	mark_rest(test, both);
	KUNIT_EXPECT_EQ(test, compare(test, both), 0);
}

static void end_that_was_not_marked_is_found(struct kunit *test)
{
	struct both *both = both_new(test, 6);
	struct graph_node *node = find_node(test, both, false);
	unsigned long word = HEAP_BASE + node->offset + node->size;

	KUNIT_ASSERT_EQ(test, gc_marker_init(&both->marker, both->graph->gs,
					     HEAP_BASE), 0);
	gc_verify_begin(both->verify, true);
	gc_mark_words(&both->marker, &word, 1);
	gc_verify_words_and_ends(both->verify, &word, 1);
	KUNIT_ASSERT_EQ(test, gc_verify_walk(both->verify), 0);
	mark_rest(test, both);
	KUNIT_EXPECT_GE(test, compare(test, both), 1);
}

static void object_that_was_not_marked_is_found(struct kunit *test)
{
	struct both *both = both_new(test, 1);
	struct graph_node *node = find_node(test, both, true);
	struct gc_slab *slab;
	u32 index;

	mark_roots(test, both);
	mark_rest(test, both);
	slab = gc_slab_find(both->graph->gs, node->offset, &index);
	__clear_bit(index, gc_slab_mark_bits(slab));
	KUNIT_ASSERT_EQ(test, compare(test, both), 1);
	KUNIT_EXPECT_EQ(test, both->faults.first[0].offset, node->offset);
	KUNIT_EXPECT_EQ(test, both->faults.first[0].slab, slab->offset);
	KUNIT_EXPECT_EQ(test, both->faults.first[0].found, false);
	KUNIT_EXPECT_EQ(test, both->faults.first[0].expected, true);
}

static void object_that_is_marked_for_nothing_is_found(struct kunit *test)
{
	struct both *both = both_new(test, 2);
	struct graph_node *node = find_node(test, both, false);

	mark_roots(test, both);
	mark_rest(test, both);
	bare_heap_mark(both->graph->gs, node->offset);
	KUNIT_ASSERT_EQ(test, compare(test, both), 1);
	KUNIT_EXPECT_EQ(test, both->faults.first[0].offset, node->offset);
	KUNIT_EXPECT_EQ(test, both->faults.first[0].found, true);
	KUNIT_EXPECT_EQ(test, both->faults.first[0].expected, false);
}

/* The roots are what they were, but an object's words are not. */
static void stores_during_the_marking_are_no_fault(struct kunit *test)
{
	struct both *both = both_new(test, 3);
	struct graph_node *from = find_node(test, both, true);
	struct graph_node *to = find_node(test, both, false);

	while (from->noscan || !from->reached)
		from++;
	mark_roots(test, both);
	*bare_heap_word(both->graph->gs, from->offset) = HEAP_BASE + to->offset;
	mark_rest(test, both);
	KUNIT_EXPECT_EQ(test, compare(test, both), 0);
}

static void stores_after_the_marking_are_no_fault(struct kunit *test)
{
	struct both *both = both_new(test, 4);
	struct graph_node *from = find_node(test, both, true);
	struct graph_node *to = find_node(test, both, false);

	while (from->noscan || !from->reached)
		from++;
	mark_roots(test, both);
	mark_rest(test, both);
	*bare_heap_word(both->graph->gs, from->offset) = HEAP_BASE + to->offset;
	KUNIT_EXPECT_EQ(test, compare(test, both), 0);
}

static void walk_ends_when_the_caller_is_killed(struct kunit *test)
{
	struct both *both = both_new(test, 5);

	gc_verify_begin(both->verify, true);
	gc_verify_words(both->verify, both->graph->roots, GRAPH_ROOTS);
	caller_is_killed();
	KUNIT_EXPECT_EQ(test, gc_verify_walk(both->verify), -EINTR);
	caller_lives_on();
}

/* What a marking is found to have missed that has marked what is marked already */
static unsigned int faults_of(struct kunit *test, struct gc_slabs *gs, size_t from,
			      struct gc_astray **known)
{
	struct gc_verify *v = gc_verify_new(gs, HEAP_BASE);
	unsigned long root = HEAP_BASE + from;
	struct gc_faults faults = {};

	KUNIT_ASSERT_NOT_NULL(test, v);
	KUNIT_EXPECT_EQ(test, gc_verify_know(v, known), 0);
	gc_verify_begin(v, false);
	gc_verify_words(v, &root, 1);
	KUNIT_EXPECT_EQ(test, gc_verify_walk(v), 0);
	KUNIT_EXPECT_EQ(test, gc_verify_walk(v), 0);
	gc_verify_compare(v, &faults);
	gc_verify_free(v);
	return faults.nr;
}

/* An object that is old, and garbage whose slot is free then */
static struct gc_slabs *heap_with_free_slot(struct kunit *test, size_t *old, size_t *slot)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);

	*old = gc_slab_alloc_object(gs, 64, false);
	*slot = gc_slab_alloc_object(gs, 64, false);
	bare_heap_mark(gs, *old);
	gc_slabs_marked(gs, bare_heap_marked_bytes(gs), true);
	gc_slabs_recalled(gs);
	gc_slabs_sweep(gs, UINT_MAX);
	return gs;
}

static void word_that_led_astray_is_followed_only_when_it_has_changed(struct kunit *test)
{
	struct gc_astray *known = NULL;
	size_t old, slot;
	struct gc_slabs *gs = heap_with_free_slot(test, &old, &slot);

	/* Nothing is known of the marking before. */
	gs->cycle = 0;
	*bare_heap_word(gs, old) = HEAP_BASE + slot;
	KUNIT_EXPECT_EQ(test, faults_of(test, gs, old, &known), 0);
	gs->cycle = 1;
	KUNIT_ASSERT_EQ(test, gc_slab_alloc_object(gs, 64, false), slot);
	KUNIT_EXPECT_EQ(test, faults_of(test, gs, old, &known), 0);
	/* It leads there as before. */
	KUNIT_EXPECT_EQ(test, faults_of(test, gs, old, &known), 0);
	*bare_heap_word(gs, old) = HEAP_BASE + slot + 8;
	KUNIT_EXPECT_EQ(test, faults_of(test, gs, old, &known), 1);
	gc_verify_forget(&known);
}

static void word_that_led_behind_the_heap_is_not_followed(struct kunit *test)
{
	struct gc_astray *known = NULL;
	size_t old, slot, at;
	u32 index;
	struct gc_slabs *gs = heap_with_free_slot(test, &old, &slot);

	at = gs->pages.frontier << PAGE_SHIFT;
	*bare_heap_word(gs, old) = HEAP_BASE + at;
	gs->cycle = 0;
	KUNIT_EXPECT_EQ(test, faults_of(test, gs, old, &known), 0);
	gs->cycle = 1;
	while (!gc_slab_find(gs, at, &index))
		KUNIT_ASSERT_GE(test, gc_slab_alloc_object(gs, SZ_64K, false), 0);
	KUNIT_EXPECT_EQ(test, faults_of(test, gs, old, &known), 0);
	gc_verify_forget(&known);
}

static void what_is_not_known_is_no_fault(struct kunit *test)
{
	struct gc_astray *known = NULL;
	size_t old, slot;
	struct gc_slabs *gs = heap_with_free_slot(test, &old, &slot);

	KUNIT_ASSERT_EQ(test, gc_slab_alloc_object(gs, 64, false), slot);
	*bare_heap_word(gs, old) = HEAP_BASE + slot;
	KUNIT_EXPECT_EQ(test, faults_of(test, gs, old, &known), 0);
	gc_verify_forget(&known);
	gs->cycle = 0;
	KUNIT_EXPECT_EQ(test, faults_of(test, gs, old, &known), 1);
	gc_verify_forget(&known);
}

static struct kunit_case verify_cases[] = {
	KUNIT_CASE(word_that_led_astray_is_followed_only_when_it_has_changed),
	KUNIT_CASE(word_that_led_behind_the_heap_is_not_followed),
	KUNIT_CASE(what_is_not_known_is_no_fault),
	KUNIT_CASE(both_markings_agree_on_random_graphs),
	KUNIT_CASE(both_markings_agree_on_ends_of_objects),
	KUNIT_CASE(end_that_was_not_marked_is_found),
	KUNIT_CASE(object_that_was_not_marked_is_found),
	KUNIT_CASE(object_that_is_marked_for_nothing_is_found),
	KUNIT_CASE(stores_during_the_marking_are_no_fault),
	KUNIT_CASE(stores_after_the_marking_are_no_fault),
	KUNIT_CASE(walk_ends_when_the_caller_is_killed),
	{}
};

static struct kunit_suite verify_suite = {
	.name = "gcheap_verify",
	.test_cases = verify_cases,
};

kunit_test_suite(verify_suite);
