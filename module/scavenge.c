// SPDX-License-Identifier: GPL-2.0
/*
 * What is done for a heap without its program asking: memory that it has no use for
 * goes back to the machine, and a heap that is left alone is collected once.
 *
 * From the first use on a work looks at the heap once in a period, until it finds it
 * left alone.  Of a heap that is used go the pages that were free all the period long;
 * of one that is not, those that are free after a collection, and then those of its
 * slabs that no object is on, which a program at work would fill.  Neither makes the heap
 * smaller than its goal, as it would have to grow again before the next collection:
 * Go's scavenger keeps as much, and a tenth more (runtime/mgcscavenge.go).
 *
 * Collections that nobody waits for take a small part of the time, however long one
 * takes, and have the least priority that there is; but whom they hold, lends his own
 * (lend.h).  One that takes long is only begun so, and is for the collector to go on with:
 * that marks beside programs, also for collections that others have begun.  They are made
 * with the credentials of who opened the heap, and memory for them is charged to his cgroup.
 *
 * A system that suspends waits a while for those that are under way, before it freezes
 * whom they hold, and none begins until it is awake again.
 *
 * The heap's lock is only tried: who has it uses the heap, or collects.  It is held for
 * the collection, and let go between some of the slabs to sweep and pages to release.
 * The work ends before its heap does.
 */
#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/suspend.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "backing.h"
#include "collect.h"
#include "compat.h"
#include "heap.h"
#include "scavenge.h"
#include "user.h"

/* Slabs swept or looked at before others may have the lock. */
#define SWEEP_BATCH	64
#define LOOK_BATCH	256

/* Where the young ones are not to be thinned out, all are looked at in one batch. */
#define YOUNG_BATCH	65536

/* Pages given back before others may have the lock */
#define RELEASE_BATCH	2048UL

/* How often somebody tries for a lock that he may not wait for. */
#define TRIES	64

/* A smaller heap has nothing to give back that would be worth a collection. */
#define LEAST_PAGES	(SZ_4M >> PAGE_SHIFT)

/*
 * After so long a heap that was used at all is collected when it is left alone: Go does
 * so whether it is or not (forcegcperiod in runtime/proc.go).
 */
#define LONG_S		120ULL

/* A system that suspends waits for so long, and then for the freezer's patience. */
#define SUSPEND_S	10

/* When a collection is under way, or cannot be had, in jiffies */
#define UNDER_WAY	(HZ / 10)
#define TRY_AGAIN	(60 * HZ)

/* Of the time, at most the part of one that collections of idle heaps take. */
#define SHARE		20

/*
 * One that is likely to be of no use, for want of memory, comes as long after the last one
 * as that took, and when it was of none, twice as long after it, and so on up to here.
 */
#define DOUBLINGS	4U

/* Heaps looked at, at the same time; one may have to wait for pages of its processes. */
#define AT_ONCE		16

static unsigned int idle_ms = 2000;
module_param(idle_ms, uint, 0644);
MODULE_PARM_DESC(idle_ms, "milliseconds after which an unused heap gives memory back (default 2000, 0: never)");

/*
 * Heaps that are marked beside their programs at the same time by kernel threads, which
 * have the priority of any thread, since they hold heaps' locks; threads that allocate mark
 * in any case.
 */
#define BESIDE_AT_ONCE	4
#define BESIDE_TURN	(HZ / 50 + 1)

/* When a collection waits until it is due: it does not do so for ever. */
#define LOOK_AGAIN	(HZ / 50 + 1)

/* When somebody had the heap's lock, in jiffies */
#define COME_AGAIN	1

/*
 * Heaps whose collection has begun with what the kernel keeps back, and how many at a time
 * may: it is a few pages for each.
 */
static atomic_t on_reserve;
#define ON_RESERVE	32

static struct workqueue_struct *scavenging;
static struct workqueue_struct *collecting;

/* Not for so long that jiffies wrap, nor all the time. */
static unsigned long period(void)
{
	return msecs_to_jiffies(clamp(READ_ONCE(idle_ms), 1U, 3600U * 1000));
}

static void rearm(struct gc_heap *heap, unsigned long delay)
{
	heap->scavenger.armed = true;
	queue_delayed_work(scavenging, &heap->scavenger.work, delay);
}

