/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How we ask for memory.  Nothing is owned here.  Whoever asks may wait while the
 * kernel reclaims pages, so no spinlock is held; the heap's lock may be.
 */
#ifndef GCHEAP_GFP_H
#define GCHEAP_GFP_H

#include <linux/gfp.h>

/*
 * All that a process makes us allocate is charged to its memory cgroup.  At the
 * cgroup's limit a plain GFP_KERNEL would have the process killed; with
 * __GFP_RETRY_MAYFAIL the allocation fails, and the process gets ENOMEM.  Who has a
 * world stopped asks in the same way, and gets no less and no more than is to be had
 * without input and output: see stop.c.
 */
#define GC_GFP		(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | \
			 __GFP_NOWARN)

/* For what is of use, but not needed: it is to be had at once, or not at all. */
#define GC_GFP_AT_ONCE	(GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN)

#endif /* GCHEAP_GFP_H */
