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
 *
 * With BENCH_COLLECTING it is also told how much of that were collections, as
 * NAME-collecting, where the allocator tells.
 *
 * Where the kernel counts system calls, in the file BENCH_CALLS, the line ends with how many
 * there were meanwhile, and how many faults.
 */
#ifndef GCHEAP_BENCH_H
#define GCHEAP_BENCH_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "allocator.h"
#include "tools.h"

struct bench_counts {
	uint64_t calls;
	uint64_t faults;
};

static struct {
	uint64_t begin;
	uint64_t collecting;
	uint64_t collections;
	uint64_t most;
	struct bench_counts counts;
	uint64_t own_calls;
} bench;

static inline struct bench_counts bench_read_counts(void)
{
	const char *name = getenv("BENCH_CALLS");
	struct bench_counts counts = {};
	struct rusage usage;
	char text[32] = {};
	int fd;

	if (!name)
		return counts;
	must(!getrusage(RUSAGE_SELF, &usage));
	counts.faults = usage.ru_minflt + usage.ru_majflt;
	fd = open(name, O_RDONLY);
	must(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	counts.calls = strtoull(text, NULL, 10);
	return counts;
}

/*
 * What one reading makes of calls is seen between two.  There are two looks at the clock
 * besides, of which as much as one is part of what is measured.
 */
static inline void bench_begin_counts(void)
{
	uint64_t before = bench_read_counts().calls;

	bench.counts = bench_read_counts();
	bench.own_calls = bench.counts.calls - before + 1;
}

static inline void bench_end_counts(void)
{
	struct bench_counts now = bench_read_counts();

	bench.counts.calls = now.calls - bench.counts.calls - bench.own_calls;
	bench.counts.faults = now.faults - bench.counts.faults;
}

static inline void bench_begin(void)
{
	bench.most = 0;
	bench.collecting = collecting();
	bench.collections = collections();
	bench_begin_counts();
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

	printf("result %s %s %llu %llu %llu", name, allocator ? allocator : ALLOCATOR,
	       (unsigned long long)ns,
	       (unsigned long long)(collections() - bench.collections),
	       (unsigned long long)bytes);
	if (getenv("BENCH_CALLS"))
		printf(" %llu %llu", (unsigned long long)bench.counts.calls,
		       (unsigned long long)bench.counts.faults);
	printf("\n");
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
	char collector[64];

	bench_end_counts();
	bench_print(name, took, bench_held());
	if (!getenv("BENCH_COLLECTING"))
		return;
	snprintf(collector, sizeof(collector), "%s-collecting", name);
	bench_print(collector, collecting() - bench.collecting, bench_held());
}

#endif /* GCHEAP_BENCH_H */
