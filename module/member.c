// SPDX-License-Identifier: GPL-2.0
/* Life of members, and look-ups by address space.  See member.h. */
#include <linux/memcontrol.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "gfp.h"
#include "heap.h"
#include "member.h"
#include "regs.h"
#include "user.h"

/* Members that a heap may have before it looks for dead ones; each has a table. */
#define REAP_MIN	4U

static const struct rhashtable_params member_params = {
	.head_offset = offsetof(struct gc_member, hash),
	.key_offset = offsetof(struct gc_member, mm),
	.key_len = sizeof(struct mm_struct *),
	.automatic_shrinking = true,
};

/* gc_member.flags */
#define MEMBER_GROWING	0

static struct rhltable members;

/* Makes room for records; its end waits for those works. */
static struct workqueue_struct *growing;

/**
 * gc_member_init() - a table without members
 *
 * Return: 0 or -ENOMEM.
 */
int gc_member_init(void)
{
	int err = rhltable_init(&members, &member_params);

	if (err)
		return err;
	growing = alloc_workqueue("gcheap", WQ_UNBOUND, 0);
	if (growing)
		return 0;
	rhltable_destroy(&members);
	return -ENOMEM;
}

/**
 * gc_member_exit() - undo gc_member_init()
 *
 * Context: no heap is left, and nobody looks members up.
 */
void gc_member_exit(void)
{
	destroy_workqueue(growing);
	rhltable_destroy(&members);
}

/**
 * gc_members_init() - a heap that nobody uses yet
 * @heap: heap
 */
void gc_members_init(struct gc_heap *heap)
{
	mutex_init(&heap->member_lock);
	INIT_LIST_HEAD(&heap->member_list);
	heap->reap_members_at = REAP_MIN;
}

/* It is the process that pays. */
static void grow(struct work_struct *work)
{
	struct gc_member *member =
		container_of(work, struct gc_member, growing);
	struct mem_cgroup *group = get_mem_cgroup_from_mm(member->mm);
	struct mem_cgroup *old = set_active_memcg(group);

	gc_records_grow(&member->records);
	set_active_memcg(old);
	mem_cgroup_put(group);
	clear_bit(MEMBER_GROWING, &member->flags);
	gc_member_put(member);
}

/**
 * gc_member_note() - there is, or was, a thread
 * @member: of its address space
 * @thread_pointer: its thread pointer, 0 for none
 * @mark: RECORD_READ, by the collector only; or 0
 *
 * Room for the next ones is made by a work, as a thread is born where nobody may
 * wait for memory.
 *
 * Context: any but NMI and hard interrupts; RCU read lock or gc_heap.lock held.
 */
void gc_member_note(struct gc_member *member, unsigned long thread_pointer,
		    unsigned long mark)
{
	/* The work frees tables, whatever locks the caller has. */
	rcu_read_lock();
	gc_records_add(&member->records, thread_pointer, mark);
	if (unlikely(gc_records_crowded(&member->records)) &&
	    !test_and_set_bit(MEMBER_GROWING, &member->flags) &&
	    kref_get_unless_zero(&member->ref))
		queue_work(growing, &member->growing);
	rcu_read_unlock();
}

/**
 * gc_member_alloc() - a member that is not entered yet
 *
 * Context: may sleep.
 *
 * Return: the member with one reference, or NULL.
 */
struct gc_member *gc_member_alloc(void)
{
	struct gc_member *member = kzalloc(sizeof(*member), GC_GFP);

	if (!member)
		return NULL;
	kref_init(&member->ref);
	INIT_LIST_HEAD(&member->node);
	INIT_LIST_HEAD(&member->mutators);
	INIT_LIST_HEAD(&member->present);
	INIT_WORK(&member->growing, grow);
	gc_records_init(&member->records);
	return member;
}

static void member_release(struct kref *ref)
{
	struct gc_member *member = container_of(ref, struct gc_member, ref);

	if (member->mm)
		mmdrop(member->mm);
	gc_records_destroy(&member->records);
	kfree_rcu(member, rcu);
}

/**
 * gc_member_put() - drop a reference
 * @member: member
 *
 * Context: may sleep.
 */
void gc_member_put(struct gc_member *member)
{
	kref_put(&member->ref, member_release);
}

/**
 * gc_members_of() - all memberships of an address space
 * @mm: address space
 *
 * Context: RCU read lock held; any context.
 *
 * Return: list for rhl_for_each_entry_rcu(), struct gc_member by @hash; or NULL.
 */
