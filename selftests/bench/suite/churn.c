// SPDX-License-Identifier: GPL-2.0
/*
 * churn [TIMES [MIB [THREADS]]]: of so many mebibytes in objects of 16 to 256 bytes, one
 * at random is replaced, so many times.  Several threads share out objects and work.
 */
#include "bench.h"

#include <pthread.h>

#define MIB		1048576ul
#define MOST_THREADS	64

/* Objects of all sizes are 136 bytes large on average. */
#define AVERAGE		136

/* How often memory is looked at */
#define SAMPLE		65536

/**
 * struct part - what one thread does
 * @table: its objects
 * @nr: how many those are
 * @times: how often one is replaced
 * @state: of its random numbers
 */
struct part {
	void **table;
	long nr;
	long times;
	uint64_t state;
};

static struct part parts[MOST_THREADS];

static void *new_object(struct part *part)
{
	size_t size = 16 + 8 * bench_random(&part->state, 31);
	uint64_t *object = get(size);

	object[0] = size;
	object[size / 8 - 1] = size;
	return object;
}

static void fill(struct part *part)
{
	long i;

	part->table = get(part->nr * sizeof(*part->table));
	for (i = 0; i < part->nr; i++)
		part->table[i] = new_object(part);
}

static void *replace(void *arg)
{
	struct part *part = arg;
	long i;

	for (i = 0; i < part->times; i++) {
		long n = bench_random(&part->state, part->nr);

		put(part->table[n]);
		part->table[n] = new_object(part);
		if (i % SAMPLE == 0 && part == parts)
			bench_sample();
	}
	return NULL;
}

static void replace_all(long threads)
{
	pthread_t others[MOST_THREADS];
	long i;

	for (i = 1; i < threads; i++)
		must(!pthread_create(&others[i], NULL, replace, &parts[i]));
	replace(&parts[0]);
	for (i = 1; i < threads; i++)
		must(!pthread_join(others[i], NULL));
}

static void check(const struct part *part)
{
	long i;

	for (i = 0; i < part->nr; i++)
		must(*(uint64_t *)part->table[i] >= 16);
}

int main(int argc, char **argv)
{
	long times = bench_number(argc, argv, 1, 1500000);
	long nr = bench_number(argc, argv, 2, 64) * MIB / AVERAGE;
	long threads = bench_number(argc, argv, 3, 1), i;
	char name[32] = "churn";

	if (threads < 1 || threads > MOST_THREADS)
		return 1;
	allocator_begin();
	for (i = 0; i < threads; i++) {
		parts[i] = (struct part){
			.nr = nr / threads, .times = times / threads, .state = i + 1
		};
		fill(&parts[i]);
	}
	if (threads > 1)
		snprintf(name, sizeof(name), "churn-%ld", threads);
	bench_begin();
	replace_all(threads);
	bench_end(name);
	for (i = 0; i < threads; i++)
		check(&parts[i]);
	return 0;
}
