// SPDX-License-Identifier: MIT OR GPL-2.0
/* How a heap is doing, in the words of gcheap.h. */
#include <errno.h>
#include <string.h>

#include "cache.h"
#include "call.h"

static void copy_classes(struct gcheap_stats *out, const struct gcheap_class_stats *classes,
			 __u32 count)
{
	__u32 i;

	if (count > GCHEAP_STATS_CLASSES)
		count = GCHEAP_STATS_CLASSES;
	out->num_classes = count;
	for (i = 0; i < count; i++) {
		out->by_size[i].size = classes[i].object_size;
		out->by_size[i].mallocs = classes[i].mallocs;
		out->by_size[i].frees = classes[i].frees;
	}
}

int gcheap_read_stats(struct gcheap *heap, struct gcheap_stats *out)
{
	/* Valgrind does not know that the kernel fills it. */
	struct gcheap_class_stats classes[GCHEAP_STATS_CLASSES] = {};
	struct gcheap_ioc_stats stats = {
		.size = sizeof(stats),
		.classes = (uintptr_t)classes,
		.class_capacity = GCHEAP_STATS_CLASSES,
	};
	int err;

	/* What is handed out from a slab counts when the slab comes back. */
	gch_cache_flush(heap);
	err = gch_call(heap, GCHEAP_IOC_STATS, &stats);
	if (err) {
		errno = -err;
		return -1;
	}
	memset(out, 0, sizeof(*out));
	out->total_alloc = stats.total_alloc;
	out->mallocs = stats.mallocs;
	out->frees = stats.frees;
	out->heap_alloc = stats.heap_alloc;
	out->heap_objects = stats.heap_objects;
	out->heap_sys = stats.heap_sys;
	out->heap_idle = stats.heap_idle;
	out->heap_inuse = stats.heap_inuse;
	out->heap_released = stats.heap_released;
	out->next_gc = stats.next_gc;
	out->last_gc_ns = stats.last_gc_ns;
	out->pause_total_ns = stats.pause_total_ns;
	out->pause_max_ns = stats.pause_max_ns;
	out->num_gc = stats.num_gc;
	out->num_forced_gc = stats.num_forced_gc;
	out->gc_sys = stats.gc_sys;
	out->gc_cpu_ns = stats.gc_cpu_ns;
	copy_classes(out, classes, stats.class_count);
	return 0;
}
