// SPDX-License-Identifier: GPL-2.0
/* Life of mutators, and the return of what the dead owned.  See mutator.h. */
#include <linux/gcheap.h>
#include <linux/mm.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "backing.h"
#include "compat.h"
#include "gfp.h"
#include "heap.h"
#include "member.h"
#include "mutator.h"
#include "regs.h"

/* Mutators that a heap may have before it looks for dead ones. */
#define REAP_MIN	64

static const struct rhashtable_params mutator_params = {
	.head_offset = offsetof(struct gc_mutator, hash),
	.key_offset = offsetof(struct gc_mutator, task),
	.key_len = sizeof(struct task_struct *),
	.automatic_shrinking = true,
};

/**
 * gc_mutators_init() - a heap that no thread uses yet
 * @heap: heap
 *
 * Return: 0 or -ENOMEM.
 */
int gc_mutators_init(struct gc_heap *heap)
{
	INIT_LIST_HEAD(&heap->mutator_list);
	heap->reap_at = REAP_MIN;
	return rhashtable_init(&heap->mutators, &mutator_params);
}

/**
 * gc_mutator_alloc() - a mutator of no thread yet
 *
 * Return: the mutator with one reference, or NULL.
 */
struct gc_mutator *gc_mutator_alloc(void)
{
	struct gc_mutator *m = kzalloc(sizeof(*m), GC_GFP);

	if (!m)
		return NULL;
	kref_init(&m->ref);
	INIT_LIST_HEAD(&m->slabs);
	INIT_LIST_HEAD(&m->node);
	INIT_LIST_HEAD(&m->member_node);
	spin_lock_init(&m->lock);
	return m;
}

static void mutator_release(struct kref *ref)
{
	struct gc_mutator *m = container_of(ref, struct gc_mutator, ref);

	if (m->member) {
		mmdrop(m->mm);
		gc_member_put(m->member);
	}
	if (m->task)
		put_task_struct(m->task);
	kfree_rcu(m, rcu);
}

/**
 * gc_mutator_put() - drop a reference
 * @m: mutator
 *
 * Context: may sleep.
 */
void gc_mutator_put(struct gc_mutator *m)
{
	kref_put(&m->ref, mutator_release);
}

/**
 * gc_mutator_find() - the mutator of a thread
 * @heap: heap
 * @task: thread
 *
 * Context: heap's lock or the RCU read lock held.
 *
 * Return: the mutator or NULL.
 */
struct gc_mutator *gc_mutator_find(struct gc_heap *heap,
				   struct task_struct *task)
{
	return rhashtable_lookup_fast(&heap->mutators, &task, mutator_params);
}

/**
 * gc_mutator_add() - enter a thread
 * @heap: heap
 * @m: from gc_mutator_alloc(); the heap takes the reference over
 * @task: thread that has no mutator yet
 * @member: its address space
 *
 * Context: heap's lock held; does not sleep.
 *
 * Return: 0 or -ENOMEM; then @m is as before.
 */
int gc_mutator_add(struct gc_heap *heap, struct gc_mutator *m,
		   struct task_struct *task, struct gc_member *member)
{
	int err;

	m->task = task;
	m->world = heap->world;
	err = rhashtable_insert_fast(&heap->mutators, &m->hash, mutator_params);
	if (err) {
		m->task = NULL;
		return -ENOMEM;
	}
	get_task_struct(task);
	mmgrab(member->mm);
	m->mm = member->mm;
	kref_get(&member->ref);
	m->member = member;
	list_add(&m->node, &heap->mutator_list);
	list_add(&m->member_node, &member->mutators);
	heap->nr_mutators++;
	gc_regs_note_alternate(m);
	return 0;
}

/**
 * gc_mutator_retire() - a thread runs another program now
 * @heap: heap
 * @m: its mutator, to be reaped
 *
 * Context: heap's lock held; does not sleep.
 */
void gc_mutator_retire(struct gc_heap *heap, struct gc_mutator *m)
{
	rhashtable_remove_fast(&heap->mutators, &m->hash, mutator_params);
	m->retired = true;
}

/**
 * gc_mutator_give_back_all() - take back all slabs of a thread
 * @heap: heap
 * @m: mutator; whatever it was given counts as used
 *
 * Context: heap's lock held.
 */
void gc_mutator_give_back_all(struct gc_heap *heap, struct gc_mutator *m)
{
	struct gc_slab *slab, *next;

	list_for_each_entry_safe(slab, next, &m->slabs, owner_node)
		gc_slab_give_back(&heap->slabs, slab, NULL);
}

/**
 * gc_mutator_told() - a thread has named its cache
 * @m: its mutator
 * @cache: user address, 0 for none
 * @only: it has no slabs from before, or has named the same then
 *
 * Of slabs that different caches tell of nothing is recalled: one would not be told.
 *
 * Context: heap's lock held.
 */
void gc_mutator_told(struct gc_mutator *m, u64 cache, bool only)
{
	m->cache = only ? cache : 0;
	m->closings = atomic_read(&m->member->closings);
}

