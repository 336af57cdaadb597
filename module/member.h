/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Members: the address spaces that have attached to a heap, or were forked from
 * one that maps it.
 *
 * A member is entered before its first mapping and stays until nobody uses the
 * address space any more, or the heap ends.  So being a member is the consent to
 * map the heap; who is stopped is told by the mappings, see stop.c.
 *
 * It owns: the heap's list of members, and the one table of all heaps' members by
 * address space.  Look-ups take no lock but RCU's.  gc_heap.member_lock guards
 * changes of a heap's list; nobody waits with it held, but for a bucket of the
 * table.  It may be taken with gc_heap.lock, an mmap_lock and i_mmap_rwsem held.
 */
#ifndef GCHEAP_MEMBER_H
#define GCHEAP_MEMBER_H

#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rhashtable-types.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "records.h"

struct gc_heap;
struct gc_world;
struct mm_struct;

/* Heaps that one address space may be a member of: its forks walk them all. */
#define GC_MEMBERSHIPS_MAX	256U

/**
 * struct gc_member - an address space that uses a heap
 * @hash: in the table, by @mm: one mm may be a member of several heaps
 * @node: in gc_heap.member_list; under gc_heap.member_lock
 * @ref: the heap's list, and each mutator
 * @mm: the address space; a reference to the structure only
 * @world: of the heap; compared and looked at under RCU
 * @records: records of its threads, dead or alive
 * @growing: makes room for more records; has a reference while it is queued
 * @flags: it is queued
 * @closings: mappings of the heap that it had and has no more
 * @holds: how often it has said that the heap is not to be collected; 0 when it does not
 *	map the heap.  Under its mmap_lock, for reading with the heap's lock; made 0 at once
 *	when nobody uses @mm any more
 * @mutators: struct gc_mutator by @member_node; under the heap's lock
 * @round: stop that found it mapping the heap last; from then to the end of that
 *	stop it has a reference to the users of @mm
 * @marked: stop in which its memory was looked at last
 * @present: in gc_world.members, while it has that
 * @rcu: look-ups may still be under way when the member goes
 */
struct gc_member {
	struct rhlist_head hash;
	struct list_head node;
	struct kref ref;
	struct mm_struct *mm;
	struct gc_world *world;
	struct gc_records records;
	struct work_struct growing;
	unsigned long flags;
	atomic_t closings;
	u32 holds;
	struct list_head mutators;
	u64 round;
	u64 marked;
	struct list_head present;
	struct rcu_head rcu;
};

int gc_member_init(void);
void gc_member_exit(void);

void gc_members_init(struct gc_heap *heap);
void gc_members_destroy(struct gc_heap *heap);

struct gc_member *gc_member_alloc(void);
void gc_member_put(struct gc_member *member);
void gc_member_note(struct gc_member *member, unsigned long thread_pointer,
		    unsigned long mark);
int gc_member_enter(struct gc_heap *heap, struct gc_member *member,
		    struct mm_struct *mm);
int gc_member_attach(struct gc_heap *heap, struct mm_struct *mm);
bool gc_member_attached(struct gc_heap *heap, struct mm_struct *mm);
void gc_member_unmapped(struct gc_heap *heap, struct mm_struct *mm);
int gc_member_hold(struct gc_heap *heap, struct mm_struct *mm, int change);
void gc_members_reap(struct gc_heap *heap);

struct rhlist_head *gc_members_of(struct mm_struct *mm);
struct gc_member *gc_member_find(const struct gc_world *world,
				 struct mm_struct *mm);

#endif /* GCHEAP_MEMBER_H */
