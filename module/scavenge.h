/* SPDX-License-Identifier: GPL-2.0 */
/* What is done for a heap that its program leaves alone.  See scavenge.c. */
#ifndef GCHEAP_SCAVENGE_H
#define GCHEAP_SCAVENGE_H

#include <linux/types.h>

struct gc_heap;
struct mutex;

/* Who is told how many pages of a heap have just been given back; its lock is held */
typedef void (*gc_scavenge_gave)(struct gc_heap *heap, unsigned long nr);

int gc_scavenge_init(void);
void gc_scavenge_exit(void);

void gc_scavenge_begin(struct gc_heap *heap);
void gc_scavenge_end(struct gc_heap *heap);
void gc_scavenge_note(struct gc_heap *heap);
u64 gc_scavenge_guess(const struct gc_heap *heap);
long gc_scavenge_again(const struct gc_heap *heap);
u64 gc_scavenge_old(const struct gc_heap *heap);
unsigned long gc_scavenge_rounds(const struct gc_heap *heap);
bool gc_lock_within_reason(struct mutex *lock);
bool gc_scavenge_some(struct gc_heap *heap);
void gc_scavenge_all(struct gc_heap *heap, bool need, gc_scavenge_gave gave);

#endif /* GCHEAP_SCAVENGE_H */
