// SPDX-License-Identifier: GPL-2.0
/*
 * The machine, or a memory cgroup, is short of memory: heaps give back what is free,
 * and are collected where much garbage is likely.
 *
 * The kernel calls a shrinker, with the cgroup that is short and from whichever thread
 * wants memory, with whatever locks that one has.  So nothing is waited for here that
 * such a lock could keep: locks are only tried, and a heap is collected by a work, in
 * no thread of anybody's.  The thread that wants memory waits for that work, as it
 * would for a disk to take its pages: else it would find nothing, and the kernel would
 * kill somebody for memory that is garbage.  It does not wait for ever, nor twice, nor
 * when that was in vain lately for long, nor when the heap may be waiting for it: when it is
 * a thread of the kernel, in the middle of input and output, or of a member.  One of a member
 * waits all the same where its process would be killed otherwise, though no longer than it is
 * seen to be in the way: what it has locked may keep both for that long.
 *
 * Works need threads, which the kernel makes when none is idle, and then it is the kernel
 * that wants memory.  So one thread is there for a heap at a time; others' works go on
 * whatever that one waits for.
 *
 * A heap that was found alive may be garbage by now.  When there is hardly anything else to
 * take, it is collected again, some time after the last collection, for which is waited, too.
 *
 * A heap is told of by its gc_pressed, which is charged to the cgroup of the process
 * that opened the heap, and is in the kernel's list for that one (list_lru.h): so heaps
 * come up in turn, and only those of the cgroup that is short.  It outlives the heap
 * as long as somebody looks at it.
 *
 * Before a heap's own thread is refused memory it has heaps asked for what they can give,
 * others or all, and waits for their works: there no lock is held.
 *
 * Locks: gc_pressed.lock, for which only the end of a heap waits, and a thread that was
 * refused memory or is about to be tries for some time; then the heap's lock, which is tried.
 * The work has the heap's lock alone, and does not wait for it for long.
 */
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/kthread.h>
#include <linux/list_lru.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "backing.h"
#include "cgroup.h"
#include "compat.h"
#include "expose.h"
#include "gfp.h"
#include "heap.h"
#include "member.h"
#include "scavenge.h"
#include "shrink.h"

/* Heaps looked at in one call */
#define HEAPS		8

/* Pages given back by one call, at least; the kernel asks for 128. */
#define LEAST		2048UL

/* Slabs looked at by one call for pages that no object is on. */
#define LOOKS		4096

/* Mappings of the heap times ranges of pages unmapped there, in one call. */
#define UNMAPS		1024

/*
 * How long a thread waits for a collection; and when that gave not even as much as one
 * call asks for, how many times as long no stranger waits for any: else one user could have
 * others wait all the time, and would give nothing for it.  So much of that is forgiven.
 */
#define PATIENCE	(5 * HZ)
#define DISTRUST	4
#define FORGIVEN	(DISTRUST * PATIENCE / 2)

/* Of the machine's memory, the part of one below which there is hardly any left */
#define HARDLY		16

/* What is no time for a collection to be over in: it tells nothing of the heap. */
#define WAITED_LEAST	HZ

/* Others may be faster to take what a heap makes way with. */
#define ROUNDS		4

/* Times what is wanted that a heap gives at once, where that makes no difference */
#define GIVEN_MOST	16

/* When it looks for room that somebody else has made, in jiffies */
#define LOOK_AGAIN	((unsigned long)HZ / 10)

/* How often in each of them so many HEAPS are asked */
#define TURNS		16

/**
 * struct gc_pressed - a heap, as the shrinker sees it
 * @node: in the list of its cgroup
 * @ref: the heap's, and of whoever looks at it
 * @lock: guards @ended, and whoever presses: @owns, @need, @due, @vain and @pressing are set
 *	under it
 * @ended: the heap is about to end: it is not looked at, nor the work queued
 * @heap: the heap
 * @work: collects, and gives back
 * @own_work: the same, for the thread that is there
 * @owns: that one has been queued
 * @pressing: one of them is queued, or runs
 * @need: it is to collect though garbage is not likely
 * @due: when it runs, in jiffies
 * @vain: that is later, and the last time it was, that was in vain
 * @released: pages that the works have given back
 * @distrust_until: until when threads of other heaps do not wait for it, in jiffies
 * @asked: the last call of gc_shrink_make_way() that asked it, by number
 */
