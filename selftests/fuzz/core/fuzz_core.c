// SPDX-License-Identifier: GPL-2.0
/*
 * The portable core of the module (pages, slabs, marking) against a model.
 *
 * The input is a sequence of operations: what a heap is asked by threads, by the
 * collector, and by a machine that runs out of memory.  The model is a plain
 * array of objects: it knows what was handed out, what was stored where, and by
 * that what a collection has to leave and to reclaim, exactly.
 *
 * After each operation the core's books are audited (audit.c); what the core
 * hands out must be its own, aligned, zero, and nobody else's; what the model
 * holds must still be there, with its contents.  In the end the machine has
 * everything back.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <linux/bitmap.h>
#include <linux/gcheap.h>
#include <linux/string.h>

#include "audit.h"
#include "backing.h"
#include "kernel.h"
#include "mark.h"
#include "slab.h"
#include "verify.h"

#define HEAP_BASE	0x7e0000000000UL
#define HEAP_PAGES_MAX	8192UL
#define OBJECTS		4096
#define STORES		320
#define FEW_STORES	4
#define SLABS		24
#define LENDERS		32
#define ROOTS		16
#define STACK		8

/**
 * struct store - a word that was stored to an object
 * @word: which
 * @value: what
 */
struct store {
	size_t word;
	unsigned long value;
};

/**
 * struct object - an object, as the model has it
 * @offset: where
 * @size: bytes of its slot
 * @noscan: its words are no pointers
 * @owner: slot in the model's slabs, plus one, while its slab is a thread's
 * @index: its slot there
 * @reached: by the present collection
 * @held: it was not, and has a page that is lent
 * @nr_stores: entries of @stores
 * @stores: all words that are not zero
 */
struct object {
	size_t offset;
	size_t size;
	bool noscan;
	unsigned int owner;
	u32 index;
	bool reached;
	bool held;
	unsigned int nr_stores;
	struct store stores[STORES];
};

/**
 * struct owned - a slab that a thread has
 * @slab: the slab, NULL for none
 * @unused: slots that it has not handed out
 */
struct owned {
	struct gc_slab *slab;
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
};

/**
 * struct reference - one to a page
 * @page: the page, NULL for none
 * @mapped: a page table's
 */
struct reference {
	struct page *page;
	bool mapped;
};

/**
 * struct model - all that is known
 * @gs: the heap
 * @objects: what is allocated, in no order
 * @nr: how many
 * @owned: slabs of threads
 * @owner_list: the core's list of those
 * @references: to pages, beside the heap's own
 * @roots: words that collections begin with; the first half is a stack's
 * @marked: bytes that the last marking has marked
 * @written: pages that were written to, as the processor would note it
 * @beside: a marking is under way
 * @input: operations yet to come
 * @end: end of those
 */
struct model {
	struct gc_slabs gs;
	struct object objects[OBJECTS];
	unsigned int nr;
	struct owned owned[SLABS];
	struct list_head owner_list;
	struct reference references[LENDERS];
	unsigned long roots[ROOTS];
	u64 marked;
	DECLARE_BITMAP(written, HEAP_PAGES_MAX);
	bool beside;
	const u8 *input;
	const u8 *end;
};

static struct model model;
static bool trace;

static void note(const char *format, ...)
{
	va_list arguments;

	if (!trace)
		return;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
}

#define require(condition)						\
do {									\
	if (!(condition)) {						\
		fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__,	\
			__LINE__, #condition);				\
		abort();						\
	}								\
} while (0)

static unsigned int draw(unsigned int limit)
{
	unsigned int value = 0;

	if (model.input < model.end)
		value = *model.input++;
	if (limit > 256 && model.input < model.end)
		value = value << 8 | *model.input++;
	return value % limit;
}

static void *address(size_t offset)
{
	struct page *page = gc_pages_page(&model.gs.pages,
					  offset >> PAGE_SHIFT);

	require(page);
	return page_address(page) + offset_in_page(offset);
}

static bool overlaps(const struct object *o, size_t offset, size_t size)
{
	return offset < o->offset + o->size && o->offset < offset + size;
}

static bool is_zero(size_t offset, size_t size)
{
	while (size) {
		size_t part = min(size, PAGE_SIZE - offset_in_page(offset));

		if (memchr_inv(address(offset), 0, part))
			return false;
		offset += part;
		size -= part;
	}
	return true;
}

/* A byte for each 8 of the heap: whether an object has them */
static u8 taken[HEAP_PAGES_MAX * PAGE_SIZE / 8];

static void set_taken(const struct object *o, bool to)
{
	memset(taken + o->offset / 8, to, o->size / 8);
}

