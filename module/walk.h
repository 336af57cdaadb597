/* SPDX-License-Identifier: GPL-2.0 */
/* All objects of a heap: the call WALK. */
#ifndef GCHEAP_WALK_H
#define GCHEAP_WALK_H

struct gc_heap;
struct gcheap_ioc_walk;

int gc_walk(struct gc_heap *heap, struct gcheap_ioc_walk *walk);

#endif /* GCHEAP_WALK_H */