/* Pages that the heap does not need for as much as it may have before it is collected. */
static unsigned long surplus(const struct gc_heap *heap)
{
	unsigned long backed = gc_pages_backed(&heap->slabs.pages);
	u64 goal = heap->goal == U64_MAX ? 0 : heap->goal >> PAGE_SHIFT;

	return backed > goal ? backed - goal : 0;
}

/* Of a heap that is used: what was free whenever somebody looked for a page. */
static void release_unneeded(struct gc_heap *heap)
{
	struct gc_pages *gp = &heap->slabs.pages;

	gc_slabs_release_free(&heap->slabs,
			      min3(surplus(heap), gp->least_free, RELEASE_BATCH));
	gp->least_free = gp->free;
}

static bool is_long_ago(const struct gc_heap *heap)
{
	return ktime_get_ns() - READ_ONCE(heap->last_end_ns) >
	       LONG_S * NSEC_PER_SEC;
}

/* It is not to be collected, or too small for that to be of use. */
static bool is_never(const struct gc_heap *heap)
{
	return READ_ONCE(heap->percent) == GCHEAP_PERCENT_OFF || atomic_read(&heap->holds) ||
	       gc_pages_backed(&heap->slabs.pages) < LEAST_PAGES;
}

/**
 * gc_scavenge_guess() - bytes of garbage that a collection may find
 * @heap: heap
 *
 * What was allocated since the last marking may be garbage by now, or what lived then
 * have been dropped: when nothing was since, and that marking came when the heap was
 * left alone, or for want of memory, a further one is not likely to find anything new.
 *
 * Context: any; a guess without the heap's lock.
 *
 * Return: bytes, 0 when a collection is not worth it.
 */
u64 gc_scavenge_guess(const struct gc_heap *heap)
{
	u64 live = READ_ONCE(heap->slabs.live);
	s64 since = READ_ONCE(heap->slabs.since);

	if (is_never(heap))
		return 0;
	if (since > 0 && (since >= live / 8 || is_long_ago(heap)))
		return since;
	return READ_ONCE(heap->slabs.cycle) == READ_ONCE(heap->scavenger.cycle) ?
	       0 : live / 2;
}

/**
 * gc_scavenge_again() - when a heap may be collected in which garbage is not likely
 * @heap: heap, of which gc_scavenge_guess() says so
 *
 * What lived when it was collected may have been dropped since by a program that allocates
 * nothing.  Nothing tells of that, so it is tried before somebody is killed for it.
 *
 * Context: any; a guess without the heap's lock.
 *
 * Return: in how many jiffies, 0: at once; or negative: it is not worth it at any time.
 */
long gc_scavenge_again(const struct gc_heap *heap)
{
	if (is_never(heap))
		return -1;
	return max((long)(READ_ONCE(heap->scavenger.again) - jiffies), 0L);
}

static bool asleep;
static atomic_t under_way;
static DECLARE_WAIT_QUEUE_HEAD(none_under_way);

static void leave(void)
{
	if (atomic_dec_and_test(&under_way))
		wake_up_all(&none_under_way);
}

/* Whether a collection may begin; leave() follows. */
static bool enter(void)
{
	atomic_inc(&under_way);
	/* Pairs with the one in sleeping(): one of us sees the other's. */
	smp_mb__after_atomic();
	if (!READ_ONCE(asleep))
		return true;
	leave();
	return false;
}

static int sleeping(struct notifier_block *block, unsigned long event, void *arg)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
		WRITE_ONCE(asleep, true);
		/* Pairs with the one in enter(). */
		smp_mb();
		wait_event_timeout(none_under_way, !atomic_read(&under_way),
				   SUSPEND_S * HZ);
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
		WRITE_ONCE(asleep, false);
	}
	return NOTIFY_DONE;
}

static struct notifier_block sleep_notifier = { .notifier_call = sleeping };

/* @useful: it was likely to find garbage, or has found some. */
static void note_took(struct gc_scavenger *s, u64 ns, bool useful)
{
	s->vain = useful ? 0 : min(s->vain + 1, DOUBLINGS);
	s->not_before = jiffies + nsecs_to_jiffies(SHARE * ns);
	WRITE_ONCE(s->again, jiffies + nsecs_to_jiffies(ns << s->vain) + 1);
}

