// SPDX-License-Identifier: GPL-2.0
/*
 * Life of a heap, and when it is to be collected.  See heap.h, which has the order
 * of its locks.
 *
 * The heap owns its slabs, mutators, roots and world.  It ends when its file and all
 * mappings are gone: nobody can call then, but the sweeper and the emptier, which are
 * waited for.  These try the heap's lock, and take it, the sweeper for a few slabs at a
 * time; they wait for nobody.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "cgroup.h"
#include "collection.h"
#include "compat.h"
#include "fetch.h"
#include "gfp.h"
#include "heap.h"
#include "map.h"
#include "member.h"
#include "mutator.h"
#include "rootset.h"
#include "stats.h"
#include "stop.h"
#include "trace.h"
#include "user.h"
#include "verify.h"

/* Smallest goal at 100 percent, as Go's heapMinimum. */
#define GOAL_MIN	(4ULL << 20)

/*
 * What collections because of a limit may take beyond half of the time.  Without it
 * one that takes long, on a busy machine, would have the limit overrun.
 */
#define DEBT_MAX_NS	(100 * NSEC_PER_MSEC)

/*
 * Collections of no use in a row that a full heap gets without delay.  A call of the
 * library that fails costs up to two, and several threads may fail before one of
 * them makes room.
 */
#define FRUITLESS_MAX	8

/* Slabs that the sweeper takes before it lets others at the heap. */
#define SWEEPER_BATCH	64

/*
 * Of what the goal was before, so much more than it would be now is left after so long,
 * and it is never more than so many times what percent gives the program to work with.
 */
#define HELD_HALF_MS	5000ULL
#define HELD_ROOMS	4

/* A collection begins when such a part of what may be allocated before it is due is left. */
#define SOON_PART	16
#define SOON_PART_MIN	32
/* And when what is written meanwhile is to be looked at again, and again */
#define SOON_PART_HOT	64

/* After minor collections that have left too much, of the room what is left to a full one */
#define FULL_PART	8

/* A block to grow by, and what the program needs for itself (backing.c) */
#define TIGHT_PAGES	(2 * CHUNK_PAGES)

/* When somebody had the heap's lock, in jiffies */
#define COME_AGAIN	1

static bool poison;
module_param(poison, bool, 0644);
MODULE_PARM_DESC(poison, "fill freed memory of heaps made from now on with a pattern, and check it before reuse (slow)");

/*
 * The queue is the whole kernel's, and a heap's lock may be held for long: so works do
 * not wait for it there, but come again.
 */
static void sweeper(struct work_struct *work)
{
	struct gc_heap *heap = container_of(to_delayed_work(work),
					    struct gc_heap, sweeper);
	bool more = true;

	while (more && mutex_trylock(&heap->lock)) {
		more = gc_slabs_sweep(&heap->slabs, SWEEPER_BATCH);
		gc_heap_unlock(heap);
		cond_resched();
	}
	if (more)
		queue_delayed_work(system_dfl_wq, &heap->sweeper, COME_AGAIN);
}

/**
 * gc_heap_unlock() - let others at the heap
 * @heap: heap
 *
 * From now on its page shows what was changed meanwhile.
 *
 * Context: heap's lock held, and let go.
 */
void gc_heap_unlock(struct gc_heap *heap)
{
	gc_stats_publish(heap);
	mutex_unlock(&heap->lock);
}

/**
 * gc_heap_sweep_later() - have the rest swept in the background
 * @heap: heap
 */
void gc_heap_sweep_later(struct gc_heap *heap)
{
	queue_delayed_work(system_dfl_wq, &heap->sweeper, 0);
}

static void forget_agings(struct gc_heap *heap)
{
	struct gc_aging *aging, *next;

	list_for_each_entry_safe(aging, next, &heap->agings, node)
		gc_aging_forget(aging);
}

