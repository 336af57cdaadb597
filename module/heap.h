/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A heap: what one open of /dev/gcheap makes.
 *
 * The file owns the heap; each mapping holds the file.  So the heap ends when
 * its descriptors are closed and its mappings are gone in all processes.  When the
 * mappings alone are gone, nobody can use what is in it, nor sees whose memory that
 * is: so it is made empty, by a worker, as whoever unmaps it may not wait for
 * gc_heap.lock.  Until then nobody can map it.
 *
 * Lock order, outermost first:
 *
 *	gc_pressed.lock		whether the heap is there, and how it is pressed: see
 *				shrink.c
 *	gc_heap.asking		who has called COLLECT, one after the other
 *	gc_heap.lock		slabs, mutators, settings, roots; held by the
 *				collector while the world is stopped
 *	  mm->mmap_lock		of any process that maps the heap
 *	    gc_records.merging	records of one member, see records.h
 *	    gc_heap.map_lock	base and size, and how many mappings there are
 *	  i_mmap_rwsem		of the heap's inode
 *	    gc_heap.member_lock	the list of members, see member.h
 *	  gc_mutator.lock	one thread's part in the stop, and its recall
 *	  gc_world.lock		works for children, see stop.c
 *
 * A collection that the program runs beside (collection.h) is the heap's, and whoever has
 * the heap's lock may go on with it.
 *
 * Page faults, mmap, fork and exit hold an mmap_lock, so they never take
 * gc_heap.lock, and never wait for the world.
 */
#ifndef GCHEAP_HEAP_H
#define GCHEAP_HEAP_H

#include <linux/gcheap.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/rhashtable-types.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include "dirty.h"
#include "generations.h"
#include "links.h"
#include "slab.h"

struct cred;
struct gc_astray;
struct gc_collection;
struct gc_fetcher;
struct gc_pressed;
struct gc_user;
struct gc_world;
struct inode;
struct mem_cgroup;

/**
 * struct gc_scavenger - what scavenge.c keeps of a heap
 * @work: looks at it
 * @armed: it is queued, or runs
 * @used: the heap was used since it last looked
 * @cycle: collections completed when it had last made one, or that which it began was
 * @not_before: jiffies when it may make the next one
 * @again: jiffies when one may be made in which garbage is not likely, for want of memory
 * @vain: how many of those were of no use, one after the other
 * @urgent: the one that is being made is to free memory, and the one before it found none for
 *	itself: it may begin with some of what the kernel keeps for that
 * @cred: of who made the heap
 * @cgroup: memory cgroup of that process
 * @collecting: queue for gc_heap.collector
 */
struct gc_scavenger {
	struct delayed_work work;
	bool armed;
	bool used;
	u64 cycle;
	unsigned long not_before;
	unsigned long again;
	unsigned int vain;
	bool urgent;
	const struct cred *cred;
	struct mem_cgroup *cgroup;
	struct workqueue_struct *collecting;
};

/**
 * struct gc_effort - what a collection took
 * @work: words that it has looked at
 * @once: without those that were looked at again, since they may have been written to
 * @mark_ns: how long marking from object to object took, with the world stopped or not
 * @beside: bytes that the program has allocated beside it
 * @hot: so many collections it is expected that what is written to is written to again
 *	soon
 * @look_ns: how long the last pause of the last one that the program ran beside has
 *	looked for what was written; less by and by when there is none
 */
struct gc_effort {
	u64 work;
	u64 once;
	u64 mark_ns;
	u64 beside;
	unsigned int hot;
	u64 look_ns;
};

