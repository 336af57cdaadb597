// SPDX-License-Identifier: GPL-2.0
/*
 * What gcheap is for, in three parts: a pool, a collector, a structure that
 * stays alive.  Exits with 1 and a message when a promise was not kept.
 *
 *	cc demo.c -lgcheap && ./a.out
 *
 * GCHEAP_TRACE=1 in the environment prints a line for each collection.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gcheap.h>

#define BUFFER_SIZE	1024
#define ROUNDS		1000000

#define LONG_DEPTH	18
#define MIN_DEPTH	4
#define MAX_DEPTH	16

/* Each depth in between makes about as many nodes as one tree of MAX_DEPTH. */
#define TREES(depth)	(1u << (MAX_DEPTH - (depth)))

struct tree {
	struct tree *left;
	struct tree *right;
	unsigned long label;
};

static void check(int kept, const char *promise)
{
	if (kept)
		return;
	fprintf(stderr, "demo: not kept: %s\n", promise);
	exit(1);
}

/* What went wrong, and what helps */
static void fail(const char *what)
{
	fprintf(stderr, "demo: %s: %s\n", what, gcheap_strerror(errno));
	exit(1);
}

static struct gcheap_stats read_stats(struct gcheap *heap)
{
	struct gcheap_stats stats;

	/* What this thread has taken from its cache counts, too. */
	gcheap_thread_release(heap);
	if (gcheap_read_stats(heap, &stats))
		fail("gcheap_read_stats");
	return stats;
}

static void collect(struct gcheap *heap)
{
	if (gcheap_collect(heap))
		fail("gcheap_collect");
}

static void *must(void *object)
{
	if (!object)
		fail("allocation");
	return object;
}

static void print(const char *name, double value, const char *unit)
{
	printf("  %-28s %12.0f %s\n", name, value, unit);
}

/* The same buffer again and again: a pool saves even the allocation. */
static void show_pool(struct gcheap *heap)
{
	const struct gcheap_stats before = read_stats(heap);
	struct gcheap_pool *pool = must(gcheap_pool_new(heap, BUFFER_SIZE));
	struct gcheap_stats after;
	int i;

	puts("pool: get a buffer, use it, put it back");
	for (i = 0; i < ROUNDS; i++) {
		char *buffer = must(gcheap_pool_get(pool));

		memset(buffer, i, BUFFER_SIZE);
		gcheap_pool_put(pool, buffer);
	}
	after = read_stats(heap);
	gcheap_pool_free(pool);

	print("times", ROUNDS, "");
	print("objects really allocated", after.mallocs - before.mallocs, "");
	check(after.mallocs - before.mallocs <= 100, "a pool allocates hardly ever");
}

/* A gigabyte is allocated and nothing freed, in a few megabytes of memory. */
static void show_collector(struct gcheap *heap)
{
	const struct gcheap_stats before = read_stats(heap);
	struct gcheap_stats after;
	int i;

	puts("collector: allocate, and forget");
	for (i = 0; i < ROUNDS; i++) {
		char *object = must(gcheap_alloc(heap, BUFFER_SIZE));

		check(!object[0] && !object[BUFFER_SIZE - 1], "a new object is zero");
		object[0] = 1;
		object[BUFFER_SIZE - 1] = 1;
	}
	collect(heap);
	after = read_stats(heap);

	print("total_alloc before", before.total_alloc, "bytes");
	print("total_alloc after", after.total_alloc, "bytes");
	print("heap_alloc after", after.heap_alloc, "bytes");
	print("heap_sys after", after.heap_sys, "bytes");
	print("num_gc", after.num_gc - before.num_gc, "collections");
	print("longest pause", after.pause_max_ns / 1e3, "us");
	check(after.total_alloc - before.total_alloc >= (size_t)ROUNDS * BUFFER_SIZE,
	      "total_alloc counts every byte");
	check(after.heap_alloc < 1 << 20, "what was dropped is reclaimed");
	check(after.heap_sys <= 64 << 20, "memory stays bounded");
	check(after.num_gc - before.num_gc >= 10, "collections come by themselves");
}

static struct tree *grow(struct gcheap *heap, unsigned int depth, unsigned long label)
{
	struct tree *tree = must(gcheap_alloc(heap, sizeof(*tree)));

	tree->label = label;
	if (depth) {
		tree->left = grow(heap, depth - 1, 2 * label);
		tree->right = grow(heap, depth - 1, 2 * label + 1);
	}
	return tree;
}

/* Count the nodes; labels tell whether each is where it was put. */
static unsigned long count(const struct tree *tree, unsigned long label)
{
	check(tree->label == label, "an object that is in use stays as it is");
	if (!tree->left)
		return 1;
	return 1 + count(tree->left, 2 * label) + count(tree->right, 2 * label + 1);
}

static unsigned long nodes(unsigned int depth)
{
	return (2ul << depth) - 1;
}

/* Trees come and go beside one that stays. */
static void show_structure(struct gcheap *heap)
{
	const struct gcheap_stats before = read_stats(heap);
	struct tree *kept = grow(heap, LONG_DEPTH, 1);
	struct gcheap_stats after;
	unsigned int depth, i;
	unsigned long seen = 0;

	puts("structure: a binary tree stays, others come and go");
	for (depth = MIN_DEPTH; depth <= MAX_DEPTH; depth += 2) {
		for (i = 0; i < TREES(depth); i++)
			seen += count(grow(heap, depth, 1), 1);
		check(seen == TREES(depth) * nodes(depth), "a tree is whole");
		seen = 0;
	}
	collect(heap);
	seen = count(kept, 1);
	after = read_stats(heap);

	print("nodes of the tree that stays", seen, "");
	print("nodes that came and went", after.mallocs - before.mallocs - seen, "");
	print("heap_alloc after", after.heap_alloc, "bytes");
	print("num_gc", after.num_gc - before.num_gc, "collections");
	check(seen == nodes(LONG_DEPTH), "nothing that is in use is lost");
	check(after.heap_alloc < 2 * seen * sizeof(*kept), "what was dropped is reclaimed");
}

int main(void)
{
	struct gcheap *heap = gcheap_open(NULL);

	if (!heap)
		fail("gcheap_open");
	show_pool(heap);
	show_collector(heap);
	show_structure(heap);
	gcheap_close(heap);
	puts("all promises kept");
	return 0;
}