/* One that is under way has nothing to find. */
static void drop_collection(struct gc_heap *heap)
{
	if (!heap->collection)
		return;
	trace_gcheap_cycle_lost(heap, -ENXIO);
	gc_collection_end(heap);
}

/* Nobody maps the heap, or can before this is over. */
static void make_empty(struct gc_heap *heap)
{
	gc_mutators_remove(heap);
	gc_members_reap(heap);
	forget_agings(heap);
	drop_collection(heap);
	gc_links_empty(&heap->links, &heap->slabs);
	gc_slabs_empty(&heap->slabs);
	gc_dirty_end(&heap->dirty);
	gc_verify_forget(&heap->astray);
	heap->generations = (struct gc_generations) {};
	gc_heap_pace(heap);
	/* Who waits to map it again sees it empty. */
	gc_stats_publish(heap);
	gc_map_emptied(heap);
}

/* Whoever is busy with a slab has this queued again when done with it. */
static void emptier(struct work_struct *work)
{
	struct gc_heap *heap = container_of(to_delayed_work(work),
					    struct gc_heap, emptier);

	if (!mutex_trylock(&heap->lock)) {
		queue_delayed_work(system_dfl_wq, &heap->emptier, COME_AGAIN);
		return;
	}
	if (heap->emptying && !gc_mutators_busy(heap))
		make_empty(heap);
	gc_heap_unlock(heap);
}

/* The machine's memory, as the largest heap that makes sense by default. */
static unsigned long default_size(void)
{
	u64 bytes = (u64)totalram_pages() << PAGE_SHIFT;

	return min(round_up(bytes, SZ_2M), GCHEAP_SIZE_MAX);
}

static int charge_pages(void *user, long nr)
{
	if (nr > 0)
		return gc_user_take(user, GC_PAGES, nr) ? 0 : -ENOMEM;
	gc_user_give(user, GC_PAGES, -nr);
	return 0;
}

static struct gc_heap *heap_alloc(void)
{
	struct gc_heap *heap = kvzalloc(sizeof(*heap), GC_GFP);

	if (!heap)
		return NULL;
	mutex_init(&heap->asking);
	mutex_init(&heap->lock);
	spin_lock_init(&heap->map_lock);
	INIT_LIST_HEAD(&heap->agings);
	gc_members_init(heap);
	INIT_DELAYED_WORK(&heap->sweeper, sweeper);
	INIT_DELAYED_WORK(&heap->emptier, emptier);
	heap->size = default_size();
	heap->percent = 100;
	heap->last[false].beside = U64_MAX / 2;
	heap->last[true].beside = U64_MAX / 2;
	heap->opener = current_euid();
	heap->born = ktime_get();
	return heap;
}

static int slabs_init(struct gc_heap *heap)
{
	struct gc_pages *gp = &heap->slabs.pages;
	int err;

	err = gc_slabs_init(&heap->slabs, heap->size >> PAGE_SHIFT,
			    heap->inode->i_mapping);
	if (err)
		return err;
	gp->reserved = 1;
	gp->poison = READ_ONCE(poison);
	gp->charge = charge_pages;
	gp->payer = heap->user;
	gc_heap_pace(heap);
	return 0;
}

/**
 * gc_heap_new() - make a heap that nobody maps yet
 *
 * Return: the heap, or ERR_PTR(): -ENOMEM, -EMFILE when the caller has too many, or
 * what making an inode gave.
 */
struct gc_heap *gc_heap_new(void)
{
	struct gc_heap *heap = heap_alloc();
	int err = -ENOMEM;

