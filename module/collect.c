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
 * Where that would take long, the world is stopped twice or more often, and marking goes on
 * in between, in parts, with the heap's lock free between them: then whoever has it may go
 * on, and who is killed leaves it to others.  What is written meanwhile is looked at again:
 * see dirty.c, and README.md for why no object is lost.
 *
 * Of what was alive when such a collection ended it is known from then on where it is written
 * to.  So the next one may be a minor one, which takes that for alive, and looks at the rest:
 * see generations.h.
 *
 * The second marker and what reads the roots are the collector's, and end with the
 * stop; the marker ends with the collection.  The collector waits for the threads of the
 * world, and for the memory of their processes, with patience that ends; so nobody whom it
 * stops may hold the heap's lock, and what is locked below that is in heap.h.
 *
 * With the parameter verify the world stays stopped until a second marking has
 * been compared with the first, and the heap's books have been checked.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/math64.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "audit.h"
#include "collect.h"
#include "collection.h"
#include "dirty.h"
#include "fetch.h"
#include "generations.h"
#include "given_up.h"
#include "heap.h"
#include "map.h"
#include "mark.h"
#include "member.h"
#include "mutator.h"
#include "owned.h"
#include "roots.h"
#include "stats.h"
#include "stop.h"
#include "trace.h"
#include "verify.h"

/* Stops in a row that a storm of new threads may spoil. */
#define ATTEMPTS	4

/* Words, pages and links looked at before others may have the heap's lock */
#define PART_WORDS	16384UL
#define PART_PAGES	64U
#define PART_LINKS	1024UL

/* As many words may be looked at for one allocation. */
#define HELP_WORDS	(8 * PART_WORDS)

/* Words looked at between two looks at the clock */
#define SLICE_WORDS	1024UL

/* Pauses that may end before all is marked, the first one included; the next one may not. */
#define PAUSES_MAX	5

/* Looks for what was written before a pause, and what of it is left to that */
#define LOOKS_MAX	8
#define FEW_PAGES	64

/* What a heap may allocate beside a collection, at least */
#define ROOM_MIN	((u64)SZ_64K)

/* A look for what was written takes this part of the marking at most, or it is not worth it. */
#define LOOKS_WORTH	4

/*
 * When a look finds more than this part of what the one before has found, which was looked at
 * again in between, the program writes to much all the time; and as many collections after
 * that it is taken for one that does so.
 */
#define HOT_PART	8
#define HOT_TIMES	31

/* It waits no longer: who allocates so slowly does not mind to look at it twice. */
#define PATIENCE_NS	((u64)NSEC_PER_SEC)

/* Of those that were written to, as many are enough to tell what there is on all. */
#define SAMPLE_PAGES	256

/* It is not known yet how long marking takes: but of so little, not long. */
#define SMALL_BYTES	((u64)SZ_256K)

static bool trace;
module_param(trace, bool, 0644);
MODULE_PARM_DESC(trace, "print a line for each collection");

static bool verify;
module_param(verify, bool, 0644);
MODULE_PARM_DESC(verify, "check each collection: mark once more in another way, audit all slabs (slow)");

static bool concurrent = true;
module_param(concurrent, bool, 0644);
MODULE_PARM_DESC(concurrent, "mark while the program runs, where the kernel tells what it writes (default 1)");

static unsigned int pause_us = 500;
module_param(pause_us, uint, 0644);
MODULE_PARM_DESC(pause_us, "microseconds of marking in a pause, beyond which the program runs on (default 500)");

/* From here on the collector marks alone. */
static void end_crew(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;
	u64 ns = gc_crew_end(&c->crew, &c->marker);

	c->helped_ns += ns;
	heap->helped_ns += ns;
	heap->gc_cpu_ns += ns;
}

/* Returns 0 when the queue is empty, or 1 when time is over. */
static int mark_within(struct gc_collection *c, u64 budget_ns)
{
	u64 start = ktime_get_ns();

	while (gc_crew_mark(&c->crew, &c->marker, SLICE_WORDS))
		if (ktime_get_ns() - start >= budget_ns)
			return 1;
	return 0;
}

/* Returns 0 when the queue is empty, or an error. */
static int mark_all(struct gc_collection *c)
{
	int err = 0;

	while (!err && gc_crew_mark(&c->crew, &c->marker, PART_WORDS))
		err = gc_given_up();
	return err;
}

