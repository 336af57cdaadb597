/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs of the suite have in common.  Each does the same whoever allocates, and
 * each time, and prints for each thing that it has measured
 *
 *	result NAME ALLOCATOR NANOSECONDS COLLECTIONS BYTES
 *
 * On the counting machine a nanosecond is an instruction of the processor, the kernel's and
 * its workers' included.  BYTES is the most memory that the allocator was seen to hold
 * since the measurement began: at its end, wherever bench_sample() was called, and with
 * malloc(), for which the kernel keeps that, at any time.  BENCH_ALLOCATOR is what else
 * stands behind malloc().
 */
#ifndef GCHEAP_BENCH_H
#define GCHEAP_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "allocator.h"
#include "tools.h"

static struct {
	uint64_t begin;
	uint64_t collections;
	uint64_t most;
} bench;

static inline void bench_begin(void)
{
	bench.most = 0;
	bench.collections = collections();
	bench.begin = bench_now();
}

/* Where much may be held.  Takes some hundred instructions. */
static inline void bench_sample(void)
{
	uint64_t now = IS_COLLECTED ? held() : 0;

	if (now > bench.most)
		bench.most = now;
}

static inline void bench_print(const char *name, uint64_t ns, uint64_t bytes)
{
	const char *allocator = getenv("BENCH_ALLOCATOR");

	printf("result %s %s %llu %llu %llu\n", name, allocator ? allocator : ALLOCATOR,
	       (unsigned long long)ns,
	       (unsigned long long)(collections() - bench.collections),
	       (unsigned long long)bytes);
	fflush(stdout);
}

/* The most that was held since bench_begin() */
static inline uint64_t bench_held(void)
{
	bench_sample();
	return IS_COLLECTED ? bench.most : held_at_most();
}

static inline void bench_end(const char *name)
{
	uint64_t took = bench_now() - bench.begin;

	bench_print(name, took, bench_held());
}

#endif /* GCHEAP_BENCH_H */
