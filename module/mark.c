// SPDX-License-Identifier: GPL-2.0
/*
 * The mark queue and the loop that empties it.
 *
 * A marker belongs to the collector that made it, its queue with it; the marks
 * are the slabs'.  It waits for nobody but the allocator of memory, and lets others
 * have the processor between two looks at objects.  It takes no lock: the caller
 * holds the heap's.
 *
 * The queue is a stack of segments that grows with the depth of the structure.  A part
 * of it may be split off for another marker of the same heap: then marks are set by
 * atomic operations.  Who finds an object unmarked and marks it, has it to look at.
 *
 * Two things keep the processor from waiting for memory: a word that points into the heap
 * is a candidate first, whose slab is fetched while others are looked at; and an object
 * that comes from the queue goes through a small FIFO while its words are fetched (the
 * idea: Cher, Hosking and Vitek, "Software prefetching for mark-sweep garbage
 * collection", ASPLOS 2004).  Where there is but one way to go, as in a list, there is
 * nothing else to look at, and both are gone round.
 *
 * When the queue cannot grow, the object stays marked and unscanned, and the
 * heap is walked afterwards for marked objects, which are scanned again, until
 * no object is left out.  Each such walk marks at least one object more or is
 * the last, so it ends; it is slow, and happens only without memory.  Nobody can kill a
 * kernel thread that does so, and memory that the heap has would not be free before its
 * end: so that one gives up after some walks.
 */
#include <linux/mm.h>
#include <linux/prefetch.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "gfp.h"
#include "given_up.h"
#include "mark.h"

/**
 * struct mark_entry - an object, or a part of one, to be scanned
 * @words: where it is, or its slab when it is not scanned as it lies there
 * @nr: how many words; or BY_SLAB and the number of its slot, of a large object that
 *	of the page to go on with
 */
struct mark_entry {
	const void *words;
	unsigned long nr;
};

#define BY_SLAB		BIT(63)

/* Walks of the heap for what the queue had no room for, by a kernel thread */
#define WALKS_MAX	64

#define SEGMENT_ENTRIES	(PAGE_SIZE / sizeof(struct mark_entry) - 1)

/**
 * struct mark_segment - a page of the queue
 * @below: the segment that was filled before this one, or the next one of a list
 * @nr: entries of one that is in no queue
 * @entries: the queue's entries, up to the end of the page
 */
struct mark_segment {
	struct mark_segment *below;
	size_t nr;
	struct mark_entry entries[SEGMENT_ENTRIES]
		__aligned(sizeof(struct mark_entry));
};

static_assert(sizeof(struct mark_segment) == PAGE_SIZE);

/**
 * struct candidate - an offset that may be in an object
 * @slab: slab of its page; NULL when there is no candidate
 * @offset: bytes from the heap's start
 */
struct candidate {
	struct gc_slab *slab;
	size_t offset;
};

/* Candidates whose slab is being fetched, and objects that are: powers of two. */
#define RING_SIZE	8
#define FIFO_SIZE	8

/**
 * struct marking - a marking at work: what is best kept in registers
 * @m: its marker
 * @shared: as gc_marker.shared
 * @regions: top of the tree of its heap's pages
 * @next: where the next entry of the queue goes
 * @last: slab of the last word that pointed into one: it has been fetched
 * @ring: candidates, RING_SIZE of them
 * @ring_at: how many went there
 * @fifo: objects, FIFO_SIZE of them; @words is NULL where there is none
 * @fifo_at: how many went there
 */
struct marking {
	struct gc_marker *m;
	bool shared;
	struct gc_region **regions;
	struct mark_entry *next;
	struct gc_slab *last;
	struct candidate *ring;
	unsigned int ring_at;
	struct mark_entry *fifo;
	unsigned int fifo_at;
};

#define REGION_BYTES	(REGION_PAGES * PAGE_SIZE)
#define CHUNK_BYTES	(CHUNK_PAGES * PAGE_SIZE)

