// SPDX-License-Identifier: GPL-2.0
/*
 * The second marker.  See verify.h.
 *
 * It owns its own bitmaps, and what it notes for the next one is the heap's; it writes to
 * nothing else.  It waits for nobody, and takes no lock: the collector that made it holds
 * the heap's.
 *
 * Slabs stand in an array by address; an object is found by bisection and
 * division.  An object that is reached is grey until it has been scanned; the
 * walk takes the first slab with anything grey in it, time and again, until
 * there is none.
 *
 * A word that looked like the address of an object before there was one keeps nothing when it
 * is not looked at again, as the program has not stored it for that object.  So it is noted
 * which words lead astray, and the next marking's walks do not follow them to what is not
 * marked, unless they were changed, or that marking looks at all words in one stop.  One that
 * came to be so since, and that the marker has passed before its object was made, still
 * looks like a fault: that takes a program which stores addresses that are none.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "backing.h"
#include "cgroup.h"
#include "gfp.h"
#include "given_up.h"
#include "verify.h"

/**
 * struct astray - a word that leads to no object, or to one that is not marked
 * @at: where it is, in bytes from the heap's start
 * @word: what it is
 */
struct astray {
	size_t at;
	unsigned long word;
};

/* There is room for twice as many as were noted the last time, and for this many */
#define ASTRAY_MIN	4096UL
#define ASTRAY_MAX	BIT(22)

/**
 * struct gc_astray - all of them, after a marking
 * @room: how many there is room for in @words
 * @nr: how many there are, which may be more
 * @words: those that there was room for; by @at from gc_verify_know() on
 */
struct gc_astray {
	size_t room;
	size_t nr;
	struct astray words[];
};

/**
 * struct seen_slab - what is known of a slab
 * @slab: the slab
 * @start: its first byte
 * @end: the byte after its last slot
 * @roots: bit set: the roots refer to the slot
 * @before: bit set: it was reached by the first walk
 * @after: bit set: it was reached by the second one
 * @grey: bit set: reached, and to be scanned
 */
struct seen_slab {
	struct gc_slab *slab;
	size_t start;
	size_t end;
	unsigned long *roots;
	unsigned long *before;
	unsigned long *after;
	unsigned long *grey;
};

#define BITMAPS	4

/**
 * struct gc_verify - a second marking
 * @gs: slabs of the heap
 * @base: user address of the heap
 * @walks: walks that are complete
 * @room: slabs that there is room for
 * @nr: length of @slabs
 * @slabs: by address
 * @end: where the last of them ends
 * @grey: bit set: the slab has grey slots
 * @words: length of @bits
 * @used: words of @bits that belong to a slab
 * @bits: all bitmaps of the slabs
 * @known: words that led astray when the last marking was verified; NULL when nobody wants
 *	to know
 * @next: those that do now
 * @exact: the marking that is verified looks at all words after the last object was made
 */
struct gc_verify {
	struct gc_slabs *gs;
	unsigned long base;
	unsigned int walks;
	size_t room;
	size_t nr;
	struct seen_slab *slabs;
	size_t end;
	unsigned long *grey;
	size_t words;
	size_t used;
	unsigned long *bits;
	struct gc_astray **known;
	struct gc_astray *next;
	bool exact;
};

static void count_slab(struct gc_slab *slab, void *arg)
{
	struct gc_verify *v = arg;

	v->room++;
	v->words += BITMAPS * BITS_TO_LONGS(slab->slots);
}

/*
 * What an area of vmalloc() needs for itself the kernel kills somebody for, whatever flags it
 * is asked with: so that is not for when there is little left.
 */
static bool is_affordable(size_t bytes)
{
	return gc_machine_room() >= 2 * DIV_ROUND_UP(bytes, PAGE_SIZE) + GC_HEADROOM_PAGES;
}

/**
 * gc_verify_new() - get the memory for a second marking
 * @gs: slabs of the heap; none is added before gc_verify_begin()
 * @base: user address of the heap
 *
 * Context: may sleep; heap's lock held.
 *
 * Return: the marking, or NULL when there is no memory for it.
 */
struct gc_verify *gc_verify_new(struct gc_slabs *gs, unsigned long base)
{
	struct gc_verify *v = kzalloc(sizeof(*v), GC_GFP);

