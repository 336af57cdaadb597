// SPDX-License-Identifier: GPL-2.0
/*
 * A collection, run by the thread that finds it due:
 *
 *	sweep what the last one left,
 *	let those go on whom it held,
 *	stop the world,
 *	take back what the dead owned,
 *	mark from the roots,
 *	recall what idle threads hold,
 *	start the world,
 *	sweep: at once if somebody asked for the collection, else when slabs are
 *	wanted, and in the background.
 *
 * The heap's lock is held all the time: whoever allocates waits.  A collector
 * that is killed, or is to be frozen, gives up: marks are forgotten, the world runs
 * on.
 *
 * The marker, the second marker and what reads the roots are the collector's, and
 * end with the collection.  The collector waits for the threads of the world, and
 * for the memory of their processes, with patience that ends; so nobody whom it
 * stops may hold the heap's lock, and what is locked below that is in heap.h.
 *
 * With the parameter verify the world stays stopped until a second marking has
 * been compared with the first, and the heap's books have been checked.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "audit.h"
#include "collect.h"
#include "fetch.h"
#include "heap.h"
#include "mark.h"
#include "member.h"
#include "mutator.h"
#include "owned.h"
#include "roots.h"
#include "stats.h"
#include "stop.h"
#include "verify.h"

/* Stops in a row that a storm of new threads may spoil. */
#define ATTEMPTS	4

static bool trace;
module_param(trace, bool, 0644);
MODULE_PARM_DESC(trace, "print a line for each collection");

static bool verify;
module_param(verify, bool, 0644);
MODULE_PARM_DESC(verify, "check each collection: mark once more in another way, audit all slabs (slow)");

static int drain(struct gc_roots *roots)
{
	struct gc_verify *v = roots->verify;
	int err = v ? gc_verify_walk(v) : 0;

	if (!err)
		err = gc_mark_drain(roots->marker);
	if (!err && v)
		err = gc_verify_walk(v);
	return err;
}

static int mark(struct gc_heap *heap, struct gc_roots *roots)
{
	u64 unused;
	int err;

	gc_mutators_reap(heap, gc_world_round(heap->world));
	gc_members_reap(heap);
	if (roots->verify)
		gc_verify_begin(roots->verify);
	err = gc_roots_mark(roots);
	if (!err)
		err = drain(roots);
	if (!err && gc_world_breached(heap->world))
		err = -EAGAIN;
	if (err) {
		gc_slabs_unmark(&heap->slabs);
		return err;
	}
	if (roots->verify)
		gc_verify_compare(roots->verify, &heap->slabs.pages.faults);
	unused = gc_owned_sweep(&roots->reader);
	gc_slabs_marked(&heap->slabs);
	gc_owned_recall(&roots->reader, unused);
	gc_slabs_recalled(&heap->slabs);
	if (roots->verify) {
		gc_audit(&heap->slabs);
		gc_mutators_audit(heap, gc_world_round(heap->world));
		gc_stats_audit(heap);
	}
	return 0;
}

static int stop_and_mark(struct gc_heap *heap, struct gcheap_cycle *cycle,
			 struct gc_roots *roots)
{
	u64 start = ktime_get_ns(), stopped;
	int err = gc_world_stop(heap);

	if (err)
		return err;
	stopped = ktime_get_ns();
	cycle->stop_ns = stopped - start;
	err = mark(heap, roots);
	cycle->mark_ns = ktime_get_ns() - stopped;
	gc_world_start(heap);
	cycle->pause_ns = ktime_get_ns() - start;
	return err;
}

/* Everything that can fail for want of memory comes before the stop. */
static int try_once(struct gc_heap *heap, struct gcheap_cycle *cycle)
{
	struct gc_marker marker;
	struct gc_roots roots;
	struct gc_verify *v = NULL;
	int err;

	err = gc_marker_init(&marker, &heap->slabs, heap->base);
	if (err)
		return err;
	if (READ_ONCE(verify)) {
		v = gc_verify_new(&heap->slabs, heap->base);
		if (!v)
			pr_notice_ratelimited("no memory to verify a collection\n");
	}
	err = gc_roots_init(&roots, heap, &marker, v);
	if (err)
		goto destroy_marker;
	err = gc_world_settle(heap->world);
	gc_stats_released(heap);
	if (!err)
		err = stop_and_mark(heap, cycle, &roots);
	cycle->root_bytes = roots.reader.bytes;
	cycle->root_skipped = roots.reader.skipped;
	cycle->threads = roots.threads;
	cycle->processes = roots.processes;
	gc_roots_destroy(&roots);
destroy_marker:
	gc_verify_free(v);
	gc_marker_destroy(&marker);
	return err;
}

static struct gcheap_cycle *last_cycle(struct gc_heap *heap)
{
	return &heap->cycles[heap->slabs.cycle % GCHEAP_CYCLES];
}

/* Its own release is not over; the one before it is. */
static void print_cycle(const struct gcheap_cycle *c, u64 release_ns)
{
	if (READ_ONCE(trace))
		pr_info("gc %llu @%llums: %llu+%llu+%llu us stop/mark/sweep, %llu us last release, %llu->%llu->%llu KB, goal %lld KB, %u threads, %u processes, roots %llu KB read %llu KB skipped%s\n",
			c->number, c->start_ns / NSEC_PER_MSEC,
			c->stop_ns / NSEC_PER_USEC, c->mark_ns / NSEC_PER_USEC,
			c->sweep_ns / NSEC_PER_USEC,
			release_ns / NSEC_PER_USEC, c->before >> 10,
			c->after >> 10, c->live >> 10,
			c->goal == U64_MAX ? -1LL : (s64)(c->goal >> 10),
			c->threads, c->processes, c->root_bytes >> 10,
			c->root_skipped >> 10, c->forced ? ", forced" : "");
}

