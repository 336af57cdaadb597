/* SPDX-License-Identifier: GPL-2.0 */
/* Whose memory a heap is: see expose.c. */
#ifndef GCHEAP_EXPOSE_H
#define GCHEAP_EXPOSE_H

#include <linux/types.h>

struct gc_heap;

bool gc_expose_due(struct gc_heap *heap);
void gc_expose(struct gc_heap *heap);

#endif /* GCHEAP_EXPOSE_H */