/**
 * gc_mutator_tells() - whether what a thread has named may be its cache still
 * @m: mutator
 *
 * Who has unmapped the heap may have unmapped the cache with it, and has something else
 * there by now, or another thread has.
 *
 * Context: heap's lock held, mmap_lock of the mutator's address space, the world stopped.
 */
bool gc_mutator_tells(const struct gc_mutator *m)
{
	return m->cache && m->closings == atomic_read(&m->member->closings);
}

/**
 * gc_mutator_recall() - have a thread told that its slabs are not its any more
 * @m: mutator that the present stop has found
 * @recall: what to tell
 *
 * A thread that is held runs its work before its next user instruction, unless it
 * dies.  Of who may have lent its memory to a vfork child nothing can be recalled: the
 * child would not be told.
 *
 * Context: heap's lock held, the world stopped.
 *
 * Return: true when it will be told; false when nothing can be recalled from it.
 */
bool gc_mutator_recall(struct gc_mutator *m, const struct gc_recall *recall)
{
	bool held;

	spin_lock(&m->lock);
	/* As long as it is not FREE, its kernel stack is there: see regs.c. */
	held = m->hold != HOLD_FREE && !gc_regs_may_lend(m->task);
	if (held)
		m->recall = *recall;
	spin_unlock(&m->lock);
	return held;
}

/* Whether memory can be written after all: there may have been none for a copy of it. */
static bool may_be_written(unsigned long addr)
{
	struct page *page;
	int nr;

	while ((nr = get_user_pages_fast(addr & PAGE_MASK, 1, FOLL_WRITE,
					 &page)) == -ENOMEM &&
	       !fatal_signal_pending(current))
		schedule_timeout_killable(1);
	if (nr == 1)
		put_page(page);
	return nr == 1;
}

