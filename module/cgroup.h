/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the memory cgroup of the calling thread allows, and the machine has.  Nothing is
 * owned here; the kernel's RCU is all that is needed, and nobody is waited for.
 *
 * The counters are the kernel's own (linux/page_counter.h), of the cgroup and of all
 * that it lies in, in cgroup v1 too.  They change all the time: an answer is a guess.
 */
#ifndef GCHEAP_CGROUP_H
#define GCHEAP_CGROUP_H

#include <linux/memcontrol.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#ifdef CONFIG_MEMCG
#include "compat.h"

/* Pages of a cgroup that the kernel takes away: LRU_INACTIVE_FILE or LRU_INACTIVE_ANON */
static inline unsigned long gc_cgroup_own_lru(const struct mem_cgroup *memcg,
					      enum lru_list kind)
{
	unsigned long pages = 0;
	int node, zone;

	for_each_online_node(node) {
		const struct mem_cgroup_per_node *here = memcg->nodeinfo[node];

		for (zone = 0; here && zone < MAX_NR_ZONES; zone++)
			pages += READ_ONCE(here->lru_zone_size[zone][kind]) +
				 READ_ONCE(here->lru_zone_size[zone][kind + LRU_ACTIVE]);
	}
	return pages;
}

/*
 * Likewise, of all that lie in it, but for what they need not give; not counted further
 * when it is @enough.  RCU is held.
 */
static inline unsigned long gc_cgroup_lru(struct mem_cgroup *top, enum lru_list kind,
					  unsigned long enough)
{
	struct cgroup_subsys_state *css;
	unsigned long pages = 0;

	css_for_each_descendant_pre(css, &top->css) {
		struct mem_cgroup *memcg = mem_cgroup_from_css(css);
		unsigned long usage = page_counter_read(&memcg->memory);
		unsigned long least = memcg == top ? 0 : READ_ONCE(memcg->memory.min);

		if (pages >= enough)
			break;
		if (usage > least)
			pages += min(usage - least, gc_cgroup_own_lru(memcg, kind));
	}
	return pages;
}

/* What may be charged to one cgroup and those in it.  RCU is held. */
static inline unsigned long gc_cgroup_room_in(struct page_counter *counter, bool slowed,
					      unsigned long swap, unsigned long enough)
{
	struct mem_cgroup *memcg = container_of(counter, struct mem_cgroup, memory);
	unsigned long max = READ_ONCE(counter->max);
	unsigned long usage = page_counter_read(counter), room;

	if (slowed)
		max = min(max, READ_ONCE(counter->high));
	if (max >= PAGE_COUNTER_MAX)
		return ULONG_MAX;
	room = max > usage ? max - usage : 0;
	if (room < enough)
		room += gc_cgroup_lru(memcg, LRU_INACTIVE_FILE, enough - room);
	if (room < enough && swap > room)
		room = max(room, min(swap, gc_cgroup_lru(memcg, LRU_INACTIVE_ANON, enough)));
	return room;
}

/* As gc_cgroup_room(), of any cgroup.  RCU is held. */
static inline unsigned long gc_cgroup_room_from(struct mem_cgroup *memcg, bool slowed,
						bool own, unsigned long swap,
						unsigned long enough)
{
	unsigned long room = ULONG_MAX;
	struct page_counter *counter;

	for (counter = memcg ? &memcg->memory : NULL; counter;
	     counter = own ? NULL : counter->parent)
		room = min(room, gc_cgroup_room_in(counter, slowed, swap, enough));
	return room;
}

/**
 * gc_cgroup_room() - pages that may still be charged before some limit is reached
 * @slowed: memory.high is a limit, beyond which the program is slowed down; else
 *	memory.max alone
 * @own: the limits of the cgroup itself only; else also of those that it lies in
 * @swap: so many pages may be swapped out
 * @enough: what makes way is not counted any further
 *
 * What the kernel takes away of a cgroup that is at its limit, and of those in it,
 * counts as room: files, and what may be swapped out if that is more.
 *
 * Return: pages; ULONG_MAX when nothing limits them.
 */
