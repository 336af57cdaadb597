/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A collection under way: what outlives a stop, while the program runs.
 *
 * The heap has one or none; all of it is under the heap's lock.  Marks in slabs that are
 * swept belong to it: when there is none they are zero, or say what is old.
 */
#ifndef GCHEAP_COLLECTION_H
#define GCHEAP_COLLECTION_H

#include <linux/gcheap.h>
#include <linux/types.h>

#include "crew.h"
#include "mark.h"

struct gc_heap;

/**
 * struct gc_collection - a collection that has begun
 * @marker: marks
 * @crew: and so does whoever helps
 * @concurrent: marking goes on while the program runs, which gc_heap.dirty tells of
 * @minor: what was old when it began is marked, and only what was written to since the
 *	last one is looked at; @concurrent, too
 * @due: the program has allocated so much that it was time, or soon would be
 * @hot: it is expected that what a look finds is written to again soon
 * @patient: for that, what is written is not looked for before it is due
 * @waits: for that: all is marked but what was written meanwhile
 * @pauses: attempts to complete it so far, when @concurrent
 * @looks: looks for what was written since the last one of those
 * @found: pages that the look before the last one has found
 * @begun_ns: when it began, ktime_get_ns()
 * @cycle: what is told of it at its end
 * @pause_ns: sum of its pauses
 * @mark_ns: time that the world was held in them
 * @look_ns: how long the last one has looked for what was written
 * @aside_ns: sum of what looks and the reading of roots took
 * @took_ns: time that it took, without what the program ran meanwhile
 * @helped_ns: time that helpers took beside that
 * @again: words that were to be looked at since they may have been written to
 * @old: bytes that were marked when it began
 * @freed: bytes ever reclaimed when it began
 * @since: gc_slabs.since when it began
 * @live: gc_slabs.live when it began
 * @in_use: bytes that were in use before it was known what of them lives
 * @ready: bytes that were in use when it first waited; or 0
 * @ready_ns: when that was, ktime_get_ns()
 * @room: bytes that the program may allocate before it is to be complete
 * @work: words that are likely to be looked at before it is due
 */
struct gc_collection {
	struct gc_marker marker;
	struct gc_crew crew;
	bool concurrent;
	bool minor;
	bool due;
	bool hot;
	bool patient;
	bool waits;
	unsigned int pauses;
	unsigned int looks;
	unsigned long found;
	u64 begun_ns;
	struct gcheap_cycle cycle;
	u64 pause_ns;
	u64 mark_ns;
	u64 look_ns;
	u64 aside_ns;
	u64 took_ns;
	u64 helped_ns;
	u64 again;
	u64 old;
	u64 freed;
	s64 since;
	u64 live;
	u64 in_use;
	u64 ready;
	u64 ready_ns;
	u64 room;
	u64 work;
};

int gc_collection_begin(struct gc_heap *heap, bool concurrent, bool minor);
void gc_collection_make_full(struct gc_heap *heap);
int gc_collection_restart(struct gc_heap *heap);
void gc_collection_end(struct gc_heap *heap);
void gc_collection_give_up(struct gc_heap *heap);

#endif /* GCHEAP_COLLECTION_H */
