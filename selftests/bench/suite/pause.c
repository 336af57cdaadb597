// SPDX-License-Identifier: GPL-2.0
/*
 * pause [TIMES [MIB [STORES]]]: so many objects of 32 bytes are allocated and dropped beside
 * a list of so many mebibytes of the same, in no order, that stays.  One in so many of
 * them is not dropped at once, but stored into a node of the list, in the place of an
 * earlier one.  Without TIMES, or with 0, it is half as many again as the list has.
 *
 * Tells, as pause-MIB-longest and so on: how long the program got no further at most, and at
 * most in 999 of 1000 cases, looking at the clock each time; how long it was held, as the
 * collector tells; and which part of that it took to look for what was written to.  That is
 * 0 where it is not known.
 */
#include "bench.h"
#include "lists.h"

#define MIB		1048576ul

/* The time between two looks at the clock is told by its highest bits, 32 steps for each. */
#define STEPS		32
#define BUCKETS		(60 * STEPS)

struct gaps {
	uint64_t nr[BUCKETS];
	uint64_t longest;
};

static unsigned int bucket_of(uint64_t ns)
{
	int shift = ns < STEPS ? 0 : 58 - __builtin_clzll(ns);

	return shift * STEPS + (ns >> shift);
}

static void note(struct gaps *gaps, uint64_t ns)
{
	gaps->nr[bucket_of(ns)]++;
	if (ns > gaps->longest)
		gaps->longest = ns;
}

/* No more than so many are longer. */
static uint64_t all_but(const struct gaps *gaps, uint64_t nr)
{
	int i = BUCKETS - 1;

	while (i && gaps->nr[i] <= nr)
		nr -= gaps->nr[i--];
	return i < STEPS ? i : (uint64_t)(i % STEPS + STEPS) << (i / STEPS - 1);
}

/* Where a compiler cannot know that it is used no more */
static struct node *volatile seen;

static void allocate(struct gaps *gaps, struct node *list, long times, long stores)
{
	uint64_t before = bench_now(), now;
	struct node *at = list, *node;
	long i;

	for (i = 0; i < times; i++) {
		node = new_node();
		seen = node;
		if (i % stores == 0) {
			put(at->other);
			at->other = node;
			at = at->next ? at->next : list;
		} else {
			put(node);
		}
		now = bench_now();
		note(gaps, now - before);
		before = now;
	}
}

static void print(const char *what, long mib, uint64_t ns, uint64_t bytes)
{
	char name[64];

	snprintf(name, sizeof(name), "pause-%ld-%s", mib, what);
	bench_print(name, ns, bytes);
}

int main(int argc, char **argv)
{
	long times = bench_number(argc, argv, 1, 0);
	long mib = bench_number(argc, argv, 2, 32);
	long stores = bench_number(argc, argv, 3, 16);
	long nr = mib * MIB / sizeof(struct node);
	struct node *volatile list;
	static struct gaps gaps;
	struct stops stops;
	uint64_t bytes;

	times = times ? times : nr + nr / 2;
	must(nr > 0 && times > 0 && stores > 0);
	allocator_begin();
	list = shuffled(new_list(nr), nr, false);
	collect();
	bench_begin();
	stops_begin();
	allocate(&gaps, list, times, stores);
	stops = stops_end();
	bytes = bench_held();
	print("longest", mib, gaps.longest, bytes);
	print("99.9", mib, all_but(&gaps, times / 1000), bytes);
	print("held", mib, stops.longest, bytes);
	print("held-look", mib, stops.look, bytes);
	must(length(list) == nr);
	return 0;
}