static inline unsigned long gc_cgroup_room(bool slowed, bool own, unsigned long swap,
					   unsigned long enough)
{
	unsigned long room;

	/* Nobody pays for the kernel's memory, which a heap's is: cgroup.memory=nokmem. */
	if (!memcg_kmem_online())
		return ULONG_MAX;
	rcu_read_lock();
	room = gc_cgroup_room_from(mem_cgroup_from_task(current), slowed, own, swap, enough);
	rcu_read_unlock();
	return room;
}

/**
 * gc_cgroup_is_full() - whether hardly anything may be charged to a cgroup
 * @memcg: cgroup that is asked to make way; NULL: the machine is
 * @least: what counts as hardly anything, in pages
 *
 * Context: @memcg does not go.
 *
 * Return: true when it is so, or for one that it lies in.
 */
static inline bool gc_cgroup_is_full(struct mem_cgroup *memcg, unsigned long least)
{
	bool full;

	if (!memcg_kmem_online())
		return false;
	rcu_read_lock();
	full = gc_cgroup_room_from(memcg, false, false, 0, least) < least;
	rcu_read_unlock();
	return full;
}

/**
 * gc_cgroup_tightest() - where the next limit is
 *
 * Return: what can be compared, and nothing else; NULL when there is none.
 */
static inline const void *gc_cgroup_tightest(void)
{
	struct page_counter *counter, *tightest = NULL;
	struct mem_cgroup *memcg;
	long least = LONG_MAX;

	rcu_read_lock();
	memcg = mem_cgroup_from_task(current);
	for (counter = memcg ? &memcg->memory : NULL; counter; counter = counter->parent) {
		unsigned long max = READ_ONCE(counter->max);
		long left = max - page_counter_read(counter);

		if (max >= PAGE_COUNTER_MAX || left >= least)
			continue;
		least = left;
		tightest = counter;
	}
	rcu_read_unlock();
	return tightest;
}

/**
 * gc_cgroup_short() - the innermost cgroup around the caller that has not so much left
 * @pages: how much
 *
 * Memory that others in it give back is what the caller may have.
 *
 * Return: it, with a reference that gc_cgroup_put() gives back; NULL for none.
 */
static inline struct mem_cgroup *gc_cgroup_short(unsigned long pages)
{
	struct mem_cgroup *memcg, *found = NULL;
	struct page_counter *counter;

	if (!memcg_kmem_online())
		return NULL;
	rcu_read_lock();
	memcg = mem_cgroup_from_task(current);
	for (counter = memcg ? &memcg->memory : NULL; counter && !found;
	     counter = counter->parent) {
		unsigned long max = READ_ONCE(counter->max);
		unsigned long usage = page_counter_read(counter);

		memcg = container_of(counter, struct mem_cgroup, memory);
		if (max < PAGE_COUNTER_MAX && (usage >= max || max - usage < pages) &&
		    css_tryget(&memcg->css))
			found = memcg;
	}
	rcu_read_unlock();
	return found;
}

/* Undo gc_cgroup_short(). */
static inline void gc_cgroup_put(struct mem_cgroup *memcg)
{
	if (memcg)
		css_put(&memcg->css);
}

/* Whether what is charged to a cgroup, NULL for none, counts for another one's limit. */
static inline bool gc_cgroup_holds(struct mem_cgroup *outer, struct mem_cgroup *memcg)
{
	return memcg && mem_cgroup_is_descendant(memcg, outer);
}

/**
 * gc_cgroup_swap_room() - pages of the cgroup that may yet be swapped out
 *
 * In cgroup v1 the counter is of memory and swap, and stands in the same place.
 *
 * Return: pages; ULONG_MAX when nothing limits them.
 */
