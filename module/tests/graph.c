// SPDX-License-Identifier: GPL-2.0
/* See graph.h. */
#include <linux/mm.h>
#include <linux/sizes.h>

#include "graph.h"

/* Mostly small; one of 64 has pages to itself. */
static size_t random_size(struct rnd_state *random)
{
	switch (random_below(random, 64)) {
	case 0:
		return SIZE_CLASS_MAX + random_below(random, SZ_128K);
	case 1 ... 8:
		return 1 + random_below(random, SIZE_CLASS_MAX);
	default:
		return 1 + random_below(random, 256);
	}
}

static void make_node(struct kunit *test, struct graph *graph,
		      struct graph_node *node)
{
	node->noscan = !random_below(&graph->random, 8);
	node->offset = bare_heap_alloc(test, graph->gs,
				       random_size(&graph->random),
				       node->noscan);
	node->size = bare_heap_slab(graph->gs, node->offset)->object_size;
}

/* A pointer to any byte of any node, and which node that is. */
static unsigned long random_pointer(struct graph *graph, u16 *to)
{
	struct graph_node *node;

	*to = random_below(&graph->random, GRAPH_NODES);
	node = &graph->nodes[*to];
	return HEAP_BASE + node->offset +
	       random_below(&graph->random, node->size);
}

/* Edges lie anywhere in the object, each in a part of its own. */
static void make_edges(struct graph *graph, struct graph_node *node)
{
	size_t words = node->size / sizeof(long), part;
	unsigned int i;

	node->nr_edges = min(random_below(&graph->random, GRAPH_EDGES + 1),
			     words);
	if (!node->nr_edges)
		return;
	part = words / node->nr_edges;
	for (i = 0; i < node->nr_edges; i++) {
		size_t word = i * part + random_below(&graph->random, part);

		*bare_heap_word(graph->gs, node->offset + word * sizeof(long)) =
			random_pointer(graph, &node->edges[i]);
	}
}

static void reach(struct graph *graph, unsigned int *nr_todo, u16 to)
{
	if (graph->nodes[to].reached)
		return;
	graph->nodes[to].reached = true;
	graph->nr_reached++;
	graph->todo[(*nr_todo)++] = to;
}

static void reach_from(struct graph *graph, const u16 *roots)
{
	unsigned int nr_todo = 0, i;

	for (i = 0; i < GRAPH_ROOTS; i++)
		reach(graph, &nr_todo, roots[i]);
	while (nr_todo) {
		struct graph_node *node = &graph->nodes[graph->todo[--nr_todo]];

		for (i = 0; !node->noscan && i < node->nr_edges; i++)
			reach(graph, &nr_todo, node->edges[i]);
	}
}

/**
 * graph_new() - make a heap with a graph in it
 * @test: case that it belongs to
 * @seed: the same gives the same graph
 *
 * Return: the graph.
 */
struct graph *graph_new(struct kunit *test, u64 seed)
{
	struct graph *graph = kunit_kzalloc(test, sizeof(*graph), GFP_KERNEL);
	u16 roots[GRAPH_ROOTS];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, graph);
	graph->gs = bare_heap_new(test, BARE_HEAP_PAGES);
	prandom_seed_state(&graph->random, seed);
	for (i = 0; i < GRAPH_NODES; i++)
		make_node(test, graph, &graph->nodes[i]);
	for (i = 0; i < GRAPH_NODES; i++)
		make_edges(graph, &graph->nodes[i]);
	for (i = 0; i < GRAPH_ROOTS; i++)
		graph->roots[i] = random_pointer(graph, &roots[i]);
	reach_from(graph, roots);
	/* Else the seed shows nothing. */
	KUNIT_ASSERT_GT(test, graph->nr_reached, GRAPH_NODES / 10);
	KUNIT_ASSERT_LT(test, graph->nr_reached, GRAPH_NODES);
	return graph;
}

static void check_slab(struct gc_slab *slab, void *arg)
{
	unsigned int *nr_marked = arg;

	*nr_marked += bitmap_weight(gc_slab_mark_bits(slab), slab->slots);
}

/**
 * graph_check_marks() - exactly the nodes that roots lead to are marked
 * @test: case
 * @graph: graph, after a marking from graph->roots
 */
void graph_check_marks(struct kunit *test, struct graph *graph)
{
	unsigned int nr_marked = 0, i;

	for (i = 0; i < GRAPH_NODES; i++) {
		struct graph_node *node = &graph->nodes[i];

		KUNIT_ASSERT_EQ_MSG(test, node->reached,
				    bare_heap_is_marked(graph->gs,
							node->offset),
				    "node %u of %zu bytes", i, node->size);
	}
	gc_slabs_visit(graph->gs, check_slab, &nr_marked);
	KUNIT_ASSERT_EQ(test, nr_marked, graph->nr_reached);
}
