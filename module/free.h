/* SPDX-License-Identifier: GPL-2.0 */
/* Objects that programs are done with: the call FREE. */
#ifndef GCHEAP_FREE_H
#define GCHEAP_FREE_H

struct gc_heap;
struct gcheap_ioc_free;

int gc_free(struct gc_heap *heap, struct gcheap_ioc_free *request);

#endif /* GCHEAP_FREE_H */
