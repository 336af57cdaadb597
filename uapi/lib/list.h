/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* The heaps of this process. */
#ifndef GCH_LIST_H
#define GCH_LIST_H

#include "heap.h"

struct gcheap *gch_heap_at(__u64 base);
struct gcheap *gch_heap_entry(void);
void gch_heap_publish(struct gcheap *heap);
void gch_heap_retract(struct gcheap *heap);

#endif /* GCH_LIST_H */
