// SPDX-License-Identifier: GPL-2.0
/*
 * A memory limit that is too small for what lives: the program gets on, and its heap
 * is no larger than without the limit.
 */
#include "fdinfo.h"

#define NODE_SIZE	16
#define PIECE		(16 * KIB)

struct node {
	struct node *next;
};

/* Keeps all nodes. */
static struct node *volatile chain;

FIXTURE(limit) {
	struct gcheap *heap;
	size_t live;
};

apart void keep(struct gcheap *heap, size_t bytes)
{
	struct node *node;

	for (; bytes; bytes -= NODE_SIZE) {
		node = gcheap_alloc(heap, NODE_SIZE);
		must(node);
		node->next = chain;
		chain = node;
	}
}

/* Small nodes, which take long to mark, and large garbage, which is quickly made. */
FIXTURE_SETUP(limit)
{
	self->live = scaled(4 * MIB / NODE_SIZE) * NODE_SIZE;
	self->heap = gcheap_open(NULL);
	ASSERT_NE(NULL, self->heap);
	keep(self->heap, self->live);
	collect(self->heap);
	ASSERT_EQ(0, gcheap_set_limit(self->heap, self->live / 2));
}

FIXTURE_TEARDOWN(limit)
{
	chain = NULL;
	gcheap_close(self->heap);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	must(!clock_gettime(CLOCK_MONOTONIC, &now));
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

apart void drop_pieces(struct gcheap *heap, int count)
{
	while (count--)
		must(gcheap_alloc_noscan(heap, PIECE));
}

/* Statistics of when so many collections were done, and the largest heap on the way */
static struct gcheap_stats drop_until(struct gcheap *heap, uint64_t num_gc, uint64_t *largest)
{
	struct gcheap_stats stats;

	do {
		drop_pieces(heap, 4);
		stats = stats_of(heap);
		if (stats.heap_alloc > *largest)
			*largest = stats.heap_alloc;
	} while (stats.num_gc < num_gc);
	return stats;
}

/* At first collections may take more for a while, as the heap had none before. */
static struct gcheap_stats use_up_what_was_saved(struct gcheap *heap)
{
	uint64_t enough = stats_of(heap).gc_cpu_ns + 300000000, largest = 0;
	struct gcheap_stats stats;

	do {
		stats = drop_until(heap, stats_of(heap).num_gc + 1, &largest);
	} while (stats.gc_cpu_ns < enough);
	return stats;
}

/* Time spent collecting, but for what others did on idle processors */
static uint64_t collecting_ns(struct gcheap *heap)
{
	return value_now(heap, "collecting") - value_now(heap, "helped");
}

/* All but the last collection are followed by as much time as they took. */
TEST_F(limit, below_what_lives_leaves_the_program_half_of_the_time)
{
	uint64_t largest = 0, start, before;
	struct gcheap_stats stats;

	ASSERT_EQ(100, gcheap_set_percent(self->heap, -1));
	stats = use_up_what_was_saved(self->heap);
	before = collecting_ns(self->heap);
	start = now_ns();
	drop_until(self->heap, stats.num_gc + 12, &largest);
	EXPECT_GE((now_ns() - start) / 10 * 6, collecting_ns(self->heap) - before);
}

TEST_F(limit, below_what_lives_does_not_let_the_heap_grow_beyond_percent)
{
	struct gcheap_stats before = stats_of(self->heap), after;
	uint64_t goal = 2 * self->live, largest = 0;

	after = drop_until(self->heap, before.num_gc + 12, &largest);
	EXPECT_GE((goal > 4 * MIB ? goal : 4 * MIB) + MIB, largest);
	EXPECT_GT(goal, after.next_gc);
}

TEST_HARNESS_MAIN
