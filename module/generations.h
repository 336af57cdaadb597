/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whether the next collection is a minor or a full one.
 *
 * A minor one takes what is old for alive, and finds what has become garbage since it was
 * made, soon after.  A full one finds all.
 */
#ifndef GCHEAP_GENERATIONS_H
#define GCHEAP_GENERATIONS_H

#include <linux/types.h>

struct gc_collection;
struct gc_heap;

/**
 * struct gc_generations - what collections of both kinds were worth
 * @lived: bytes that the last full one has left
 * @tenured: bytes that live by what minor ones since have found, beyond @lived
 * @fruitful: the last full one that was due has freed a part of what had been allocated
 * @freed: bytes of garbage that it has found
 * @work: what that took, as work_of() has it
 * @since: what minor ones took since the last full one
 * @full_ns: when that was, ktime_get_ns()
 * @wait: full ones to come before a minor one is tried again
 * @backoff: what @wait was after the last minor one, which was not worth it or became a full
 *	one; or 0
 */
struct gc_generations {
	u64 lived;
	u64 tenured;
	bool fruitful;
	u64 freed;
	u64 work;
	u64 since;
	u64 full_ns;
	unsigned int wait;
	unsigned int backoff;
};

extern bool gc_generational;

bool gc_generations_minor(const struct gc_heap *heap);
bool gc_generations_wanted(const struct gc_heap *heap, const struct gc_collection *c,
			   u64 marked);
bool gc_generations_pays(struct gc_heap *heap, u64 words);
void gc_generations_learn(struct gc_heap *heap, const struct gc_collection *c);

#endif /* GCHEAP_GENERATIONS_H */
