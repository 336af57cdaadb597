// SPDX-License-Identifier: GPL-2.0
/*
 * The mark queue and the loop that empties it.
 *
 * A marker belongs to the collector that made it, its queue with it; the marks
 * are the slabs'.  It waits for nobody but the allocator of memory, and lets others
 * have the processor between two looks at objects.  It takes no lock: the caller
 * holds the heap's and has the world stopped.
 *
 * The queue is a stack of segments that grows with the depth of the structure;
 * in front of it a small FIFO gives the processor time to fetch an object
 * before it is scanned (the idea: Cher, Hosking and Vitek, "Software
 * prefetching for mark-sweep garbage collection", ASPLOS 2004).
 *
 * When the queue cannot grow, the object stays marked and unscanned, and the
 * heap is walked afterwards for marked objects, which are scanned again, until
 * no object is left out.  Each such walk marks at least one object more or is
 * the last, so it ends; it is slow, and happens only without memory.
 */
#include <linux/mm.h>
#include <linux/prefetch.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "gfp.h"
#include "given_up.h"
#include "mark.h"

/**
 * struct mark_entry - an object, or the rest of a large one, to be scanned
 * @slab: its slab
 * @index: number of its slot; of a large object: the page to go on with
 */
struct mark_entry {
	struct gc_slab *slab;
	unsigned long index;
};

#define SEGMENT_ENTRIES	((PAGE_SIZE - sizeof(void *)) / \
			 sizeof(struct mark_entry))

/**
 * struct mark_segment - a page of the queue
 * @below: the segment that was filled before this one
 * @entries: the queue's entries
 */
struct mark_segment {
	struct mark_segment *below;
	struct mark_entry entries[SEGMENT_ENTRIES];
};

/* Entries being prefetched: a power of two. */
#define FIFO_SIZE	8

/* Words between two looks at the scheduler and at pending signals. */
#define BUDGET_WORDS	65536

static struct mark_segment *segment_new(void)
{
	return (struct mark_segment *)__get_free_page(GC_GFP);
}

static void segment_free(struct mark_segment *segment)
{
	free_page((unsigned long)segment);
}

/**
 * gc_marker_init() - prepare a marking
 * @m: to be initialised
 * @gs: slabs of the heap, all swept
 * @base: user address of the heap
 *
 * Return: 0 or -ENOMEM.
 */
int gc_marker_init(struct gc_marker *m, struct gc_slabs *gs,
		   unsigned long base)
{
	*m = (struct gc_marker) {
		.gs = gs,
		.base = base,
		.budget = BUDGET_WORDS,
	};
	m->top = segment_new();
	if (!m->top)
		return -ENOMEM;
	m->top->below = NULL;
	return 0;
}

/**
 * gc_marker_destroy() - give the queue back
 * @m: marker; what is still queued is forgotten
 */
void gc_marker_destroy(struct gc_marker *m)
{
	struct mark_segment *segment;

	while ((segment = m->top)) {
		m->top = segment->below;
		segment_free(segment);
	}
	if (m->spare)
		segment_free(m->spare);
}

static bool queue_grow(struct gc_marker *m)
{
	struct mark_segment *segment = m->spare;

	m->spare = NULL;
	if (!segment)
		segment = segment_new();
	if (!segment)
		return false;
	segment->below = m->top;
	m->top = segment;
	m->fill = 0;
	return true;
}

static void queue_push(struct gc_marker *m, struct gc_slab *slab,
		       unsigned long index)
{
	if (unlikely(m->fill == SEGMENT_ENTRIES) && !queue_grow(m)) {
		m->overflowed = true;
		return;
	}
	m->top->entries[m->fill++] = (struct mark_entry) { slab, index };
}

static bool queue_pop(struct gc_marker *m, struct mark_entry *entry)
{
	if (unlikely(!m->fill)) {
		struct mark_segment *empty = m->top;

		if (!empty->below)
			return false;
		m->top = empty->below;
		m->fill = SEGMENT_ENTRIES;
		if (m->spare)
			segment_free(empty);
		else
			m->spare = empty;
	}
	*entry = m->top->entries[--m->fill];
	return true;
}

static __always_inline void mark_offset(struct gc_marker *m, size_t offset)
{
	struct gc_slab *slab;
	u32 index;

	slab = gc_slab_find(m->gs, offset, &index);
	if (!slab)
		return;
	if (!test_bit(index, gc_slab_alloc_bits(slab)))
		return;
	if (__test_and_set_bit(index, gc_slab_mark_bits(slab)))
		return;
	slab->nr_marked++;
	if (!slab->noscan)
		queue_push(m, slab, index);
}

/* Bytes of the heap that may be in use. */
static size_t heap_size(const struct gc_marker *m)
{
	return m->gs->pages.frontier << PAGE_SHIFT;
}

/* Many words of an object point into the heap. */
static void mark_object(struct gc_marker *m, const unsigned long *words,
			size_t nr)
{
	const size_t size = heap_size(m);
	const unsigned long base = m->base;
	size_t i;

	for (i = 0; i < nr; i++) {
		size_t offset = READ_ONCE(words[i]) - base;

		if (offset < size)
			mark_offset(m, offset);
	}
}

static noinline void mark_root(struct gc_marker *m, size_t offset)
{
	mark_offset(m, offset);
}

/*
 * The byte before a word's is in the same object, or in the one that ends there,
 * or in none.
 */
static noinline void mark_root_and_end(struct gc_marker *m, size_t offset)
{
	mark_offset(m, offset);
	mark_offset(m, offset - 1);
}

