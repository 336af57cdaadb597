/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a heap is doing: what GCHEAP_IOC_STATS tells, and a page that has it ready.
 *
 * Each heap has the page, a struct gcheap_stats_page of the kernel's, for as long as it
 * lives.  Its processes may map it, and never write to it.  It is brought up to date
 * whenever somebody lets go of the heap's lock (gc_heap_unlock()), under which all of
 * it changes, but parts of gc_sys; so it has what was true when the heap was last at
 * rest.  A mapping of it holds the heap's file, as one of the heap does, but is no
 * mapping of the heap: it keeps no object, and makes nobody be stopped.
 *
 * Locks: the heap's for writing; none for reading.  Processors do not leave a writer in
 * the middle, as readers wait for it.
 */
#ifndef GCHEAP_STATS_H
#define GCHEAP_STATS_H

#include <linux/gcheap.h>
#include <linux/mm_types.h>

struct gc_heap;

#define GC_STATS_PGOFF	(GCHEAP_STATS_OFFSET >> PAGE_SHIFT)

int gc_stats_init(struct gc_heap *heap);
void gc_stats_destroy(struct gc_heap *heap);

size_t gc_stats_meta_bytes(const struct gc_heap *heap);
void gc_stats_released(struct gc_heap *heap);
void gc_stats_fill(struct gc_heap *heap, struct gcheap_ioc_stats *stats);
void gc_stats_publish(struct gc_heap *heap);
void gc_stats_sweeps(struct gc_heap *heap);
void gc_stats_audit(struct gc_heap *heap);

int gc_stats_mmap(struct gc_heap *heap, struct vm_area_struct *vma);

#endif /* GCHEAP_STATS_H */