	if (!heap)
		return ERR_PTR(-ENOMEM);
	heap->user = gc_user_get();
	if (IS_ERR(heap->user))
		goto free_heap;
	err = -EMFILE;
	if (!gc_user_take(heap->user, GC_HEAPS, 1))
		goto put_user;
	err = -ENOMEM;
	heap->world = gc_world_new();
	if (!heap->world)
		goto give_heap;
	err = gc_mutators_init(heap);
	if (err)
		goto put_world;
	heap->inode = gc_map_inode();
	if (IS_ERR(heap->inode)) {
		err = PTR_ERR(heap->inode);
		goto destroy_mutators;
	}
	err = slabs_init(heap);
	if (err)
		goto put_inode;
	err = gc_stats_init(heap);
	if (err)
		goto destroy_slabs;
	return heap;

destroy_slabs:
	gc_slabs_destroy(&heap->slabs);
put_inode:
	gc_map_put_inode(heap->inode);
destroy_mutators:
	gc_mutators_destroy(heap);
put_world:
	gc_world_put(heap->world);
give_heap:
	gc_user_give(heap->user, GC_HEAPS, 1);
put_user:
	gc_user_put(heap->user);
free_heap:
	kvfree(heap);
	return ERR_PTR(err);
}

/**
 * gc_heap_free() - end a heap
 * @heap: heap; no file, mapping, or caller is left
 *
 * Context: may sleep.
 */
void gc_heap_free(struct gc_heap *heap)
{
	cancel_delayed_work_sync(&heap->sweeper);
	cancel_delayed_work_sync(&heap->emptier);
	drop_collection(heap);
	forget_agings(heap);
	gc_mutators_destroy(heap);
	gc_members_destroy(heap);
	gc_links_empty(&heap->links, &heap->slabs);
	gc_slabs_destroy(&heap->slabs);
	gc_dirty_end(&heap->dirty);
	gc_verify_forget(&heap->astray);
	gc_stats_destroy(heap);
	gc_map_put_inode(heap->inode);
	gc_world_put(heap->world);
	if (heap->stuck) {
		gc_fetcher_kill(heap->stuck);
		gc_fetcher_put(heap->stuck);
	}
	gc_user_give(heap->user, GC_HEAPS, 1);
	gc_user_put(heap->user);
	kvfree(heap);
}

/**
 * gc_heap_report() - tell the kernel's log what the heap's checks have found
 * @heap: heap
 *
 * Context: heap's lock held.
 */
void gc_heap_report(struct gc_heap *heap)
{
	struct gc_faults *faults = &heap->slabs.pages.faults;
	unsigned int i;

	if (likely(!faults->nr))
		return;
	for (i = 0; i < min_t(unsigned int, faults->nr, GC_FAULTS_KEPT); i++) {
		struct gc_fault *fault = &faults->first[i];

		pr_err("fault: %s: %llu, not %llu; %#lx in slab %#lx\n",
		       fault->what, fault->found, fault->expected,
		       heap->base + fault->offset, heap->base + fault->slab);
	}
	pr_err("faults found: %u, in collection %llu of a heap of %s[%d]\n",
	       faults->nr, heap->slabs.cycle, current->comm,
	       task_tgid_nr(current));
	faults->nr = 0;
}

/*
 * What a full collection has left: minor ones leave more, of which some is garbage; or what
 * they have, if that is less.
 */
static u64 lived(const struct gc_heap *heap)
{
	u64 live = heap->slabs.live;

	return live - min(live, heap->generations.tenured);
}

/* Go's rule: what lived, and as much again at 100 percent; U64_MAX when off. */
static u64 percent_goal(const struct gc_heap *heap)
{
	u64 bytes = lived(heap);

	if (heap->percent == GCHEAP_PERCENT_OFF)
		return U64_MAX;
	return max(bytes + mult_frac(bytes, (u64)heap->percent, 100ULL),
		   GOAL_MIN * heap->percent / 100);
}

/* What it may have for objects by its limit */
static u64 limit_goal(const struct gc_heap *heap)
{
	u64 taken = gc_stats_meta_bytes(heap) + heap->slabs.held;

	return heap->limit > taken ? heap->limit - taken : 0;
}

/*
 * Minor collections are to make do with the goal of the full one.  When they leave so much
 * that it is near, a full one comes soon, but not at once.
 */