struct gc_pressed {
	struct list_head node;
	struct kref ref;
	struct mutex lock;	/* see above */
	bool ended;
	struct gc_heap *heap;
	struct delayed_work work;
	struct kthread_delayed_work own_work;
	bool owns;
	bool pressing;
	bool need;
	unsigned long due;
	bool vain;
	atomic_long_t released;
	unsigned long distrust_until;
	long asked;
};

/* Until when no stranger waits, in jiffies, but for what is forgiven */
static unsigned long distrust_until = INITIAL_JIFFIES;

/* Likewise threads of members, and who tries for a lock, by process: it is their own affair. */
#define MEMBERS_BITS	6
static unsigned long members_distrust[1 << MEMBERS_BITS] = {
	[0 ... (1 << MEMBERS_BITS) - 1] = INITIAL_JIFFIES,
};

static struct kmem_cache *cache;
static struct list_lru list;
static struct workqueue_struct *pressing;
static struct kthread_worker *own;
/* Whose it is */
static struct gc_pressed *owner;
static DECLARE_WAIT_QUEUE_HEAD(pressed);
static atomic_long_t calls;
static struct shrinker *shrinker;
static bool ready;

static void pressed_free(struct kref *ref)
{
	kmem_cache_free(cache, container_of(ref, struct gc_pressed, ref));
}

static void no_more_pressing(struct gc_pressed *p)
{
	/* Pairs with the acquire in is_over(). */
	smp_store_release(&p->pressing, false);
	wake_up_all(&pressed);
}

/* Who waits may have enough. */
static void gave(struct gc_heap *heap, unsigned long nr)
{
	atomic_long_add(nr, &heap->pressed->released);
	if (nr && wq_has_sleeper(&pressed))
		wake_up_all(&pressed);
}

static void press(struct gc_pressed *p)
{
	bool need;

	/* First, as whoever wants memory may not wait to the end. */
	gc_expose(p->heap);
	do {
		need = READ_ONCE(p->need);
		gc_scavenge_all(p->heap, need, gave);
	} while (!need && READ_ONCE(p->need));
}

static void press_by_work(struct work_struct *work)
{
	struct gc_pressed *p = container_of(to_delayed_work(work), struct gc_pressed,
					    work);

	press(p);
	no_more_pressing(p);
}

static void press_by_own(struct kthread_work *work)
{
	struct gc_pressed *p = container_of(work, struct gc_pressed, own_work.work);

	press(p);
	p->owns = false;
	/* It may have been queued once more, when it is another's by now. */
	cmpxchg(&owner, p, NULL);
	no_more_pressing(p);
}

/* Again, it may come earlier.  p->lock is held. */
static void press_in(struct gc_pressed *p, unsigned long delay, bool need)
{
	bool again = READ_ONCE(p->pressing);

	if (!again)
		p->owns = !cmpxchg(&owner, NULL, p);
	WRITE_ONCE(p->need, need || (again && p->need));
	WRITE_ONCE(p->due, jiffies + delay);
	WRITE_ONCE(p->vain, delay && READ_ONCE(p->heap->scavenger.vain));
	WRITE_ONCE(p->pressing, true);
	if (p->owns)
		kthread_mod_delayed_work(own, &p->own_work, delay);
	else
		mod_delayed_work(pressing, &p->work, delay);
}

/*
 * Pages that could be had; a guess, without a lock: of free slots about half lie where no
 * object is.  A heap that is to be exposed is not passed over, nor in need one that may be
 * collected again: the kernel does not ask for what is less than it asks for at a time.
 */