struct rhlist_head *gc_members_of(struct mm_struct *mm)
{
	return rhltable_lookup(&members, &mm, member_params);
}

/**
 * gc_member_find() - an address space as a member of a heap
 * @world: of the heap
 * @mm: address space
 *
 * Context: RCU read lock held; any context.
 *
 * Return: the member; valid under RCU, and as long as the caller has a reference
 * to the users of @mm and the heap is there.  NULL if it is none.
 */
struct gc_member *gc_member_find(const struct gc_world *world,
				 struct mm_struct *mm)
{
	struct gc_member *member;
	struct rhlist_head *pos;

	rhl_for_each_entry_rcu(member, pos, gc_members_of(mm), hash)
		if (member->world == world)
			return member;
	return NULL;
}

static bool too_many(struct mm_struct *mm)
{
	struct rhlist_head *pos;
	unsigned int nr = 0;

	for (pos = gc_members_of(mm); pos; pos = rcu_dereference(pos->next))
		nr++;
	return nr >= GC_MEMBERSHIPS_MAX;
}

/* Who finds the address space dead and who unmaps the heap may both come here. */
static void end_holds(struct gc_heap *heap, struct gc_member *member)
{
	atomic_sub(xchg(&member->holds, 0), &heap->holds);
}

static void member_remove(struct gc_heap *heap, struct gc_member *member,
			  struct list_head *to)
{
	end_holds(heap, member);
	gc_records_count(&member->records, NULL);
	rhltable_remove(&members, &member->hash, member_params);
	list_move(&member->node, to);
	heap->nr_members--;
	gc_user_give(heap->user, GC_MEMBERS, 1);
}

static void put_all(struct list_head *list)
{
	struct gc_member *member, *next;

	list_for_each_entry_safe(member, next, list, node) {
		gc_member_put(member);
		cond_resched();
	}
}

/* Those whom nobody uses any more; they can have no user again. */
static void collect_dead(struct gc_heap *heap, struct list_head *dead)
{
	struct gc_member *member, *next;

	list_for_each_entry_safe(member, next, &heap->member_list, node) {
		if (!atomic_read(&member->mm->mm_users))
			member_remove(heap, member, dead);
		cond_resched();
	}
	heap->reap_members_at = max(REAP_MIN, 2 * heap->nr_members);
}

/**
 * gc_member_unmapped() - an address space maps the heap no more
 * @heap: heap
 * @mm: address space
 *
 * Context: any; mmap_lock held for writing, or nobody uses @mm any more.
 */
void gc_member_unmapped(struct gc_heap *heap, struct mm_struct *mm)
{
	struct gc_member *member;

	rcu_read_lock();
	member = gc_member_find(heap->world, mm);
	if (member) {
		atomic_inc(&member->closings);
		end_holds(heap, member);
	}
	rcu_read_unlock();
}

/**
 * gc_member_hold() - an address space wants the heap not to be collected, or no more
 * @heap: heap
 * @mm: address space, which maps the heap
 * @change: by how much it wants that more, or less
 *
 * It ends with its mapping of the heap.
 *
 * Context: heap's lock held, and mmap_lock for reading.
 *
 * Return: how much it wants that then; -EINVAL when that is less than not at all, or more than
 * GCHEAP_HOLDS_MAX; -ENXIO when it is no member.
 */
int gc_member_hold(struct gc_heap *heap, struct mm_struct *mm, int change)
{
	struct gc_member *member;
	int holds = -ENXIO;

	rcu_read_lock();
	member = gc_member_find(heap->world, mm);
	if (member) {
		holds = member->holds + change;
		if (holds < 0 || holds > GCHEAP_HOLDS_MAX) {
			holds = -EINVAL;
		} else {
			member->holds = holds;
			atomic_add(change, &heap->holds);
		}
	}
	rcu_read_unlock();
	return holds;
}

/**
 * gc_members_reap() - forget address spaces that nobody uses any more
 * @heap: heap
 *
 * Context: may sleep.
 */
void gc_members_reap(struct gc_heap *heap)
{
	LIST_HEAD(dead);

	mutex_lock(&heap->member_lock);
	collect_dead(heap, &dead);
	mutex_unlock(&heap->member_lock);
	put_all(&dead);
}

