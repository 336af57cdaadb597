// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs that threads have, when a marking is complete.
 *
 * A thread tells in its own memory which slots of its slabs it has not handed out
 * yet, see struct gcheap_ioc_refill: what else is not marked is reclaimed there.
 *
 * One that also names its struct gcheap_cache can have its slabs recalled: here they
 * change hands, and the thread learns it by its task work, before its next user
 * instruction.  As it does not execute any from the stop on until then, what was read
 * of it here still holds when it forgets its slabs; and it owns none in between.
 *
 * From whom nothing is recalled: who is busy, or in a call of the heap, goes on with
 * its slabs; so does the collector's own thread.  Who waits for a vfork child has lent
 * its memory to a thread that would not be told.
 *
 * Nothing is written to the memory of a process from here, and no page is waited for:
 * what is not in memory at once is as if not said.  For a process's mmap_lock it is
 * waited as in marking, see fetch.h, and for each once or twice more.
 *
 * Lock order: heap's lock, the world stopped; mmap_lock of one process, and in it
 * gc_mutator.lock.
 */
#include <linux/bitmap.h>
#include <linux/gcheap.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "heap.h"
#include "member.h"
#include "mutator.h"
#include "owned.h"
#include "reader.h"
#include "stats.h"
#include "stop.h"

/* A thread that was idle for a collection holds no more than this. */
#define IDLE_MAX	SZ_16K

/* All threads together hold no more than this part of what lives. */
#define LIVE_PART	4

/*
 * Whether a thread tells how it takes slots of this heap, and does not do so just now.
 * A descriptor may have been another heap's in a REFILL, which then knows a cache that is
 * not for its slabs.
 */
static bool read_cache(struct gc_reader *r, const struct gc_mutator *m,
		       struct gcheap_cache *cache)
{
	return gc_mutator_tells(m) && gc_reader_read(r, m->cache, cache, sizeof(*cache)) &&
	       cache->heap == r->heap->base && !cache->busy &&
	       !(cache->bins % sizeof(u64)) && !(cache->stride % sizeof(u64));
}

static unsigned int bin_of(const struct gc_slab *slab)
{
	return 2 * slab->class_index + slab->noscan;
}

/* Of the 64 slots from the bin's base on those that the thread has not handed out */
static u64 bin_unused(const struct gcheap_bin *bin, u32 object_size, size_t span)
{
	u64 first, last;

	if (bin->next < bin->base || bin->next >= bin->end || bin->end - bin->base > span)
		return bin->word;
	first = div_u64(bin->next - bin->base + object_size - 1, object_size);
	last = div_u64(bin->end - bin->base, object_size);
	if (first >= last)
		return bin->word;
	return bin->word | GENMASK_ULL(last - 1, first);
}

/* In the word that slots are taken from, the bitmap is behind the bin. */
static bool read_bin(struct gc_reader *r, const struct gcheap_cache *cache,
		     const struct gc_slab *slab, unsigned long *unused)
{
	size_t span = BITS_PER_LONG * slab->object_size;
	unsigned int nr = bin_of(slab);
	struct gcheap_bin bin;
	u64 offset, word;

	if (nr >= cache->nr_bins ||
	    !gc_reader_read(r, cache->bins + (u64)nr * cache->stride, &bin,
			    sizeof(bin)))
		return false;
	offset = bin.base - r->heap->base - slab->offset;
	word = div64_u64(offset, span);
	if (word < slab->words && word * span == offset)
		unused[word] &= bin_unused(&bin, slab->object_size, span);
	return true;
}

/* Slots that a thread has not handed out, and perhaps more. */
static bool read_live(struct gc_reader *r, const struct gc_slab *slab,
		      unsigned long *unused)
{
	return slab->live && gc_reader_read(r, slab->live, unused,
					    slab->words * sizeof(long));
}

/* What was reclaimed in a slab is in nobody's use either, as long as that is owned. */
static u64 spare_of(const struct gc_slab *slab, u32 nr_unused)
{
	return (u64)(nr_unused + slab->slots - slab->nr_alloc) *
	       slab->object_size;
}

/* Returns bytes that the thread may yet hand out. */
static u64 sweep_mutator(struct gc_reader *r, struct gc_mutator *m)
{
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	struct gcheap_cache cache;
	u64 bytes = 0, spare = 0;
	struct gc_slab *slab;
	bool tells;

	if (list_empty(&m->slabs))
		return 0;
	tells = read_cache(r, m, &cache);
	list_for_each_entry(slab, &m->slabs, owner_node) {
		u32 nr_unused;

		cond_resched();
		if (!read_live(r, slab, unused)) {
			tells = false;
			continue;
		}
		tells = tells && read_bin(r, &cache, slab, unused);
		nr_unused = gc_slab_sweep_owned(&r->heap->slabs, slab, unused);
		bytes += (u64)nr_unused * slab->object_size;
		spare += spare_of(slab, nr_unused);
	}
	m->spare = tells ? spare : 0;
	return bytes;
}