/*
 * When nothing is left for the collection itself, it gets what the kernel keeps for those
 * that free memory: see gc_scavenger.urgent.  Returns false when too many others have that,
 * of all or of one user.
 */
static bool collect_all(struct gc_heap *heap)
{
	bool free;

	if (gc_collect(heap, false) != -ENOMEM)
		return true;
	if (!gc_user_take(heap->user, GC_URGENT, 1))
		return false;
	free = atomic_add_unless(&on_reserve, 1, ON_RESERVE);
	if (free) {
		heap->scavenger.urgent = true;
		gc_collect(heap, false);
		heap->scavenger.urgent = false;
		atomic_dec(&on_reserve);
	}
	gc_user_give(heap->user, GC_URGENT, 1);
	return free;
}

/*
 * A heap that is left alone may yet have a program that runs: so what takes long is only
 * begun, and the collector goes on with it.  Who wants memory wants it all.  When the program
 * runs meanwhile nobody lends his priority to who holds the heap's lock.
 */
static void collect(struct gc_heap *heap, bool all)
{
	struct gc_scavenger *s = &heap->scavenger;
	u64 before = gc_scavenge_guess(heap) ? U64_MAX : heap->slabs.live;
	const struct cred *cred = override_creds(s->cred);
	struct mem_cgroup *cgroup = set_active_memcg(s->cgroup);
	int nice = task_nice(current);
	u64 start = ktime_get_ns();
	bool tried = true;

	if (!heap->collection)
		set_user_nice(current, MAX_NICE);
	if (all)
		tried = collect_all(heap);
	else
		gc_collect_begin(heap);
	set_user_nice(current, nice);
	set_active_memcg(cgroup);
	revert_creds(cred);
	/* Else it is worth it as before. */
	if (!tried)
		return;
	s->cycle = heap->slabs.cycle + !!heap->collection;
	note_took(s, ktime_get_ns() - start, before && heap->slabs.live <= before - before / 8);
}

/* Returns whether there is more to do; the heap's lock is free in between. */
static bool sweep_some(struct gc_heap *heap)
{
	return gc_slabs_sweep(&heap->slabs, SWEEP_BATCH);
}

/* Returns whether there is more to give back, of up to @pages. */
static bool release(struct gc_heap *heap, unsigned long pages, u64 before,
		    unsigned long *done)
{
	const struct gc_release most = {
		.pages = min(pages, RELEASE_BATCH),
		.unmaps = ULONG_MAX,
		.looks = before == U64_MAX ? LOOK_BATCH : YOUNG_BATCH,
		.before = before,
	};
	unsigned long nr;

	if (!pages)
		return false;
	nr = gc_slabs_release(&heap->slabs, &most);
	*done += nr;
	return nr >= most.pages || (before == U64_MAX && heap->slabs.spare);
}

static bool release_some(struct gc_heap *heap)
{
	unsigned long done = 0;

	return release(heap, surplus(heap), U64_MAX, &done);
}

/* Until the heap is used again, or there is no more to do. */
static bool do_all(struct gc_heap *heap, bool (*some)(struct gc_heap *heap))
{
	while (!heap->scavenger.used && some(heap)) {
		gc_heap_unlock(heap);
		cond_resched();
		if (!mutex_trylock(&heap->lock))
			return false;
	}
	return true;
}

/*
 * A collection is under way.  When a page that does not come has kept it from its end, it
 * is tried again, as nobody else may do so: each time the world is stopped for a while.
 */
static bool is_under_way(struct gc_heap *heap)
{
	struct gc_scavenger *s = &heap->scavenger;

	if (!heap->collection)
		return false;
	if (work_busy(&heap->collector.work)) {
		rearm(heap, UNDER_WAY);
		return true;
	}
	if (time_after_eq(jiffies, s->not_before)) {
		s->not_before = jiffies + TRY_AGAIN;
		queue_delayed_work(s->collecting, &heap->collector, 0);
	}
	return false;
}

/* Returns with the heap's lock, or false without. */
static bool left_alone(struct gc_heap *heap)
{
	struct gc_scavenger *s = &heap->scavenger;

	if (!heap->collection && gc_scavenge_guess(heap)) {
		if (time_before(jiffies, s->not_before)) {
			rearm(heap, s->not_before - jiffies);
			return true;
		}
		if (!enter()) {
			rearm(heap, period());
			return true;
		}
		collect(heap, false);
		leave();
	}
	if (is_under_way(heap))
		return true;
	if (!do_all(heap, sweep_some) || !do_all(heap, release_some))
		return false;
	s->armed = false;
	if (s->used || heap->collection)
		rearm(heap, period());
	return true;
}

