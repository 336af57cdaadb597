/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the memory cgroup of the calling thread allows.  Nothing is owned here; the
 * kernel's RCU is all that is needed, and nobody is waited for.
 *
 * The counters are the kernel's own (linux/page_counter.h), of the cgroup and of all
 * that it lies in, in cgroup v1 too.  They change all the time: an answer is a guess.
 */
#ifndef GCHEAP_CGROUP_H
#define GCHEAP_CGROUP_H

#include <linux/memcontrol.h>

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
	unsigned long room = ULONG_MAX;
	struct page_counter *counter;
	struct mem_cgroup *memcg;

	rcu_read_lock();
	memcg = mem_cgroup_from_task(current);
	for (counter = memcg ? &memcg->memory : NULL; counter;
	     counter = own ? NULL : counter->parent) {
		unsigned long max = READ_ONCE(counter->max);
		unsigned long usage = page_counter_read(counter);

		if (slowed)
			max = min(max, READ_ONCE(counter->high));
		if (max < PAGE_COUNTER_MAX)
			room = min(room, max > usage ? max - usage : 0);
	}
	if (room < PAGE_COUNTER_MAX)
		room += gc_cgroup_cache(memcg);
	rcu_read_unlock();
	return room;
}
#else
static inline unsigned long gc_cgroup_room(bool slowed, bool own)
{
	return ULONG_MAX;
}
#endif

#endif /* GCHEAP_CGROUP_H */