	if (!v)
		return NULL;
	v->gs = gs;
	v->base = base;
	gc_slabs_visit(gs, count_slab, v);
	if (!is_affordable((v->room + 1) * sizeof(*v->slabs) + (v->words + 1) * sizeof(long)))
		goto free;
	v->slabs = kvcalloc(v->room + 1, sizeof(*v->slabs), GC_GFP);
	v->grey = kvcalloc(BITS_TO_LONGS(v->room + 1), sizeof(long), GC_GFP);
	v->bits = kvcalloc(v->words + 1, sizeof(long), GC_GFP);
	if (v->slabs && v->grey && v->bits)
		return v;
free:
	gc_verify_free(v);
	return NULL;
}

/**
 * gc_verify_free() - give its memory back
 * @v: marking, or NULL
 */
void gc_verify_free(struct gc_verify *v)
{
	if (!v)
		return;
	kvfree(v->slabs);
	kvfree(v->grey);
	kvfree(v->bits);
	kvfree(v->next);
	kfree(v);
}

static int by_place(const void *a, const void *b)
{
	const struct astray *left = a, *right = b;

	return left->at < right->at ? -1 : left->at > right->at;
}

static size_t noted(const struct gc_astray *known)
{
	return known ? min(known->nr, known->room) : 0;
}

/**
 * gc_verify_know() - get the memory to note which words lead astray
 * @v: marking, not begun
 * @known: in: what was noted when the last marking ended, or NULL; out: the same of this
 *	one, when it has been compared
 *
 * Context: may sleep; before the world is stopped.
 *
 * Return: 0 or -ENOMEM.
 */
int gc_verify_know(struct gc_verify *v, struct gc_astray **known)
{
	size_t room = ASTRAY_MIN;

	if (*known) {
		room = min(room + 2 * (*known)->nr, ASTRAY_MAX);
		sort((*known)->words, noted(*known), sizeof(*(*known)->words), by_place,
		     NULL);
	}
	if (!is_affordable(struct_size(v->next, words, room)))
		return -ENOMEM;
	v->next = kvzalloc(struct_size(v->next, words, room), GC_GFP);
	if (!v->next)
		return -ENOMEM;
	v->next->room = room;
	v->known = known;
	return 0;
}

/**
 * gc_verify_forget() - a marking ended that was not verified, or the objects are gone
 * @known: as for gc_verify_know()
 */
void gc_verify_forget(struct gc_astray **known)
{
	kvfree(*known);
	*known = NULL;
}

static unsigned long *take_bits(struct gc_verify *v, struct gc_slab *slab)
{
	unsigned long *bits = v->bits + v->used;

	v->used += BITS_TO_LONGS(slab->slots);
	return bits;
}

static void add_slab(struct gc_slab *slab, void *arg)
{
	struct gc_verify *v = arg;

	v->slabs[v->nr++] = (struct seen_slab) {
		.slab = slab,
		.start = slab->offset,
		.end = slab->offset + slab->slots * slab->object_size,
		.roots = take_bits(v, slab),
		.before = take_bits(v, slab),
		.after = take_bits(v, slab),
		.grey = take_bits(v, slab),
	};
}

static int by_address(const void *a, const void *b)
{
	const struct seen_slab *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

/**
 * gc_verify_begin() - look at the slabs
 * @v: marking; from now on no slab comes or goes until it is compared
 * @exact: the program has not run since the first mark was set; else more may be marked than
 *	is referred to, and a word that was no address need not have been looked at again
 */
void gc_verify_begin(struct gc_verify *v, bool exact)
{
	v->exact = exact;
	gc_slabs_visit(v->gs, add_slab, v);
	sort(v->slabs, v->nr, sizeof(*v->slabs), by_address, NULL);
	v->end = v->nr ? v->slabs[v->nr - 1].end : 0;
}

/*
 * The slab whose slots an offset is in, or NULL.  Most words are small numbers, which are
 * beyond the last slab: the address of the heap was taken off.
 */
static struct seen_slab *find_slab(struct gc_verify *v, size_t offset)
{
	size_t low = 0, high = v->nr;

	if (offset >= v->end)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (offset < v->slabs[middle].start)
			high = middle;
		else if (offset >= v->slabs[middle].end)
			low = middle + 1;
		else
			return &v->slabs[middle];
	}
	return NULL;
}

