/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An audit of a heap's books: everything that is written down twice agrees.
 *
 * Owns nothing.  The caller has gc_heap.lock, with the world stopped; no other lock
 * is taken, and nobody waited for.
 */
#ifndef GCHEAP_AUDIT_H
#define GCHEAP_AUDIT_H

#include "slab.h"

void gc_audit(struct gc_slabs *gs);

#endif /* GCHEAP_AUDIT_H */
