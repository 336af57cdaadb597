// SPDX-License-Identifier: GPL-2.0
/*
 * bench_fragmentation: how much memory the program of trace.h takes for each byte that
 * it uses: at most while objects come and go, ten seconds after it has dropped nine of
 * ten, and when other objects have taken their place.
 *
 *	bench_fragmentation [OBJECTS]
 *
 * Built with -DWITH_MALLOC it uses malloc(), with -DWITH_BDWGC bdwgc, else gcheap.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../trace.h"

#if defined(WITH_MALLOC)

static void *get(size_t bytes)
{
	return malloc(bytes);
}

static void begin(void)
{
}

static void collect(void)
{
}

#define PUT	free

#elif defined(WITH_BDWGC)

#include <gc.h>

static void *get(size_t bytes)
{
	return GC_malloc_atomic(bytes);
}

static void begin(void)
{
	GC_INIT();
}

static void collect(void)
{
	GC_gcollect_and_unmap();
}

#define PUT	NULL

#else

#include <gcheap.h>

static struct gcheap *heap;

static void *get(size_t bytes)
{
	return gcheap_alloc_noscan(heap, bytes);
}

static void begin(void)
{
	heap = gcheap_open(NULL);
}

static void collect(void)
{
	gcheap_release(heap);
}

/* What is in no page table counts, too, and what the collector itself has. */
static uint64_t held(void)
{
	struct gcheap_stats stats;

	if (gcheap_read_stats(heap, &stats))
		exit(1);
	return stats.heap_sys + stats.gc_sys;
}

#define PUT	NULL

#endif

#if defined(WITH_MALLOC) || defined(WITH_BDWGC)

/* All that the process has in memory */
static uint64_t held(void)
{
	unsigned long size, pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%lu %lu", &size, &pages) != 2)
		exit(1);
	fclose(file);
	return pages * 4096;
}

#endif

static struct trace trace;
static double peak;

/* What is held before there are objects */
static uint64_t own;

static double ratio(void)
{
	return (double)(held() - own) / trace.live;
}

static void watch(struct trace *unused)
{
	double now = ratio();

	(void)unused;
	peak = now > peak ? now : peak;
}

int main(int argc, char **argv)
{
	uint64_t live;

	trace.nr = argc > 1 ? atol(argv[1]) : 100000;
	if (trace.nr < 100 || trace.nr > TRACE_MAX)
		return 1;
	begin();
	trace.get = get;
	trace.put = PUT;
	trace.watch = watch;
	trace.random = 1;
	/* Its own pages are there from the start on. */
	memset(trace.sizes, 1, sizeof(trace.sizes));
	memset(trace.objects, 1, sizeof(trace.objects));
	memset(trace.objects, 0, sizeof(trace.objects));
	own = held();
	trace_fill(&trace);
	trace_churn(&trace, 2 * trace.nr);
	live = trace.live;
	trace_drop_most(&trace);
	printf("%.0f MiB in use, peak %.2f, dropped to a tenth %.2f, ", live / 1048576.0,
	       peak, ratio());
	fflush(stdout);
	sleep(10);
	printf("10 s later %.2f, ", ratio());
	trace_refill(&trace, live);
	printf("refilled %.2f, ", ratio());
	collect();
	printf("collected %.2f\n", ratio());
	return !trace_is_whole(&trace);
}
