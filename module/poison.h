/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Poison: free memory holds a pattern from the moment it becomes free until it
 * is handed out, and is looked at then.  Whoever writes to an object that was
 * reclaimed, or beyond one's end, is found out: a program that hides a pointer
 * from the collector, or the collector that missed one.
 *
 * In a heap with poison a slot is free in one of two ways: its bit in the
 * allocation bitmap is clear, or its page belongs to no slab and was in use
 * before.  Memory fresh from the machine is zero.
 *
 * Nothing is owned here, and nobody waits; the caller holds the lock that keeps the
 * memory free meanwhile: the heap's.
 */
#ifndef GCHEAP_POISON_H
#define GCHEAP_POISON_H

#include <linux/string.h>

#include "faults.h"

/* Eight of these are no address of any program. */
#define GC_POISON	0xdb

static inline void gc_poison_fill(void *kaddr, size_t bytes)
{
	memset(kaddr, GC_POISON, bytes);
}

/**
 * gc_poison_check() - see whether memory was left alone while it was free
 * @faults: for what is found: one fault at most
 * @kaddr: memory
 * @bytes: its size
 * @offset: its place in the heap
 * @slab: offset of its slab
 */
static inline void gc_poison_check(struct gc_faults *faults, const void *kaddr,
				   size_t bytes, size_t offset, size_t slab)
{
	const u8 *bad = memchr_inv(kaddr, GC_POISON, bytes);

	if (bad)
		gc_fault(faults, (struct gc_fault) {
			.what = "free memory was written to",
			.offset = offset + (bad - (const u8 *)kaddr),
			.slab = slab,
			.found = *bad,
			.expected = GC_POISON,
		});
}

#endif /* GCHEAP_POISON_H */