static inline unsigned long gc_cgroup_swap_room(void)
{
	unsigned long room = ULONG_MAX;
	struct page_counter *counter;
	struct mem_cgroup *memcg;

	rcu_read_lock();
	memcg = mem_cgroup_from_task(current);
	for (counter = memcg ? &memcg->swap : NULL; counter; counter = counter->parent) {
		unsigned long max = READ_ONCE(counter->max);
		unsigned long usage = page_counter_read(counter);

		if (max < PAGE_COUNTER_MAX)
			room = min(room, max > usage ? max - usage : 0);
	}
	rcu_read_unlock();
	return room;
}

/**
 * gc_cgroup_most() - pages that a cgroup may have, were nobody else in it
 *
 * Return: pages; more than any machine has when nothing limits them.
 */
static inline unsigned long gc_cgroup_most(void)
{
	unsigned long most = PAGE_COUNTER_MAX;
	struct page_counter *counter;
	struct mem_cgroup *memcg;

	if (!memcg_kmem_online())
		return most;
	rcu_read_lock();
	memcg = mem_cgroup_from_task(current);
	for (counter = memcg ? &memcg->memory : NULL; counter; counter = counter->parent)
		most = min(most, READ_ONCE(counter->max));
	rcu_read_unlock();
	return most;
}
#else
static inline struct mem_cgroup *gc_cgroup_short(unsigned long pages)
{
	return NULL;
}

static inline void gc_cgroup_put(struct mem_cgroup *memcg)
{
}

static inline bool gc_cgroup_holds(struct mem_cgroup *outer, struct mem_cgroup *memcg)
{
	return false;
}

static inline unsigned long gc_cgroup_room(bool slowed, bool own, unsigned long swap,
					   unsigned long enough)
{
	return ULONG_MAX;
}

static inline bool gc_cgroup_is_full(struct mem_cgroup *memcg, unsigned long least)
{
	return false;
}

static inline const void *gc_cgroup_tightest(void)
{
	return NULL;
}

static inline unsigned long gc_cgroup_swap_room(void)
{
	return ULONG_MAX;
}

static inline unsigned long gc_cgroup_most(void)
{
	return ULONG_MAX;
}
#endif

/*
 * Pages that the kernel keeps free for a while beyond what it does always, since memory
 * has become fragmented: it does not count them in si_mem_available(), and kills somebody
 * when there are fewer.
 */
static inline long gc_machine_boost(void)
{
	long pages = 0;
	int node, zone;

	for_each_online_node(node)
		for (zone = 0; zone < MAX_NR_ZONES; zone++)
			pages += READ_ONCE(NODE_DATA(node)->node_zones[zone].watermark_boost);
	return pages;
}

/**
 * gc_machine_room() - pages that may be taken before the machine is short
 *
 * What the kernel calls available: less than it would give out before it kills somebody,
 * and without what processors have at hand.  What may yet be swapped out is not among
 * them: see gc_swap_room().
 *
 * Return: pages; a guess.
 */
static inline unsigned long gc_machine_room(void)
{
	return max(si_mem_available() - gc_machine_boost(), 0L);
}

/**
 * gc_room() - pages that may be taken before anybody is short
 * @enough: no need to count any further
 *
 * Return: pages, of the machine, and in the calling thread's cgroup; a guess.
 */
static inline unsigned long gc_room(unsigned long enough)
{
	return min(gc_machine_room(), gc_cgroup_room(false, false, 0, enough));
}

/**
 * gc_swap_room() - pages that may yet be swapped out, whosever they are
 *
 * A heap's pages never are.
 *
 * Return: pages; a guess.
 */
static inline unsigned long gc_swap_room(void)
{
	unsigned long room = max(get_nr_swap_pages(), 0L);
	unsigned long anon = global_node_page_state(NR_INACTIVE_ANON) +
			     global_node_page_state(NR_ACTIVE_ANON);

	room = min(room, anon);
	return min(room, gc_cgroup_swap_room());
}

#endif /* GCHEAP_CGROUP_H */