static unsigned long pages_of(struct gc_heap *heap, bool need)
{
	unsigned long pages = READ_ONCE(heap->slabs.pages.free) +
			      (READ_ONCE(heap->slabs.spare) >> (PAGE_SHIFT + 1)) +
			      (gc_scavenge_guess(heap) >> PAGE_SHIFT);

	if (pages >= LEAST)
		return pages;
	if (need && gc_scavenge_again(heap) >= 0)
		return LEAST;
	return gc_expose_due(heap) ? LEAST : pages;
}

/**
 * struct glance - a walk over heaps
 * @need: hardly anything else is left
 * @pages: that could be had
 * @nr: entries of @found
 * @found: some heaps that have any, each with a reference
 * @take: put them there
 */
struct glance {
	bool need;
	unsigned long pages;
	unsigned int nr;
	struct gc_pressed *found[HEAPS];
	bool take;
};

/* The list's lock is held: the heap has not ended. */
static enum lru_status look_at(struct list_head *item, void *arg)
{
	struct gc_pressed *p = container_of(item, struct gc_pressed, node);
	struct glance *g = arg;
	unsigned long pages = pages_of(p->heap, g->need);

	g->pages += pages;
	if (!g->take || !pages || g->nr == HEAPS)
		return LRU_SKIP;
	kref_get(&p->ref);
	g->found[g->nr++] = p;
	return LRU_ROTATE;
}

/* Before it kills somebody the kernel has taken all files away that it may. */
static bool is_need(const struct shrink_control *sc)
{
	return gc_machine_room() < totalram_pages() / HARDLY ||
	       gc_cgroup_is_full(sc->memcg, LEAST);
}

static unsigned long count(struct shrinker *unused, struct shrink_control *sc)
{
	struct glance g = {};

	/* Pairs with the release in gc_shrink_init(). */
	if (!smp_load_acquire(&ready))
		return 0;
	/* Most cgroups have no heap, and are asked each time all the same. */
	if (!list_lru_shrink_count(&list, sc))
		return SHRINK_EMPTY;
	g.need = is_need(sc);
	gc_lru_walk(&list, sc, look_at, &g);
	return g.pages;
}

/* In how many jiffies a heap is to be pressed, or negative: not now */
static long when(struct gc_heap *heap, bool need)
{
	if (gc_scavenge_guess(heap) || gc_expose_due(heap))
		return 0;
	return need ? gc_scavenge_again(heap) : -1;
}

/* It has been queued for later. */
static bool is_later(const struct gc_pressed *p)
{
	return time_before(jiffies, READ_ONCE(p->due));
}

/*
 * Has the heap collected, if there is likely much garbage, or it is tried in need, and who
 * holds it be seen.  p->lock is held.
 */
static void have_pressed(struct gc_pressed *p, bool need)
{
	long delay;

	if (READ_ONCE(p->pressing) && !is_later(p)) {
		if (need)
			WRITE_ONCE(p->need, true);
		return;
	}
	delay = when(p->heap, need);
	if (delay < 0 || delay > PATIENCE || (delay && is_later(p)))
		return;
	press_in(p, delay, need);
}

/* Of the calling thread's process; another one may happen to share it, and its patience. */
static unsigned long *own_distrust(void)
{
	return &members_distrust[hash_ptr(current->mm, MEMBERS_BITS)];
}

static bool trusting(const unsigned long *distrust)
{
	return !time_before(jiffies + FORGIVEN, READ_ONCE(*distrust));
}

/* Whoever waited since @start, when *@distrust was @until, has waited in vain. */
static void have_waited(unsigned long *distrust, unsigned long start, unsigned long until)
{
	/* Who waited for the same adds nothing to it. */
	until = time_after(until, start) ? until : start;
	until += (DISTRUST + 1) * (jiffies - start);
	if (time_after(until, READ_ONCE(*distrust)))
		WRITE_ONCE(*distrust, until);
}

