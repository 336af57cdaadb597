// SPDX-License-Identifier: GPL-2.0
/*
 * mark [NODES [POINTERS]]: a collection of a heap that is a list of nodes of 32 bytes, in
 * the order in which they were allocated and in none.  With two pointers in each it is a
 * graph: the other goes two nodes on, and to any.  Reports each of some collections.
 */
#include "bench.h"
#include "lists.h"

#define TIMES	5

static void measure(const char *name)
{
	int i;

	collect();
	for (i = 0; i < TIMES; i++) {
		bench_begin();
		collect();
		bench_end(name);
	}
}

int main(int argc, char **argv)
{
	long nr = bench_number(argc, argv, 1, 200000);
	bool graph = bench_number(argc, argv, 2, 1) > 1;
	struct node *volatile first;
	struct node *node;

	allocator_begin();
	first = new_list(nr);
	for (node = first; graph && node->next; node = node->next)
		node->other = node->next->next;
	measure(graph ? "graph-sequential" : "mark-sequential");
	first = shuffled(first, nr, graph);
	measure(graph ? "graph-shuffled" : "mark-shuffled");
	must(length(first) == nr);
	return 0;
}
