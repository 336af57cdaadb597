/* SPDX-License-Identifier: GPL-2.0 */
/* Lists of nodes of 32 bytes, in the order in which they were allocated and in none. */
#ifndef GCHEAP_BENCH_LISTS_H
#define GCHEAP_BENCH_LISTS_H

#include "allocator.h"
#include "tools.h"

struct node {
	struct node *next;
	struct node *other;
	long data[2];
};

static inline struct node *new_node(void)
{
	struct node *node = get(sizeof(*node));

	*node = (struct node){};
	return node;
}

/* New nodes, in the order of their allocation */
static inline struct node *new_list(long nr)
{
	struct node *first = new_node(), *last = first;

	while (--nr) {
		last->next = new_node();
		last = last->next;
	}
	return first;
}

static inline void shuffle(struct node **nodes, long nr, uint64_t *state)
{
	struct node *node;
	long i;

	while (nr > 1) {
		i = bench_random(state, nr--);
		node = nodes[i];
		nodes[i] = nodes[nr];
		nodes[nr] = node;
	}
}

/*
 * The same nodes in no order, if wanted with a second pointer in each, to any; what it
 * takes for that is garbage afterwards.
 */
static __attribute__((noinline)) struct node *shuffled(struct node *first, long nr,
						       bool graph)
{
	struct node **nodes = get(nr * sizeof(*nodes));
	uint64_t state = 1;
	long i;

	for (i = 0; i < nr; i++, first = first->next)
		nodes[i] = first;
	shuffle(nodes, nr, &state);
	for (i = 0; graph && i < nr; i++)
		nodes[i]->other = nodes[bench_random(&state, nr)];
	for (i = 0; i + 1 < nr; i++)
		nodes[i]->next = nodes[i + 1];
	nodes[nr - 1]->next = NULL;
	first = nodes[0];
	put(nodes);
	return first;
}

static inline long length(const struct node *list)
{
	long nr = 0;

	for (; list; list = list->next)
		nr++;
	return nr;
}

#endif /* GCHEAP_BENCH_LISTS_H */