/**
 * struct want - one call of scan()
 * @gfp: as whom it wants memory
 * @need: hardly anything else is left
 * @waits: it may wait for a work, and has not yet
 * @tries: likewise for the lock of a gc_pressed
 */
struct want {
	gfp_t gfp;
	bool need;
	bool waits;
	bool tries;
};

/* Whether the caller is a thread that can be kept waiting, and killed meanwhile */
static bool may_be_late(const struct want *w)
{
	return w->gfp & __GFP_FS && !(w->gfp & __GFP_NORETRY) && current->mm &&
	       !(current->flags & (PF_KTHREAD | PF_EXITING));
}

/*
 * Whether somebody would be killed for what is refused: not so with GC_GFP, nor where the
 * kernel can swap for the caller.
 */
static bool is_last_resort(const struct want *w)
{
	return w->need && !(w->gfp & __GFP_RETRY_MAYFAIL) && gc_swap_room() < LEAST;
}

/*
 * A collection looks at the memory of members, and needs this lock for it.  It can be had
 * beside a caller who has it for reading, unless somebody waits to write.
 */
static bool memory_is_accessible(void)
{
	if (!mmap_read_trylock(current->mm))
		return false;
	mmap_read_unlock(current->mm);
	return true;
}

/**
 * enum patience - who wants memory of a heap
 * @HASTE: a thread that does not wait
 * @STRANGER: one that has nothing to do with the heap
 * @MEMBER: one of a member, which would be killed otherwise
 *
 * That one is held while it sleeps here, as anywhere.  It may have locks that the collection
 * waits for: then both do for PATIENCE at most.  Where the heap's own lock is held memory is
 * mostly asked for with GC_GFP.
 */
enum patience { HASTE, STRANGER, MEMBER };

/* p->lock is held. */
static enum patience patience_of(struct gc_pressed *p, const struct want *w)
{
	bool member;

	if (!may_be_late(w))
		return HASTE;
	rcu_read_lock();
	member = gc_member_find(p->heap->world, current->mm);
	rcu_read_unlock();
	if (!member)
		return trusting(&distrust_until) ? STRANGER : HASTE;
	return is_last_resort(w) && trusting(own_distrust()) && memory_is_accessible() ?
	       MEMBER : HASTE;
}

static bool is_over(const struct gc_pressed *p)
{
	/* Pairs with the release in no_more_pressing(). */
	return !smp_load_acquire(&p->pressing);
}

/* Up to @end; a member no longer than it is not in the collection's way. */
static void pressed_wait(struct gc_pressed *p, unsigned long end, bool member)
{
	long left = end - jiffies;

	while (left > 0 && !is_over(p) && !fatal_signal_pending(current) &&
	       (!member || memory_is_accessible())) {
		wait_event_killable_timeout(pressed, is_over(p),
					    min_t(long, left, LOOK_AGAIN));
		left = end - jiffies;
	}
}

/* Returns how many pages the work has given back since it was @before. */
static unsigned long wait_as(enum patience patience, struct gc_pressed *p, unsigned long before)
{
	const bool member = patience == MEMBER;
	unsigned long *distrust = member ? own_distrust() : &distrust_until;
	unsigned long until = READ_ONCE(*distrust), start = jiffies, done;

	pressed_wait(p, start + PATIENCE, member);
	done = atomic_long_read(&p->released) - before;
	if (done < (member ? 1 : LEAST))
		have_waited(distrust, start, until);
	return done;
}

/*
 * Others ask it at the same time, and the kernel does not come often before it kills: then
 * the lock is tried for some time, once in a call.
 */
static bool lock_pressed(struct gc_pressed *p, struct want *w)
{
	unsigned long *distrust, until, start = jiffies;

	if (mutex_trylock(&p->lock))
		return true;
	if (!w->tries || !may_be_late(w) || !is_last_resort(w))
		return false;
	w->tries = false;
	distrust = own_distrust();
	if (!trusting(distrust))
		return false;
	until = READ_ONCE(*distrust);
	if (gc_lock_within_reason(&p->lock))
		return true;
	have_waited(distrust, start, until);
	return false;
}

