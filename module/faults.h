/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Faults: what the heap's checks of itself have found.  The checks only collect
 * them, so that they do not depend on who is told, and how.
 *
 * A set of faults belongs to a heap's pages, and the heap's lock guards it.  Adding
 * to it waits for nobody.
 */
#ifndef GCHEAP_FAULTS_H
#define GCHEAP_FAULTS_H

#include <linux/kernel.h>
#include <linux/types.h>

/**
 * struct gc_fault - one thing that is not as it should be
 * @what: description, a constant string
 * @offset: byte of the heap where it is, counted from the heap's start
 * @slab: offset of the slab concerned, or that of the page
 * @found: the value found
 * @expected: the value that should be there
 */
struct gc_fault {
	const char *what;
	size_t offset;
	size_t slab;
	u64 found;
	u64 expected;
};

/* A broken heap may have millions of faults: the first ones tell the cause. */
#define GC_FAULTS_KEPT	16

/**
 * struct gc_faults - faults found since somebody was told of them
 * @nr: how many
 * @first: the first ones
 */
struct gc_faults {
	unsigned int nr;
	struct gc_fault first[GC_FAULTS_KEPT];
};

/**
 * gc_fault() - note a fault
 * @faults: where
 * @fault: what
 */
static inline void gc_fault(struct gc_faults *faults, struct gc_fault fault)
{
	if (faults->nr < GC_FAULTS_KEPT)
		faults->first[faults->nr] = fault;
	faults->nr++;
}

#endif /* GCHEAP_FAULTS_H */
