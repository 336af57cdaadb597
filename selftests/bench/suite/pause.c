// SPDX-License-Identifier: GPL-2.0
/*
 * pause [TIMES [MIB]]: so many objects are allocated and dropped beside a list of so many
 * mebibytes that stays.  Tells how long one of them took at most, and that one took no
 * longer in 999 of 1000 cases; the time between two looks at the clock counts.
 */
#include "bench.h"

#define MIB	1048576ul

struct node {
	struct node *next;
	long data[7];
};

/* Where a compiler cannot know that it is used no more */
static struct node *volatile seen;

static struct node *new_list(long nr)
{
	struct node *list = NULL;

	while (nr--) {
		struct node *node = get(sizeof(*node));

		node->next = list;
		node->data[0] = nr;
		list = node;
	}
	return list;
}

static void allocate(uint64_t *gaps, long times)
{
	uint64_t before = bench_now();
	long i;

	for (i = 0; i < times; i++) {
		struct node *node = get(sizeof(*node));
		uint64_t now;

		node->next = NULL;
		seen = node;
		put(node);
		now = bench_now();
		gaps[i] = now - before;
		before = now;
	}
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static long length(const struct node *list)
{
	long nr = 0;

	for (; list; list = list->next)
		nr++;
	return nr;
}

int main(int argc, char **argv)
{
	long times = bench_number(argc, argv, 1, 500000), i;
	long nr = bench_number(argc, argv, 2, 32) * MIB / sizeof(struct node);
	uint64_t *gaps = malloc(times * sizeof(*gaps)), bytes;
	struct node *volatile list;

	must(gaps && times > 0);
	/* Its pages are there before the first gap. */
	for (i = 0; i < times; i++)
		gaps[i] = 1;
	allocator_begin();
	list = new_list(nr);
	bench_begin();
	allocate(gaps, times);
	bytes = bench_held();
	qsort(gaps, times, sizeof(*gaps), compare);
	bench_print("pause-longest", gaps[times - 1], bytes);
	bench_print("pause-99.9", gaps[(size_t)((times - 1) * 0.999)], bytes);
	must(length(list) == nr);
	return 0;
}