/* Whoever it is that wants memory: it takes a short time. */
static unsigned long give(struct gc_heap *heap, unsigned long nr)
{
	const struct gc_release most = {
		.pages = nr,
		.unmaps = UNMAPS / max(READ_ONCE(heap->mappings), 1UL) + 1,
		.looks = LOOKS,
		.before = gc_scavenge_old(heap),
	};

	return gc_slabs_release(&heap->slabs, &most);
}

/* Returns how many pages were given back; more may be after a while.  p->lock is held. */
static unsigned long ask(struct gc_pressed *p, unsigned long nr, bool need)
{
	unsigned long done = 0;

	if (mutex_trylock(&p->heap->lock)) {
		done = give(p->heap, nr);
		gc_heap_unlock(p->heap);
	}
	if (done < nr)
		have_pressed(p, need);
	return done;
}

/* Returns how many pages were given back. */
static unsigned long shrink(struct gc_pressed *p, unsigned long nr, struct want *w)
{
	enum patience patience = HASTE;
	unsigned long before, done = 0;

	if (!lock_pressed(p, w))
		return 0;
	before = atomic_long_read(&p->released);
	if (p->ended)
		goto unlock;
	done = ask(p, nr, w->need);
	if (w->waits && !done && READ_ONCE(p->pressing))
		patience = patience_of(p, w);
unlock:
	mutex_unlock(&p->lock);
	if (patience == HASTE)
		return done;
	w->waits = false;
	return wait_as(patience, p, before);
}

static unsigned long scan(struct shrinker *unused, struct shrink_control *sc)
{
	struct want want = {
		.gfp = sc->gfp_mask, .need = is_need(sc), .waits = true, .tries = true,
	};
	unsigned long nr = max(sc->nr_to_scan, LEAST), done = 0;
	struct glance g = { .need = want.need, .take = true };
	unsigned int i;

	/* Pairs with the release in gc_shrink_init(). */
	if (!smp_load_acquire(&ready))
		return SHRINK_STOP;
	gc_lru_walk(&list, sc, look_at, &g);
	for (i = 0; i < g.nr; i++) {
		if (done < nr)
			done += shrink(g.found[i], nr - done, &want);
		kref_put(&g.found[i]->ref, pressed_free);
	}
	return done ? done : SHRINK_STOP;
}

/**
 * gc_shrink_may_have() - whether so much memory may be had, if all heaps make way
 * @heap: heap that wants it
 * @pages: how much
 *
 * To take what there is until there is no more would have somebody killed for it.  In a
 * cgroup others might make way with all that it may have: what the kernel has in slabs for
 * it is not known.
 *
 * Context: may sleep; a guess.
 *
 * Return: false when it is in vain to try.
 */
bool gc_shrink_may_have(struct gc_heap *heap, unsigned long pages)
{
	struct glance g = { .take = false };

	pages -= min(pages, READ_ONCE(heap->slabs.pages.free));
	if (pages > gc_cgroup_most())
		return false;
	if (pages <= gc_machine_room())
		return true;
	gc_lru_walk_all(&list, look_at, &g);
	return pages <= gc_machine_room() + gc_swap_room() + g.pages;
}

/**
 * gc_shrink_try() - a wish is about to be tried
 * @heap: heap that it is for
 * @wish: wish
 *
 * The heap is not collected again for it, unless there is more by now that may have
 * become garbage.
 *
 * Context: heap's lock held, up to gc_shrink_tried().
 */
void gc_shrink_try(struct gc_heap *heap, const struct gc_wish *wish)
{
	s64 enough = heap->slabs.live / 16;

	heap->slabs.pages.scarce = false;
	heap->tried = wish->round && heap->slabs.since <= enough;
}

/**
 * gc_shrink_tried() - a wish was tried
 * @heap: heap that it is for
 * @wish: wish
 * @err: what came of it
 *
 * Context: heap's lock held.
 *
 * Return: whether memory was not to be had, for which others could make way.
 */
