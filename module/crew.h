/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel threads that mark beside a collector, as long as processors are idle.
 *
 * They are the module's, for all heaps; nobody else has so little claim to a processor
 * (SCHED_IDLE), and where there is none for them, the collector does all by itself.  The
 * collector has the heap's lock all the time, and what they do is done for it.  They have
 * nothing of their own: a helper takes a part of the collector's queue, and spare segments
 * to last it, looks at so many words with preemption off, and gives all back.  So a helper
 * whom somebody else has taken the processor keeps nothing from anybody, and the collector
 * waits for none that does not run, unless the processor itself is a hypervisor's.
 *
 * No memory is asked for by helpers: it is the collector's, who is charged for it, and gets
 * it without waiting, or does without help.  Their time is noted for the heap, but it is
 * no one's cgroup's.
 *
 * Realtime kernels have no such threads: nothing is to keep a processor for so long there.
 *
 * Owns one spinlock, which is below all others, for all that collectors share with helpers.
 */
#ifndef GCHEAP_CREW_H
#define GCHEAP_CREW_H

#include <linux/list.h>
#include <linux/types.h>

#include "mark.h"

/**
 * struct gc_crew - what a collector shares with whoever helps it
 * @node: among those that a helper may take a part of
 * @gs: slabs of the heap
 * @base: user address of the heap
 * @queue: parts of the collector's queue for anybody; this and the rest: under the lock,
 *	while it is open
 * @spare: empty segments, for helpers
 * @waiting: the collector has nothing to do, and comes before helpers
 * @helping: helpers that have a part of the queue
 * @overflowed: as gc_marker.overflowed
 * @scanned: words that helpers have scanned
 * @marked: bytes that they have marked
 * @ns: time that they took
 * @open: helpers may find it; this and the rest are the collector's
 * @scarce: there is no memory for helpers
 * @words: words that the collector has scanned by itself
 */
struct gc_crew {
	struct list_head node;
	struct gc_slabs *gs;
	unsigned long base;
	struct gc_segments queue;
	struct gc_segments spare;
	bool waiting;
	unsigned int helping;
	bool overflowed;
	u64 scanned;
	u64 marked;
	u64 ns;
	bool open;
	bool scarce;
	u64 words;
};

void gc_crew_begin(struct gc_crew *crew);
bool gc_crew_mark(struct gc_crew *crew, struct gc_marker *m, unsigned long words);
u64 gc_crew_end(struct gc_crew *crew, struct gc_marker *m);
int gc_crew_init(void);
void gc_crew_exit(void);

#endif /* GCHEAP_CREW_H */
