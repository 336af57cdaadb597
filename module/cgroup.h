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
/* Pages of files that a cgroup has in memory, which its next charge could have instead. */
static inline unsigned long gc_cgroup_cache(const struct mem_cgroup *memcg)
{
	unsigned long pages = 0;
	int node, zone;

	for_each_online_node(node) {
		const struct mem_cgroup_per_node *here = memcg->nodeinfo[node];

		for (zone = 0; here && zone < MAX_NR_ZONES; zone++)
			pages += READ_ONCE(here->lru_zone_size[zone][LRU_INACTIVE_FILE]) +
				 READ_ONCE(here->lru_zone_size[zone][LRU_ACTIVE_FILE]);
	}
	return pages;
}

static inline unsigned long gc_cgroup_least(struct mem_cgroup *memcg, bool slowed, bool own)
{
	unsigned long room = ULONG_MAX;
	struct page_counter *counter;

	for (counter = memcg ? &memcg->memory : NULL; counter;
	     counter = own ? NULL : counter->parent) {
		unsigned long max = READ_ONCE(counter->max);
		unsigned long usage = page_counter_read(counter);

		if (slowed)
			max = min(max, READ_ONCE(counter->high));
		if (max < PAGE_COUNTER_MAX)
			room = min(room, max > usage ? max - usage : 0);
	}
	return room;
}

/**
 * gc_cgroup_room() - pages that may still be charged before some limit is reached
 * @slowed: memory.high is a limit, beyond which the program is slowed down; else
 *	memory.max alone
 * @own: the limits of the cgroup itself only; else also of those that it lies in
 *
 * The cgroup's own files in memory count as room, as they make way.  What others below
 * the same limit could make way with is not seen from here, and counts as taken.
 *
 * Return: pages; ULONG_MAX when nothing limits them.
 */
static inline unsigned long gc_cgroup_room(bool slowed, bool own)
{
	struct mem_cgroup *memcg;
	unsigned long room;

	rcu_read_lock();
	memcg = mem_cgroup_from_task(current);
	room = gc_cgroup_least(memcg, slowed, own);
	if (room < PAGE_COUNTER_MAX)
		room += gc_cgroup_cache(memcg);
	rcu_read_unlock();
	return room;
}

/**
 * gc_cgroup_left() - pages that may be charged before anybody has to make way
 *
 * Return: pages; ULONG_MAX when nothing limits them.
 */
static inline unsigned long gc_cgroup_left(void)
{
	unsigned long left;

	rcu_read_lock();
	left = gc_cgroup_least(mem_cgroup_from_task(current), false, false);
	rcu_read_unlock();
	return left;
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

	rcu_read_lock();
	memcg = mem_cgroup_from_task(current);
	for (counter = memcg ? &memcg->memory : NULL; counter; counter = counter->parent)
		most = min(most, READ_ONCE(counter->max));
	rcu_read_unlock();
	return most;
}
#else
static inline unsigned long gc_cgroup_room(bool slowed, bool own)
{
	return ULONG_MAX;
}

static inline unsigned long gc_cgroup_left(void)
{
	return ULONG_MAX;
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
 *
 * Return: pages, of the machine, and in the calling thread's cgroup; a guess.
 */
static inline unsigned long gc_room(void)
{
	return min(gc_machine_room(), gc_cgroup_room(false, false));
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
