/* SPDX-License-Identifier: GPL-2.0 */
/* What heaps do when the machine, or a memory cgroup, is short.  See shrink.c. */
#ifndef GCHEAP_SHRINK_H
#define GCHEAP_SHRINK_H

#include <linux/types.h>

struct gc_heap;

/**
 * struct gc_wish - memory that a heap's thread wants
 * @pages: at least so many
 * @start: since when others are asked for it, in jiffies
 * @round: how often they were
 * @machine: the machine had none, the last time; else the cgroup
 */
struct gc_wish {
	unsigned long pages;
	unsigned long start;
	unsigned int round;
	bool machine;
};

int gc_shrink_init(void);
void gc_shrink_exit(void);

int gc_shrink_begin(struct gc_heap *heap);
void gc_shrink_end(struct gc_heap *heap);

bool gc_shrink_may_have(struct gc_heap *heap, unsigned long pages);
void gc_shrink_try(struct gc_heap *heap, const struct gc_wish *wish);
bool gc_shrink_tried(struct gc_heap *heap, struct gc_wish *wish, int err);
bool gc_shrink_make_way(const struct gc_heap *heap, struct gc_wish *wish);
void *gc_shrink_alloc(size_t nr, size_t size);

#endif /* GCHEAP_SHRINK_H */