/*
 * Words that lead to a new object though nobody has stored its address yet, as they only
 * looked like it: who has it now may as well have stored it there.
 */
static void store_again(const struct object *to)
{
	unsigned int i, k;

	for (i = 0; i < model.nr; i++) {
		const struct object *o = &model.objects[i];

		for (k = 0; k < o->nr_stores; k++)
			if (o->stores[k].value - HEAP_BASE - to->offset < to->size)
				__set_bit((o->offset + o->stores[k].word *
					   sizeof(long)) >> PAGE_SHIFT,
					  model.written);
	}
}

static struct object *object_new(size_t offset, size_t size, bool noscan)
{
	struct object *o;

	require(offset % (size < 16 ? 8 : 16) == 0);
	require(offset >= model.gs.pages.reserved << PAGE_SHIFT);
	require(offset + size <= model.gs.pages.frontier << PAGE_SHIFT);
	require(is_zero(offset, size));
	require(!memchr_inv(taken + offset / 8, 0, size / 8));
	require(model.nr < OBJECTS);
	o = &model.objects[model.nr++];
	/* Not the stores, which are many. */
	o->offset = offset;
	o->size = size;
	o->noscan = noscan;
	o->owner = 0;
	o->index = 0;
	o->held = false;
	o->nr_stores = 0;
	set_taken(o, true);
	if (model.beside || model.gs.sticky)
		store_again(o);
	return o;
}

static void object_drop(struct object *o)
{
	struct object *last = &model.objects[--model.nr];

	set_taken(o, false);
	memcpy(o, last, offsetof(struct object, stores) +
	       last->nr_stores * sizeof(*last->stores));
}

