/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Marking: from words that may be pointers to the objects that they keep.
 *
 * It may be done in parts, between which the heap is used: what is queued is marked, and
 * so allocated, and neither its slab nor its pages go.  Who wrote to an object that has
 * been looked at is for the caller to know.
 *
 * A word keeps the object that it points into, wherever in it.  In registers and
 * on stacks it also keeps the object that ends there.  In the heap and in data it
 * does not: each reference to an object's start would keep the neighbour before.
 *
 * The heap's slabs do not change while a marker is at work: the caller holds
 * the heap's lock.
 */
#ifndef GCHEAP_MARK_H
#define GCHEAP_MARK_H

#include <linux/list.h>
#include <linux/types.h>

#include "slab.h"

/**
 * struct gc_marker - one marking
 * @gs: slabs of the heap
 * @base: user address of the heap
 * @top: segment of the queue that is being filled
 * @next: where in @top the next entry goes
 * @spare: one empty segment that is kept, to save allocations at its edge
 * @overflowed: the queue could not grow: some marked object was not scanned
 * @err: as gc_given_up(): the marking is incomplete; or 0
 * @budget: words to scan before the next look at the scheduler
 * @slice: what @budget was after the last one
 * @left: words to scan in this part of the marking
 * @scanned: words scanned in all
 * @marked: bytes of the objects that are marked
 */
struct gc_marker {
	struct gc_slabs *gs;
	unsigned long base;
	struct mark_segment *top;
	struct mark_entry *next;
	struct mark_segment *spare;
	bool overflowed;
	int err;
	long budget;
	long slice;
	long left;
	u64 scanned;
	u64 marked;
};

int gc_marker_init(struct gc_marker *m, struct gc_slabs *gs,
		   unsigned long base);
void gc_marker_destroy(struct gc_marker *m);
void gc_mark_words(struct gc_marker *m, const unsigned long *words, size_t nr);
void gc_mark_words_and_ends(struct gc_marker *m, const unsigned long *words,
			    size_t nr);
void gc_mark_page(struct gc_marker *m, unsigned long nr);
bool gc_mark_some(struct gc_marker *m, unsigned long words);
int gc_mark_drain(struct gc_marker *m);

#endif /* GCHEAP_MARK_H */
