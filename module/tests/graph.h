/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random graphs of objects, and a marker to compare the real one with.
 *
 * That marker never looks at the heap: it follows the edges as they were noted
 * down when the graph was made.
 */
#ifndef GCHEAP_TEST_GRAPH_H
#define GCHEAP_TEST_GRAPH_H

#include "bare_heap.h"

/* Where the heap would be, if a process mapped it. */
#define HEAP_BASE	0x7e0000000000UL

#define GRAPH_NODES	2000
#define GRAPH_EDGES	4
#define GRAPH_ROOTS	8

/**
 * struct graph_node - an object
 * @offset: where it is
 * @size: bytes of its slot
 * @noscan: its edges are not to be followed
 * @reached: by the reference marker
 * @nr_edges: edges
 * @edges: nodes they lead to
 */
struct graph_node {
	size_t offset;
	size_t size;
	bool noscan;
	bool reached;
	unsigned int nr_edges;
	u16 edges[GRAPH_EDGES];
};

/**
 * struct graph - a heap with a graph in it
 * @gs: the heap
 * @random: what all is drawn from
 * @nr_reached: nodes that the roots lead to
 * @roots: words to mark from
 * @nodes: all objects of the heap
 * @todo: nodes whose edges were not followed yet
 */
struct graph {
	struct gc_slabs *gs;
	struct rnd_state random;
	unsigned int nr_reached;
	unsigned long roots[GRAPH_ROOTS];
	struct graph_node nodes[GRAPH_NODES];
	u16 todo[GRAPH_NODES];
};

struct graph *graph_new(struct kunit *test, u64 seed);
void graph_check_marks(struct kunit *test, struct graph *graph);

#endif /* GCHEAP_TEST_GRAPH_H */
