/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The same program on different allocators: gcheap; with -DWITH_BDWGC bdwgc; with
 * -DWITH_MALLOC the C library's functions, behind which LD_PRELOAD may put others.
 *
 * An object of get() may hold pointers, one of get_data() does not.  Both are zero but for
 * those of malloc(), which a program fills as it needs.  put() is called where a
 * programmer would call free(), and does nothing where a collector does that.  Where
 * there are no pools, borrow() and lend() are get() and put().
 *
 * collecting() tells how many nanoseconds collections have taken, zero where that is not known.
 * held() tells how many bytes of memory the allocator has for its objects and for itself;
 * held_at_most() how many those ever were since allocator_begin(), where that is known,
 * and zero elsewhere.  stops_end() tells for how long the collector held the program since
 * stops_begin(), where that is known.
 */
#ifndef GCHEAP_BENCH_ALLOCATOR_H
#define GCHEAP_BENCH_ALLOCATOR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/**
 * struct stops - how long the collector holds the program
 * @longest: at most, in nanoseconds
 * @look: of that, looking for what was written to; 0 where that is not known
 */
struct stops {
	uint64_t longest;
	uint64_t look;
};

#if defined(WITH_MALLOC)

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ALLOCATOR	"glibc"
#define IS_COLLECTED	0

/* What the process has in memory before it allocates */
static uint64_t allocator_own;

/* A line of /proc/self/status, in bytes.  Allocates nothing. */
static inline uint64_t allocator_status(const char *line)
{
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t length = read(fd, text, sizeof(text) - 1);

	close(fd);
	if (length <= 0)
		abort();
	text[length] = 0;
	return strtoull(strstr(text, line) + strlen(line), NULL, 10) * 1024;
}

static inline void allocator_begin(void)
{
	allocator_own = allocator_status("\nVmRSS:");
}

/* The kernel counts pages in batches: a program may seem to have less than at first. */
static inline uint64_t allocator_more(const char *line)
{
	uint64_t now = allocator_status(line);

	return now > allocator_own ? now - allocator_own : 0;
}

static inline uint64_t held(void)
{
	return allocator_more("\nVmRSS:");
}

static inline uint64_t held_at_most(void)
{
	return allocator_more("\nVmHWM:");
}

static inline void *get(size_t size)
{
	return malloc(size);
}

static inline void *get_data(size_t size)
{
	return malloc(size);
}

static inline void put(void *object)
{
	free(object);
}

static inline void collect(void)
{
}

static inline void give_back(void)
{
}

static inline uint64_t collections(void)
{
	return 0;
}

#elif defined(WITH_BDWGC)

#include <gc.h>

#include "tools.h"

#define ALLOCATOR	"bdwgc"
#define IS_COLLECTED	1

static inline void allocator_begin(void)
{
	GC_INIT();
}

/* Its tables included, what it has unmapped not */
static inline uint64_t held(void)
{
	struct GC_prof_stats_s stats;

	if (GC_get_prof_stats(&stats, sizeof(stats)) != sizeof(stats))
		abort();
	return stats.obtained_from_os_bytes - stats.unmapped_bytes;
}

static inline uint64_t held_at_most(void)
{
	return 0;
}

static inline void *get(size_t size)
{
	return GC_malloc(size);
}

static inline void *get_data(size_t size)
{
	return GC_malloc_atomic(size);
}

static inline void put(void *object)
{
	(void)object;
}

static inline void collect(void)
{
	GC_gcollect();
}

static inline void give_back(void)
{
	GC_gcollect_and_unmap();
}

static inline uint64_t collections(void)
{
	return GC_get_gc_no();
}

static uint64_t allocator_stopped;
static struct stops allocator_stops;

static void allocator_event(GC_EventType event)
{
	uint64_t took;

	if (event == GC_EVENT_PRE_STOP_WORLD)
		allocator_stopped = bench_now();
	if (event != GC_EVENT_POST_START_WORLD)
		return;
	took = bench_now() - allocator_stopped;
	if (took > allocator_stops.longest)
		allocator_stops.longest = took;
}

static inline void stops_begin(void)
{
	allocator_stops = (struct stops){};
	GC_set_on_collection_event(allocator_event);
}

static inline struct stops stops_end(void)
{
	GC_set_on_collection_event(NULL);
	return allocator_stops;
}

#define HAS_STOPS

#else

#include <errno.h>
#include <gcheap.h>
#include <linux/gcheap.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define ALLOCATOR	"gcheap"
#define IS_COLLECTED	1
#define HAS_POOL	1

static struct gcheap *allocator_heap;
static struct gcheap_pool *allocator_pool;

static inline void allocator_begin(void)
{
	allocator_heap = gcheap_open(NULL);
	if (!allocator_heap) {
		fprintf(stderr, "gcheap_open(): %s\n", gcheap_strerror(errno));
		exit(1);
	}
}

static inline struct gcheap_stats allocator_stats(void)
{
	struct gcheap_stats stats;

	if (gcheap_read_stats(allocator_heap, &stats))
		abort();
	return stats;
}

static inline uint64_t held(void)
{
	struct gcheap_stats stats = allocator_stats();

	return stats.heap_sys + stats.gc_sys;
}

static inline uint64_t held_at_most(void)
{
	return 0;
}

static inline void *get(size_t size)
{
	return gcheap_alloc(allocator_heap, size);
}

static inline void *get_data(size_t size)
{
	return gcheap_alloc_noscan(allocator_heap, size);
}

static inline void put(void *object)
{
	(void)object;
}

static inline void *borrow(size_t size)
{
	if (!allocator_pool) {
		allocator_pool = gcheap_pool_new(allocator_heap, size);
		if (!allocator_pool)
			abort();
	}
	return gcheap_pool_get(allocator_pool);
}

static inline void lend(void *object)
{
	gcheap_pool_put(allocator_pool, object);
}

static inline void collect(void)
{
	if (gcheap_collect(allocator_heap))
		abort();
}

static inline void give_back(void)
{
	if (gcheap_release(allocator_heap))
		abort();
}

static inline uint64_t collections(void)
{
	return allocator_stats().num_gc;
}

static inline uint64_t collecting(void)
{
	return allocator_stats().gc_cpu_ns;
}

#define HAS_COLLECTING

static uint64_t allocator_seen;

static inline void stops_begin(void)
{
	allocator_seen = collections();
}

/* The kernel remembers the last ones. */
static inline struct stops stops_end(void)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };
	uint64_t number = collections();
	struct stops stops = {};

	for (; number > allocator_seen; number--) {
		const struct gcheap_cycle *cycle = &stats.cycle;

		stats.want_cycle = number;
		if (ioctl(gcheap_fd(allocator_heap), GCHEAP_IOC_STATS, &stats))
			break;
		if (cycle->pause_ns <= stops.longest)
			continue;
		stops.longest = cycle->pause_ns;
		stops.look = cycle->dirty_ns;
	}
	return stops;
}

#define HAS_STOPS

#endif

#ifndef HAS_STOPS
static inline void stops_begin(void)
{
}

static inline struct stops stops_end(void)
{
	return (struct stops){};
}
#endif

#ifndef HAS_COLLECTING
static inline uint64_t collecting(void)
{
	return 0;
}
#endif

#ifndef HAS_POOL
static inline void *borrow(size_t size)
{
	return get(size);
}

static inline void lend(void *object)
{
	put(object);
}
#endif

#endif /* GCHEAP_BENCH_ALLOCATOR_H */