/**
 * gc_scavenge_old() - up to when slabs must have been handed out to be given back
 * @heap: heap
 *
 * A program at work would soon fill the others again.
 *
 * Context: heap's lock held.
 *
 * Return: for gc_release.before.
 */
u64 gc_scavenge_old(const struct gc_heap *heap)
{
	u64 cycle = heap->slabs.cycle;

	/* Nobody notes that it is not used any more when that is of no consequence. */
	if (!heap->scavenger.used || !READ_ONCE(idle_ms))
		return U64_MAX;
	return cycle ? cycle - 1 : 0;
}

/**
 * gc_scavenge_rounds() - in how many batches all of a heap has been looked at
 * @heap: heap
 *
 * There may be more to do by then, as others allocate and drop.
 *
 * Context: heap's lock held.
 *
 * Return: how many.
 */
unsigned long gc_scavenge_rounds(const struct gc_heap *heap)
{
	return gc_pages_backed(&heap->slabs.pages) / SWEEP_BATCH + 2;
}

/**
 * gc_scavenge_some() - give back some of what no object is on
 * @heap: heap, which was collected and swept
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: whether there is more.
 */
bool gc_scavenge_some(struct gc_heap *heap)
{
	unsigned long done = 0;

	return release(heap, ULONG_MAX, U64_MAX, &done);
}

/**
 * gc_lock_within_reason() - wait a short time for a lock
 * @lock: lock; who has it for long collects, or waits for memory
 *
 * Context: may sleep.
 *
 * Return: whether it was to be had; false also when the caller is being killed.
 */
bool gc_lock_within_reason(struct mutex *lock)
{
	unsigned int tries;

	for (tries = 0; tries < TRIES && !fatal_signal_pending(current); tries++) {
		if (mutex_trylock(lock))
			return true;
		usleep_range(500, 1000);
	}
	return false;
}

/* One look at slabs, and what is free then.  Returns whether there is more. */
static bool give_back(struct gc_heap *heap, gc_scavenge_gave gave)
{
	bool unswept = sweep_some(heap);
	unsigned long done = 0;
	bool more = release(heap, ULONG_MAX, gc_scavenge_old(heap), &done);

	gave(heap, done);
	return unswept || more;
}

/* Whether a collection for want of memory is worth it, and not too soon. */
static bool is_worth_it(const struct gc_heap *heap, bool need)
{
	return gc_scavenge_guess(heap) || (need && !gc_scavenge_again(heap));
}

/**
 * gc_scavenge_all() - collect if it is worth it, and give back what no object is on
 * @heap: heap
 * @need: collect also when garbage is not likely: see gc_scavenge_again()
 * @gave: is told of pages given back, as soon as they are
 *
 * Others may have the lock in between.  What becomes free meanwhile need not go.
 *
 * Context: a kernel thread's; may sleep.
 */
void gc_scavenge_all(struct gc_heap *heap, bool need, gc_scavenge_gave gave)
{
	unsigned long rounds;

	if (!gc_lock_within_reason(&heap->lock))
		return;
	if (is_worth_it(heap, need) && enter()) {
		collect(heap, true);
		leave();
	}
	rounds = gc_scavenge_rounds(heap);
	while (give_back(heap, gave) && rounds--) {
		gc_heap_unlock(heap);
		cond_resched();
		if (!gc_lock_within_reason(&heap->lock))
			return;
	}
	gc_heap_unlock(heap);
}

/* As whoever opened the heap */
static bool go_on(struct gc_heap *heap)
{
	struct gc_scavenger *s = &heap->scavenger;
	const struct cred *cred = override_creds(s->cred);
	struct mem_cgroup *cgroup = set_active_memcg(s->cgroup);
	bool more = gc_collect_go_on(heap);

	set_active_memcg(cgroup);
	revert_creds(cred);
	return more;
}

/*
 * Goes on with a collection, of which others do a part when they allocate; for a while, so
 * that other heaps get their turn.  Who empties the heap is not to wait for a marking that
 * is of no use.
 */
