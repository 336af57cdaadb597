// SPDX-License-Identifier: GPL-2.0
/*
 * mark_core [NODES [POINTERS]]: ../suite/mark.c with the portable core of the module in user
 * space: no system call, no thread to stop, and no root but one.
 *
 * The same nodes refer to each other in the same way.  What is measured is the rest of a
 * collection: marking, its end, and sweeping.  See ../../fuzz/core/kernel.h for what stands
 * for the kernel.
 */
#include "../suite/tools.h"

#include <limits.h>

#include "kernel.h"
#include "mark.h"
#include "slab.h"

#define HEAP_BASE	0x7e0000000000UL
#define TIMES		5

struct node {
	unsigned long next;
	unsigned long other;
	unsigned long data[2];
};

static struct gc_slabs gs;
static long nr, pointers;

/* Where in the heap the nodes are, from its base on; in the order of the list */
static size_t *nodes;

/* Nobody has mapped the heap. */
void unmap_mapping_range(void *mapping, long long start, long long bytes, int even_private)
{
}

static struct node *node_at(size_t offset)
{
	struct gc_slab *slab;
	u32 index;

	slab = gc_slab_find(&gs, offset, &index);
	return slab->kaddr + index * slab->object_size;
}

static void allocate(void)
{
	long i;

	nodes = calloc(nr, sizeof(*nodes));
	must(nodes);
	for (i = 0; i < nr; i++) {
		long offset = gc_slab_alloc_object(&gs, sizeof(struct node), false);

		must(offset >= 0);
		nodes[i] = offset;
	}
}

static void link_nodes(void)
{
	long i;

	for (i = 0; i < nr; i++) {
		struct node *node = node_at(nodes[i]);

		node->next = i + 1 < nr ? HEAP_BASE + nodes[i + 1] : 0;
		node->other = pointers > 1 && i + 2 < nr ? HEAP_BASE + nodes[i + 2] : 0;
	}
}

static void shuffle(void)
{
	uint64_t state = 1;
	long left = nr, i;

	while (left > 1) {
		size_t offset;

		i = bench_random(&state, left--);
		offset = nodes[i];
		nodes[i] = nodes[left];
		nodes[left] = offset;
	}
	link_nodes();
	if (pointers < 2)
		return;
	for (i = 0; i < nr; i++)
		node_at(nodes[i])->other = HEAP_BASE + nodes[bench_random(&state, nr)];
}

static void collect(void)
{
	unsigned long root = HEAP_BASE + nodes[0];
	struct gc_marker marker;
	u64 marked;

	must(!gc_marker_init(&marker, &gs, HEAP_BASE));
	gc_mark_words(&marker, &root, 1);
	must(!gc_mark_drain(&marker));
	marked = marker.marked;
	gc_marker_destroy(&marker);
	gc_slabs_marked(&gs, marked, false);
	gc_slabs_sweep(&gs, UINT_MAX);
}

static void measure(const char *name)
{
	int i;

	collect();
	for (i = 0; i < TIMES; i++) {
		uint64_t begin = bench_now();

		collect();
		printf("result %s gcheap %llu 1 %lu\n", name,
		       (unsigned long long)(bench_now() - begin),
		       machine.pages * PAGE_SIZE + machine.bytes);
		must(gs.live == nr * sizeof(struct node));
		must(gc_slabs_allocated(&gs) == gs.live);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	nr = bench_number(argc, argv, 1, 200000);
	pointers = bench_number(argc, argv, 2, 1);
	must(!gc_slabs_init(&gs, MACHINE_PAGES, NULL));
	/* As in a heap: what lies at its base is no object. */
	gs.pages.reserved = 1;
	allocate();
	link_nodes();
	measure(pointers > 1 ? "graph-sequential" : "mark-sequential");
	shuffle();
	measure(pointers > 1 ? "graph-shuffled" : "mark-shuffled");
	return 0;
}
