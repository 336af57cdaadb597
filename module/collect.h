/* SPDX-License-Identifier: GPL-2.0 */
/* One collection, from the decision to the sweep. */
#ifndef GCHEAP_COLLECT_H
#define GCHEAP_COLLECT_H

#include <linux/types.h>

struct gc_heap;
struct gcheap_ioc_collect;

int gc_collect(struct gc_heap *heap, bool forced);
int gc_collect_if_due(struct gc_heap *heap, u64 more);
void gc_collect_released(struct gc_heap *heap);
int gc_collect_now(struct gc_heap *heap, struct gcheap_ioc_collect *result);

#endif /* GCHEAP_COLLECT_H */
