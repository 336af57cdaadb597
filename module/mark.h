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
 * the heap's lock.  Several may be at work on one heap, each with its own queue, of which
 * a part may become another's.
 */
#ifndef GCHEAP_MARK_H
#define GCHEAP_MARK_H

#include <linux/list.h>
#include <linux/types.h>

#include "slab.h"

struct mark_segment;

/**
 * struct gc_segments - segments of a queue
 * @first: list of them
 * @nr: its length
 */
struct gc_segments {
	struct mark_segment *first;
	unsigned int nr;
};

/**
 * struct gc_marker - one marking
 * @gs: slabs of the heap
 * @base: user address of the heap
 * @top: segment of the queue that is being filled
 * @next: where in @top the next entry goes
 * @more: to be looked at when the queue is empty
 * @spare: empty ones, to save allocations
 * @most_spare: that are kept at most
 * @shared: other markers may be at work on the heap
 * @lasting: @spare has to do, as the caller may not sleep
 * @overflowed: the queue could not grow: some marked object was not scanned
 * @err: as gc_mark_drain(): the marking is incomplete; or 0
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
	struct gc_segments more;
	struct gc_segments spare;
	unsigned int most_spare;
	bool shared;
	bool lasting;
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
size_t gc_mark_page(struct gc_marker *m, unsigned long nr);
size_t gc_mark_page_words(struct gc_marker *m, unsigned long nr);
bool gc_mark_some(struct gc_marker *m, unsigned long words);
int gc_mark_drain(struct gc_marker *m);

/* What a marker that may not sleep looks at, and the spare segments that last it for that */
#define GC_LASTING_WORDS	1024UL
#define GC_LASTING_SEGMENTS	6U

void gc_segments_push(struct gc_segments *to, struct mark_segment *segment);
struct mark_segment *gc_segments_pop(struct gc_segments *from);
void gc_segments_move(struct gc_segments *from, struct gc_segments *to, unsigned int nr);
bool gc_marker_stock(struct gc_marker *m, unsigned int nr);
struct mark_segment *gc_marker_split(struct gc_marker *m);
void gc_marker_adopt(struct gc_marker *m, struct mark_segment *segment);
void gc_marker_join(struct gc_marker *m, struct gc_slabs *gs, unsigned long base,
		    struct gc_segments *queue, struct gc_segments *spare);
void gc_marker_leave(struct gc_marker *m, struct gc_segments *queue);

#endif /* GCHEAP_MARK_H */
