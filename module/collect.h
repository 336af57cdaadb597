/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One collection, from the decision to the sweep.
 *
 * Owns, for as long as a stop takes: the second marker, and what reads the roots; what
 * lives longer is struct gc_collection's.  The heap's cycles and counts of pauses are
 * written here alone.
 *
 * Lock order: the caller has gc_heap.lock, and what is locked below that is in
 * heap.h.  The collector waits for the threads of the world and for the memory of
 * their processes, with patience that ends; those who want the heap's lock wait for
 * the collector, and nobody does who holds an mmap_lock.
 */
#ifndef GCHEAP_COLLECT_H
#define GCHEAP_COLLECT_H

#include <linux/types.h>

struct gc_heap;
struct gcheap_ioc_collect;

int gc_collect(struct gc_heap *heap, bool forced);
void gc_collect_begin(struct gc_heap *heap);
void gc_collect_hold(struct gc_heap *heap);
bool gc_collect_go_on(struct gc_heap *heap);
bool gc_collect_waits(struct gc_heap *heap);
u64 gc_collect_portion(const struct gc_heap *heap);
int gc_collect_if_due(struct gc_heap *heap, u64 more);
bool gc_collect_for_room(struct gc_heap *heap);
int gc_collect_now(struct gc_heap *heap, struct gcheap_ioc_collect *result,
		   bool *locked);

#endif /* GCHEAP_COLLECT_H */
