// SPDX-License-Identifier: GPL-2.0
/*
 * mark [NODES [POINTERS]]: a collection of a heap that is a list of nodes of 32 bytes, in
 * the order in which they were allocated and in none.  With two pointers in each it is a
 * graph: the other goes two nodes on, and to any.  Reports each of some collections.
 */
#include "bench.h"

#define TIMES	5

struct node {
	struct node *next;
	struct node *other;
	long data[2];
};

static long pointers;

static void link_nodes(struct node **nodes, long nr)
{
	long i;

	for (i = 0; i + 1 < nr; i++)
		nodes[i]->next = nodes[i + 1];
	nodes[nr - 1]->next = NULL;
}

static void shuffle(struct node **nodes, long nr)
{
	uint64_t state = 1;
	long left = nr, i;

	while (left > 1) {
		struct node *node;

		i = bench_random(&state, left--);
		node = nodes[i];
		nodes[i] = nodes[left];
		nodes[left] = node;
	}
	if (pointers > 1)
		for (i = 0; i < nr; i++)
			nodes[i]->other = nodes[bench_random(&state, nr)];
}

/* A list of new nodes, in the order of their allocation */
static struct node *new_list(long nr)
{
	struct node *first = get(sizeof(*first)), *last = first;

	while (--nr) {
		last->next = get(sizeof(*last));
		last = last->next;
	}
	last->next = NULL;
	if (pointers > 1)
		for (last = first; last->next; last = last->next)
			last->other = last->next->next;
	return first;
}

/* The same nodes in no order; what it takes for that is garbage afterwards. */
static __attribute__((noinline)) struct node *shuffled(struct node *first, long nr)
{
	struct node **nodes = get(nr * sizeof(*nodes));
	long i;

	for (i = 0; i < nr; i++) {
		nodes[i] = first;
		first = first->next;
	}
	shuffle(nodes, nr);
	link_nodes(nodes, nr);
	return nodes[0];
}

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
	long nr = bench_number(argc, argv, 1, 200000), i;
	struct node *volatile first;

	pointers = bench_number(argc, argv, 2, 1);
	allocator_begin();
	first = new_list(nr);
	measure(pointers > 1 ? "graph-sequential" : "mark-sequential");
	first = shuffled(first, nr);
	measure(pointers > 1 ? "graph-shuffled" : "mark-shuffled");
	for (i = 0; first; first = first->next)
		i++;
	must(i == nr);
	return 0;
}