/* The object that a word points into: its slab and number. */
static struct seen_slab *find_object(struct gc_verify *v, unsigned long word,
				     u32 *index)
{
	struct seen_slab *seen = find_slab(v, word - v->base);

	if (!seen)
		return NULL;
	*index = (word - v->base - seen->start) / seen->slab->object_size;
	return test_bit(*index, gc_slab_alloc_bits(seen->slab)) ? seen : NULL;
}

static void take_root(struct seen_slab *seen, u32 index)
{
	if (test_bit(index, gc_slab_alloc_bits(seen->slab)))
		__set_bit(index, seen->roots);
}

/* The object whose last byte is the one before @word. */
static void take_what_ends_at(struct gc_verify *v, unsigned long word)
{
	struct seen_slab *seen = find_slab(v, word - v->base - 1);
	size_t bytes;

	if (!seen)
		return;
	bytes = word - v->base - seen->start;
	if (bytes % seen->slab->object_size == 0)
		take_root(seen, bytes / seen->slab->object_size - 1);
}

/**
 * gc_verify_words() - take words for roots
 * @v: marking
 * @words: array
 * @nr: its length
 */
void gc_verify_words(struct gc_verify *v, const unsigned long *words,
		     size_t nr)
{
	struct seen_slab *seen;
	u32 index;

	for (; nr; words++, nr--) {
		seen = find_object(v, *words, &index);
		if (seen)
			__set_bit(index, seen->roots);
	}
}

/**
 * gc_verify_words_and_ends() - take words for roots, as registers and stacks have
 *	them
 * @v: marking
 * @words: array
 * @nr: its length
 */
void gc_verify_words_and_ends(struct gc_verify *v, const unsigned long *words,
			      size_t nr)
{
	size_t i;

	gc_verify_words(v, words, nr);
	for (i = 0; i < nr; i++)
		take_what_ends_at(v, words[i]);
}

static unsigned long *reached(struct gc_verify *v, struct seen_slab *seen)
{
	return v->walks ? seen->after : seen->before;
}