/* Returns 0 when all is marked, 1 when time is over, or an error. */
static int mark_until(struct gc_heap *heap, u64 budget_ns)
{
	struct gc_collection *c = heap->collection;
	bool all = budget_ns == U64_MAX;
	int err = all ? mark_all(c) : mark_within(c, budget_ns);

	end_crew(heap);
	if (err || !c->marker.overflowed)
		return err;
	/* That takes long, and is for when the program runs. */
	return all ? gc_mark_drain(&c->marker) : 1;
}

static int drain(struct gc_heap *heap, struct gc_verify *v, u64 budget_ns)
{
	int err = v ? gc_verify_walk(v) : 0;

	if (!err)
		err = mark_until(heap, budget_ns);
	if (!err && v)
		err = gc_verify_walk(v);
	return err;
}

/* The program has run since the first of the marks was set. */
static bool has_run(const struct gc_collection *c)
{
	return c->pauses || c->minor;
}

static void look(struct gc_heap *heap, bool stopped)
{
	struct gc_collection *c = heap->collection;
	u64 start = ktime_get_ns();

	gc_dirty_look(&heap->dirty, stopped);
	c->aside_ns += ktime_get_ns() - start;
	c->cycle.looks++;
	c->cycle.dirty_pages += heap->dirty.found;
}

static void look_again(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;
	unsigned long nr, pages = 0;

	look(heap, true);
	while (gc_dirty_take(&heap->dirty, &nr)) {
		c->again += gc_mark_page(&c->marker, nr);
		if (!(++pages % PART_PAGES))
			cond_resched();
	}
}

static void compare(struct gc_heap *heap, struct gc_verify *v)
{
	if (gc_verify_is_blind(v))
		pr_notice_ratelimited("a collection is not verified: too many words may be addresses, or the program frees objects, or the one before was not\n");
	heap->collection->cycle.floating =
		gc_verify_compare(v, &heap->slabs.pages.faults);
}

/* The world is stopped, and all is marked. */
static void flip(struct gc_heap *heap, struct gc_roots *roots)
{
	struct gc_collection *c = heap->collection;
	u64 unused;

	if (roots->verify)
		compare(heap, roots->verify);
	else
		gc_verify_forget(&heap->astray);
	gc_links_flip(&heap->links, &heap->slabs);
	if (roots->verify)
		gc_links_audit(&heap->links, &heap->slabs);
	c->in_use = gc_heap_in_use(heap);
	unused = gc_owned_sweep(&roots->reader);
	/* From the look in this pause on it is known what is written. */
	gc_slabs_marked(&heap->slabs, c->marker.marked,
			c->concurrent && gc_generations_wanted(heap, c, c->marker.marked));
	gc_owned_recall(&roots->reader, unused);
	gc_slabs_recalled(&heap->slabs);
	if (roots->verify) {
		gc_audit(&heap->slabs);
		gc_mutators_audit(heap, gc_world_round(heap->world));
		gc_stats_audit(heap);
	}
}

/* Returns 0 when the collection is complete, 1 when there is more to mark, or an error. */
static int mark(struct gc_heap *heap, struct gc_roots *roots, u64 budget_ns,
		struct gcheap_cycle *pause)
{
	struct gc_collection *c = heap->collection;
	u64 start = ktime_get_ns(), looking;
	int err;

	gc_mutators_reap(heap, gc_world_round(heap->world));
	gc_members_reap(heap);
	if (roots->verify)
		gc_verify_begin(roots->verify, !has_run(c));
	err = gc_roots_mark(roots);
	pause->roots_ns = ktime_get_ns() - start;
	trace_gcheap_roots(heap, roots, pause->roots_ns, err);
	c->aside_ns += pause->roots_ns;
	if (err)
		return err;
	looking = ktime_get_ns();
	if (has_run(c))
		look_again(heap);
	c->look_ns = ktime_get_ns() - looking;
	pause->dirty_ns = c->look_ns;
	err = budget_ns ? drain(heap, roots->verify, budget_ns) : 1;
	if (!err && gc_world_breached(heap->world))
		err = -EAGAIN;
	start = ktime_get_ns();
	if (!err)
		flip(heap, roots);
	pause->flip_ns = ktime_get_ns() - start;
	return err;
}