static u64 sweep_process(struct gc_reader *r, struct gc_member *member)
{
	struct gc_mutator *m;
	u64 bytes = 0;

	if (!gc_reader_lock(r, member->mm))
		return 0;
	list_for_each_entry(m, &member->mutators, member_node) {
		if (!m->retired)
			bytes += sweep_mutator(r, m);
		cond_resched();
	}
	gc_reader_unlock(r);
	return bytes;
}

/**
 * gc_owned_sweep() - reclaim in slabs of threads that tell what they use
 * @r: reader
 *
 * Who is held sees in the page of statistics, once it runs on, that slots of its slabs may
 * have been reclaimed.
 *
 * Context: may sleep; heap's lock held, the world stopped, marking complete, before
 * gc_slabs_marked().
 *
 * Return: bytes of slots that, by what they tell, threads may yet hand out.
 */
u64 gc_owned_sweep(struct gc_reader *r)
{
	struct gc_member *member;
	struct gc_mutator *m;
	u64 bytes = 0;

	r->patient = false;
	gc_stats_sweeps(r->heap);
	list_for_each_entry(m, &r->heap->mutator_list, node) {
		m->spare = 0;
		cond_resched();
	}
	list_for_each_entry(member, gc_world_members(r->heap->world), present)
		bytes += sweep_process(r, member);
	return bytes;
}

/**
 * struct recalling - slabs being recalled from threads
 * @r: reader
 * @spare: bytes that threads hold and nobody uses
 * @most: bytes that they may
 * @all: of threads that are not idle, too
 */
struct recalling {
	struct gc_reader *r;
	u64 spare;
	u64 most;
	bool all;
};

static bool wanted(const struct recalling *c, const struct gc_mutator *m)
{
	const struct gc_heap *heap = c->r->heap;
	/* Not since the collection before this one, which is counted already. */
	bool idle = m->refilled + 1 < heap->slabs.cycle;

	if (!m->spare || m->round != gc_world_round(heap->world) ||
	    m->task == current || READ_ONCE(m->busy))
		return false;
	if (idle && m->spare > IDLE_MAX)
		return true;
	return (idle || c->all) && c->spare > c->most;
}

/* What can no longer be read of a slab counts as handed out. */
static void take_slabs(struct gc_reader *r, struct gc_mutator *m,
		       const struct gcheap_cache *cache)
{
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	struct gc_slab *slab, *next;

	list_for_each_entry_safe(slab, next, &m->slabs, owner_node) {
		bool known = read_live(r, slab, unused) &&
			     read_bin(r, cache, slab, unused);

		gc_slab_recall(&r->heap->slabs, slab, known ? unused : NULL);
		cond_resched();
	}
}

static void recall(struct recalling *c, struct gc_mutator *m)
{
	struct gcheap_cache cache;
	struct gc_recall recall;
	struct gc_slab *slab;

	if (!read_cache(c->r, m, &cache))
		return;
	recall = (struct gc_recall) {
		.cache = m->cache,
		.bins = cache.bins,
		.stride = cache.stride,
	};
	list_for_each_entry(slab, &m->slabs, owner_node)
		__set_bit(bin_of(slab), recall.emptied);
	if (!gc_mutator_recall(m, &recall))
		return;
	take_slabs(c->r, m, &cache);
	c->spare -= m->spare;
	m->spare = 0;
}

static bool any_wanted(const struct recalling *c, const struct gc_member *member)
{
	struct gc_mutator *m;

	list_for_each_entry(m, &member->mutators, member_node) {
		if (wanted(c, m))
			return true;
		cond_resched();
	}
	return false;
}

static void recall_from_process(struct recalling *c, struct gc_member *member)
{
	struct gc_mutator *m;

	if (!any_wanted(c, member) || !gc_reader_lock(c->r, member->mm))
		return;
	list_for_each_entry(m, &member->mutators, member_node) {
		if (wanted(c, m))
			recall(c, m);
		cond_resched();
	}
	gc_reader_unlock(c->r);
}

static void recall_from_processes(struct recalling *c)
{
	struct gc_world *world = c->r->heap->world;
	struct gc_member *member;

	list_for_each_entry(member, gc_world_members(world), present)
		recall_from_process(c, member);
}

/**
 * gc_owned_recall() - take back what threads hold without need
 * @r: reader
 * @unused: what gc_owned_sweep() has returned
 *
 * All slabs of each thread that holds much and has been idle for a collection; then of
 * as many others, idle ones first, as hold too much all together.
 *
 * Something may refer to what a thread tells it has not handed out: that stays. So a
 * program whose memory does not say what its library thinks loses nothing that it
 * refers to.
 *
 * Context: may sleep; heap's lock held, the world stopped, after gc_slabs_marked(),
 * before gc_slabs_recalled().
 */
void gc_owned_recall(struct gc_reader *r, u64 unused)
{
	struct recalling c = {
		.r = r,
		.most = (r->heap->slabs.live - unused) / LIVE_PART,
	};
	struct gc_mutator *m;

	list_for_each_entry(m, &r->heap->mutator_list, node) {
		c.spare += m->spare;
		cond_resched();
	}
	recall_from_processes(&c);
	c.all = true;
	recall_from_processes(&c);
}
