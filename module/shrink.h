/* SPDX-License-Identifier: GPL-2.0 */
/* What heaps do when the machine, or a memory cgroup, is short.  See shrink.c. */
#ifndef GCHEAP_SHRINK_H
#define GCHEAP_SHRINK_H

struct gc_heap;

int gc_shrink_init(void);
void gc_shrink_exit(void);

int gc_shrink_begin(struct gc_heap *heap);
void gc_shrink_end(struct gc_heap *heap);

#endif /* GCHEAP_SHRINK_H */