/* Words between two looks at the scheduler and at pending signals. */
#define BUDGET_WORDS	65536L

/* Entries that are worth to be another marker's */
#define SPLIT_MIN	2

/* Of what lies in one piece so much is looked at before the rest, which others may have. */
#define PIECE_WORDS	256UL

/*
 * Each word may lead to an entry, and the last one is looked at with the rest of its piece;
 * what is in the ring may lead to entries, and what is in the FIFO goes back to the queue.
 */
static_assert(GC_LASTING_WORDS + PIECE_WORDS + RING_SIZE + FIFO_SIZE <=
	      GC_LASTING_SEGMENTS * SEGMENT_ENTRIES);

static struct mark_segment *segment_new(gfp_t gfp)
{
	return (struct mark_segment *)__get_free_page(gfp);
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
		.most_spare = 1,
		.left = LONG_MAX,
	};
	m->top = segment_new(GC_GFP);
	if (!m->top)
		return -ENOMEM;
	m->top->below = NULL;
	m->next = m->top->entries;
	return 0;
}

/**
 * gc_segments_push() - one more
 * @to: segments
 * @segment: segment, in no list and no queue
 */
void gc_segments_push(struct gc_segments *to, struct mark_segment *segment)
{
	segment->below = to->first;
	to->first = segment;
	to->nr++;
}

/**
 * gc_segments_pop() - take one
 * @from: segments
 *
 * Return: the segment, or NULL when there is none.
 */
struct mark_segment *gc_segments_pop(struct gc_segments *from)
{
	struct mark_segment *segment = from->first;

	if (!segment)
		return NULL;
	from->first = segment->below;
	from->nr--;
	return segment;
}

/**
 * gc_segments_move() - from one to another
 * @from: segments
 * @to: others
 * @nr: how many, if there are so many
 */
void gc_segments_move(struct gc_segments *from, struct gc_segments *to, unsigned int nr)
{
	while (nr-- && from->nr)
		gc_segments_push(to, gc_segments_pop(from));
}

static void free_segments(struct gc_segments *segments)
{
	struct mark_segment *segment;

	while ((segment = gc_segments_pop(segments)))
		segment_free(segment);
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
	free_segments(&m->more);
	free_segments(&m->spare);
}

static struct mark_segment *segment_get(struct gc_marker *m)
{
	struct mark_segment *segment = gc_segments_pop(&m->spare);

	if (!segment && !m->lasting)
		segment = segment_new(GC_GFP);
	return segment;
}

static void segment_put(struct gc_marker *m, struct mark_segment *segment)
{
	if (m->spare.nr >= m->most_spare)
		segment_free(segment);
	else
		gc_segments_push(&m->spare, segment);
}

/* A segment more; returns where its entries begin, or NULL. */
static noinline struct mark_entry *queue_grow(struct gc_marker *m)
{
	struct mark_segment *segment = segment_get(m);

	if (!segment) {
		m->overflowed = true;
		return NULL;
	}
	segment->below = m->top;
	m->top = segment;
	return segment->entries;
}

/* The segment is empty; returns the end of the one below, which there is. */
static noinline struct mark_entry *queue_shrink(struct gc_marker *m)
{
	struct mark_segment *empty = m->top;

	m->top = empty->below;
	segment_put(m, empty);
	return m->top->entries + SEGMENT_ENTRIES;
}

/* Segments are pages, and their last entry ends where they do. */
static __always_inline bool ends_segment(const struct mark_entry *next)
{
	return !offset_in_page(next);
}

static __always_inline bool begins_segment(const struct mark_entry *next)
{
	return offset_in_page(next) == offsetof(struct mark_segment, entries);
}

/* Returns where the entry after this one goes. */
static __always_inline struct mark_entry *push(struct gc_marker *m,
					       struct mark_entry *next,
					       const void *words,
					       unsigned long nr)
{
	if (unlikely(ends_segment(next))) {
		struct mark_entry *first = queue_grow(m);

		if (!first)
			return next;
		next = first;
	}
	*next = (struct mark_entry) { words, nr };
	return next + 1;
}