bool gc_shrink_tried(struct gc_heap *heap, struct gc_wish *wish, int err)
{
	if (!err && wish->round)
		heap->fruitless = 0;
	wish->machine = heap->slabs.pages.scarce_all;
	return err == -ENOMEM && heap->slabs.pages.scarce;
}

/**
 * struct way - heaps that might make way
 * @but: not that one
 * @call: nor any that this call has asked already
 * @below: only those whose memory is charged to this cgroup, or in it; NULL: all
 * @wanted: room that ends all waiting, in pages
 * @end: and when there is none, in jiffies
 * @done: pages that were given back for it
 * @nr: entries of @found
 * @found: those that have most, each with a reference
 * @pages: how much that may be
 * @before: how much the works of each had ever given back, when that was last looked at
 * @gave: how much since they were asked
 */
struct way {
	const struct gc_heap *but;
	long call;
	struct mem_cgroup *below;
	unsigned long wanted;
	unsigned long end;
	unsigned long done;
	unsigned int nr;
	struct gc_pressed *found[HEAPS];
	unsigned long pages[HEAPS];
	unsigned long before[HEAPS];
	unsigned long gave[HEAPS];
};

static unsigned int least_of(const struct way *way)
{
	unsigned int i, least = 0;

	for (i = 1; i < way->nr; i++)
		if (way->pages[i] < way->pages[least])
			least = i;
	return least;
}

static bool is_distrusted(const struct gc_pressed *p)
{
	return time_before(jiffies, READ_ONCE(p->distrust_until));
}

/* The list's lock is held: no heap that is in the list ends. */
static enum lru_status find(struct list_head *item, void *arg)
{
	struct gc_pressed *p = container_of(item, struct gc_pressed, node);
	unsigned long pages = is_distrusted(p) ? READ_ONCE(p->heap->slabs.pages.free) :
						 pages_of(p->heap, true);
	struct way *way = arg;
	unsigned int i;

	if (!pages || p->heap == way->but || READ_ONCE(p->asked) == way->call ||
	    (way->below && !gc_cgroup_holds(way->below, p->heap->scavenger.cgroup)))
		return LRU_SKIP;
	if (way->nr < HEAPS) {
		i = way->nr++;
	} else {
		i = least_of(way);
		if (pages <= way->pages[i])
			return LRU_SKIP;
		kref_put(&way->found[i]->ref, pressed_free);
	}
	kref_get(&p->ref);
	way->found[i] = p;
	way->pages[i] = pages;
	/* Each is looked at once: in its place, as others follow in this walk. */
	return LRU_SKIP;
}

/*
 * Who is refused memory may see room all the same: files that cannot be taken away now.  What
 * processors have at hand of what was given back is no room, nor is what others took.
 */
static bool has_enough(const struct way *way)
{
	return way->done >= LEAST && gc_room(way->wanted) >= way->wanted;
}

static bool is_ended(const struct way *way)
{
	return time_after(jiffies, way->end) || fatal_signal_pending(current);
}

/*
 * Free pages at once, a little at a time; what is garbage comes later.  All of them may be no
 * room for the caller: the heap may have other cgroups to pay.
 */
static void ask_one(struct gc_pressed *p, struct way *way)
{
	unsigned long most = GIVEN_MOST * max(way->wanted, LEAST), done = 0, got;

	do {
		/* Who has it may not be about to have the heap collected. */
		if (!gc_lock_within_reason(&p->lock))
			break;
		got = p->ended ? 0 : ask(p, LEAST, true);
		mutex_unlock(&p->lock);
		done += got;
		way->done += got;
		cond_resched();
	} while (got && done < most && !has_enough(way) && !is_ended(way));
}

/* Nobody waits for it: who is refused memory again and again would each time. */
static bool is_idle(const struct gc_pressed *p)
{
	return is_over(p) || is_distrusted(p) || (READ_ONCE(p->vain) && is_later(p));
}

