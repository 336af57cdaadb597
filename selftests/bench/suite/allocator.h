/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The same program on different allocators: gcheap; with -DWITH_BDWGC bdwgc; with
 * -DWITH_MALLOC the C library's functions, behind which LD_PRELOAD may put others.
 *
 * An object of get() may hold pointers, one of get_data() does not.  Both are zero but for
 * those of malloc(), which a program fills as it needs.  put() is called where a
 * programmer would call free(), and does nothing where a collector does that.
 */
#ifndef GCHEAP_BENCH_ALLOCATOR_H
#define GCHEAP_BENCH_ALLOCATOR_H

#include <stdint.h>
#include <stdlib.h>

#if defined(WITH_MALLOC)

#define ALLOCATOR	"glibc"
#define IS_COLLECTED	0

static inline void allocator_begin(void)
{
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

static inline uint64_t collections(void)
{
	return 0;
}

#elif defined(WITH_BDWGC)

#include <gc.h>

#define ALLOCATOR	"bdwgc"
#define IS_COLLECTED	1

static inline void allocator_begin(void)
{
	GC_INIT();
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

static inline uint64_t collections(void)
{
	return GC_get_gc_no();
}

#else

#include <gcheap.h>

#define ALLOCATOR	"gcheap"
#define IS_COLLECTED	1

static struct gcheap *allocator_heap;

static inline void allocator_begin(void)
{
	allocator_heap = gcheap_open(NULL);
	if (!allocator_heap)
		abort();
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

static inline void collect(void)
{
	gcheap_collect(allocator_heap);
}

static inline uint64_t collections(void)
{
	struct gcheap_stats stats;

	return gcheap_read_stats(allocator_heap, &stats) ? 0 : stats.num_gc;
}

#endif

#endif /* GCHEAP_BENCH_ALLOCATOR_H */
