/* SPDX-License-Identifier: GPL-2.0 */
/* Slabs for threads: the calls REFILL and RELEASE. */
#ifndef GCHEAP_REFILL_H
#define GCHEAP_REFILL_H

struct gc_heap;
struct gcheap_ioc_refill;
struct gcheap_ioc_release;

int gc_refill(struct gc_heap *heap, struct gcheap_ioc_refill *refill);
int gc_release(struct gc_heap *heap, const struct gcheap_ioc_release *release);

#endif /* GCHEAP_REFILL_H */