/* What is written is aligned, so on one page.  Who is being killed need not be told. */
static int write_word(u64 addr, const void *word, size_t bytes)
{
	while (copy_to_user(u64_to_user_ptr(addr), word, bytes) &&
	       !fatal_signal_pending(current)) {
		if (!may_be_written(addr))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

static int empty_bin(u64 bin)
{
	const u64 none = 0;
	int err;

	err = write_word(bin + offsetof(struct gcheap_bin, end), &none, sizeof(none));
	if (err)
		return err;
	return write_word(bin + offsetof(struct gcheap_bin, word), &none, sizeof(none));
}

static int tell(const struct gc_recall *recall)
{
	const u32 revoked = 1;
	unsigned int i;
	int err;

	for_each_set_bit(i, recall->emptied, GC_BINS) {
		err = empty_bin(recall->bins + (u64)i * recall->stride);
		if (err)
			return err;
	}
	return write_word(recall->cache + offsetof(struct gcheap_cache, revoked),
			  &revoked, sizeof(revoked));
}

/**
 * gc_mutator_obey() - tell the calling thread what was recalled, if anything was
 * @m: its mutator
 *
 * Whoever runs another program by now has nothing to forget.  Who cannot be told would
 * hand out what is others', also in a handler of signals: it ends instead.
 *
 * Context: the thread's task work; may sleep, no locks held.
 */
void gc_mutator_obey(struct gc_mutator *m)
{
	struct gc_recall recall;

	spin_lock(&m->lock);
	recall = m->recall;
	m->recall.cache = 0;
	spin_unlock(&m->lock);
	if (recall.cache && current->mm == m->mm && tell(&recall) &&
	    !fatal_signal_pending(current))
		force_sig(SIGKILL);
}

static void mutator_remove(struct gc_heap *heap, struct gc_mutator *m)
{
	if (!m->retired)
		gc_mutator_retire(heap, m);
	gc_mutator_give_back_all(heap, m);
	list_del(&m->node);
	list_del(&m->member_node);
	heap->nr_mutators--;
	gc_mutator_put(m);
}

/* It will never run code of the program again that it was a thread of. */
static bool mutator_dead(struct gc_mutator *m)
{
	return m->retired || READ_ONCE(m->task->flags) & PF_EXITING ||
	       READ_ONCE(m->task->mm) != m->mm;
}

/*
 * Its thread is in a call and relies on the mutator, even when another thread
 * of the process unmaps the heap meanwhile.
 */
static bool mutator_needed(struct gc_mutator *m)
{
	if (m->task == current && !m->retired)
		return true;
	/* Pairs with the release in gc_mutator_done(). */
	return smp_load_acquire(&m->busy);
}

/**
 * gc_mutator_done() - a thread is no longer busy with its slabs
 * @heap: heap
 * @m: the calling thread's mutator, which may be gone on return
 *
 * Context: heap's lock not held.
 */
void gc_mutator_done(struct gc_heap *heap, struct gc_mutator *m)
{
	/* Pairs with the acquire in mutator_needed(). */
	smp_store_release(&m->busy, false);
	/* Pairs with the one in gc_mutators_busy(): one of us sees the other's. */
	smp_mb();
	if (READ_ONCE(heap->emptying))
		queue_delayed_work(system_dfl_wq, &heap->emptier, 0);
}

/**
 * gc_mutators_busy() - whether a thread is in a call that goes on with its slabs
 * @heap: heap, which is to be emptied
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: true if there is one: then its gc_mutator_done() queues the emptier.
 */
bool gc_mutators_busy(struct gc_heap *heap)
{
	struct gc_mutator *m;

	/* After gc_heap.emptying was set; pairs with the one in gc_mutator_done(). */
	smp_mb();
	list_for_each_entry(m, &heap->mutator_list, node) {
		/* Pairs with the release there: what it wrote is written. */
		if (smp_load_acquire(&m->busy))
			return true;
		cond_resched();
	}
	return false;
}

/**
 * gc_mutators_remove() - nobody uses the heap any more
 * @heap: heap; no thread is busy
 *
 * Context: may sleep; heap's lock held, or the heap ends.
 */
void gc_mutators_remove(struct gc_heap *heap)
{
	struct gc_mutator *m, *next;

	list_for_each_entry_safe(m, next, &heap->mutator_list, node) {
		mutator_remove(heap, m);
		cond_resched();
	}
}

/**
 * gc_mutators_reap() - take back what dead threads owned
 * @heap: heap
 * @round: number of the present stop: who was not found mapping the heap in it
 *	does not; 0: all do
 *
 * Context: may sleep; heap's lock held.
 */
void gc_mutators_reap(struct gc_heap *heap, u64 round)
{
	struct gc_mutator *m, *next;

	lockdep_assert_held(&heap->lock);
	list_for_each_entry_safe(m, next, &heap->mutator_list, node) {
		if (!mutator_needed(m) &&
		    (mutator_dead(m) || (round && m->member->round != round)))
			mutator_remove(heap, m);
		cond_resched();
	}
	heap->reap_at = max(REAP_MIN, 2 * heap->nr_mutators);
}

/* It stays, as the caller uses the address space. */
static struct gc_member *current_member(struct gc_heap *heap)
{
	struct gc_member *member;

	rcu_read_lock();
	member = gc_member_find(heap->world, current->mm);
	rcu_read_unlock();
	return member;
}

/* The calling thread, which is not there yet */
static struct gc_mutator *enter_current(struct gc_heap *heap)
{
	int err = gc_member_attach(heap, current->mm);
	struct gc_mutator *m;

	if (err)
		return ERR_PTR(err);
	m = gc_mutator_alloc();
	if (!m)
		return ERR_PTR(gc_backing_refused(&heap->slabs.pages));
	err = gc_mutator_add(heap, m, current, current_member(heap));
	if (err) {
		gc_mutator_put(m);
		return ERR_PTR(gc_backing_refused(&heap->slabs.pages));
	}
	return m;
}

/**
 * gc_mutator_current() - the calling thread's mutator, made if there is none
 * @heap: heap
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: the mutator, or ERR_PTR(-ENOMEM).
 */
struct gc_mutator *gc_mutator_current(struct gc_heap *heap)
{
	struct gc_mutator *m = gc_mutator_find(heap, current);

	lockdep_assert_held(&heap->lock);
	if (m && m->mm == current->mm)
		return m;
	if (m)
		gc_mutator_retire(heap, m);
	if (heap->nr_mutators >= heap->reap_at)
		gc_mutators_reap(heap, 0);
	return enter_current(heap);
}

/**
 * gc_mutators_audit() - check who owns which slab, and that no thread was missed
 * @heap: heap; faults go to its pages
 * @round: number of the present stop
 *
 * Context: heap's lock held, the world stopped, marking complete.
 */
void gc_mutators_audit(struct gc_heap *heap, u64 round)
{
	struct gc_faults *faults = &heap->slabs.pages.faults;
	unsigned long owned = 0, mutators = 0;
	struct gc_mutator *m;
	struct gc_slab *slab;

	lockdep_assert_held(&heap->lock);
	list_for_each_entry(m, &heap->mutator_list, node) {
		mutators++;
		if (m->round == round && m->marked != round && !m->retired)
			gc_fault(faults, (struct gc_fault) {
				.what = "thread was not looked at",
				.found = m->marked,
				.expected = round,
			});
		list_for_each_entry(slab, &m->slabs, owner_node) {
			owned++;
			if (slab->state != SLAB_OWNED || slab->owner != m)
				gc_fault(faults, (struct gc_fault) {
					.what = "slab has another owner",
					.offset = slab->offset,
					.slab = slab->offset,
					.found = (unsigned long)slab->owner,
					.expected = (unsigned long)m,
				});
		}
	}
	if (owned != list_count_nodes(&heap->slabs.owned))
		gc_fault(faults, (struct gc_fault) {
			.what = "slabs that owners have",
			.found = owned,
			.expected = list_count_nodes(&heap->slabs.owned),
		});
	if (mutators != heap->nr_mutators)
		gc_fault(faults, (struct gc_fault) {
			.what = "number of threads",
			.found = heap->nr_mutators,
			.expected = mutators,
		});
}

/**
 * gc_mutators_destroy() - the heap ends
 * @heap: heap
 *
 * Context: may sleep.
 */
void gc_mutators_destroy(struct gc_heap *heap)
{
	gc_mutators_remove(heap);
	rhashtable_destroy(&heap->mutators);
}
