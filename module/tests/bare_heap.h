/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A heap that no process maps, for the length of one test case.
 *
 * The case owns it and nobody else looks at it, so there is no lock.  It ends
 * with the case, however that ends, with all that is in it.
 */
#ifndef GCHEAP_BARE_HEAP_H
#define GCHEAP_BARE_HEAP_H

#include <kunit/test.h>
#include <linux/prandom.h>

#include "slab.h"

/* Most cases need less than this: 32 MiB. */
#define BARE_HEAP_PAGES	8192UL

struct gc_slabs *bare_heap_new(struct kunit *test, unsigned long limit_pages);

size_t bare_heap_alloc(struct kunit *test, struct gc_slabs *gs, size_t bytes,
		       bool noscan);
struct gc_slab *bare_heap_slab(struct gc_slabs *gs, size_t offset);
unsigned long *bare_heap_word(struct gc_slabs *gs, size_t offset);
void bare_heap_fill(struct gc_slabs *gs, size_t offset, size_t bytes, u8 value);
bool bare_heap_holds(struct gc_slabs *gs, size_t offset, size_t bytes,
		     u8 value);

void bare_heap_mark(struct gc_slabs *gs, size_t offset);
bool bare_heap_is_marked(struct gc_slabs *gs, size_t offset);
u64 bare_heap_marked_bytes(struct gc_slabs *gs);
void bare_heap_marked(struct gc_slabs *gs);
unsigned long bare_heap_release(struct gc_slabs *gs, unsigned long pages,
				unsigned int looks);
void bare_heap_sweep_all(struct gc_slabs *gs);

void caller_is_killed(void);
void caller_lives_on(void);

/* Uniform enough, from 0 to @limit - 1. */
static inline u32 random_below(struct rnd_state *random, u32 limit)
{
	return prandom_u32_state(random) % limit;
}

#endif /* GCHEAP_BARE_HEAP_H */
