// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * How a heap is doing, in the words of gcheap.h.
 *
 * The kernel has it ready in a page that is mapped beside the heap.  It cannot write
 * there in one instant: so we look at the page's sequence before and after, and do not
 * wait for ever, since the machine may stand still while the kernel writes, for it is
 * another machine's guest.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call.h"
#include "stats.h"

/* Then the kernel is asked, which is right in any case. */
#define TRIES	64

/**
 * gch_stats_map() - map the page of a heap
 * @fd: descriptor of the heap
 *
 * Return: the page, or NULL: then the kernel is asked each time.
 */
const struct gcheap_stats_page *gch_stats_map(int fd)
{
	void *page = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd,
			  GCHEAP_STATS_OFFSET);

	return page == MAP_FAILED ? NULL : page;
}

/**
 * gch_stats_unmap() - unmap the page of a heap
 * @page: page or NULL
 */
void gch_stats_unmap(const struct gcheap_stats_page *page)
{
	if (page)
		munmap((void *)page, sysconf(_SC_PAGESIZE));
}

/* The kernel may be writing to these: each number is read once. */
static void copy(struct gcheap_stats *out, const volatile struct gcheap_ioc_stats *stats,
		 const volatile struct gcheap_class_stats *classes)
{
	__u32 i, count = stats->class_count;

	if (count > GCHEAP_STATS_CLASSES)
		count = GCHEAP_STATS_CLASSES;
	out->total_alloc = stats->total_alloc;
	out->mallocs = stats->mallocs;
	out->frees = stats->frees;
	out->heap_alloc = stats->heap_alloc;
	out->heap_objects = stats->heap_objects;
	out->heap_sys = stats->heap_sys;
	out->heap_idle = stats->heap_idle;
	out->heap_inuse = stats->heap_inuse;
	out->heap_released = stats->heap_released;
	out->next_gc = stats->next_gc;
	out->last_gc_ns = stats->last_gc_ns;
	out->pause_total_ns = stats->pause_total_ns;
	out->pause_max_ns = stats->pause_max_ns;
	out->num_gc = stats->num_gc;
	out->num_forced_gc = stats->num_forced_gc;
	out->gc_sys = stats->gc_sys;
	out->gc_cpu_ns = stats->gc_cpu_ns;
	out->num_classes = count;
	for (i = 0; i < count; i++) {
		out->by_size[i].size = classes[i].object_size;
		out->by_size[i].mallocs = classes[i].mallocs;
		out->by_size[i].frees = classes[i].frees;
	}
}

static bool read_page(const struct gcheap_stats_page *page, struct gcheap_stats *out)
{
	const void *classes = (const char *)page + page->classes;
	__u32 before, after;
	int tries;

	for (tries = 0; tries < TRIES; tries++) {
		before = __atomic_load_n(&page->sequence, __ATOMIC_ACQUIRE);
		copy(out, &page->stats, classes);
		atomic_thread_fence(memory_order_acquire);
		after = __atomic_load_n(&page->sequence, __ATOMIC_RELAXED);
		if (before == after && !(before % 2))
			return true;
	}
	return false;
}

static int ask(struct gcheap *heap, struct gcheap_stats *out)
{
	/* Valgrind does not know that the kernel fills it. */
	struct gcheap_class_stats classes[GCHEAP_STATS_CLASSES] = {};
	struct gcheap_ioc_stats stats = {
		.size = sizeof(stats),
		.classes = (uintptr_t)classes,
		.class_capacity = GCHEAP_STATS_CLASSES,
	};
	int err = gch_call(heap, GCHEAP_IOC_STATS, &stats);

	if (!err)
		copy(out, &stats, classes);
	return err;
}

int gcheap_read_stats(struct gcheap *heap, struct gcheap_stats *out)
{
	int err;

	memset(out, 0, sizeof(*out));
	if (heap->page && read_page(heap->page, out))
		return 0;
	err = ask(heap, out);
	if (!err)
		return 0;
	errno = -err;
	return -1;
}