static u64 goal_for_full(const struct gc_heap *heap, u64 goal)
{
	u64 next = heap->slabs.live + (goal - min(goal, lived(heap))) / FULL_PART;

	if (goal == U64_MAX || !heap->generations.tenured)
		return goal;
	if (heap->limit)
		next = min(next, limit_goal(heap));
	return max(goal, next);
}

/**
 * gc_heap_goal() - bytes in use at which a collection is due
 * @heap: heap, whose last marking is complete
 *
 * That of percent, which a memory limit makes less, but leaves the program a
 * sixteenth of what lives to work with: less is not worth a collection.  What
 * is held counts against the limit, but not as living: no collection helps there.
 *
 * Context: heap's lock held.
 *
 * Return: the goal, U64_MAX for never.
 */
u64 gc_heap_goal(const struct gc_heap *heap)
{
	u64 live = heap->slabs.live, goal = percent_goal(heap), least;

	if (!heap->limit)
		return goal;
	least = live + max_t(u64, live / 16, SZ_256K);
	return min(goal, max(limit_goal(heap), least));
}

/* What is left of a number after some time: half of it in HELD_HALF_MS, a line between. */
static u64 decayed(u64 nr, u64 ns)
{
	u64 ms = ns / NSEC_PER_MSEC, halves = ms / HELD_HALF_MS;

	if (halves >= 64)
		return 0;
	nr >>= halves;
	return nr - mult_frac(nr / 2, ms % HELD_HALF_MS, HELD_HALF_MS);
}

/* Pages that the heap has ever taken from the machine: it has them, or gave them back. */
static u64 pages_taken(const struct gc_heap *heap)
{
	const struct gc_pages *gp = &heap->slabs.pages;

	return gc_pages_backed(gp) + gp->released;
}

/*
 * A heap that has had a peak keeps its memory for a while, and may as well use it instead
 * of collecting: the goal falls by and by.  No limit is exceeded for that.
 */
static u64 held_goal(const struct gc_heap *heap, u64 goal, u64 now)
{
	u64 bytes = lived(heap), more;

	if (heap->held_goal <= goal || goal < heap->ceiling)
		return goal;
	more = decayed(heap->held_goal - goal, now - heap->held_ns);
	more = min(more, (HELD_ROOMS - 1) * (goal - bytes));
	return heap->limit ? max(goal, min(goal + more, limit_goal(heap))) :
			     goal + more;
}

/**
 * gc_heap_pace() - set when the next collection is due
 * @heap: heap, whose last marking is complete
 *
 * To be called after a collection, and when the settings have changed.
 *
 * Context: heap's lock held.
 */
void gc_heap_pace(struct gc_heap *heap)
{
	u64 now = ktime_get_ns(), goal = gc_heap_goal(heap);

	heap->ceiling = percent_goal(heap);
	heap->tight_since = 0;
	heap->held_goal = held_goal(heap, goal, now);
	heap->goal = goal_for_full(heap, goal);
	heap->held_taken = pages_taken(heap);
	heap->held_ns = now;
}

/**
 * gc_heap_settle() - a collection is about to begin, or to go on, since it is due
 * @heap: heap
 *
 * If the heap has taken memory to come so far, it has used up all that it held: it may
 * not come further the next time, and take some more.  Other collections come at
 * any time, and say nothing of that kind.
 *
 * Context: heap's lock held.
 */
void gc_heap_settle(struct gc_heap *heap)
{
	if (pages_taken(heap) != heap->held_taken)
		heap->held_goal = min(heap->held_goal, gc_heap_in_use(heap));
}

/**
 * gc_heap_next() - bytes in use at which the next collection is due
 * @heap: heap
 *
 * The goal, or more as long as the heap makes do with the memory that it had after the
 * last one.
 *
 * Context: heap's lock held.
 *
 * Return: bytes, U64_MAX for never.
 */
