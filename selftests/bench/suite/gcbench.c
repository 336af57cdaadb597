// SPDX-License-Identifier: GPL-2.0
/*
 * gcbench [STRETCH [LIVE [MIB]]]: binary trees of all sizes come and go while one of depth
 * LIVE and a large array stay, after one of depth STRETCH has made the heap large, and beside
 * a further one of so many MiB that was made before.  The work is that of GCBench by John
 * Ellis, Pete Kovac and Hans Boehm (https://hboehm.info/gc/gc_bench/).
 */
#include "bench.h"
#include "trees.h"

#define LEAST_DEPTH	4
#define ARRAY		500000

struct node {
	struct tree tree;
	long i;
	long j;
};

static struct tree *new_node(struct tree *left, struct tree *right)
{
	struct node *node = get(sizeof(*node));

	*node = (struct node){ .tree = { .left = left, .right = right } };
	return &node->tree;
}

static void grow_down(struct tree *node, int depth)
{
	if (depth <= 0)
		return;
	node->left = new_node(NULL, NULL);
	node->right = new_node(NULL, NULL);
	grow_down(node->left, depth - 1);
	grow_down(node->right, depth - 1);
}

static struct tree *grow_up(int depth)
{
	struct tree *left, *right;

	if (depth <= 0)
		return new_node(NULL, NULL);
	left = grow_up(depth - 1);
	right = grow_up(depth - 1);
	return new_node(left, right);
}

static long nodes(int depth)
{
	return (1L << (depth + 1)) - 1;
}

static void come_and_go(int depth, int stretch)
{
	long times = 2 * nodes(stretch) / nodes(depth), i;
	struct tree *tree;

	for (i = 0; i < times; i++) {
		tree = new_node(NULL, NULL);
		grow_down(tree, depth);
		drop(tree);
	}
	bench_sample();
	for (i = 0; i < times; i++)
		drop(grow_up(depth));
	bench_sample();
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
	int mib = bench_number(argc, argv, 3, 0);
	struct tree *volatile tree, *volatile old;
	double *volatile array;
	int depth, i;

	allocator_begin();
	old = grow_beside(mib);
	bench_begin();
	stretch_heap(stretch);
	bench_sample();
	tree = new_node(NULL, NULL);
	grow_down(tree, live);
	array = get_data(ARRAY * sizeof(*array));
	for (i = 0; i < ARRAY; i++)
		array[i] = i < ARRAY / 2 ? 1.0 / (i + 1) : 0;
	for (depth = LEAST_DEPTH; depth <= live; depth += 2)
		come_and_go(depth, stretch);
	bench_end(old ? "gcbench-beside" : "gcbench");
	must(tree->left && array[1000] == 1.0 / 1001);
	return 0;
}