/* For a newly marked object that has no words to scan, or has them elsewhere */
static noinline struct mark_entry *push_slab(struct gc_marker *m,
					     struct mark_entry *next,
					     struct gc_slab *slab, u32 index)
{
	m->marked += slab->object_size;
	return slab->noscan ? next : push(m, next, slab, BY_SLAB | index);
}

/* Returns whether it was not marked before. */
static __always_inline bool set_mark(unsigned long *mark, u32 index, bool shared)
{
	if (shared)
		return !test_and_set_bit(index % BITS_PER_LONG, mark);
	*mark |= BIT(index % BITS_PER_LONG);
	return true;
}

/* The object that an offset points into is marked and goes to the queue. */
static __always_inline struct mark_entry *
mark_in_slab(struct gc_marker *m, struct mark_entry *next,
	     struct gc_slab *slab, size_t offset, bool shared)
{
	u32 index = ((offset - slab->offset) * slab->magic) >> 32, nr;
	unsigned long bit = BIT(index % BITS_PER_LONG);
	unsigned long *mark = &gc_slab_mark_bits(slab)[index / BITS_PER_LONG];

	if (unlikely(index >= slab->slots))
		return next;
	/* The bitmap of the allocated comes behind. */
	if ((shared ? READ_ONCE(*mark) : *mark) & bit || !(mark[slab->words] & bit))
		return next;
	if (!set_mark(mark, index, shared))
		return next;
	nr = slab->scan_words;
	if (unlikely(!nr))
		return push_slab(m, next, slab, index);
	m->marked += nr * sizeof(long);
	return push(m, next, (long *)slab->kaddr + (size_t)index * nr, nr);
}

/* Bytes of the heap that may be in use. */
static size_t heap_size(const struct gc_marker *m)
{
	return m->gs->pages.frontier << PAGE_SHIFT;
}

static noinline void mark_root(struct gc_marker *m, size_t offset)
{
	struct gc_slab *slab;

	if (offset >> PAGE_SHIFT >= m->gs->pages.frontier)
		return;
	slab = gc_pages_slab(&m->gs->pages, offset >> PAGE_SHIFT);
	if (slab)
		m->next = mark_in_slab(m, m->next, slab, offset, m->shared);
}

/*
 * The byte before a word's is in the same object, or in the one that ends there,
 * or in none.
 */