static bool was_astray(const struct gc_astray *known, size_t at, unsigned long word)
{
	size_t low = 0, high = noted(known);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (known->words[middle].at == at)
			return known->words[middle].word == word;
		if (known->words[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static void note_astray(struct gc_verify *v, size_t at, unsigned long word)
{
	struct gc_astray *next = v->next;

	if (next->nr < next->room)
		next->words[next->nr] = (struct astray) { at, word };
	next->nr++;
}

/* The word at @at leads to what @seen and @index tell, or nowhere. */
static bool leads_astray(struct gc_verify *v, size_t at, unsigned long word,
			 struct seen_slab *seen, u32 index)
{
	bool marked = seen && test_bit(index, gc_slab_mark_bits(seen->slab));

	/* The heap may grow to there. */
	if (!v->known || marked || word - v->base >= v->gs->pages.limit << PAGE_SHIFT)
		return false;
	/* By the second walk it is known what is marked. */
	if (v->walks)
		note_astray(v, at, word);
	return !v->exact && was_astray(*v->known, at, word);
}

static void reach(struct gc_verify *v, size_t at, unsigned long word)
{
	struct seen_slab *seen;
	u32 index = 0;

	seen = find_object(v, word, &index);
	if (leads_astray(v, at, word, seen, index))
		return;
	if (!seen || __test_and_set_bit(index, reached(v, seen)))
		return;
	if (seen->slab->noscan)
		return;
	__set_bit(index, seen->grey);
	__set_bit(seen - v->slabs, v->grey);
}

static void scan_object(struct gc_verify *v, size_t offset, size_t end)
{
	while (offset < end) {
		struct page *page = gc_pages_page(&v->gs->pages,
						  offset >> PAGE_SHIFT);
		size_t stop = min(end, round_down(offset, PAGE_SIZE) + PAGE_SIZE);
		const unsigned long *words;

		if (!page)
			return;
		words = page_address(page) + offset_in_page(offset);
		for (; offset < stop; offset += sizeof(long))
			reach(v, offset, READ_ONCE(*words++));
		cond_resched();
	}
}

/*
 * What lies close to an object that refers to it comes next, also when it lies before: each
 * object of a list often does.
 */
static void scan_slab(struct gc_verify *v, struct seen_slab *seen)
{
	size_t size = seen->slab->object_size, offset;
	unsigned long word;

	for (word = 0; word < BITS_TO_LONGS(seen->slab->slots); word++) {
		while (seen->grey[word]) {
			unsigned long bit = __ffs(seen->grey[word]);

			__clear_bit(bit, &seen->grey[word]);
			offset = seen->start + (word * BITS_PER_LONG + bit) * size;
			scan_object(v, offset, offset + size);
		}
	}
}

static void take_roots(struct gc_verify *v, struct seen_slab *seen)
{
	u32 slots = seen->slab->slots;

	bitmap_copy(reached(v, seen), seen->roots, slots);
	if (seen->slab->noscan || bitmap_empty(seen->roots, slots))
		return;
	bitmap_copy(seen->grey, seen->roots, slots);
	__set_bit(seen - v->slabs, v->grey);
}

/**
 * gc_verify_walk() - reach all that the roots lead to
 * @v: marking
 *
 * Context: may sleep.  To be called twice: before and after the marking that is
 * verified goes from object to object.
 *
 * Return: 0, or as gc_given_up().
 */
int gc_verify_walk(struct gc_verify *v)
{
	size_t i;
	int err;

	for (i = 0; i < v->nr; i++) {
		take_roots(v, &v->slabs[i]);
		cond_resched();
	}
	while ((i = find_first_bit(v->grey, v->nr)) < v->nr) {
		err = gc_given_up();
		if (err)
			return err;
		__clear_bit(i, v->grey);
		scan_slab(v, &v->slabs[i]);
	}
	v->walks++;
	return 0;
}

/* Returns whether it is marked, and nothing refers to it any more; @faults may be NULL. */
static bool compare_slot(struct seen_slab *seen, u32 index, bool exact,
			 struct gc_faults *faults)
{
	bool before = test_bit(index, seen->before);
	bool after = test_bit(index, seen->after);
	bool marked = test_bit(index, gc_slab_mark_bits(seen->slab));

	/* Reached only once: somebody stored there meanwhile. */
	if (before != after || before == marked)
		return false;
	if (marked && !exact)
		return true;
	if (!faults)
		return false;
	gc_fault(faults, (struct gc_fault) {
		.what = marked ? "an object that nothing refers to is marked" :
				 "an object that is referred to is not marked",
		.offset = seen->start + index * seen->slab->object_size,
		.slab = seen->start,
		.found = marked,
		.expected = before,
	});
	return false;
}

/* For the next marking */
static void keep_astray(struct gc_verify *v)
{
	if (!v->known)
		return;
	kvfree(*v->known);
	*v->known = v->next;
	v->next = NULL;
}

/**
 * gc_verify_is_blind() - whether faults cannot be told from words that led astray before
 * @v: marking, begun
 *
 * There were too many of them, or the last marking was not verified.  Before the first one
 * there were none.  And words that refer to an object which the program has freed lead to
 * whatever is made there next.
 *
 * Return: true when it is so.
 */
bool gc_verify_is_blind(const struct gc_verify *v)
{
	const struct gc_astray *known = v->known ? *v->known : NULL;

	if (v->exact || !v->known)
		return false;
	if (v->gs->dangling)
		return true;
	return known ? known->nr > known->room : v->gs->cycle > 0;
}

/**
 * gc_verify_compare() - compare with the marks in the slabs
 * @v: marking, walked twice
 * @faults: each difference, unless it is not known which words led astray
 *
 * Return: bytes of what is marked, and nothing refers to any more.
 */
u64 gc_verify_compare(struct gc_verify *v, struct gc_faults *faults)
{
	u64 floating = 0;
	size_t i;
	u32 index;

	if (gc_verify_is_blind(v))
		faults = NULL;
	for (i = 0; i < v->nr; i++) {
		struct seen_slab *seen = &v->slabs[i];

		for (index = 0; index < seen->slab->slots; index++)
			if (compare_slot(seen, index, v->exact, faults))
				floating += seen->slab->object_size;
		cond_resched();
	}
	keep_astray(v);
	return floating;
}
