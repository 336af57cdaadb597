/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Each thread's slabs, from which it allocates without a system call. */
#ifndef GCH_CACHE_H
#define GCH_CACHE_H

#include "heap.h"

int gch_cache_init(void);
bool gch_cache_flush(struct gcheap *heap);
void gch_cache_drop(struct gcheap *heap);

#endif /* GCH_CACHE_H */
