// SPDX-License-Identifier: GPL-2.0
/*
 * churn [TIMES [MIB]]: of so many mebibytes in objects of 16 to 256 bytes, one at random
 * is replaced, so many times.
 */
#include "bench.h"

#define MIB	1048576ul

/* Objects of all sizes are 136 bytes large on average. */
#define AVERAGE	136

static uint64_t state = 1;

static void *new_object(void)
{
	size_t size = 16 + 8 * bench_random(&state, 31);
	uint64_t *object = get(size);

	object[0] = size;
	object[size / 8 - 1] = size;
	return object;
}

int main(int argc, char **argv)
{
	long times = bench_number(argc, argv, 1, 1500000), i;
	long nr = bench_number(argc, argv, 2, 64) * MIB / AVERAGE;
	void **table;

	allocator_begin();
	table = get(nr * sizeof(*table));
	for (i = 0; i < nr; i++)
		table[i] = new_object();
	bench_begin();
	for (i = 0; i < times; i++) {
		long n = bench_random(&state, nr);

		put(table[n]);
		table[n] = new_object();
	}
	bench_end("churn");
	for (i = 0; i < nr; i++)
		must(*(uint64_t *)table[i] >= 16);
	return 0;
}
