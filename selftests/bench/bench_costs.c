// SPDX-License-Identifier: GPL-2.0
/*
 * bench_costs: what a system call costs that does nothing, and a fault that brings a page.
 * Prints "cost call NANOSECONDS", and "cost fault NANOSECONDS": medians.
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "suite/tools.h"

#define TIMES	31
#define CALLS	500
#define PAGES	512
#define PAGE	4096

static int compare(const void *one, const void *other)
{
	const uint64_t *a = one, *b = other;

	return *a < *b ? -1 : *a > *b;
}

static void report(const char *what, uint64_t *took, int nr)
{
	qsort(took, TIMES, sizeof(*took), compare);
	printf("cost %s %llu\n", what, (unsigned long long)(took[TIMES / 2] / nr));
}

static uint64_t call(void)
{
	uint64_t begin = bench_now();
	int i;

	for (i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	return bench_now() - begin;
}

static uint64_t fault(void)
{
	volatile char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t begin, took;
	int i;

	must(memory != MAP_FAILED);
	madvise((void *)memory, PAGES * PAGE, MADV_NOHUGEPAGE);
	begin = bench_now();
	for (i = 0; i < PAGES; i++)
		memory[i * PAGE] = 1;
	took = bench_now() - begin;
	munmap((void *)memory, PAGES * PAGE);
	return took;
}

int main(void)
{
	uint64_t took[TIMES];
	int i;

	for (i = 0; i < TIMES; i++)
		took[i] = call();
	report("call", took, CALLS);
	for (i = 0; i < TIMES; i++)
		took[i] = fault();
	report("fault", took, PAGES);
	return 0;
}
