/* SPDX-License-Identifier: GPL-2.0 */
/* Binary trees, whose nodes may have more behind the two branches. */
#ifndef GCHEAP_BENCH_TREES_H
#define GCHEAP_BENCH_TREES_H

#include "allocator.h"

struct tree {
	struct tree *left;
	struct tree *right;
};

/* Nodes of 32 bytes, which are not written to any more once they are made */
static inline struct tree *grow_old(int depth)
{
	struct tree *tree = get(4 * sizeof(long));

	*tree = (struct tree){};
	if (depth > 0) {
		tree->left = grow_old(depth - 1);
		tree->right = grow_old(depth - 1);
	}
	return tree;
}

/* A tree of so many MiB at least, or none */
static inline struct tree *grow_beside(int mib)
{
	int depth = 14;

	if (!mib)
		return NULL;
	while ((1 << (depth - 14)) < mib)
		depth++;
	return grow_old(depth);
}

/* Gives back each node, where somebody has to. */
static inline void drop(struct tree *tree)
{
	if (IS_COLLECTED || !tree)
		return;
	drop(tree->left);
	drop(tree->right);
	put(tree);
}

#endif /* GCHEAP_BENCH_TREES_H */