static int by_offset(const void *a, const void *b)
{
	const struct object *left = *(struct object **)a;
	const struct object *right = *(struct object **)b;

	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/* By address; no object comes or goes while words are looked up. */
static struct object *sorted[OBJECTS];

static void sort_objects(void)
{
	unsigned int i;

	for (i = 0; i < model.nr; i++)
		sorted[i] = &model.objects[i];
	qsort(sorted, model.nr, sizeof(*sorted), by_offset);
}

static struct object *find_object(unsigned long word)
{
	unsigned int low = 0, high = model.nr;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (overlaps(sorted[middle], word - HEAP_BASE, 1))
			return sorted[middle];
		if (word - HEAP_BASE < sorted[middle]->offset)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* A word that leads to an object, beside one, to where one was, or nowhere */
static unsigned long draw_word(void)
{
	struct object *o = model.nr ? &model.objects[draw(model.nr)] : NULL;

	switch (draw(8)) {
	case 0:
		return HEAP_BASE + draw(65536) * 64UL;
	case 1:
		return draw(65536);
	case 2:
		return o ? HEAP_BASE + o->offset + o->size : HEAP_BASE;
	case 3:
		return o ? HEAP_BASE + o->offset - 1 : HEAP_BASE - 1;
	case 4 ... 5:
		return o ? HEAP_BASE + o->offset + draw(65536) % o->size : 0;
	default:
		return o ? HEAP_BASE + o->offset : 0;
	}
}

/* The program stores a word. */
static void put(size_t offset, unsigned long value)
{
	*(unsigned long *)address(offset) = value;
	__set_bit(offset >> PAGE_SHIFT, model.written);
}

static void op_store(void)
{
	struct object *o;
	struct store *store;
	unsigned int i;

	if (!model.nr)
		return;
	o = &model.objects[draw(model.nr)];
	if (o->nr_stores > FEW_STORES)
		return;
	i = draw(FEW_STORES);
	store = &o->stores[i < o->nr_stores ? i : o->nr_stores];
	if (i >= o->nr_stores) {
		store->word = draw(65536) % (o->size / sizeof(long));
		for (i = 0; i < o->nr_stores; i++)
			if (o->stores[i].word == store->word)
				return;
		o->nr_stores++;
	}
	store->value = draw_word();
	put(o->offset + store->word * sizeof(long), store->value);
	note("store %#lx to word %zu of %#zx\n", store->value, store->word,
	     o->offset);
}

/* The largest of a few, as most are small */
static struct object *draw_large(void)
{
	struct object *large = NULL;
	unsigned int i;

	for (i = 0; i < 16; i++) {
		struct object *o = &model.objects[draw(model.nr)];

		if (!o->noscan && (!large || o->size > large->size))
			large = o;
	}
	return large;
}

/* One object that leads to many, and is reached */
static void op_fan(void)
{
	struct object *o = model.nr ? draw_large() : NULL;
	unsigned int first, i;

	if (!o)
		return;
	model.roots[0] = HEAP_BASE + o->offset;
	first = draw(model.nr) / 2;
	for (i = 0; i < o->nr_stores; i++)
		put(o->offset + o->stores[i].word * sizeof(long), 0);
	o->nr_stores = min(min(o->size / sizeof(long), (size_t)STORES),
			   (size_t)model.nr - first);
	for (i = 0; i < o->nr_stores; i++) {
		o->stores[i].word = i;
		o->stores[i].value = HEAP_BASE + model.objects[first + i].offset;
		put(o->offset + i * sizeof(long), o->stores[i].value);
	}
	note("%#zx leads to %u\n", o->offset, o->nr_stores);
}

static void op_root(void)
{
	unsigned int i = draw(ROOTS);

	model.roots[i] = draw(3) ? draw_word() : 0;
	note("root %u is %#lx\n", i, model.roots[i]);
}

static size_t draw_size(void)
{
	switch (draw(16)) {
	case 0:
		return 1 + draw(65536) * 2UL;
	case 1 ... 3:
		return 1 + draw(SIZE_CLASS_MAX);
	default:
		return 1 + draw(512);
	}
}

static void op_alloc(void)
{
	size_t bytes = draw_size();
	bool noscan = draw(2);
	struct gc_slab *slab;
	long offset;
	u32 index;

	if (model.nr == OBJECTS)
		return;
	offset = gc_slab_alloc_object(&model.gs, bytes, noscan);
	note("alloc %zu%s: %#lx\n", bytes, noscan ? " noscan" : "", offset);
	if (offset < 0) {
		require(offset == -ENOMEM || (task_killed && offset == -EINTR));
		return;
	}
	slab = gc_slab_find(&model.gs, offset, &index);
	require(slab && slab->object_size >= bytes && slab->noscan == noscan);
	require(slab->offset + index * slab->object_size == (size_t)offset);
	object_new(offset, slab->object_size, noscan);
}

/* What lives in a slab that a thread gets is safe there, too. */
static void object_join(struct object *o, struct owned *owned)
{
	struct gc_slab *slab = owned->slab;

	if (o->offset < slab->offset ||
	    o->offset >= slab->offset + slab->slots * slab->object_size)
		return;
	o->owner = owned - model.owned + 1;
	o->index = (o->offset - slab->offset) / slab->object_size;
}

static void op_take(void)
{
	struct owned *owned = &model.owned[draw(SLABS)];
	unsigned int class_index = draw(SIZE_CLASS_COUNT), i;
	bool noscan = draw(2);
	struct gc_slab *slab;

	if (owned->slab)
		return;
	slab = gc_slab_take(&model.gs, class_index, noscan, owned,
			    &model.owner_list);
	note("take %td of class %u\n", owned - model.owned, class_index);
	if (IS_ERR(slab)) {
		require(PTR_ERR(slab) == -ENOMEM ||
			(task_killed && PTR_ERR(slab) == -EINTR));
		return;
	}
	require(slab->class_index == class_index && slab->noscan == noscan);
	require(slab->state == SLAB_OWNED && slab->owner == owned);
	gc_slab_clear_handed(&model.gs, slab);
	owned->slab = slab;
	bitmap_zero(owned->unused, GCHEAP_SLAB_SLOTS);
	bitmap_copy(owned->unused, gc_slab_handed_bits(slab), slab->slots);
	require(!bitmap_empty(owned->unused, slab->slots));
	for (i = 0; i < model.nr; i++)
		object_join(&model.objects[i], owned);
}

/* The thread hands out some slots. */
static void op_use(void)
{
	unsigned int i = draw(SLABS), count = 1 + draw(256);
	struct owned *owned = &model.owned[i];
	struct gc_slab *slab = owned->slab;

	while (slab && count-- && model.nr < OBJECTS) {
		u32 index = find_first_bit(owned->unused, slab->slots);
		struct object *o;

		if (index >= slab->slots)
			return;
		__clear_bit(index, owned->unused);
		o = object_new(slab->offset + index * slab->object_size,
			       slab->object_size, slab->noscan);
		o->owner = i + 1;
		o->index = index;
		note("use %#zx of slab %u\n", o->offset, i);
	}
}

static bool is_owned(const struct object *o, const struct owned *owned)
{
	return o->owner == owned - model.owned + 1;
}

/* Objects of a slab that comes back; @unused have become free. */
static void objects_come_back(struct owned *owned, const unsigned long *unused)
{
	unsigned int i;

	for (i = 0; i < model.nr;) {
		struct object *o = &model.objects[i];

		if (!is_owned(o, owned)) {
			i++;
		} else if (test_bit(o->index, unused)) {
			object_drop(o);
		} else {
			o->owner = 0;
			i++;
		}
	}
}

static void draw_bits(unsigned long *bits)
{
	unsigned int i;

	for (i = 0; i < GCHEAP_SLAB_SLOTS / 8; i++)
		((u8 *)bits)[i] = draw(256);
}

/* Write to what the thread did not use, too: the slab is its own. */
static void scribble(struct owned *owned)
{
	u32 i;

	for_each_set_bit(i, owned->unused, owned->slab->slots)
		put(owned->slab->offset + i * owned->slab->object_size, ~0UL);
}

static void object_adopt(struct gc_slab *slab, u32 index)
{
	struct object *o = &model.objects[model.nr++];

	o->offset = slab->offset + index * slab->object_size;
	o->size = slab->object_size;
	o->noscan = slab->noscan;
	o->owner = 0;
	o->held = false;
	o->nr_stores = 1;
	o->stores[0] = (struct store) { .word = 0, .value = ~0UL };
	set_taken(o, true);
	if (model.beside || model.gs.sticky)
		store_again(o);
}

/* What was not used and does not come back as such is allocated all the same. */
static void adopt_unused(struct owned *owned, const unsigned long *back)
{
	struct gc_slab *slab = owned->slab;
	u32 i;

	for_each_set_bit(i, owned->unused, slab->slots)
		if (!test_bit(i, back))
			object_adopt(slab, i);
}

static void give_back(struct owned *owned, bool recall)
{
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	DECLARE_BITMAP(told, GCHEAP_SLAB_SLOTS);
	unsigned int how = draw(4);

	if (!owned->slab || model.nr + owned->slab->slots > OBJECTS)
		return;
	bitmap_copy(unused, owned->unused, GCHEAP_SLAB_SLOTS);
	if (how == 0)
		bitmap_zero(unused, GCHEAP_SLAB_SLOTS);
	if (how == 1)
		draw_bits(unused);
	/* Of what was there before, a thread cannot say that it is unused. */
	bitmap_and(unused, unused, gc_slab_handed_bits(owned->slab),
		   owned->slab->slots);
	scribble(owned);
	note("%s %td, how %u\n", recall ? "recall" : "give back", owned - model.owned, how);
	bitmap_copy(told, unused, GCHEAP_SLAB_SLOTS);
	/* Nor of what has been found to be referred to. */
	bitmap_andnot(unused, unused, gc_slab_mark_bits(owned->slab),
		      owned->slab->slots);
	objects_come_back(owned, unused);
	adopt_unused(owned, unused);
	if (recall)
		gc_slab_recall(&model.gs, owned->slab, how ? told : NULL);
	else
		gc_slab_give_back(&model.gs, owned->slab, how ? told : NULL);
	owned->slab = NULL;
}

static struct object *object_at(size_t offset)
{
	unsigned int i;

	for (i = 0; i < model.nr; i++)
		if (model.objects[i].offset == offset)
			return &model.objects[i];
	return NULL;
}

/* Where an object begins, or next to that, or anywhere */
static size_t draw_doomed(void)
{
	if (!model.nr || !draw(16))
		return draw_word() - HEAP_BASE;
	return model.objects[draw(model.nr)].offset + (draw(8) ? 0 : draw(65536));
}

/* The thread that has the slab hands the slot out again, which it has made zero. */
static void put_back(struct owned *owned, struct object *o)
{
	size_t offset = o->offset;

	for (; offset < o->offset + o->size; offset += sizeof(long))
		*(unsigned long *)address(offset) = 0;
	__set_bit(o->index, owned->unused);
	object_drop(o);
}

/* The program is done with an object, or says so of something else. */
static void op_free(void)
{
	size_t offset = draw_doomed();
	struct object *o = object_at(offset);
	struct owned *owned = o && o->owner ? &model.owned[o->owner - 1] : NULL;
	bool own = draw(4);
	enum gc_freed freed;

	freed = gc_slab_free_object(&model.gs, offset, own ? owned : NULL, model.beside);
	note("free %#zx: %d\n", offset, freed);
	switch (freed) {
	case OBJECT_FREED:
		require(o);
		object_drop(o);
		break;
	case OBJECT_YOURS:
		require(o && own && owned);
		put_back(owned, o);
		break;
	case OBJECT_LATER:
		break;
	case OBJECT_NONE:
		require(!o || o->held);
	}
}

static void op_give_back(void)
{
	give_back(&model.owned[draw(SLABS)], false);
}

static void reach(unsigned long word);

static void reach_from(struct object *o)
{
	unsigned int i;

	for (i = 0; i < o->nr_stores; i++)
		reach(o->stores[i].value);
}

static void reach(unsigned long word)
{
	struct object *o = find_object(word);

	if (!o || o->reached)
		return;
	o->reached = true;
	if (!o->noscan)
		reach_from(o);
}

static void reach_all(void)
{
	unsigned int i;

	sort_objects();
	for (i = 0; i < model.nr; i++)
		model.objects[i].reached = false;
	for (i = 0; i < ROOTS; i++)
		reach(model.roots[i]);
	/* Of an object that ends there, this is a byte. */
	for (i = 0; i < STACK; i++)
		reach(model.roots[i] - 1);
}

static void report_faults(void)
{
	struct gc_faults *faults = &model.gs.pages.faults;
	unsigned int i;

	for (i = 0; i < min_t(unsigned int, faults->nr, GC_FAULTS_KEPT); i++)
		fprintf(stderr, "%s: %lu, not %lu; %#zx in slab %#zx\n",
			faults->first[i].what, (long)faults->first[i].found,
			(long)faults->first[i].expected,
			faults->first[i].offset, faults->first[i].slab);
	require(!faults->nr);
}

static struct page *page_of(size_t offset)
{
	return gc_pages_page(&model.gs.pages, offset >> PAGE_SHIFT);
}

static void reference_take(struct reference *r, struct page *page, bool mapped)
{
	*r = (struct reference) { .page = page, .mapped = mapped };
	page->_refcount++;
	if (mapped)
		page->_mapcount++;
	else
		page->lent++;
}

static void reference_drop(struct reference *r)
{
	if (!r->page)
		return;
	if (r->mapped)
		r->page->_mapcount--;
	else
		r->page->lent--;
	put_page(r->page);
	r->page = NULL;
}

/*
 * Somebody maps a page, or has it pinned, or is done with it.  What is unswept
 * would be held, or not, by this: so nothing is.
 */
static void op_lend(void)
{
	struct reference *r = &model.references[draw(LENDERS)];
	struct object *o = model.nr ? &model.objects[draw(model.nr)] : NULL;
	bool mapped = draw(2);

	gc_slabs_sweep(&model.gs, UINT_MAX);
	reference_drop(r);
	if (!o || !draw(4))
		return;
	reference_take(r, page_of(o->offset + draw(65536) % o->size), mapped);
	note("page %#lx is %s\n", r->page->index,
	     mapped ? "mapped" : "lent");
}

/* No page table has these pages any more. */
void unmap_mapping_range(void *mapping, long long start, long long bytes,
			 int even_private)
{
	unsigned int i;

	require(mapping == &model && even_private);
	for (i = 0; i < LENDERS; i++) {
		struct reference *r = &model.references[i];

		if (r->page && r->mapped && r->page->mapping == mapping &&
		    r->page->index - (start >> PAGE_SHIFT) <
		    (unsigned long)bytes >> PAGE_SHIFT)
			reference_drop(r);
	}
}

/* Pages that were lent when they might have gone: their slab is not looked at again. */
static bool stayed[HEAP_PAGES_MAX];

static unsigned long note_lent(void)
{
	unsigned long lent = 0;
	unsigned int i;

	for (i = 0; i < LENDERS; i++) {
		struct reference *r = &model.references[i];

		if (!r->page || r->mapped)
			continue;
		lent++;
		if (r->page->mapping)
			stayed[r->page->index] = true;
	}
	return lent;
}

/* Of a slab that is nobody's, the pages are there that objects are on, and no more. */
static void check_thin(struct gc_slab *slab, void *arg)
{
	unsigned long nr = slab->offset >> PAGE_SHIFT, end = nr + slab->nr_pages;

	(void)arg;
	if (gc_slab_state(&model.gs, slab) != SLAB_PARTIAL &&
	    gc_slab_state(&model.gs, slab) != SLAB_SPARSE)
		return;
	for (; nr < end; nr++) {
		bool used = memchr_inv(taken + nr * PAGE_SIZE / 8, 0,
				       PAGE_SIZE / 8);
		bool page = gc_pages_page(&model.gs.pages, nr);

		require(page ? used || stayed[nr] : !used);
	}
}

/* What is free goes back, unless it is lent: garbage that was may be free by now. */
static void op_release(void)
{
	struct gc_release most = {
		.pages = draw(4) ? draw(4096) : ULONG_MAX,
		.unmaps = draw(3) ? ULONG_MAX : draw(8),
		.looks = draw(4) ? draw(16) : UINT_MAX,
		.before = draw(3) ? U64_MAX : draw(model.gs.cycle + 1),
	};
	unsigned long backed = gc_pages_backed(&model.gs.pages);
	unsigned long free = model.gs.pages.free, lent = note_lent(), done;

	done = gc_slabs_release(&model.gs, &most);
	note("release %lu, of %u slabs, %lu unmaps, before %llu: %lu\n", most.pages,
	     most.looks, most.unmaps, most.before, done);
	require(done <= free || done - free <= 16UL * most.looks);
	require(most.unmaps < ULONG_MAX || done + lent >= min(most.pages, free));
	/* One slab beyond, and one range. */
	require(done < 16 || done - 15 <= most.pages);
	require(most.unmaps > 8 || done <= 64 * (most.unmaps + 1));
	require(model.gs.pages.unmaps_left == ULONG_MAX);
	require(gc_pages_backed(&model.gs.pages) == backed - done);
	require(machine.pages >= (long)(backed - done));
	if (most.pages == ULONG_MAX && most.looks == UINT_MAX &&
	    most.unmaps == ULONG_MAX && most.before == U64_MAX)
		gc_slabs_visit(&model.gs, check_thin, NULL);
}

static bool is_lent(const struct object *o)
{
	size_t offset = o->offset & ~(PAGE_SIZE - 1);

	for (; offset < o->offset + o->size; offset += PAGE_SIZE)
		if (page_of(offset)->lent)
			return true;
	return false;
}

/* What a slab that a thread has loses, when the thread tells what it uses */
static void sweep_owned(struct owned *owned, bool honest)
{
	DECLARE_BITMAP(unused, GCHEAP_SLAB_SLOTS);
	unsigned int i;

	bitmap_copy(unused, owned->unused, GCHEAP_SLAB_SLOTS);
	if (!honest)
		draw_bits(unused);
	for (i = 0; i < model.nr;) {
		struct object *o = &model.objects[i];

		if (is_owned(o, owned) && !o->reached && !is_lent(o) &&
		    !(test_bit(o->index, unused) &&
		      test_bit(o->index, gc_slab_handed_bits(owned->slab))))
			object_drop(o);
		else
			i++;
	}
	gc_slab_sweep_owned(&model.gs, owned->slab, unused);
	bitmap_and(owned->unused, owned->unused,
		   gc_slab_handed_bits(owned->slab), owned->slab->slots);
}

static void sweep_some_owned(void)
{
	unsigned int how = draw(4), i;

	for (i = 0; how && i < SLABS; i++) {
		struct owned *owned = &model.owned[i];

		if (owned->slab && draw(2))
			sweep_owned(owned, how > 1);
	}
}

static void recall_some(void)
{
	unsigned int i;

	for (i = 0; i < SLABS; i++)
		if (!draw(4))
			give_back(&model.owned[i], true);
}

static void objects_die(void)
{
	unsigned int i;

	for (i = 0; i < model.nr;) {
		struct object *o = &model.objects[i];

		o->held = !o->reached && is_lent(o);
		if (o->reached || o->held || o->owner)
			i++;
		else
			object_drop(o);
	}
}

/* The queue cannot grow. */
static void memory_ends(void)
{
	machine.refuse_from = machine.asked + 1;
	machine.refuse_to = ULONG_MAX;
}

static void memory_is_back(void)
{
	if (machine.refuse_to == ULONG_MAX)
		machine.refuse_from = 0;
}

static void mark_roots(struct gc_marker *marker)
{
	gc_mark_words_and_ends(marker, model.roots, STACK);
	gc_mark_words(marker, model.roots + STACK, ROOTS - STACK);
}

/* A part of a queue is looked at by another marker, as in module/crew.c. */
static void help_marking(struct gc_marker *marker)
{
	struct gc_segments parts = {};
	struct mark_segment *part;
	struct gc_marker helper;

	if (!gc_marker_stock(marker, GC_LASTING_SEGMENTS + 1))
		return;
	part = gc_marker_split(marker);
	if (!part)
		return;
	gc_segments_push(&parts, part);
	gc_marker_join(&helper, marker->gs, marker->base, &parts, &marker->spare);
	gc_mark_some(&helper, GC_LASTING_WORDS);
	require(!helper.overflowed);
	gc_marker_leave(&helper, &marker->more);
	marker->marked += helper.marked;
	gc_segments_move(&helper.spare, &marker->spare, UINT_MAX);
}

static void mark_with_help(struct gc_marker *marker)
{
	marker->shared = true;
	while (draw(64) && gc_mark_some(marker, 1 + draw(2048)))
		help_marking(marker);
	marker->shared = false;
}

/* Returns whether the marking is complete. */
static bool mark(struct gc_verify *v)
{
	struct gc_marker marker;
	int err;

	if (gc_marker_init(&marker, &model.gs, HEAP_BASE))
		return false;
	if (!draw(4))
		memory_ends();
	mark_roots(&marker);
	if (!draw(2))
		mark_with_help(&marker);
	err = gc_mark_drain(&marker);
	model.marked = marker.marked;
	gc_marker_destroy(&marker);
	memory_is_back();
	require(!err || (err == -EINTR && task_killed));
	if (err || !v)
		return !err;
	gc_verify_begin(v, true);
	gc_verify_words_and_ends(v, model.roots, STACK);
	gc_verify_words(v, model.roots + STACK, ROOTS - STACK);
	if (gc_verify_walk(v) || gc_verify_walk(v))
		return false;
	gc_verify_compare(v, &model.gs.pages.faults);
	report_faults();
	return true;
}

static void op_collect(void)
{
	struct gc_verify *v;
	bool complete, give_up = !draw(8);

	gc_slabs_sweep(&model.gs, UINT_MAX);
	gc_slabs_unmark(&model.gs);
	/* Slow, and not what is to be found wrong. */
	v = draw(4) ? NULL : gc_verify_new(&model.gs, HEAP_BASE);
	complete = mark(v);
	gc_verify_free(v);
	note("collect: %s\n", complete && !give_up ? "complete" : "given up");
	if (!complete || give_up) {
		gc_slabs_unmark(&model.gs);
		return;
	}
	reach_all();
	sweep_some_owned();
	objects_die();
	gc_slabs_marked(&model.gs, model.marked, false);
	recall_some();
	gc_slabs_recalled(&model.gs);
}

static void mark_written(struct gc_marker *marker)
{
	unsigned long nr;

	for_each_set_bit(nr, model.written, HEAP_PAGES_MAX)
		gc_mark_page(marker, nr);
	bitmap_zero(model.written, HEAP_PAGES_MAX);
}

static void some_operations(void)
{
	static void (*const beside[])(void) = {
		op_alloc, op_store, op_store, op_root, op_take, op_use, op_give_back,
		op_fan, op_lend, op_release, op_free,
	};
	unsigned int nr = draw(8);

	model.beside = true;
	while (nr--)
		beside[draw(ARRAY_SIZE(beside))]();
	model.beside = false;
}

/* What was marked, and is not reached any more, lives on. */
static void keep_marked(void)
{
	unsigned int i;

	for (i = 0; i < model.nr; i++) {
		struct object *o = &model.objects[i];
		struct gc_slab *slab;
		bool marked;
		u32 index;

		slab = gc_slab_find(&model.gs, o->offset, &index);
		marked = test_bit(index, gc_slab_mark_bits(slab));
		require(marked || !o->reached);
		o->reached = marked;
	}
}

/* A minor collection begins with what is old, and what was written to since. */
static void begin_beside(struct gc_marker *marker, bool minor)
{
	if (minor) {
		marker->marked = model.gs.marked;
		return;
	}
	gc_slabs_unmark(&model.gs);
	bitmap_zero(model.written, HEAP_PAGES_MAX);
	mark_roots(marker);
}

/* A marking in parts, between which the program runs */
static void op_collect_beside(void)
{
	bool minor = model.gs.sticky && draw(4), give_up = !draw(8);
	unsigned int parts = draw(16);
	struct gc_marker marker;

	gc_slabs_sweep(&model.gs, UINT_MAX);
	if (gc_marker_init(&marker, &model.gs, HEAP_BASE))
		return;
	begin_beside(&marker, minor);
	while (parts--) {
		gc_mark_some(&marker, 1 + draw(256));
		if (!draw(4))
			mark_written(&marker);
		some_operations();
	}
	mark_roots(&marker);
	mark_written(&marker);
	while (draw(4) && gc_mark_some(&marker, 1 + draw(4096)))
		;
	if (!draw(2))
		mark_with_help(&marker);
	give_up |= !!gc_mark_drain(&marker);
	model.marked = marker.marked;
	gc_marker_destroy(&marker);
	note("collect beside%s: %s\n", minor ? ", minor" : "",
	     give_up ? "given up" : "complete");
	if (give_up) {
		gc_slabs_unmark(&model.gs);
		return;
	}
	reach_all();
	keep_marked();
	sweep_some_owned();
	objects_die();
	gc_slabs_marked(&model.gs, model.marked, draw(4));
	recall_some();
	gc_slabs_recalled(&model.gs);
}

static void op_sweep(void)
{
	unsigned int nr = draw(16);

	note("sweep %u\n", nr);
	gc_slabs_sweep(&model.gs, nr < 15 ? nr : UINT_MAX);
}

static void op_machine(void)
{
	unsigned int from;

	machine.node = draw(machine.nodes);
	switch (draw(4)) {
	case 0:
		from = draw(16);
		machine.refuse_from = machine.asked + 1 + from;
		machine.refuse_to = machine.refuse_from + 1 + draw(64);
		note("refuse from the %u. on\n", from + 1);
		break;
	case 1:
		machine.order_max = draw(10);
		note("order %u\n", machine.order_max);
		break;
	case 2:
		machine.scattered = draw(2);
		note("scattered %d\n", machine.scattered);
		break;
	default:
		task_killed = !draw(4);
		note("killed %d\n", task_killed);
	}
}

static void (*const operations[])(void) = {
	op_alloc, op_alloc, op_alloc, op_store, op_store, op_store, op_root,
	op_root, op_take, op_use, op_use, op_give_back, op_collect, op_sweep,
	op_machine, op_collect, op_fan, op_lend, op_release, op_release,
	op_collect_beside, op_free, op_free,
};

static void check_object(struct object *o)
{
	struct gc_slab *slab;
	unsigned int i;
	u32 index;

	slab = gc_slab_find(&model.gs, o->offset, &index);
	require(slab && test_bit(index, gc_slab_alloc_bits(slab)));
	require(slab->object_size == o->size && slab->noscan == o->noscan);
	require(slab->offset + index * slab->object_size == o->offset);
	require(gc_slab_find(&model.gs, o->offset + o->size - 1, &index) ==
		slab);
	require((slab->state == SLAB_OWNED) == !!o->owner);
	for (i = 0; i < o->nr_stores; i++)
		require(*(unsigned long *)address(o->offset +
						  o->stores[i].word *
						  sizeof(long)) ==
			o->stores[i].value);
}

static void count_slab(struct gc_slab *slab, void *arg)
{
	unsigned long *nr = arg;

	if (gc_slab_state(&model.gs, slab) == SLAB_UNSWEPT)
		*nr += bitmap_weight(gc_slab_mark_bits(slab), slab->slots);
	else if (slab->state != SLAB_OWNED)
		*nr += slab->nr_alloc;
}

/* What is held is not marked, and counts only when that was found out. */
static bool is_counted(const struct object *o)
{
	struct gc_slab *slab;
	u32 index;

	slab = gc_slab_find(&model.gs, o->offset, &index);
	return !o->owner &&
	       !(o->held && gc_slab_state(&model.gs, slab) == SLAB_UNSWEPT);
}

/* Each object is there, and in slabs that nobody owns there is no other. */
static void check(void)
{
	unsigned long expected = 0, found = 0;
	unsigned int i;

	gc_audit(&model.gs);
	report_faults();
	for (i = 0; i < model.nr; i++) {
		check_object(&model.objects[i]);
		expected += is_counted(&model.objects[i]);
	}
	gc_slabs_visit(&model.gs, count_slab, &found);
	require(found == expected);
}

static bool heap_start(void)
{
	memset(&model.owned, 0, sizeof(model.owned));
	memset(&model.references, 0, sizeof(model.references));
	memset(&model.roots, 0, sizeof(model.roots));
	memset(stayed, 0, sizeof(stayed));
	bitmap_zero(model.written, HEAP_PAGES_MAX);
	model.nr = 0;
	INIT_LIST_HEAD(&model.owner_list);
	machine = (struct machine) { .order_max = 9, .nodes = 1 + draw(2) };
	task_killed = false;
	if (gc_slabs_init(&model.gs, HEAP_PAGES_MAX >> draw(8), (void *)&model))
		return false;
	model.gs.pages.reserved = draw(2);
	model.gs.pages.poison = draw(2);
	return true;
}

static void heap_end(void)
{
	unsigned int i;

	for (i = 0; i < SLABS; i++)
		if (model.owned[i].slab)
			gc_slab_give_back(&model.gs, model.owned[i].slab, NULL);
	while (model.nr)
		object_drop(&model.objects[model.nr - 1]);
	for (i = 0; i < LENDERS; i++)
		if (model.references[i].mapped)
			reference_drop(&model.references[i]);
	gc_slabs_destroy(&model.gs);
	/* Who has a page after the heap's end gives it back to the machine. */
	for (i = 0; i < LENDERS; i++)
		reference_drop(&model.references[i]);
	require(!machine.pages && !machine.bytes);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	unsigned int done = 0;

	trace = getenv("GCHEAP_TRACE");
	model.input = data;
	model.end = data + size;
	if (!heap_start())
		return 0;
	while (model.input < model.end) {
		operations[draw(ARRAY_SIZE(operations))]();
		/* Looking at all costs more than all operations. */
		if (++done % 16 == 0 || size < 64)
			check();
	}
	check();
	heap_end();
	return 0;
}
