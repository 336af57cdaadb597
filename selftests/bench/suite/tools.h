/* SPDX-License-Identifier: GPL-2.0 */
/* What a benchmark needs, whatever it measures. */
#ifndef GCHEAP_BENCH_TOOLS_H
#define GCHEAP_BENCH_TOOLS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define must(condition)								\
do {										\
	if (!(condition)) {							\
		perror(#condition);						\
		exit(1);							\
	}									\
} while (0)

static inline uint64_t bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* A number that a program is given, or what it is without */
static inline long bench_number(int argc, char **argv, int nth, long without)
{
	return argc > nth ? strtol(argv[nth], NULL, 0) : without;
}

/* Marsaglia's xorshift */
static inline uint64_t bench_random(uint64_t *state, uint64_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (*state >> 11) % below;
}

#endif /* GCHEAP_BENCH_TOOLS_H */
