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
/**
 * gc_cgroup_room() - pages that may still be charged before some limit is reached
 *
 * What could be reclaimed counts as taken.
 *
 * Return: pages; ULONG_MAX when nothing limits them.
 */
static inline unsigned long gc_cgroup_room(void)
{
	unsigned long room = ULONG_MAX;
	struct page_counter *counter;
	struct mem_cgroup *memcg;

	rcu_read_lock();
	memcg = mem_cgroup_from_task(current);
	for (counter = memcg ? &memcg->memory : NULL; counter;
	     counter = counter->parent) {
		unsigned long max = READ_ONCE(counter->max);
		unsigned long usage = page_counter_read(counter);

		if (max < PAGE_COUNTER_MAX)
			room = min(room, max > usage ? max - usage : 0);
	}
	rcu_read_unlock();
	return room;
}
#else
static inline unsigned long gc_cgroup_room(void)
{
	return ULONG_MAX;
}
#endif

#endif /* GCHEAP_CGROUP_H */
