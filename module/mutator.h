/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mutators: the threads that use a heap, as the heap knows them.
 *
 * A mutator is made when its thread allocates for the first time or is stopped
 * for the first time.  The heap's list holds it until the thread is found to be
 * dead, to run another program, or not to map the heap any more; then its slabs
 * come back ("reaping").  Its task work, while queued, holds it too: so it may
 * outlive the heap, but only by what does not need the heap.
 */
#ifndef GCHEAP_MUTATOR_H
#define GCHEAP_MUTATOR_H

#include <linux/bitmap.h>
#include <linux/kref.h>
#include <linux/rhashtable-types.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#include "size_class.h"
#include "span.h"

struct gc_heap;
struct gc_member;
struct gc_slab;
struct gc_world;

/*
 * Where a mutator is in the stop, see stop.c.
 *	FREE	it runs, or sleeps, and would run on
 *	QUEUED	it will see its task work before its next user instruction
 *	PARKED	it waits in that work
 */
enum gc_hold {
	HOLD_FREE,
	HOLD_QUEUED,
	HOLD_PARKED,
};

/* Bins of a thread: two for each class, as struct gcheap_cache has them */
#define GC_BINS		(2 * SIZE_CLASS_COUNT)

/**
 * struct gc_recall - what a thread has to be told before it runs on
 * @cache: user address of its struct gcheap_cache; 0: nothing
 * @bins: user address of its bins
 * @stride: bytes from one bin to the next
 * @emptied: bins whose slabs are not its any more
 */
struct gc_recall {
	u64 cache;
	u64 bins;
	u32 stride;
	DECLARE_BITMAP(emptied, GC_BINS);
};

/**
 * struct gc_mutator - a thread that uses a heap
 * @hash: in gc_heap.mutators, by @task
 * @node: in gc_heap.mutator_list
 * @member_node: in gc_member.mutators
 * @ref: the heap's list, and a queued @work or @leaving
 * @task: the thread; a reference
 * @member: its address space when the mutator was made; a reference
 * @mm: that of @member; a reference to the structure only
 * @slabs: slabs that it owns; under the heap's lock
 * @cache: user address of its struct gcheap_cache, 0 for none, or when it has slabs
 *	that another one tells of; under the heap's lock
 * @closings: gc_member.closings when it was last told of @cache; under the heap's lock
 * @refilled: collections completed at its last REFILL; under the heap's lock
 * @spare: bytes of its slabs that are in nobody's use, as the present collection has
 *	found; 0 when it did not tell
 * @landing: offset of an object that is on its way to the thread, plus one: a
 *	root until it is in the thread's memory; 0 for none
 * @busy: the thread is in a call that goes on with its slabs without the heap's
 *	lock; set under the lock, it keeps the mutator from being reaped
 * @retired: no longer in the hash: the thread runs another program
 * @lock: guards @hold and @recall
 * @hold: see above
 * @recall: what the thread's @work tells it
 * @work: task work that parks the thread
 * @leaving: task work that counts the thread as parked until it may get to user
 *	mode
 * @disarmed: alternate stack that it was last seen to have and to lose in a handler;
 *	under the heap's lock
 * @leaves: @leaving is queued; the thread's, who watches reads it
 * @sleeps: how often it had slept when @leaving was run last
 * @world: of the heap, from gc_mutator_add() on; a reference while @work or @leaving is
 *	queued
 * @round: stop that found the thread last
 * @pass: look for threads that found it last
 * @marked: stop in which its stack and registers were looked at last
 * @rcu: look-ups in the hash may still be under way when the mutator goes
 */
struct gc_mutator {
	struct rhash_head hash;
	struct list_head node;
	struct list_head member_node;
	struct kref ref;
	struct task_struct *task;
	struct gc_member *member;
	struct mm_struct *mm;
	struct list_head slabs;
	u64 cache;
	int closings;
	u64 refilled;
	u64 spare;
	unsigned long landing;
	bool busy;
	bool retired;
	spinlock_t lock;	/* hold, recall */
	enum gc_hold hold;
	struct gc_recall recall;
	struct callback_head work;
	struct callback_head leaving;
	struct gc_span disarmed;
	bool leaves;
	unsigned long sleeps;
	struct gc_world *world;
	u64 round;
	u64 pass;
	u64 marked;
	struct rcu_head rcu;
};

int gc_mutators_init(struct gc_heap *heap);
void gc_mutators_destroy(struct gc_heap *heap);

/**
 * gc_is_vfork_child() - whether the caller is a vfork child that has not execed
 *
 * It has its parent's memory, its thread-local storage included, but is a thread of its own
 * to us.
 *
 * Return: true when it is.
 */
static inline bool gc_is_vfork_child(void)
{
	return current->vfork_done;
}

struct gc_mutator *gc_mutator_alloc(void);
void gc_mutator_put(struct gc_mutator *m);
struct gc_mutator *gc_mutator_find(struct gc_heap *heap,
				   struct task_struct *task);
int gc_mutator_add(struct gc_heap *heap, struct gc_mutator *m,
		   struct task_struct *task, struct gc_member *member);
void gc_mutator_retire(struct gc_heap *heap, struct gc_mutator *m);
struct gc_mutator *gc_mutator_current(struct gc_heap *heap);

void gc_mutator_give_back_all(struct gc_heap *heap, struct gc_mutator *m);
void gc_mutator_told(struct gc_mutator *m, u64 cache, bool only);
bool gc_mutator_tells(const struct gc_mutator *m);
bool gc_mutator_recall(struct gc_mutator *m, const struct gc_recall *recall);
void gc_mutator_obey(struct gc_mutator *m);
void gc_mutator_done(struct gc_heap *heap, struct gc_mutator *m);
bool gc_mutators_busy(struct gc_heap *heap);
void gc_mutators_remove(struct gc_heap *heap);
void gc_mutators_reap(struct gc_heap *heap, u64 round);
void gc_mutators_audit(struct gc_heap *heap, u64 round);

#endif /* GCHEAP_MUTATOR_H */
