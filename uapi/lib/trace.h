/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* GCHEAP_TRACE: a line for each collection. */
#ifndef GCH_TRACE_H
#define GCH_TRACE_H

#include "heap.h"

int gch_trace_start(struct gcheap *heap);
void gch_trace_stop(struct gcheap *heap);
void gch_trace_print(struct gcheap *heap, __u64 cycle);

/**
 * gch_trace() - print the collections that were not printed yet
 * @heap: heap
 * @cycle: number of its last collection
 */
static inline void gch_trace(struct gcheap *heap, __u64 cycle)
{
	if (unlikely(heap->traced))
		gch_trace_print(heap, cycle);
}

#endif /* GCH_TRACE_H */
