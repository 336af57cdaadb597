/* SPDX-License-Identifier: GPL-2.0 */
/* Slabs that threads have, when a marking is complete. */
#ifndef GCHEAP_OWNED_H
#define GCHEAP_OWNED_H

#include <linux/types.h>

struct gc_reader;

u64 gc_owned_sweep(struct gc_reader *r);
void gc_owned_recall(struct gc_reader *r, u64 unused);

#endif /* GCHEAP_OWNED_H */