/* What the works have given back since the last time */
static void take_account(struct way *way)
{
	unsigned int i;

	for (i = 0; i < way->nr; i++) {
		unsigned long released = atomic_long_read(&way->found[i]->released);

		way->gave[i] += released - way->before[i];
		way->done += released - way->before[i];
		way->before[i] = released;
	}
}

/* Whether there is nothing to wait for any more */
static bool look_round(struct way *way)
{
	unsigned int i = 0;

	while (i < way->nr && is_idle(way->found[i]))
		i++;
	take_account(way);
	return i == way->nr || has_enough(way);
}

/* Who keeps others waiting for nothing is not waited for, for some time. */
static void distrust(const struct way *way)
{
	unsigned int i;

	for (i = 0; i < way->nr; i++)
		if (!is_idle(way->found[i]) && way->gave[i] < LEAST)
			WRITE_ONCE(way->found[i]->distrust_until,
				   jiffies + DISTRUST * PATIENCE);
}

/* For all of them together.  Room may come from somebody else, too, who wakes nobody. */
static void wait_for(struct way *way, unsigned long patience)
{
	const unsigned long start = jiffies, end = start + patience;

	while (!look_round(way)) {
		if (fatal_signal_pending(current))
			return;
		if (time_after_eq(jiffies, end)) {
			if (jiffies - start >= WAITED_LEAST)
				distrust(way);
			return;
		}
		wait_event_killable_timeout(pressed, look_round(way),
					    min(end - jiffies, LOOK_AGAIN));
	}
}

/* All of them at once, or they would have to be waited for one after the other */
static void ask_all(struct way *way)
{
	unsigned int i;

	for (i = 0; i < way->nr; i++) {
		way->before[i] = atomic_long_read(&way->found[i]->released);
		way->gave[i] = 0;
		WRITE_ONCE(way->found[i]->asked, way->call);
		if (!has_enough(way))
			ask_one(way->found[i], way);
	}
}

/* Those that have most first; who comes later is left half of the time, if that many. */
static void ask_in_turns(struct way *way)
{
	unsigned int turns = TURNS;
	bool more;

	do {
		unsigned long left;

		way->nr = 0;
		gc_lru_walk_all(&list, find, way);
		more = way->nr == HEAPS;
		ask_all(way);
		left = max((long)(way->end - jiffies), 0L);
		wait_for(way, more ? left / 2 : left);
		while (way->nr--)
			kref_put(&way->found[way->nr]->ref, pressed_free);
	} while (more && !has_enough(way) && --turns && !is_ended(way));
}

/**
 * gc_shrink_make_way() - have other heaps give back what they do not need
 * @heap: heap that the caller wants memory for, which need not; or NULL: all are to
 * @wish: what it wants; how often that was tried is counted
 *
 * Where the machine is not short, but a cgroup around the calling thread is, only heaps of
 * that one.  Whose thread it is makes no difference: it waits where it may be stopped.
 *
 * Context: waits for others' works for up to PATIENCE in all calls for a wish, and for their
 * locks for less; no lock held.
 *
 * Return: true when it is worth another try.
 */
bool gc_shrink_make_way(const struct gc_heap *heap, struct gc_wish *wish)
{
	const unsigned long wanted = wish->pages + GC_HEADROOM_PAGES;
	const unsigned long plenty = wanted + wish->pages / 8;
	struct way way = {
		.but = heap,
		.call = atomic_long_inc_return(&calls),
		.wanted = wanted,
	};

	if (wish->round == ROUNDS)
		return false;
	if (!wish->round)
		wish->start = jiffies;
	/* Somebody may have made way meanwhile. */
	if (!wish->round++ && gc_room(plenty) >= plenty)
		return true;
	if (!wish->machine) {
		way.below = gc_cgroup_short(wanted);
		if (!way.below)
			return gc_room(wanted) >= wanted;
	}
	way.end = wish->start + PATIENCE;
	ask_in_turns(&way);
	gc_cgroup_put(way.below);
	return way.done >= min(LEAST, wish->pages) || gc_room(wanted) >= wanted;
}

