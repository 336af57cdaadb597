// SPDX-License-Identifier: GPL-2.0
/*
 * Marking with the module's helpers, as many as there are: what the program would see of
 * it is the kselftests'.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>

#include "bare_heap.h"
#include "crew.h"
#include "graph.h"

#define NODES	60000UL

static void mark_with_crew(struct kunit *test, struct gc_slabs *gs,
			   const unsigned long *words, size_t nr, unsigned int *most_spare)
{
	struct gc_marker m;
	struct gc_crew crew;
	u64 scanned;

	KUNIT_ASSERT_EQ(test, gc_marker_init(&m, gs, HEAP_BASE), 0);
	gc_crew_begin(&crew);
	/* As if it had taken long already */
	crew.words = ULONG_MAX / 2;
	gc_mark_words(&m, words, nr);
	while (gc_crew_mark(&crew, &m, 4096))
		*most_spare = max(*most_spare, READ_ONCE(crew.spare.nr) + m.spare.nr);
	scanned = m.scanned;
	gc_crew_end(&crew, &m);
	KUNIT_EXPECT_GE(test, m.scanned, scanned);
	KUNIT_EXPECT_FALSE(test, m.overflowed);
	KUNIT_EXPECT_FALSE(test, gc_mark_some(&m, 1));
	KUNIT_EXPECT_EQ(test, m.marked, bare_heap_marked_bytes(gs));
	gc_marker_destroy(&m);
}

/*
 * A list whose nodes have two leaves each, so that there is always something to give away,
 * but never much.
 */
static size_t comb_new(struct kunit *test, struct gc_slabs *gs)
{
	size_t first = 0, i, j;

	for (i = 0; i < NODES; i++) {
		size_t node = bare_heap_alloc(test, gs, 32, false);

		for (j = 1; j < 4; j++)
			*bare_heap_word(gs, node + j * sizeof(long)) = HEAP_BASE +
				bare_heap_alloc(test, gs, 16, false);
		*bare_heap_word(gs, node) = i ? HEAP_BASE + first : 0;
		first = node;
	}
	return first;
}

static void memory_for_helpers_does_not_grow_with_the_heap(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned long word = HEAP_BASE + comb_new(test, gs);
	unsigned int most = 0, i;

	for (i = 0; i < 10; i++) {
		mark_with_crew(test, gs, &word, 1, &most);
		KUNIT_EXPECT_EQ(test, bare_heap_marked_bytes(gs),
				NODES * (32 + 3 * 16));
		gc_slabs_unmark(gs);
	}
	KUNIT_EXPECT_LE(test, most, 4 * GC_LASTING_SEGMENTS * num_possible_cpus());
}

static void random_graphs_are_marked_with_helpers(struct kunit *test)
{
	unsigned int most = 0;
	u64 seed;

	for (seed = 1; seed <= 4; seed++) {
		struct graph *graph = graph_new(test, seed);

		mark_with_crew(test, graph->gs, graph->roots, GRAPH_ROOTS, &most);
		graph_check_marks(test, graph);
	}
}

static struct kunit_case crew_cases[] = {
	KUNIT_CASE(memory_for_helpers_does_not_grow_with_the_heap),
	KUNIT_CASE(random_graphs_are_marked_with_helpers),
	{}
};

static struct kunit_suite crew_suite = {
	.name = "gcheap_crew",
	.test_cases = crew_cases,
};

kunit_test_suite(crew_suite);
