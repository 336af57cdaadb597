/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* How a heap is doing. */
#ifndef GCH_STATS_H
#define GCH_STATS_H

#include "heap.h"

const struct gcheap_stats_page *gch_stats_map(int fd);
void gch_stats_unmap(const struct gcheap_stats_page *page);

#endif /* GCH_STATS_H */