/* Of several pauses the longest is told. */
static void note_pause(struct gcheap_cycle *cycle, const struct gcheap_cycle *pause)
{
	cycle->pauses++;
	if (pause->pause_ns < cycle->pause_ns)
		return;
	cycle->stop_ns = pause->stop_ns;
	cycle->mark_ns = pause->mark_ns;
	cycle->pause_ns = pause->pause_ns;
	cycle->roots_ns = pause->roots_ns;
	cycle->dirty_ns = pause->dirty_ns;
	cycle->flip_ns = pause->flip_ns;
}

static int stop_and_mark(struct gc_heap *heap, struct gc_roots *roots,
			 u64 budget_ns)
{
	struct gc_collection *c = heap->collection;
	struct gcheap_cycle pause = {};
	u64 start = ktime_get_ns(), stopped;
	int err = gc_world_stop(heap);

	if (err)
		return err;
	stopped = ktime_get_ns();
	pause.stop_ns = stopped - start;
	err = mark(heap, roots, budget_ns, &pause);
	pause.mark_ns = ktime_get_ns() - stopped;
	gc_world_start(heap);
	pause.pause_ns = ktime_get_ns() - start;
	trace_gcheap_pause(heap, &pause, err);
	c->pause_ns += pause.pause_ns;
	c->mark_ns += pause.mark_ns;
	note_pause(&c->cycle, &pause);
	return err;
}

static struct gc_verify *verify_new(struct gc_heap *heap)
{
	struct gc_verify *v = gc_verify_new(&heap->slabs, heap->base);

	if (!v || !gc_verify_know(v, &heap->astray))
		return v;
	gc_verify_free(v);
	return NULL;
}

/*
 * What a collection cannot do without is little, whatever the program does: when that is to
 * free memory, it may be had of what the kernel keeps for those that do, and the cgroup pays
 * for it beyond its limit.  There is none of that for what there may be any number of.
 */
static unsigned int reserve_begin(const struct gc_heap *heap)
{
	return heap->scavenger.urgent ? memalloc_noreclaim_save() : 0;
}

static void reserve_end(const struct gc_heap *heap, unsigned int flags)
{
	if (heap->scavenger.urgent)
		memalloc_noreclaim_restore(flags);
}

/* What can fail for want of memory comes before the stop, but for what is seldom needed. */
static int pause_once(struct gc_heap *heap, u64 budget_ns)
{
	struct gc_collection *c = heap->collection;
	struct gc_verify *v = NULL;
	struct gc_roots roots;
	unsigned int flags;
	int err;

	if (c->concurrent && gc_dirty_make_room(&heap->dirty))
		return -ENOMEM;
	if (READ_ONCE(verify) && budget_ns) {
		v = verify_new(heap);
		if (!v)
			pr_notice_ratelimited("no memory to verify a collection\n");
	}
	flags = reserve_begin(heap);
	err = gc_roots_init(&roots, heap, &c->marker, v);
	reserve_end(heap, flags);
	if (err)
		goto free_verify;
	err = gc_world_settle(heap);
	if (!c->pauses)
		gc_stats_released(heap);
	if (!err)
		err = stop_and_mark(heap, &roots, budget_ns);
	c->cycle.root_bytes = roots.reader.bytes;
	c->cycle.root_skipped = roots.reader.skipped;
	c->cycle.threads = roots.threads;
	c->cycle.processes = roots.processes;
	if (err && c->concurrent)
		c->pauses++;
	c->looks = 0;
	gc_roots_destroy(&roots);
free_verify:
	gc_verify_free(v);
	return err;
}

/*
 * When the program runs meanwhile, the first pause is for the roots, unless what lives is
 * little; the next ones end when they take too long, but not for ever.
 */
