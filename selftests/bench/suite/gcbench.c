// SPDX-License-Identifier: GPL-2.0
/*
 * gcbench [STRETCH [LIVE]]: binary trees of all sizes come and go while one of depth LIVE
 * and a large array stay, after one of depth STRETCH has made the heap large.  The work
 * is that of GCBench by John Ellis, Pete Kovac and Hans Boehm
 * (https://hboehm.info/gc/gc_bench/).
 */
#include "bench.h"

#define LEAST_DEPTH	4
#define ARRAY		500000

struct node {
	struct node *left;
	struct node *right;
	long i;
	long j;
};

static struct node *new_node(struct node *left, struct node *right)
{
	struct node *node = get(sizeof(*node));

	*node = (struct node){ .left = left, .right = right };
	return node;
}

static void grow_down(struct node *node, int depth)
{
	if (depth <= 0)
		return;
	node->left = new_node(NULL, NULL);
	node->right = new_node(NULL, NULL);
	grow_down(node->left, depth - 1);
	grow_down(node->right, depth - 1);
}

static struct node *grow_up(int depth)
{
	struct node *left, *right;

	if (depth <= 0)
		return new_node(NULL, NULL);
	left = grow_up(depth - 1);
	right = grow_up(depth - 1);
	return new_node(left, right);
}

static void drop(struct node *node)
{
	if (IS_COLLECTED || !node)
		return;
	drop(node->left);
	drop(node->right);
	put(node);
}

static long nodes(int depth)
{
	return (1L << (depth + 1)) - 1;
}

static void come_and_go(int depth, int stretch)
{
	long times = 2 * nodes(stretch) / nodes(depth), i;
	struct node *tree;

	for (i = 0; i < times; i++) {
		tree = new_node(NULL, NULL);
		grow_down(tree, depth);
		drop(tree);
	}
	for (i = 0; i < times; i++)
		drop(grow_up(depth));
}

/* In a frame of its own, so that nothing of it is left in main()'s. */
static __attribute__((noinline)) void stretch_heap(int depth)
{
	drop(grow_up(depth));
}

int main(int argc, char **argv)
{
	int stretch = bench_number(argc, argv, 1, 16);
	int live = bench_number(argc, argv, 2, 14);
	struct node *volatile tree;
	double *volatile array;
	int depth, i;

	allocator_begin();
	bench_begin();
	stretch_heap(stretch);
	tree = new_node(NULL, NULL);
	grow_down(tree, live);
	array = get_data(ARRAY * sizeof(*array));
	for (i = 0; i < ARRAY; i++)
		array[i] = i < ARRAY / 2 ? 1.0 / (i + 1) : 0;
	for (depth = LEAST_DEPTH; depth <= live; depth += 2)
		come_and_go(depth, stretch);
	bench_end("gcbench");
	must(tree->left && array[1000] == 1.0 / 1001);
	return 0;
}
