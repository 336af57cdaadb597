// SPDX-License-Identifier: GPL-2.0
/*
 * pool [TIMES]: some buffers of 1 KiB are taken, written to and given back, so many times:
 * from a pool, where the allocator has pools, and once more as objects that are allocated
 * and dropped.
 */
#include "bench.h"

#define SIZE	1024
#define AT_ONCE	4

/* Where a compiler cannot know that it is used no more */
static char *volatile seen;

static void use(char *buffer, long i)
{
	buffer[0] = i;
	buffer[SIZE - 1] = i;
	seen = buffer;
}

static void from_pool(long times)
{
	char *buffers[AT_ONCE];
	long i, n;

	for (i = 0; i < times; i++) {
		for (n = 0; n < AT_ONCE; n++) {
			buffers[n] = borrow(SIZE);
			use(buffers[n], i);
		}
		while (n--)
			lend(buffers[n]);
	}
}

static void from_allocator(long times)
{
	char *buffers[AT_ONCE];
	long i, n;

	for (i = 0; i < times; i++) {
		for (n = 0; n < AT_ONCE; n++) {
			buffers[n] = get(SIZE);
			use(buffers[n], i);
		}
		while (n--)
			put(buffers[n]);
	}
}

int main(int argc, char **argv)
{
	long times = bench_number(argc, argv, 1, 100000) / AT_ONCE;

	allocator_begin();
	bench_begin();
	from_pool(times);
	bench_end("pool");
	bench_begin();
	from_allocator(times);
	bench_end("pool-plain");
	return 0;
}