/**
 * struct gc_heap - one heap
 * @asking: see above
 * @lock: see above; let go by gc_heap_unlock()
 * @slabs: its objects
 * @map_lock: guards changes of @base, @size, @mappings and @emptying
 * @base: user address, 0 before the first mmap; constant afterwards
 * @size: bytes of the mapping; constant once @base is set
 * @mappings: how many there are in all processes
 * @emptying: the last of them has gone, and what was in the heap has not yet
 * @emptier: makes it go
 * @inode: its address_space is the heap's pages
 * @world: the threads of all processes that map the heap
 * @member_lock: guards the next three
 * @member_list: address spaces that use the heap, see member.h
 * @nr_members: length of @member_list
 * @reap_members_at: value of @nr_members that makes us look for dead ones
 * @mutators: struct gc_mutator by task
 * @mutator_list: all of those, and those that were retired from @mutators
 * @nr_mutators: length of @mutator_list
 * @reap_at: value of @nr_mutators that makes us look for dead ones
 * @opener: effective user of who made the heap
 * @user: whose limits count for it, see user.h; a reference, or NULL for none
 * @records_bytes: memory that the records of all members take
 * @rootset_bytes: memory that the ranges of roots of all processes take
 * @agings: struct gc_aging: all that a process has, or has had since the last collection
 *	in objects that are there
 * @percent: growth before the next collection, GCHEAP_PERCENT_OFF for never
 * @scan_all: GCHEAP_SCAN_ALL
 * @limit: memory beyond which it comes earlier, 0 for none
 * @goal: bytes in use at which the next collection is due, once it can be afforded
 * @ceiling: bytes in use at which it is due at once; more than @goal only when
 *	that is the limit's doing
 * @held_goal: @goal, or more: so much may be in use as long as no memory is needed for it
 * @held_taken: pages that the heap had ever taken from the machine when that was set
 * @held_ns: when that was set, ktime_get_ns()
 * @tight_since: bytes allocated since the last marking before the heap is due since its
 *	cgroup is short, or one begins that will be due soon, when a collection could not
 *	be had
 * @fruitless: collections in a row for a full heap that were of no use
 * @tried: the caller's wish was refused before, and the heap collected for it
 * @born: when the heap was made
 * @cycles: the last collections, by number modulo GCHEAP_CYCLES
 * @pause_total_ns: sum of all pauses
 * @pause_max_ns: longest pause
 * @num_forced: collections asked for by COLLECT, or for want of memory
 * @last_gc_ns: end of the last one, CLOCK_REALTIME
 * @last_round: stop of the last collection
 * @gc_cpu_ns: time spent collecting, by all who do
 * @helped_ns: as much of that by helpers: see crew.h
 * @last_end_ns: end of the last attempt to collect, ktime_get_ns()
 * @last_took_ns: how long that took
 * @holds: no collection begins while it is not 0: the sum of all gc_member.holds; goes
 *	up under the heap's lock, and down at any time
 * @debt_ns: by how much collections had taken more time than the program until then
 * @collection: one that is under way, or NULL
 * @claimed: number of the collection that who has @asking waits for; 0: none
 * @collector: goes on with @collection while the program runs
 * @last: what the last full collection took, and the last minor one
 * @dirty: what the program writes, as long as that is to be known
 * @generations: which kind the next one is
 * @links: words that are made zero when objects go
 * @astray: what verify.c knows of the last one that it has compared, or NULL
 * @sweeper: sweeps what nobody asked for
 * @scavenger: gives memory back that nobody asked for
 * @pressed: what the shrinker knows of the heap
 * @stats_page: what it tells of itself, see stats.h
 * @stuck: waits for pages of a process that a collection has given up, or NULL
 */
struct gc_heap {
	struct mutex asking;	/* calls of COLLECT */
	struct mutex lock;	/* all but what the next two guard */
	struct gc_slabs slabs;
	spinlock_t map_lock;	/* base, size, mappings, emptying */
	unsigned long base;
	unsigned long size;
	unsigned long mappings;
	bool emptying;
	struct delayed_work emptier;
	struct inode *inode;
	struct gc_world *world;
	struct mutex member_lock;	/* list of members */
	struct list_head member_list;
	unsigned int nr_members;
	unsigned int reap_members_at;
	struct rhashtable mutators;
	struct list_head mutator_list;
	unsigned int nr_mutators;
	unsigned int reap_at;
	kuid_t opener;
	struct gc_user *user;
	atomic_long_t records_bytes;
	atomic_long_t rootset_bytes;
	struct list_head agings;
	s32 percent;
	bool scan_all;
	u64 limit;
	u64 goal;
	u64 ceiling;
	u64 held_goal;
	u64 held_taken;
	u64 held_ns;
	s64 tight_since;
	unsigned int fruitless;
	bool tried;
	ktime_t born;
	struct gcheap_cycle cycles[GCHEAP_CYCLES];
	u64 pause_total_ns;
	u64 pause_max_ns;
	u64 num_forced;
	u64 last_gc_ns;
	u64 last_round;
	u64 gc_cpu_ns;
	u64 helped_ns;
	u64 last_end_ns;
	u64 last_took_ns;
	u64 debt_ns;
	atomic_t holds;
	struct gc_collection *collection;
	u64 claimed;
	struct delayed_work collector;
	struct gc_effort last[2];
	struct gc_dirty dirty;
	struct gc_generations generations;
	struct gc_links links;
	struct gc_astray *astray;
	struct delayed_work sweeper;
	struct gc_scavenger scavenger;
	struct gc_pressed *pressed;
	struct gcheap_stats_page *stats_page;
	struct gc_fetcher *stuck;
};

struct gc_heap *gc_heap_new(void);
void gc_heap_free(struct gc_heap *heap);
void gc_heap_unlock(struct gc_heap *heap);

/* Bytes of objects that lived, or were handed out since */
static inline u64 gc_heap_in_use(const struct gc_heap *heap)
{
	return heap->slabs.live + max(heap->slabs.since, 0LL);
}

u64 gc_heap_goal(const struct gc_heap *heap);
void gc_heap_settle(struct gc_heap *heap);
u64 gc_heap_next(const struct gc_heap *heap);
void gc_heap_pace(struct gc_heap *heap);
void gc_heap_collected(struct gc_heap *heap, u64 start, u64 took);
bool gc_heap_due(const struct gc_heap *heap, u64 more);
bool gc_heap_may_overrun(const struct gc_heap *heap, u64 most);
u64 gc_heap_room(const struct gc_heap *heap);
bool gc_heap_soon(const struct gc_heap *heap, bool minor);
bool gc_heap_may_help(const struct gc_heap *heap);
void gc_heap_sweep_later(struct gc_heap *heap);
void gc_heap_not_soon(struct gc_heap *heap);
void gc_heap_put_off(struct gc_heap *heap);
void gc_heap_report(struct gc_heap *heap);

#endif /* GCHEAP_HEAP_H */