u64 gc_heap_next(const struct gc_heap *heap)
{
	return pages_taken(heap) == heap->held_taken ?
	       max(heap->goal, heap->held_goal) : heap->goal;
}

/* A large object is not tried for before it is known whether there is memory for it. */
static bool is_reached(const struct gc_heap *heap, u64 used, u64 more)
{
	return used >= gc_heap_next(heap) ||
	       (used >= heap->goal && more >> PAGE_SHIFT > heap->slabs.pages.free);
}

/*
 * By how much collections have taken more time than the program had since, at @now.
 * A leaky bucket, as Go's gcCPULimiter.
 */
static u64 debt(const struct gc_heap *heap, u64 now)
{
	u64 ran = now - heap->last_end_ns;

	return heap->debt_ns > ran ? heap->debt_ns - ran : 0;
}

/**
 * gc_heap_collected() - note how long an attempt to collect has taken
 * @heap: heap
 * @start: when it began, ktime_get_ns()
 * @took: time that it took, nanoseconds; the rest of the time since then the program ran
 *
 * What goes beyond the debt that is allowed is forgotten: collections that somebody
 * asks for come without regard to it.
 *
 * Context: heap's lock held.
 */
void gc_heap_collected(struct gc_heap *heap, u64 start, u64 took)
{
	u64 owed = min_t(u64, debt(heap, start), DEBT_MAX_NS) + took;
	u64 now = ktime_get_ns();
	u64 ran = now - start - min(took, now - start);

	heap->last_end_ns = now;
	heap->last_took_ns = took;
	heap->debt_ns = owed - min(owed, ran);
	heap->gc_cpu_ns += took;
}

/*
 * The heap is about to grow to where its cgroup slows it down or has no more, and a good
 * part of it may have become garbage.
 */
static bool is_tight(const struct gc_heap *heap, u64 more, bool own)
{
	const struct gc_slabs *gs = &heap->slabs;
	unsigned long pages = TIGHT_PAGES + (more >> PAGE_SHIFT);

	return heap->percent != GCHEAP_PERCENT_OFF &&
	       gs->since >= max_t(s64, gs->live / 4, SZ_1M) &&
	       gs->since >= heap->tight_since &&
	       gs->pages.free < pages && !gs->nr_unswept &&
	       gc_cgroup_room(true, own, 0, pages) < pages;
}

/**
 * gc_heap_due() - whether to collect before allocating more
 * @heap: heap
 * @more: bytes to be allocated
 *
 * Because of percent when it is reached and the heap has no memory left over, or of what
 * the calling thread's cgroup may have; because of a limit, which may be less than what
 * lives, or of what a cgroup around that one may have, for no more than half of the time
 * in the long run: others there may make way.
 *
 * Context: heap's lock held.
 *
 * Return: true when it is time.
 */
bool gc_heap_due(const struct gc_heap *heap, u64 more)
{
	u64 used = gc_heap_in_use(heap) + more;
	bool reached = is_reached(heap, used, more);

	if (heap->slabs.since <= 0)
		return false;
	if ((reached && used >= heap->ceiling) || is_tight(heap, more, true))
		return true;
	return (reached || is_tight(heap, more, false)) &&
	       debt(heap, ktime_get_ns()) <= DEBT_MAX_NS;
}

/* There is not much more memory to be had: for the heap, in its cgroups, or of the machine. */
static bool is_short(const struct gc_heap *heap)
{
	const struct gc_pages *gp = &heap->slabs.pages;

	if (gp->free >= TIGHT_PAGES)
		return false;
	return gp->limit - min(gp->frontier, gp->limit) < TIGHT_PAGES ||
	       gc_cgroup_room(true, false, 0, TIGHT_PAGES) < TIGHT_PAGES ||
	       gc_machine_room() < TIGHT_PAGES;
}

