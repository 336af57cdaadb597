// SPDX-License-Identifier: GPL-2.0
/*
 * binary_trees [DEPTH [MIB]]: many small trees are built, counted and dropped beside one
 * that stays, and beside a further one of so many MiB that was made before.  The work is that
 * of the Computer Language Benchmarks Game
 * (https://benchmarksgame-team.pages.debian.net/benchmarksgame/description/binarytrees.html).
 */
#include "bench.h"
#include "trees.h"

#define LEAST_DEPTH	4

static struct tree *grow(int depth)
{
	struct tree *node = get(sizeof(*node));

	*node = (struct tree){};
	if (depth > 0) {
		node->left = grow(depth - 1);
		node->right = grow(depth - 1);
	}
	return node;
}

static long count(const struct tree *node)
{
	return node->left ? 1 + count(node->left) + count(node->right) : 1;
}

static long grow_and_count(int depth)
{
	struct tree *tree = grow(depth);
	long nodes = count(tree);

	drop(tree);
	return nodes;
}

int main(int argc, char **argv)
{
	int most = bench_number(argc, argv, 1, 14), depth;
	int mib = bench_number(argc, argv, 2, 0);
	struct tree *volatile stays, *volatile old;

	allocator_begin();
	old = grow_beside(mib);
	bench_begin();
	must(grow_and_count(most + 1) == (1L << (most + 2)) - 1);
	bench_sample();
	stays = grow(most);
	for (depth = LEAST_DEPTH; depth <= most; depth += 2) {
		long times = 1L << (most - depth + LEAST_DEPTH), nodes = 0, i;

		for (i = 0; i < times; i++)
			nodes += grow_and_count(depth);
		must(nodes == times * ((1L << (depth + 1)) - 1));
		bench_sample();
	}
	bench_end(old ? "binary-trees-beside" : "binary-trees");
	must(count(stays) == (1L << (most + 1)) - 1);
	return 0;
}