static __always_inline void look_at_root(struct gc_marker *m, size_t offset,
					 size_t size, bool ends)
{
	if (likely(offset >= size))
		return;
	if (ends)
		mark_root_and_end(m, offset);
	else
		mark_root(m, offset);
}

static __always_inline void look_at_roots(struct gc_marker *m,
					  const unsigned long *words, size_t nr,
					  size_t size, bool ends)
{
	const unsigned long base = m->base;
	const unsigned long *end = words + nr;

	for (; end - words >= 4; words += 4) {
		look_at_root(m, READ_ONCE(words[0]) - base, size, ends);
		look_at_root(m, READ_ONCE(words[1]) - base, size, ends);
		look_at_root(m, READ_ONCE(words[2]) - base, size, ends);
		look_at_root(m, READ_ONCE(words[3]) - base, size, ends);
	}
	for (; words < end; words++)
		look_at_root(m, READ_ONCE(*words) - base, size, ends);
}

/**
 * gc_mark_words() - mark what an array of words points into
 * @m: marker
 * @words: array of roots, few of which point into the heap
 * @nr: its length
 *
 * Context: may sleep.
 */
void gc_mark_words(struct gc_marker *m, const unsigned long *words, size_t nr)
{
	look_at_roots(m, words, nr, heap_size(m), false);
}

/**
 * gc_mark_words_and_ends() - mark what words point into, and what ends there
 * @m: marker
 * @words: array of roots, few of which point into the heap
 * @nr: its length
 *
 * For registers and stacks: the address behind an object is legal in C, and all
 * that a compiler keeps of an object that it counts down to from its end.
 *
 * Context: may sleep.
 */
void gc_mark_words_and_ends(struct gc_marker *m, const unsigned long *words,
			    size_t nr)
{
	/* The last object may end where the heap does. */
	look_at_roots(m, words, nr, heap_size(m) + 1, true);
}

/* Of a large object an entry stands for one page. */
static size_t entry_size(const struct mark_entry *entry)
{
	return entry->slab->large ? PAGE_SIZE : entry->slab->object_size;
}

static void *entry_address(struct gc_marker *m, const struct mark_entry *entry)
{
	const struct gc_slab *slab = entry->slab;
	size_t size = slab->object_size;

	if (likely(slab->kaddr))
		return slab->kaddr + entry->index * size;
	size = entry_size(entry);
	return gc_slab_piece(m->gs, slab, entry->index * size, &size);
}

/* Those whose pages do not lie side by side are scanned page by page. */
static void scan_pieces(struct gc_marker *m, const struct mark_entry *entry)
{
	size_t size = entry_size(entry), at = entry->index * size, piece;
	size_t end = at + size;

	for (; at < end; at += piece) {
		void *words;

		piece = end - at;
		words = gc_slab_piece(m->gs, entry->slab, at, &piece);
		mark_object(m, words, piece / sizeof(long));
	}
	m->budget -= size / sizeof(long);
}

/* A large object is scanned page by page, the rest goes back to the queue. */
static void scan(struct gc_marker *m, const struct mark_entry *entry)
{
	struct gc_slab *slab = entry->slab;
	size_t size = slab->object_size;

	if (likely(slab->kaddr)) {
		mark_object(m, slab->kaddr + entry->index * size,
			    size / sizeof(long));
		m->budget -= size / sizeof(long);
		return;
	}
	if (slab->large && entry->index + 1 < slab->nr_pages)
		queue_push(m, slab, entry->index + 1);
	scan_pieces(m, entry);
}

/* Look up from the work now and then.  Returns false when it must end. */
static bool go_on(struct gc_marker *m)
{
	if (likely(m->budget > 0))
		return true;
	m->budget = BUDGET_WORDS;
	cond_resched();
	if (!m->err)
		m->err = gc_given_up();
	return !m->err;
}

static void empty_queue(struct gc_marker *m)
{
	struct mark_entry fifo[FIFO_SIZE];
	unsigned int head = 0, tail = 0;

	for (;;) {
		while (tail - head < FIFO_SIZE &&
		       queue_pop(m, &fifo[tail % FIFO_SIZE])) {
			prefetch(entry_address(m, &fifo[tail % FIFO_SIZE]));
			tail++;
		}
		if (head == tail || !go_on(m))
			return;
		scan(m, &fifo[head % FIFO_SIZE]);
		head++;
	}
}

static void rescan_slab(struct gc_slab *slab, void *arg)
{
	struct gc_marker *m = arg;
	struct mark_entry entry = { .slab = slab };
	unsigned long i;

	if (slab->noscan || m->err)
		return;
	for_each_set_bit(i, gc_slab_mark_bits(slab), slab->slots) {
		if (slab->large) {
			for (entry.index = 0; entry.index < slab->nr_pages &&
			     go_on(m); entry.index++) {
				scan_pieces(m, &entry);
				empty_queue(m);
			}
		} else {
			entry.index = i;
			scan(m, &entry);
			empty_queue(m);
		}
	}
}

/**
 * gc_mark_drain() - mark all that the objects marked so far lead to
 * @m: marker
 *
 * Context: may sleep.
 *
 * Return: 0, or as gc_given_up(): marking is incomplete.
 */
int gc_mark_drain(struct gc_marker *m)
{
	empty_queue(m);
	while (m->overflowed && !m->err) {
		m->overflowed = false;
		gc_slabs_visit(m->gs, rescan_slab, m);
	}
	return m->err;
}