/*
 * From now on fork's probe finds the member.  Who was born before is listed, unless it
 * is gone already, and what it left is nobody's concern but its own: the program had
 * no object then.
 */
static void enter_threads(struct gc_member *member)
{
	struct task_struct *task;

	/* Before the threads are listed; pairs with the one in probe_fork(). */
	smp_mb();
	rcu_read_lock();
	for_each_thread(current, task)
		gc_member_note(member, gc_regs_thread_pointer(task), 0);
	rcu_read_unlock();
}

/* fork() gave the child's only thread what its parent has. */
static void enter_child(struct gc_member *member)
{
	rcu_read_lock();
	gc_member_note(member, gc_regs_thread_pointer(current), 0);
	rcu_read_unlock();
}

static int enter_locked(struct gc_heap *heap, struct gc_member *member,
			struct mm_struct *mm)
{
	bool there, full;

	lockdep_assert_held(&heap->member_lock);
	rcu_read_lock();
	there = gc_member_find(heap->world, mm);
	full = too_many(mm);
	rcu_read_unlock();
	if (there)
		return -EEXIST;
	if (full)
		return -ENOMEM;
	if (!gc_user_take(heap->user, GC_MEMBERS, 1))
		return -ENOMEM;
	member->mm = mm;
	member->world = heap->world;
	if (rhltable_insert(&members, &member->hash, member_params)) {
		gc_user_give(heap->user, GC_MEMBERS, 1);
		member->mm = NULL;
		return -ENOMEM;
	}
	mmgrab(mm);
	gc_records_count(&member->records, &heap->records_bytes);
	list_add(&member->node, &heap->member_list);
	heap->nr_members++;
	if (mm == current->mm)
		enter_threads(member);
	else
		enter_child(member);
	return 0;
}

/**
 * gc_member_enter() - make an address space a member
 * @heap: heap
 * @member: from gc_member_alloc(); the heap takes the reference over
 * @mm: address space; it has users
 *
 * Context: may sleep; maybe mmap_lock held, maybe i_mmap_rwsem.
 *
 * Return: 0; -EEXIST when it is one already, or -ENOMEM, also when it is a member of
 * too many heaps, or the heap's user has too many members; then @member is as before.
 */
int gc_member_enter(struct gc_heap *heap, struct gc_member *member,
		    struct mm_struct *mm)
{
	LIST_HEAD(dead);
	int err;

	mutex_lock(&heap->member_lock);
	if (heap->nr_members >= heap->reap_members_at)
		collect_dead(heap, &dead);
	err = enter_locked(heap, member, mm);
	if (err == -ENOMEM) {
		/* Perhaps for those who are gone. */
		collect_dead(heap, &dead);
		err = enter_locked(heap, member, mm);
	}
	mutex_unlock(&heap->member_lock);
	put_all(&dead);
	return err;
}

/**
 * gc_member_attach() - have an address space be a member
 * @heap: heap
 * @mm: address space; it has users
 *
 * Context: may sleep; maybe mmap_lock held.
 *
 * Return: 0, also when it was one before; or -ENOMEM.
 */
int gc_member_attach(struct gc_heap *heap, struct mm_struct *mm)
{
	struct gc_member *member;
	int err;

	if (gc_member_attached(heap, mm))
		return 0;
	member = gc_member_alloc();
	if (!member)
		return -ENOMEM;
	err = gc_member_enter(heap, member, mm);
	if (err)
		gc_member_put(member);
	return err == -EEXIST ? 0 : err;
}

/**
 * gc_member_attached() - whether an address space is a member
 * @heap: heap
 * @mm: address space
 *
 * Context: any; gc_heap.lock and gc_heap.member_lock are not taken.
 *
 * Return: true if it is.
 */
bool gc_member_attached(struct gc_heap *heap, struct mm_struct *mm)
{
	bool attached;

	rcu_read_lock();
	attached = gc_member_find(heap->world, mm);
	rcu_read_unlock();
	return attached;
}

/**
 * gc_members_destroy() - the heap ends
 * @heap: heap; its mutators are gone
 *
 * Context: may sleep.
 */
void gc_members_destroy(struct gc_heap *heap)
{
	struct gc_member *member, *next;
	LIST_HEAD(all);

	mutex_lock(&heap->member_lock);
	list_for_each_entry_safe(member, next, &heap->member_list, node)
		member_remove(heap, member, &all);
	mutex_unlock(&heap->member_lock);
	put_all(&all);
}