static u64 budget_of(const struct gc_collection *c)
{
	if (!c->concurrent || c->pauses >= PAUSES_MAX)
		return U64_MAX;
	return has_run(c) ? max(READ_ONCE(pause_us), 1U) * NSEC_PER_USEC : 0;
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

/* What was marked with the world stopped is worth nothing once it has run. */
static int restart(struct gc_heap *heap)
{
	unsigned int flags = reserve_begin(heap);
	int err = gc_collection_restart(heap);

	reserve_end(heap, flags);
	return err;
}

/* Returns 0 when the collection is complete, 1 when there is more to mark, or an error. */
static int pauses(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;
	int attempts = ATTEMPTS, err;

	if (stuck(heap))
		return -ETIMEDOUT;
	do {
		err = pause_once(heap, budget_of(c));
		if (err == -EAGAIN && !c->concurrent && restart(heap))
			err = -ENOMEM;
	} while (err == -EAGAIN && --attempts);
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
		pr_info("gc %llu @%llums: %llu+%llu+%llu us stop/mark/sweep, %llu us last release, %llu->%llu->%llu KB, goal %lld KB, %u threads, %u processes, roots %llu KB read %llu KB skipped, %u pauses, %llu+%llu+%llu us roots/dirty/flip, %llu us beside, %u looks %llu pages, %u assists, floating %llu KB%s\n",
			c->number, c->start_ns / NSEC_PER_MSEC,
			c->stop_ns / NSEC_PER_USEC, c->mark_ns / NSEC_PER_USEC,
			c->sweep_ns / NSEC_PER_USEC,
			release_ns / NSEC_PER_USEC, c->before >> 10,
			c->after >> 10, c->live >> 10,
			c->goal == U64_MAX ? -1LL : (s64)(c->goal >> 10),
			c->threads, c->processes, c->root_bytes >> 10,
			c->root_skipped >> 10, c->pauses,
			c->roots_ns / NSEC_PER_USEC, c->dirty_ns / NSEC_PER_USEC,
			c->flip_ns / NSEC_PER_USEC,
			c->concurrent_ns / NSEC_PER_USEC, c->looks,
			c->dirty_pages, c->assists, c->floating >> 10,
			c->forced ? ", forced" : c->minor ? ", minor" : "");
}

static void record(struct gc_heap *heap, struct gcheap_cycle *cycle)
{
	cycle->number = heap->slabs.cycle;
	heap->num_forced += cycle->forced;
	heap->pause_max_ns = max(heap->pause_max_ns, cycle->pause_ns);
	heap->last_gc_ns = ktime_get_real_ns();
	heap->last_round = gc_world_round(heap->world);
	trace_gcheap_cycle_end(heap, cycle);
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

static void note_effort(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;
	struct gc_effort *last = &heap->last[c->minor];
	u64 before = c->live + max(c->since, 0LL), used;

	last->work = c->marker.scanned;
	last->once = c->marker.scanned - min(c->again, c->marker.scanned);
	/* The next time there may be nobody to help. */
	last->mark_ns = c->mark_ns + c->cycle.concurrent_ns - c->aside_ns + c->helped_ns;
	if (c->concurrent) {
		last->look_ns = c->look_ns;
		used = c->ready ? c->ready : c->in_use;
		last->beside = used - min(used, before);
	} else {
		/* So that it is tried again some time whether it is worth it. */
		last->look_ns -= last->look_ns / 4;
	}
}

static void finish(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;
	struct gcheap_cycle cycle = c->cycle;
	u64 freed = c->freed;

	heap->pause_total_ns += c->pause_ns;
	note_effort(heap);
	gc_generations_learn(heap, c);
	gc_heap_collected(heap, c->begun_ns, c->took_ns);
	gc_collection_end(heap);
	gc_heap_pace(heap);
	cycle.live = heap->slabs.live;
	cycle.after = allocated_after(heap);
	sweep(heap, &cycle);
	record(heap, &cycle);
	if (heap->slabs.total_freed - freed > heap->slabs.live / 16)
		heap->fruitless = 0;
}

static void give_up(struct gc_heap *heap, int err)
{
	struct gc_collection *c = heap->collection;

	trace_gcheap_cycle_lost(heap, err);
	gc_heap_collected(heap, c->begun_ns, c->took_ns);
	gc_collection_give_up(heap);
}

/*
 * Who is being killed leaves a collection that the program runs beside to others; and one
 * that has come far is not given up for a page that does not come.
 */
static bool is_left(const struct gc_collection *c, int err)
{
	return c->concurrent &&
	       (err == -EINTR || (err == -ETIMEDOUT && c->marker.scanned));
}

/* A pause has been tried. */
static int judge(struct gc_heap *heap, int err)
{
	bool left = err < 0 && is_left(heap->collection, err);

	if (err == -ETIMEDOUT || err == -E2BIG)
		err = -EAGAIN;
	if (err == -EAGAIN)
		gc_heap_put_off(heap);
	if (err == -ENOMEM)
		gc_heap_not_soon(heap);
	gc_heap_report(heap);
	if (!err)
		finish(heap);
	else if (err < 0 && !left)
		give_up(heap, err);
	if ((err == 1 && !heap->collection->waits) || (left && err == -EINTR))
		queue_delayed_work(heap->scavenger.collecting, &heap->collector, 0);
	return err;
}

/* What is marked within the budget of a pause needs but one. */
static bool takes_long(const struct gc_heap *heap)
{
	const struct gc_effort *last = &heap->last[false];

	if (!READ_ONCE(concurrent) || !gc_dirty_possible())
		return false;
	if (!heap->slabs.cycle)
		return gc_heap_in_use(heap) > SMALL_BYTES;
	/* A look at all pages is a part of the last pause. */
	return last->mark_ns > READ_ONCE(pause_us) * NSEC_PER_USEC &&
	       last->mark_ns > LOOKS_WORTH * last->look_ns;
}

/* The collection has taken some time, and may be over. */
static int spent(struct gc_heap *heap, u64 start, int err)
{
	heap->collection->took_ns += ktime_get_ns() - start;
	return judge(heap, err);
}

/* What is old on pages that were written to, about */
static u64 words_written(struct gc_heap *heap)
{
	const struct gc_dirty *d = &heap->dirty;
	unsigned long step = d->found / SAMPLE_PAGES + 1, i = 0, nr;
	u64 words = 0;

	for (nr = gc_dirty_next(d, 0); nr < d->room; nr = gc_dirty_next(d, nr + 1)) {
		if (i++ % step)
			continue;
		words += gc_mark_page_words(&heap->collection->marker, nr);
		cond_resched();
	}
	return words * step;
}

/* The kind is known. */
static void expect(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;
	struct gc_effort *last = &heap->last[c->minor];
	u64 work;

	c->cycle.minor = c->minor;
	c->hot = c->due && last->hot;
	c->patient = c->hot;
	if (c->hot)
		last->hot--;
	work = c->hot ? last->once : last->work;
	c->work = work ? work : gc_heap_in_use(heap) / sizeof(long);
}

/*
 * What was written to since the last one is where a minor one begins; or a full one, when
 * that is nearly all.
 */
static int look_first(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;
	u64 start = ktime_get_ns();
	bool pays;

	look(heap, false);
	pays = gc_generations_pays(heap, words_written(heap));
	if (pays) {
		c->looks = 1;
		c->found = ULONG_MAX;
	} else {
		gc_collection_make_full(heap);
		c->cycle.dirty_pages = 0;
		expect(heap);
	}
	c->cycle.concurrent_ns += ktime_get_ns() - start;
	return pays ? 1 : pauses(heap);
}

/**
 * enum kind - what a collection is to find
 * @ANY: whatever is worth most
 * @FULL: all garbage that there is when it begins
 * @FORCED: that, and somebody waits for it
 */
enum kind {
	ANY,
	FULL,
	FORCED,
};

/*
 * Begin with a collection, when none is under way; @beside: the program may run meanwhile.
 * Returns 0 when it is complete, 1 when the program runs beside it, or an error.
 */
static int begin(struct gc_heap *heap, enum kind kind, bool beside)
{
	bool forced = kind == FORCED || heap->slabs.cycle < READ_ONCE(heap->claimed);
	bool minor = kind == ANY && !forced && beside && takes_long(heap) &&
		     gc_generations_minor(heap);
	u64 start = ktime_get_ns();
	struct gc_collection *c;
	unsigned int flags;
	int err;

	if (atomic_read(&heap->holds))
		return -EAGAIN;
	if (stuck(heap)) {
		gc_heap_put_off(heap);
		return -EAGAIN;
	}
	gc_slabs_sweep(&heap->slabs, UINT_MAX);
	flags = reserve_begin(heap);
	err = gc_collection_begin(heap, beside && takes_long(heap), minor);
	reserve_end(heap, flags);
	if (err) {
		gc_heap_not_soon(heap);
		return err;
	}
	c = heap->collection;
	c->due = kind == ANY && !forced;
	c->begun_ns = start;
	c->cycle = (struct gcheap_cycle) {
		.start_ns = start - ktime_to_ns(heap->born),
		.before = gc_slabs_allocated(&heap->slabs),
		.goal = gc_heap_next(heap),
		.forced = forced,
	};
	c->room = max(gc_heap_room(heap), ROOM_MIN);
	expect(heap);
	trace_gcheap_cycle_begin(heap, &c->cycle, c->concurrent);
	err = minor ? look_first(heap) : pauses(heap);
	return spent(heap, start, err);
}

/*
 * There was no memory for the queue: what it has missed is looked for in the heap.  Returns
 * 0; 1 when there is more to do; or -E2BIG when that takes a kernel thread too long.
 */
static int queue_rest(struct gc_collection *c)
{
	int err = c->marker.overflowed ? gc_mark_drain(&c->marker) : 0;

	/* Who is to end for another reason, is asked so by the caller. */
	return err && err != -E2BIG ? 1 : err;
}

static bool queue_written(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;
	unsigned int most = PART_PAGES;
	unsigned long nr;

	while (most && gc_dirty_take(&heap->dirty, &nr)) {
		c->again += gc_mark_page(&c->marker, nr);
		most--;
	}
	return most < PART_PAGES;
}

/* What was hot has been looked at by the one thread that there is. */
static bool is_still(const struct gc_collection *c)
{
	return c->hot && c->cycle.threads == 1;
}

/* Each look leaves less to the pause, as long as that is so. */
static bool look_while_it_pays(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;
	unsigned long found = heap->dirty.found;

	if (c->looks && (c->looks >= LOOKS_MAX || found <= FEW_PAGES || found > c->found / 2 ||
			 is_still(c)))
		return false;
	if (gc_dirty_make_room(&heap->dirty))
		return false;
	look(heap, false);
	if (c->looks == 1 && !c->hot)
		heap->last[c->minor].hot = heap->dirty.found > found / HOT_PART ? HOT_TIMES : 0;
	c->found = c->looks++ ? found : ULONG_MAX;
	return true;
}

/*
 * What a program writes to all the time is found by each look: so the first one is when the
 * collection is due.  Then who allocates looks at all that again, and the program does not
 * run in between.
 */
static bool is_early(const struct gc_heap *heap)
{
	const struct gc_collection *c = heap->collection;

	return c->patient && c->looks == c->minor && c->pauses == !c->minor &&
	       !gc_heap_due(heap, 0);
}

/* All is marked that the collection has come across; returns whether there is more to do. */
static bool look_when_due(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;

	c->waits = is_early(heap);
	if (c->waits && !c->ready_ns) {
		c->ready = gc_heap_in_use(heap);
		c->ready_ns = ktime_get_ns();
	}
	return c->waits || look_while_it_pays(heap);
}

/* Go on with a collection; returns as begin(). */
static int step(struct gc_heap *heap, unsigned long words)
{
	struct gc_collection *c = heap->collection;
	u64 start = ktime_get_ns();
	int err;

	err = gc_crew_mark(&c->crew, &c->marker, words);
	end_crew(heap);
	if (!err)
		err = queue_rest(c);
	if (!err)
		err = queue_written(heap) || look_when_due(heap) ||
		      gc_links_look(&heap->links, &heap->slabs, PART_LINKS);
	c->cycle.concurrent_ns += ktime_get_ns() - start;
	return spent(heap, start, err ? err : pauses(heap));
}

/* The collection under way, or a new one; returns as begin(). */
static int advance(struct gc_heap *heap, enum kind kind, bool beside)
{
	if (!heap->collection)
		return begin(heap, kind, beside);
	heap->collection->patient = false;
	return step(heap, PART_WORDS);
}

/* Whether that which is under way, if any, is what is wanted */
static bool will_do(const struct gc_heap *heap, enum kind kind)
{
	const struct gc_collection *c = heap->collection;

	return !c || kind == ANY || (kind == FULL && !c->minor);
}

static int collect(struct gc_heap *heap, enum kind kind)
{
	u64 until = heap->slabs.cycle + 1 + !will_do(heap, kind);
	/* A kernel thread has the lock until memory is there, with little priority. */
	bool beside = !(current->flags & PF_KTHREAD);
	int err;

	lockdep_assert_held(&heap->lock);
	while (heap->slabs.cycle < until) {
		if (!heap->collection)
			until = heap->slabs.cycle + 1;
		err = advance(heap, kind, beside);
		/* One that stops the world from the beginning needs less memory. */
		if (err == -ENOMEM && beside) {
			beside = false;
			continue;
		}
		if (err < 0)
			return err;
		cond_resched();
		/* Then it is to be emptied by who waits for the lock. */
		if (err && READ_ONCE(heap->emptying))
			return -EAGAIN;
		err = err ? gc_given_up() : 0;
		if (err)
			return err == -ETIMEDOUT ? -EAGAIN : err;
	}
	return 0;
}

/**
 * gc_collect() - collect garbage
 * @heap: heap
 * @forced: what is garbage now is to be found, and all is swept on return
 *
 * Otherwise a full collection that is under way will do.
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: 0; or -ENOMEM, -EINTR (the caller is being killed), -EAGAIN (threads
 * could not be held, or their memory not be had, or the caller is to be frozen, or the heap
 * is to be emptied, or would have to be walked too often, or is not to be collected): then
 * nothing was reclaimed, but by a collection that had been under way.
 */
int gc_collect(struct gc_heap *heap, bool forced)
{
	return collect(heap, forced ? FORCED : FULL);
}

/**
 * gc_collect_begin() - have a heap collected that nobody waits for
 * @heap: heap
 *
 * On return that is done, or under way, or could not be had.
 *
 * Context: may sleep; heap's lock held.
 */
void gc_collect_begin(struct gc_heap *heap)
{
	if (!heap->collection)
		begin(heap, FULL, true);
}

/**
 * gc_collect_hold() - gc_heap.holds is not 0 any more
 * @heap: heap
 *
 * Context: may sleep; heap's lock held.
 */
void gc_collect_hold(struct gc_heap *heap)
{
	if (heap->collection)
		give_up(heap, -ECANCELED);
}

/**
 * gc_collect_go_on() - mark a part of what there is to mark, if a collection is under way
 * @heap: heap
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: whether there is more to do.
 */
bool gc_collect_go_on(struct gc_heap *heap)
{
	return heap->collection && step(heap, PART_WORDS) > 0;
}

/**
 * gc_collect_waits() - whether a collection under way waits until it is due
 * @heap: heap
 *
 * It does so for some time: the program may have ended to allocate.
 *
 * Context: heap's lock held.
 *
 * Return: true when it does.
 */
bool gc_collect_waits(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;

	if (!c || !c->waits)
		return false;
	c->patient = ktime_get_ns() - c->ready_ns < PATIENCE_NS;
	return c->patient;
}

/*
 * Who allocates marks in proportion, such that the collection is complete when the next
 * one would be due.  If it is not by then, see overrun().
 */
static int help(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;
	u64 gone = max(heap->slabs.since - c->since, 0LL), words;

	/* It was tried to complete it, in vain: not for each allocation. */
	if (heap->slabs.since < heap->tight_since)
		return 0;
	words = mul_u64_u64_div_u64(c->work, min(gone, c->room), c->room);
	/* There is more to do than the last time, but no more room. */
	if (gone >= c->room)
		words = U64_MAX;
	if (words < c->marker.scanned + PART_WORDS)
		return 0;
	c->cycle.assists++;
	return step(heap, min(words - c->marker.scanned, HELP_WORDS));
}

/**
 * gc_collect_portion() - what may be allocated at a time while a collection is under way
 * @heap: heap
 *
 * Who takes more at once would have to mark as much before the next time, and wait for that
 * for long; or it would not be marked in time.
 *
 * Context: heap's lock held.
 *
 * Return: bytes.
 */
u64 gc_collect_portion(const struct gc_heap *heap)
{
	const struct gc_collection *c = heap->collection;

	if (!c)
		return U64_MAX;
	return mul_u64_u64_div_u64(c->room, HELP_WORDS / 2, max(c->work, HELP_WORDS / 2));
}

/* It was due, and all was marked, when it was looked for what was written meanwhile. */
static bool is_ripe(const struct gc_collection *c)
{
	return c->patient && c->looks > c->minor;
}

/*
 * A collection that is due is completed in parts until what was written while all was marked
 * has been looked at again, which may be much.  Of what is written while that is done, who
 * allocates next does all: a program that writes all over would have ever more to be looked
 * at.
 */
static bool may_overrun(const struct gc_heap *heap)
{
	const struct gc_collection *c = heap->collection;

	return c && c->concurrent && c->pauses <= !c->minor && c->looks <= 1U + c->minor &&
	       !is_ripe(c) && gc_heap_may_overrun(heap, c->room);
}

/* It is due; who allocates does as much of it as may be done at a time. */
static int overrun(struct gc_heap *heap)
{
	struct gc_collection *c = heap->collection;
	unsigned long parts = HELP_WORDS / PART_WORDS;
	int err;

	c->cycle.assists++;
	do {
		err = step(heap, PART_WORDS);
		cond_resched();
	} while (err > 0 && --parts && may_overrun(heap));
	/* Each moment that the program runs makes more to look at. */
	return err > 0 && is_ripe(c) ? collect(heap, ANY) : err;
}

static int begin_soon(struct gc_heap *heap)
{
	if (!takes_long(heap) || !gc_heap_soon(heap, gc_generations_minor(heap)))
		return 0;
	gc_heap_settle(heap);
	return begin(heap, ANY, true);
}

/**
 * gc_collect_if_due() - collect if it is time, before more is allocated
 * @heap: heap
 * @more: bytes to be allocated of a large object, or 0
 *
 * Or do a part of what a collection takes that the program runs beside, and have one begin
 * that will be due soon.  For small objects, that which is under way may be complete a little
 * later than it is due.  A collection that could not be had is no reason to refuse
 * memory.
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: 0 or -EINTR.
 */
int gc_collect_if_due(struct gc_heap *heap, u64 more)
{
	int err;

	if (!gc_heap_due(heap, more)) {
		err = heap->collection ? help(heap) : begin_soon(heap);
	} else {
		gc_heap_settle(heap);
		err = !more && may_overrun(heap) ? overrun(heap) : collect(heap, ANY);
	}
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
	u64 cycle = heap->slabs.cycle;

	if (!heap->tried && !atomic_read(&heap->holds) && gc_heap_may_help(heap)) {
		heap->fruitless++;
		/* One of two may have been had. */
		return !gc_collect(heap, true) || heap->slabs.cycle != cycle;
	}
	/* What the last one left unswept comes without another. */
	if (!heap->slabs.nr_unswept)
		return false;
	gc_slabs_sweep(&heap->slabs, UINT_MAX);
	return true;
}

/*
 * Let others have the heap's lock; @locked: whether we have it again.  The caller is looked
 * for by his mutator when the world is stopped, which may have gone with a mapping.
 */
static int let_others(struct gc_heap *heap, bool *locked)
{
	struct gc_mutator *m;
	int err;

	gc_heap_unlock(heap);
	cond_resched();
	*locked = !mutex_lock_killable(&heap->lock);
	if (!*locked)
		return -EINTR;
	err = gc_given_up();
	if (err)
		return err == -ETIMEDOUT ? -EAGAIN : err;
	err = gc_map_check_any(heap);
	if (err)
		return err;
	m = gc_mutator_current(heap);
	return PTR_ERR_OR_ZERO(m);
}

/* A collection that begins from now on, which counts as asked for; see begin(). */
static int collect_in_parts(struct gc_heap *heap, bool *locked)
{
	u64 until = heap->slabs.cycle + !!heap->collection + 1, cycle;
	bool beside = true;
	int err = 0;

	while (!err && heap->slabs.cycle < until) {
		/* Had one been under way, it was given up. */
		if (!heap->collection)
			until = heap->slabs.cycle + 1;
		WRITE_ONCE(heap->claimed, until);
		err = advance(heap, FORCED, beside);
		if (err == -ENOMEM && beside) {
			beside = false;
			err = 1;
		}
		if (err > 0) {
			cycle = heap->slabs.cycle;
			err = let_others(heap, locked);
			/* It was given up by somebody else, and would be once more. */
			if (!err && !heap->collection && heap->slabs.cycle == cycle)
				beside = false;
		}
	}
	WRITE_ONCE(heap->claimed, 0);
	return err;
}

/**
 * gc_collect_now() - GCHEAP_IOC_COLLECT
 * @heap: heap
 * @result: filled in
 * @locked: out: false when the heap's lock is not held any more
 *
 * Context: may sleep; gc_heap.asking held, and the heap's lock, which is let go meanwhile.
 *
 * Return: as gc_collect(), or -ENXIO when nobody maps the heap any more.
 */
int gc_collect_now(struct gc_heap *heap, struct gcheap_ioc_collect *result,
		   bool *locked)
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
	err = collect_in_parts(heap, locked);
	if (err)
		return err;
	gc_slabs_sweep(&heap->slabs, UINT_MAX);
	result->freed_bytes = heap->slabs.total_freed - bytes;
	result->freed_objects = heap->slabs.total_frees - objects;
	result->cycle = heap->slabs.cycle;
	result->pause_ns = heap->cycles[result->cycle % GCHEAP_CYCLES].pause_ns;
	return 0;
}
