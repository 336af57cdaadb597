/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Pools, as far as the end of a heap concerns them. */
#ifndef GCH_POOL_H
#define GCH_POOL_H

#include "heap.h"

void gch_pool_forget(const struct gcheap *heap);

#endif /* GCH_POOL_H */