/**
 * gc_shrink_alloc() - memory that a call needs for itself, for which all heaps make way
 * @nr: how many
 * @size: bytes of each
 *
 * Context: as gc_shrink_make_way().
 *
 * Return: it, for kvfree(); or NULL.
 */
void *gc_shrink_alloc(size_t nr, size_t size)
{
	struct gc_wish wish = { .pages = DIV_ROUND_UP(nr * size, PAGE_SIZE) };
	void *memory;

	do {
		memory = kvmalloc_array(nr, size, GC_GFP);
		wish.machine = gc_backing_is_machine_short();
	} while (!memory && gc_shrink_make_way(NULL, &wish));
	return memory;
}

/**
 * gc_shrink_begin() - a heap is made by the calling thread
 * @heap: heap, not used yet
 *
 * Context: may sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int gc_shrink_begin(struct gc_heap *heap)
{
	struct gc_pressed *p = kmem_cache_alloc_lru(cache, &list, GC_GFP);

	if (!p)
		return -ENOMEM;
	*p = (struct gc_pressed) {
		.heap = heap, .due = jiffies, .distrust_until = jiffies,
	};
	INIT_LIST_HEAD(&p->node);
	kref_init(&p->ref);
	mutex_init(&p->lock);
	INIT_DELAYED_WORK(&p->work, press_by_work);
	kthread_init_delayed_work(&p->own_work, press_by_own);
	heap->pressed = p;
	list_lru_add_obj(&list, &p->node);
	return 0;
}

/**
 * gc_shrink_end() - nobody uses the heap any more
 * @heap: heap, no caller is left
 *
 * Context: may sleep.
 */
void gc_shrink_end(struct gc_heap *heap)
{
	struct gc_pressed *p = heap->pressed;

	list_lru_del_obj(&list, &p->node);
	mutex_lock(&p->lock);
	p->ended = true;
	mutex_unlock(&p->lock);
	cancel_delayed_work_sync(&p->work);
	kthread_cancel_delayed_work_sync(&p->own_work);
	cmpxchg(&owner, p, NULL);
	no_more_pressing(p);
	kref_put(&p->ref, pressed_free);
}

/**
 * gc_shrink_init() - the module is loaded
 *
 * Return: 0 or a negative errno.
 */
int gc_shrink_init(void)
{
	int err = -ENOMEM;

	cache = kmem_cache_create("gcheap_pressed", sizeof(struct gc_pressed),
				  0, SLAB_ACCOUNT, NULL);
	if (!cache)
		return -ENOMEM;
	/* Memory is wanted to hibernate, too: then nothing is collected, but given back. */
	pressing = alloc_workqueue("gcheap_pressed", WQ_UNBOUND, 0);
	if (!pressing)
		goto destroy_cache;
	own = kthread_run_worker(0, "gcheap_pressed");
	if (IS_ERR(own)) {
		err = PTR_ERR(own);
		goto destroy_queue;
	}
	shrinker = gc_shrinker_new("gcheap", count, scan);
	if (IS_ERR(shrinker)) {
		err = PTR_ERR(shrinker);
		goto destroy_own;
	}
	err = list_lru_init_memcg(&list, shrinker);
	if (err)
		goto end_shrinker;
	/* Pairs with the acquire in count() and scan(), which may run by now. */
	smp_store_release(&ready, true);
	gc_shrinker_start(shrinker);
	return 0;

end_shrinker:
	gc_shrinker_end(shrinker);
destroy_own:
	kthread_destroy_worker(own);
destroy_queue:
	destroy_workqueue(pressing);
destroy_cache:
	kmem_cache_destroy(cache);
	return err;
}

/**
 * gc_shrink_exit() - no heap is left
 */
void gc_shrink_exit(void)
{
	gc_shrinker_end(shrinker);
	list_lru_destroy(&list);
	kthread_destroy_worker(own);
	destroy_workqueue(pressing);
	kmem_cache_destroy(cache);
}