static void collector(struct work_struct *work)
{
	struct gc_heap *heap = container_of(to_delayed_work(work),
					    struct gc_heap, collector);
	const unsigned long end = jiffies + BESIDE_TURN;
	unsigned long delay = 0;
	bool more = true;

	while (more && !READ_ONCE(heap->emptying) && time_before(jiffies, end)) {
		delay = COME_AGAIN;
		if (!mutex_trylock(&heap->lock))
			break;
		delay = HZ;
		if (!enter())
			goto unlock;
		more = go_on(heap);
		delay = more && gc_collect_waits(heap) ? LOOK_AGAIN : 0;
		leave();
		/* By itself it would come once more when that could not be completed. */
		if (!more)
			cancel_delayed_work(&heap->collector);
unlock:
		gc_heap_unlock(heap);
		if (delay)
			break;
		cond_resched();
	}
	if (more && !READ_ONCE(heap->emptying))
		queue_delayed_work(collecting, &heap->collector, delay);
}

static void scavenger(struct work_struct *work)
{
	struct gc_heap *heap = container_of(to_delayed_work(work),
					    struct gc_heap, scavenger.work);

	if (!mutex_trylock(&heap->lock))
		goto again;
	if (!READ_ONCE(idle_ms)) {
		heap->scavenger.armed = false;
	} else if (heap->scavenger.used) {
		heap->scavenger.used = false;
		release_unneeded(heap);
		rearm(heap, period());
	} else if (!left_alone(heap)) {
		goto again;
	}
	gc_heap_unlock(heap);
	return;
again:
	/* Armed it is, or the work would not have run. */
	queue_delayed_work(scavenging, &heap->scavenger.work, period());
}

/**
 * gc_scavenge_note() - the heap is being used
 * @heap: heap
 *
 * Context: heap's lock held.
 */
void gc_scavenge_note(struct gc_heap *heap)
{
	heap->scavenger.used = true;
	if (unlikely(!heap->scavenger.armed) && READ_ONCE(idle_ms))
		rearm(heap, period());
}

/**
 * gc_scavenge_begin() - a heap is made by the calling thread
 * @heap: heap, not used yet
 *
 * Context: may sleep.
 */
void gc_scavenge_begin(struct gc_heap *heap)
{
	struct gc_scavenger *s = &heap->scavenger;

	INIT_DELAYED_WORK(&s->work, scavenger);
	INIT_DELAYED_WORK(&heap->collector, collector);
	s->collecting = collecting;
	s->cred = get_current_cred();
	s->cgroup = get_mem_cgroup_from_mm(current->mm);
	s->not_before = jiffies;
	s->again = jiffies;
}

/**
 * gc_scavenge_end() - nobody uses the heap any more
 * @heap: heap, no caller is left
 *
 * Context: may sleep.
 */
void gc_scavenge_end(struct gc_heap *heap)
{
	struct gc_scavenger *s = &heap->scavenger;

	cancel_delayed_work_sync(&s->work);
	cancel_delayed_work_sync(&heap->collector);
	mem_cgroup_put(s->cgroup);
	put_cred(s->cred);
}

/**
 * gc_scavenge_init() - the module is loaded
 *
 * Return: 0 or a negative errno.
 */
int gc_scavenge_init(void)
{
	int err;

	scavenging = alloc_workqueue("gcheap_scavenger",
				     WQ_UNBOUND | WQ_FREEZABLE, AT_ONCE);
	if (!scavenging)
		return -ENOMEM;
	collecting = alloc_workqueue("gcheap_collector", WQ_UNBOUND, BESIDE_AT_ONCE);
	if (!collecting) {
		err = -ENOMEM;
		goto destroy_scavenging;
	}
	err = register_pm_notifier(&sleep_notifier);
	if (err)
		goto destroy_collecting;
	return 0;

destroy_collecting:
	destroy_workqueue(collecting);
destroy_scavenging:
	destroy_workqueue(scavenging);
	return err;
}

/**
 * gc_scavenge_exit() - no heap is left
 */
void gc_scavenge_exit(void)
{
	unregister_pm_notifier(&sleep_notifier);
	destroy_workqueue(collecting);
	destroy_workqueue(scavenging);
}