static noinline void mark_root_and_end(struct gc_marker *m, size_t offset)
{
	mark_root(m, offset);
	mark_root(m, offset - 1);
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

/* A word of an object points into the heap. */
static __always_inline void meet(struct marking *k, size_t offset)
{
	struct gc_region *region = k->regions[offset / REGION_BYTES];
	struct gc_slab **slabs = region->slabs[offset / CHUNK_BYTES %
					       REGION_CHUNKS];
	struct gc_slab *slab = slabs[offset / PAGE_SIZE % CHUNK_PAGES];
	struct candidate *c, oldest;

	if (!slab)
		return;
	if (slab != k->last) {
		k->last = slab;
		prefetch(&slab->kaddr);
		c = &k->ring[k->ring_at++ % RING_SIZE];
		oldest = *c;
		*c = (struct candidate) { slab, offset };
		slab = oldest.slab;
		offset = oldest.offset;
		if (!slab)
			return;
	}
	k->next = mark_in_slab(k->m, k->next, slab, offset, k->shared);
}

/* An even number of words, many of which tend to be zero */
static __always_inline void scan(struct marking *k, const unsigned long *words,
				 size_t nr)
{
	const size_t size = heap_size(k->m);
	const unsigned long base = k->m->base;
	const unsigned long *end = words + nr;

	do {
		unsigned long a = READ_ONCE(words[0]);
		unsigned long b = READ_ONCE(words[1]);

		if (a | b) {
			if (a - base < size)
				meet(k, a - base);
			if (b - base < size)
				meet(k, b - base);
		}
		words += 2;
	} while (words != end);
}

/* The @back-th candidate, counted from the newest, is no longer one. */
static __always_inline bool settle(struct marking *k, unsigned int back)
{
	struct candidate *c = &k->ring[(k->ring_at - back) % RING_SIZE];
	struct gc_slab *slab = c->slab;

	if (!slab)
		return false;
	c->slab = NULL;
	k->next = mark_in_slab(k->m, k->next, slab, c->offset, k->shared);
	return true;
}

/* Take the newest object from the FIFO, or any other; false when there is none. */
static bool take(struct marking *k, struct mark_entry *entry)
{
	struct mark_entry *e;
	unsigned int i;

	for (i = 1; i <= FIFO_SIZE; i++) {
		e = &k->fifo[(k->fifo_at - i) % FIFO_SIZE];
		if (!e->words)
			continue;
		*entry = *e;
		e->words = NULL;
		return true;
	}
	return false;
}

/*
 * Nothing is left but in the FIFO and the ring: an object from there, whose @words are
 * NULL when all is done.  What is pushed for a candidate is on the queue then.
 */
static noinline struct mark_entry pop_more(struct marking *k)
{
	struct mark_entry entry = {};
	unsigned int i;

	if (take(k, &entry))
		return entry;
	for (i = 1; i <= RING_SIZE && begins_segment(k->next); i++)
		settle(k, i);
	if (!begins_segment(k->next))
		entry = *--k->next;
	return entry;
}

/* The segment has one entry at most, which would wait in the FIFO for company. */
static __always_inline bool pop_last(struct marking *k, struct mark_entry *entry)
{
	struct marking copy;

	if (begins_segment(k->next) && k->m->top->below)
		k->next = queue_shrink(k->m);
	/* In a list there is the one candidate. */
	if (begins_segment(k->next))
		settle(k, 1);
	if (begins_segment(k->next)) {
		/* So that the compiler has the original in registers */
		copy = *k;
		*entry = pop_more(&copy);
		*k = copy;
		return entry->words;
	}
	*entry = *--k->next;
	return true;
}

static __always_inline bool pop(struct marking *k, struct mark_entry *entry)
{
	struct mark_entry *e;

	do {
		/* Not of @next itself: behind a full segment that is another page's. */
		if (unlikely(offset_in_page(k->next - 1) <= sizeof(*e)))
			return pop_last(k, entry);
		e = &k->fifo[k->fifo_at++ % FIFO_SIZE];
		*entry = *e;
		*e = *--k->next;
		prefetch(e->words);
	} while (!entry->words);
	return true;
}

/* The part of a marking that is to be done now; LONG_MAX: all, unless it is given up */
static void begin_part(struct gc_marker *m, long words)
{
	m->err = 0;
	m->left = words;
	m->slice = min(words, BUDGET_WORDS);
	m->budget = m->slice;
}

static void account(struct gc_marker *m)
{
	long done = m->slice - m->budget;

	m->scanned += done;
	m->left -= done;
	m->slice = clamp(m->left, 0L, BUDGET_WORDS);
	m->budget = m->slice;
}

/* Look up from the work now and then.  Returns false when it must end. */
static bool go_on(struct gc_marker *m)
{
	bool in_parts = m->left <= LONG_MAX / 2;

	if (m->err)
		return false;
	if (likely(m->budget > 0))
		return true;
	account(m);
	if (!m->lasting)
		cond_resched();
	if (!in_parts)
		m->err = gc_given_up();
	return !m->err && m->budget > 0;
}

/* Bytes of a slot, or of a page of a large object */
static size_t part_size(const struct gc_slab *slab)
{
	return slab->large ? PAGE_SIZE : slab->object_size;
}

/*
 * What does not lie in one piece goes to the queue once more, page by page; of a large
 * object one page, and the rest of it.  Objects of one word are marked from here, and there
 * may be many of them.
 */
static noinline struct mark_entry *push_pieces(struct gc_marker *m,
					       struct mark_entry *next,
					       const struct gc_slab *slab,
					       unsigned long index)
{
	size_t at = index * part_size(slab), end = at + part_size(slab), piece;
	void *words;

	if (slab->large && index + 1 < slab->nr_pages) {
		next = push(m, next, slab, BY_SLAB | (index + 1));
		m->budget--;
	}
	for (; at < end; at += piece, m->budget--) {
		piece = end - at;
		words = gc_slab_piece(m->gs, slab, at, &piece);
		if (piece > sizeof(long)) {
			next = push(m, next, words, piece / sizeof(long));
			continue;
		}
		m->next = next;
		gc_mark_words(m, words, 1);
		next = m->next;
	}
	return next;
}

/* Nothing is left that the queue does not have. */
static noinline struct mark_entry *put_back(struct marking *k)
{
	struct mark_entry entry;
	unsigned int i;

	for (i = 1; i <= RING_SIZE; i++)
		settle(k, i);
	while (take(k, &entry))
		k->next = push(k->m, k->next, entry.words, entry.nr);
	return k->next;
}

/* As empty_queue(), but for gc_marker.more, which the compiler knows to be @shared or not. */
static __always_inline bool empty_queue_as(struct gc_marker *m, bool shared)
{
	struct candidate ring[RING_SIZE] = {};
	struct mark_entry fifo[FIFO_SIZE] = {};
	struct mark_entry entry;
	struct marking k = {
		.m = m,
		.shared = shared,
		.regions = m->gs->pages.regions,
		.next = m->next,
		.ring = ring,
		.fifo = fifo,
	};
	bool all = true;
	struct marking copy;

	while (pop(&k, &entry)) {
		/* For the compiler, which cannot see that nobody changes it */
		k.shared = shared;
		if (unlikely(m->budget <= 0) && !go_on(m)) {
			k.next = push(m, k.next, entry.words, entry.nr);
			/* So that the compiler has the original in registers */
			copy = k;
			k.next = put_back(&copy);
			all = false;
			break;
		}
		if (unlikely(entry.nr > PIECE_WORDS)) {
			if (entry.nr & BY_SLAB) {
				k.next = push_pieces(m, k.next, entry.words,
						     entry.nr & ~BY_SLAB);
				continue;
			}
			k.next = push(m, k.next, (long *)entry.words + PIECE_WORDS,
				      entry.nr - PIECE_WORDS);
			entry.nr = PIECE_WORDS;
		}
		m->budget -= entry.nr;
		scan(&k, entry.words, entry.nr);
	}
	m->next = k.next;
	return all;
}

static noinline bool empty_queue_shared(struct gc_marker *m)
{
	return empty_queue_as(m, true);
}

static noinline bool empty_queue_alone(struct gc_marker *m)
{
	return empty_queue_as(m, false);
}

/* Returns whether it is empty; otherwise it was enough, or the marking is given up. */
static bool empty_queue(struct gc_marker *m)
{
	struct mark_segment *more;

	for (;;) {
		if (!(m->shared ? empty_queue_shared(m) : empty_queue_alone(m)))
			return false;
		more = gc_segments_pop(&m->more);
		if (!more)
			return true;
		gc_marker_adopt(m, more);
	}
}

/* As there is no memory for the queue, without it. */
static void rescan(struct gc_marker *m, const struct gc_slab *slab,
		   unsigned long index)
{
	size_t at = index * part_size(slab), end = at + part_size(slab), piece;
	void *words;

	for (; at < end; at += piece) {
		piece = end - at;
		words = gc_slab_piece(m->gs, slab, at, &piece);
		gc_mark_words(m, words, piece / sizeof(long));
	}
	m->budget -= part_size(slab) / sizeof(long);
}

static void rescan_slab(struct gc_slab *slab, void *arg)
{
	unsigned long parts = slab->large ? slab->nr_pages : 1, part, i;
	struct gc_marker *m = arg;

	if (slab->noscan || m->err)
		return;
	for_each_set_bit(i, gc_slab_mark_bits(slab), slab->slots) {
		for (part = 0; part < parts && go_on(m); part++) {
			rescan(m, slab, i + part);
			empty_queue(m);
		}
	}
}

/* Bytes [@from, @to) of a slab, which are on one page, and of marked objects */
static void queue_part(struct gc_marker *m, const struct gc_slab *slab,
		       size_t from, size_t to)
{
	size_t piece = to - from;
	void *words = gc_slab_piece(m->gs, slab, from, &piece);

	if (slab->object_size == sizeof(long)) {
		gc_mark_words(m, words, piece / sizeof(long));
		m->scanned += piece / sizeof(long);
	} else {
		m->next = push(m, m->next, words, piece / sizeof(long));
	}
}

/*
 * Of an object that is on other pages too, only what is on this one.  Those that lie side by
 * side are one run.  Returns the words in them; @queue: they are to be looked at.
 */
static __always_inline size_t marked_runs(struct gc_marker *m, unsigned long nr, bool queue)
{
	size_t from, to, size, first, past, words = 0;
	struct gc_slab *slab;
	unsigned long i, end;

	slab = nr < m->gs->pages.frontier ? gc_pages_slab(&m->gs->pages, nr) : NULL;
	if (!slab || slab->noscan)
		return 0;
	from = (nr << PAGE_SHIFT) - slab->offset;
	to = from + PAGE_SIZE;
	size = slab->object_size;
	for (i = slab->large ? 0 : from / size; i * size < to; i = end) {
		i = find_next_bit(gc_slab_mark_bits(slab), slab->slots, i);
		end = find_next_zero_bit(gc_slab_mark_bits(slab), slab->slots, i);
		if (i >= slab->slots || i * size >= to)
			break;
		first = max(i * size, from);
		past = min(end * size, to);
		words += (past - first) / sizeof(long);
		if (queue)
			queue_part(m, slab, first, past);
	}
	return words;
}

/**
 * gc_mark_page() - what is marked on a page is to be looked at once more
 * @m: marker
 * @nr: number of the page, where somebody may have written
 *
 * Context: heap's lock held.
 *
 * Return: words.
 */
size_t gc_mark_page(struct gc_marker *m, unsigned long nr)
{
	return marked_runs(m, nr, true);
}

/**
 * gc_mark_page_words() - how much gc_mark_page() would have looked at
 * @m: marker
 * @nr: number of the page
 *
 * Context: heap's lock held.
 *
 * Return: words.
 */
size_t gc_mark_page_words(struct gc_marker *m, unsigned long nr)
{
	return marked_runs(m, nr, false);
}

/**
 * gc_mark_some() - mark a part of what the objects marked so far lead to
 * @m: marker
 * @words: about so many are looked at
 *
 * When there was no memory for the queue, only gc_mark_drain() finds the rest.
 *
 * Context: may sleep.
 *
 * Return: whether there is more to do in the queue.
 */
bool gc_mark_some(struct gc_marker *m, unsigned long words)
{
	bool all;

	begin_part(m, min(words, ULONG_MAX / 4));
	all = empty_queue(m);
	account(m);
	return !all;
}

/**
 * gc_mark_drain() - mark all that the objects marked so far lead to
 * @m: marker
 *
 * Context: may sleep.
 *
 * Return: 0; or as gc_given_up(), or -E2BIG in a kernel thread that has walked the heap
 * WALKS_MAX times: marking is incomplete.
 */
int gc_mark_drain(struct gc_marker *m)
{
	unsigned int walks = 0;

	begin_part(m, LONG_MAX);
	empty_queue(m);
	while (m->overflowed && !m->err) {
		if (walks++ == WALKS_MAX && current->flags & PF_KTHREAD) {
			m->err = -E2BIG;
			break;
		}
		m->overflowed = false;
		gc_slabs_visit(m->gs, rescan_slab, m);
		/* Who goes on with it begins anew. */
		if (m->err)
			m->overflowed = true;
	}
	account(m);
	return m->err;
}

/**
 * gc_marker_stock() - have spare segments, as far as there is memory at once
 * @m: marker
 * @nr: how many
 *
 * Return: whether it has them.
 */
bool gc_marker_stock(struct gc_marker *m, unsigned int nr)
{
	struct mark_segment *segment;

	while (m->spare.nr < nr) {
		segment = segment_new(GC_GFP_AT_ONCE);
		if (!segment)
			return false;
		gc_segments_push(&m->spare, segment);
	}
	return true;
}

/* Its lower half is taken off. */
static struct mark_segment *split_top(struct gc_marker *m)
{
	size_t nr = m->next - m->top->entries, half = nr / 2;
	struct mark_segment *part;

	if (half < SPLIT_MIN)
		return NULL;
	part = gc_segments_pop(&m->spare);
	if (!part)
		return NULL;
	part->nr = half;
	memcpy(part->entries, m->top->entries, half * sizeof(*m->next));
	memmove(m->top->entries, m->top->entries + half, (nr - half) * sizeof(*m->next));
	m->next -= half;
	return part;
}

/**
 * gc_marker_split() - take a part of a queue off, for another marker
 * @m: marker
 *
 * What went to the queue early tends to lead to most.
 *
 * Return: the part; or NULL when there is too little in the queue, or no spare segment.
 */
struct mark_segment *gc_marker_split(struct gc_marker *m)
{
	struct mark_segment *segment = gc_segments_pop(&m->more);

	if (segment)
		return segment;
	segment = m->top->below;
	if (!segment)
		return split_top(m);
	m->top->below = segment->below;
	segment->nr = SEGMENT_ENTRIES;
	return segment;
}

/**
 * gc_marker_adopt() - go on with a part of a queue
 * @m: marker whose queue is empty, or is none
 * @segment: part that was taken off
 */
void gc_marker_adopt(struct gc_marker *m, struct mark_segment *segment)
{
	if (m->top)
		segment_put(m, m->top);
	segment->below = NULL;
	m->top = segment;
	m->next = segment->entries + segment->nr;
}

/**
 * gc_marker_join() - begin to mark beside another marker, without asking for memory
 * @m: to be initialised
 * @gs: slabs of the heap
 * @base: user address of the heap
 * @queue: parts of the other's queue, one of which is taken
 * @spare: segments, GC_LASTING_SEGMENTS of which are taken
 *
 * gc_mark_some() may look at GC_LASTING_WORDS then, and gc_marker_leave() follows.
 */
void gc_marker_join(struct gc_marker *m, struct gc_slabs *gs, unsigned long base,
		    struct gc_segments *queue, struct gc_segments *spare)
{
	*m = (struct gc_marker) {
		.gs = gs,
		.base = base,
		.most_spare = UINT_MAX,
		.shared = true,
		.lasting = true,
	};
	gc_marker_adopt(m, gc_segments_pop(queue));
	gc_segments_move(spare, &m->spare, GC_LASTING_SEGMENTS);
}

/**
 * gc_marker_leave() - take all of a queue off, in two parts if that is worth it
 * @m: marker that has joined another; it has no queue any more, but all that is spare
 * @queue: where the parts go
 */
void gc_marker_leave(struct gc_marker *m, struct gc_segments *queue)
{
	struct mark_segment *segment = gc_marker_split(m);
	size_t nr = m->next - m->top->entries;

	if (segment)
		gc_segments_push(queue, segment);
	while ((segment = m->top)) {
		m->top = segment->below;
		segment->nr = nr;
		nr = SEGMENT_ENTRIES;
		if (segment->nr)
			gc_segments_push(queue, segment);
		else
			segment_put(m, segment);
	}
}
