/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Where the two paths of allocation meet. */
#ifndef GCH_ALLOC_H
#define GCH_ALLOC_H

#include "heap.h"

void *gch_alloc_slow(struct gcheap *heap, size_t size, unsigned int flags);

#endif /* GCH_ALLOC_H */
