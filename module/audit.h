/* SPDX-License-Identifier: GPL-2.0 */
/* An audit of a heap's books: everything that is written down twice agrees. */
#ifndef GCHEAP_AUDIT_H
#define GCHEAP_AUDIT_H

#include "slab.h"

void gc_audit(struct gc_slabs *gs);

#endif /* GCHEAP_AUDIT_H */
