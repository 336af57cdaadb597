/* SPDX-License-Identifier: GPL-2.0 */
/* Binary trees, whose nodes may have more behind the two branches. */
#ifndef GCHEAP_BENCH_TREES_H
#define GCHEAP_BENCH_TREES_H

#include "allocator.h"

struct tree {
	struct tree *left;
	struct tree *right;
};

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
