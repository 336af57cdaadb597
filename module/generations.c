// SPDX-License-Identifier: GPL-2.0
/*
 * When it is worth to look at young objects only, if that is wanted.  See generations.h.
 *
 * Where a limit makes collections come earlier, all are full ones.
 *
 * Memory is not to grow by it: minor collections come at the goal that the last full one
 * has set.  What they leave makes the room less until then, and what of it is garbage by
 * now, only a full one tells; it comes when half of the room is gone.
 *
 * What was old and has been dropped costs memory until then, and so a full one comes in any
 * case when minor ones have taken twice what one takes, or for long there was none.
 *
 * A program whose new objects stay, or whose old ones go as fast as new ones, or are
 * written to all over, gets nothing out of minor collections.  The first is seen by a full
 * one, and the last when a minor one begins, which then becomes a full one; of others it is
 * noted that it was not worth it.  A few full ones come before it is tried again, each time
 * more of them.
 *
 * Takes no lock, and waits for nobody: the caller holds the heap's.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>

#include "collection.h"
#include "generations.h"
#include "heap.h"

/* Of the room that a full collection has left, a minor one begins with this part at most. */
#define ROOM_PART	8

/*
 * To look whether a page was written to takes as long as to look at so many words once more;
 * and so does, for each word of an object, to mark that.
 */
#define PAGE_WORDS	8
#define MARK_WORDS	4

/* A collection frees this part of what was allocated, or none of the kind is worth it. */
#define FREED_PART	4

/* What is written to is this part of what a full one looks at, or it is to be one. */
#define WRITTEN_PART	2

/* Minor ones take so many times what a full one does, before there is one again. */
#define SINCE_MOST	2

/* Or this time has passed: Go has a collection as often (forcegcperiod, runtime/proc.go). */
#define LONG_NS		(120 * NSEC_PER_SEC)

/* Full ones before a minor one is tried again */
#define WAIT_MIN	3U
#define WAIT_MAX	15U

bool gc_generational = true;
module_param_named(generational, gc_generational, bool, 0644);
MODULE_PARM_DESC(generational, "collect young objects only, where that is worth it, and the program runs meanwhile (default 1)");

/* It is due by the goal: who wants memory before that wants more than a minor one finds. */
static bool is_reached(const struct gc_heap *heap)
{
	u64 next = gc_heap_next(heap), live = heap->slabs.live;

	return next <= live || gc_heap_room(heap) <= (next - live) / ROOM_PART;
}

/**
 * gc_generations_minor() - whether a collection that is due is to be a minor one
 * @heap: heap
 *
 * Context: heap's lock held.
 *
 * Return: true when it is.
 */
bool gc_generations_minor(const struct gc_heap *heap)
{
	const struct gc_generations *g = &heap->generations;

	return READ_ONCE(gc_generational) && heap->slabs.sticky && g->fruitful && !g->wait &&
	       g->since <= SINCE_MOST * g->work &&
	       ktime_get_ns() - g->full_ns <= LONG_NS &&
	       heap->goal >= heap->ceiling &&
	       g->tenured <= (heap->goal - min(heap->goal, g->lived)) / 2 &&
	       is_reached(heap);
}

/* It was not worth it. */
static void back_off(struct gc_generations *g)
{
	g->backoff = clamp(2 * g->backoff + 1, WAIT_MIN, WAIT_MAX);
	g->wait = g->backoff;
}

/**
 * gc_generations_pays() - whether a minor collection that has begun is to go on as that
 * @heap: heap
 * @words: what it has to look at of old objects, since it may have been written to
 *
 * If it is not, it is noted that it was not worth it.
 *
 * Context: heap's lock held.
 *
 * Return: false when a full one takes little more than it would.
 */
bool gc_generations_pays(struct gc_heap *heap, u64 words)
{
	struct gc_generations *g = &heap->generations;

	/* What minor ones have left since is old, too. */
	if (words <= (heap->last[false].once + g->tenured / sizeof(long)) / WRITTEN_PART)
		return true;
	back_off(g);
	return false;
}

static bool is_fruitful(const struct gc_collection *c, u64 freed)
{
	return freed >= (c->in_use - min(c->in_use, c->live)) / FREED_PART;
}

/**
 * gc_generations_wanted() - whether it is of use to know what is old
 * @heap: heap
 * @c: its collection, all marked
 * @marked: bytes that are
 *
 * Context: heap's lock held.
 *
 * Return: false when it is known that the next collection will be a full one.
 */
bool gc_generations_wanted(const struct gc_heap *heap, const struct gc_collection *c,
			   u64 marked)
{
	const struct gc_generations *g = &heap->generations;

	/* One that was due is one that was waited for. */
	if (!READ_ONCE(gc_generational) || g->wait > c->due)
		return false;
	if (c->minor || !c->due)
		return g->fruitful;
	return is_fruitful(c, c->in_use - min(c->in_use, marked));
}

static u64 work_of(const struct gc_heap *heap, const struct gc_collection *c)
{
	u64 words = (c->marker.marked - c->old) / sizeof(long);

	return c->marker.scanned + MARK_WORDS * min(words, c->marker.scanned) +
	       PAGE_WORDS * c->cycle.looks * heap->slabs.pages.frontier + 1;
}

/*
 * Whether a minor one has found enough, and as much for its work as a full one would.  To look
 * at all pages is a part of both, so that their ratio is far below 2^24, and the product fits.
 */
static bool was_worth_it(const struct gc_heap *heap, const struct gc_collection *c,
			 u64 freed)
{
	const struct gc_generations *g = &heap->generations;

	return is_fruitful(c, freed) &&
	       mul_u64_u64_div_u64(freed, g->work, work_of(heap, c)) >= g->freed;
}

static void learn_minor(struct gc_heap *heap, const struct gc_collection *c, u64 freed)
{
	struct gc_generations *g = &heap->generations;
	u64 live = heap->slabs.live;

	g->tenured = live - min(live, g->lived);
	g->since += work_of(heap, c);
	if (was_worth_it(heap, c, freed))
		g->backoff = 0;
	else
		back_off(g);
}

static void learn_full(struct gc_heap *heap, const struct gc_collection *c, u64 freed)
{
	struct gc_generations *g = &heap->generations;

	g->lived = heap->slabs.live;
	g->tenured = 0;
	g->since = 0;
	g->full_ns = ktime_get_ns();
	if (!c->due)
		return;
	g->fruitful = is_fruitful(c, freed);
	g->freed = freed;
	g->work = work_of(heap, c);
	if (g->wait)
		g->wait--;
}

/**
 * gc_generations_learn() - a collection is complete
 * @heap: heap
 * @c: its collection
 *
 * Context: heap's lock held.
 */
void gc_generations_learn(struct gc_heap *heap, const struct gc_collection *c)
{
	u64 freed = c->in_use - min(c->in_use, heap->slabs.live);

	if (c->minor)
		learn_minor(heap, c, freed);
	else
		learn_full(heap, c, freed);
}