static void record(struct gc_heap *heap, struct gcheap_cycle *cycle)
{
	cycle->number = heap->slabs.cycle;
	heap->pause_total_ns += cycle->pause_ns;
	heap->pause_max_ns = max(heap->pause_max_ns, cycle->pause_ns);
	heap->num_forced += cycle->forced;
	heap->last_gc_ns = ktime_get_real_ns();
	heap->last_round = gc_world_round(heap->world);
	print_cycle(cycle, heap->cycles[(cycle->number - 1) % GCHEAP_CYCLES].release_ns);
	*last_cycle(heap) = *cycle;
}

/* Bytes that are marked, in slabs that are to be swept. */
static u64 allocated_after(struct gc_heap *heap)
{
	struct gc_slab *slab;
	u64 owned = 0;

	list_for_each_entry(slab, &heap->slabs.owned, node) {
		owned += (u64)bitmap_weight(gc_slab_handed_bits(slab),
					    slab->slots) * slab->object_size;
		cond_resched();
	}
	return heap->slabs.live - owned;
}

static void sweep(struct gc_heap *heap, struct gcheap_cycle *cycle)
{
	u64 start = ktime_get_ns();

	if (cycle->forced)
		gc_slabs_sweep(&heap->slabs, UINT_MAX);
	else
		gc_heap_sweep_later(heap);
	cycle->sweep_ns = ktime_get_ns() - start;
}

/* The page of a process that a collection gave up waiting for is still not there. */
static bool stuck(struct gc_heap *heap)
{
	if (!heap->stuck)
		return false;
	if (!gc_fetcher_ended(heap->stuck))
		return true;
	gc_fetcher_put(heap->stuck);
	heap->stuck = NULL;
	return false;
}

/**
 * gc_collect() - collect garbage
 * @heap: heap
 * @forced: somebody asked for it: all is swept on return
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: 0; or -ENOMEM, -EINTR (the caller is being killed), -EAGAIN (threads
 * could not be held, or their memory not be had, or the caller is to be frozen):
 * then nothing was reclaimed.
 */
int gc_collect(struct gc_heap *heap, bool forced)
{
	u64 start = ktime_get_ns(), freed;
	struct gcheap_cycle cycle = {
		.start_ns = start - ktime_to_ns(heap->born),
		.goal = gc_heap_next(heap),
		.forced = forced,
	};
	int attempts = ATTEMPTS, err;

	lockdep_assert_held(&heap->lock);
	if (stuck(heap)) {
		gc_heap_put_off(heap);
		return -EAGAIN;
	}
	gc_slabs_sweep(&heap->slabs, UINT_MAX);
	freed = heap->slabs.total_freed;
	cycle.before = gc_slabs_allocated(&heap->slabs);
	do {
		err = try_once(heap, &cycle);
	} while (err == -EAGAIN && --attempts);
	if (err == -ETIMEDOUT)
		err = -EAGAIN;
	if (err == -EAGAIN)
		gc_heap_put_off(heap);
	gc_heap_report(heap);
	if (!err) {
		gc_heap_pace(heap);
		cycle.live = heap->slabs.live;
		cycle.after = allocated_after(heap);
		sweep(heap, &cycle);
		record(heap, &cycle);
		if (heap->slabs.total_freed - freed > heap->slabs.live / 16)
			heap->fruitless = 0;
	}
	gc_heap_collected(heap, start);
	return err;
}

/**
 * gc_collect_if_due() - collect if it is time, before more is allocated
 * @heap: heap
 * @more: bytes to be allocated
 *
 * A collection that could not be had is no reason to refuse memory.
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: 0 or -EINTR.
 */
int gc_collect_if_due(struct gc_heap *heap, u64 more)
{
	int err;

	if (!gc_heap_due(heap, more))
		return 0;
	gc_heap_settle(heap);
	err = gc_collect(heap, false);
	return err == -EINTR ? err : 0;
}

/**
 * gc_collect_for_room() - collect since memory could not be had, if that may help
 * @heap: heap
 *
 * A collection is of no use when little became free by it, less than a 16th of what
 * lives, and the caller is refused all the same: then it counts as fruitless.
 * Whoever gets its memory after this sets gc_heap.fruitless to zero.
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: true when it is worth another try.
 */
bool gc_collect_for_room(struct gc_heap *heap)
{
	if (!heap->tried && gc_heap_may_help(heap)) {
		heap->fruitless++;
		return !gc_collect(heap, true);
	}
	/* What the last one left unswept comes without another. */
	if (!heap->slabs.nr_unswept)
		return false;
	gc_slabs_sweep(&heap->slabs, UINT_MAX);
	return true;
}

/**
 * gc_collect_now() - GCHEAP_IOC_COLLECT
 * @heap: heap
 * @result: filled in
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: as gc_collect().
 */
int gc_collect_now(struct gc_heap *heap, struct gcheap_ioc_collect *result)
{
	struct gc_mutator *m = gc_mutator_current(heap);
	u64 bytes, objects;
	int err;

	if (IS_ERR(m))
		return PTR_ERR(m);
	gc_mutator_give_back_all(heap, m);
	gc_slabs_sweep(&heap->slabs, UINT_MAX);
	bytes = heap->slabs.total_freed;
	objects = heap->slabs.total_frees;
	err = gc_collect(heap, true);
	if (err)
		return err;
	result->freed_bytes = heap->slabs.total_freed - bytes;
	result->freed_objects = heap->slabs.total_frees - objects;
	result->cycle = heap->slabs.cycle;
	result->pause_ns = heap->cycles[result->cycle % GCHEAP_CYCLES].pause_ns;
	return 0;
}