/**
 * gc_heap_may_overrun() - whether a collection may be complete somewhat later than it is due
 * @heap: heap
 * @most: bytes that may be allocated after that, if it is no more than a part of what may be
 *	allocated between two collections
 *
 * By percent it may be; but where there is little memory, or a limit, that cannot wait.
 *
 * Context: heap's lock held.
 *
 * Return: true when it may.
 */
bool gc_heap_may_overrun(const struct gc_heap *heap, u64 most)
{
	u64 used = gc_heap_in_use(heap), next = gc_heap_next(heap), bytes = lived(heap);

	if (heap->percent == GCHEAP_PERCENT_OFF || heap->goal < heap->ceiling ||
	    (heap->limit && used >= limit_goal(heap)))
		return false;
	most = min(most, (next - min(next, bytes)) / SOON_PART);
	return used < next + most && !is_short(heap);
}

/**
 * gc_heap_room() - what may be allocated before the next collection is due
 * @heap: heap
 *
 * Context: heap's lock held.
 *
 * Return: bytes, 0 when it is due by percent.
 */
u64 gc_heap_room(const struct gc_heap *heap)
{
	u64 used = gc_heap_in_use(heap), next = gc_heap_next(heap);

	return next > used ? next - used : 0;
}

/**
 * gc_heap_soon() - whether to begin with a collection that is to be complete when due
 * @heap: heap
 * @minor: it is to be a minor one
 *
 * When the program has left twice what it has allocated beside the last one of that kind, but
 * no more than a part of what it may allocate in all: earlier collections are more collections.
 * What it writes to all the time is looked at when the collection is due, and so are its new
 * objects' neighbours: the fewer the better.
 *
 * Context: heap's lock held.
 *
 * Return: true when it is neither too early nor too late.
 */
bool gc_heap_soon(const struct gc_heap *heap, bool minor)
{
	u64 next = gc_heap_next(heap), left = gc_heap_room(heap), room;
	const struct gc_effort *last = &heap->last[minor];

	/* What a limit makes take time is not begun before it must. */
	if (heap->slabs.since <= 0 || next == U64_MAX || !left ||
	    heap->goal < heap->ceiling || heap->slabs.since < heap->tight_since)
		return false;
	room = next - lived(heap);
	if (last->hot)
		room /= SOON_PART_HOT;
	else
		room = clamp(2 * last->beside, room / SOON_PART_MIN, room / SOON_PART);
	return left <= room;
}

/**
 * gc_heap_may_help() - whether to collect since the heap is full
 * @heap: heap
 *
 * Who is refused memory often tries again.  When collections have been of no use,
 * more of them take no more than half of the time, unless there is more by now
 * that may have become garbage.
 *
 * Context: heap's lock held.
 *
 * Return: true when it is worth it.
 */
bool gc_heap_may_help(const struct gc_heap *heap)
{
	s64 enough = heap->slabs.live / 16;

	if (heap->fruitless < FRUITLESS_MAX || heap->slabs.since > enough)
		return true;
	return ktime_get_ns() - heap->last_end_ns >= heap->last_took_ns;
}

/**
 * gc_heap_not_soon() - no collection is to begin before it is due, for a while
 * @heap: heap, for which one could not be had
 *
 * Context: heap's lock held.
 */
void gc_heap_not_soon(struct gc_heap *heap)
{
	u64 used = gc_heap_in_use(heap);

	heap->tight_since = used - heap->slabs.live + max_t(u64, used / 8, SZ_256K);
}

/**
 * gc_heap_put_off() - a collection that was due could not be had
 * @heap: heap
 *
 * The program goes on, and shall not be stopped in vain by each allocation.
 *
 * Context: heap's lock held.
 */
void gc_heap_put_off(struct gc_heap *heap)
{
	u64 used = gc_heap_in_use(heap);

	heap->goal = max_t(u64, heap->goal, used + max_t(u64, used / 8, SZ_256K));
	gc_heap_not_soon(heap);
}
