// SPDX-License-Identifier: GPL-2.0
/*
 * Which words keep which objects.
 *
 * The heap has a base as if a process mapped it there.
 */
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "bare_heap.h"
#include "graph.h"
#include "mark.h"

/* More than any stack of the kernel's could follow. */
#define DEEP	100000UL

typedef void (*take_words)(struct gc_marker *m, const unsigned long *words,
			   size_t nr);

static void mark_as(struct kunit *test, struct gc_slabs *gs, take_words take,
		    const unsigned long *words, size_t nr)
{
	struct gc_marker marker;
	int err = gc_marker_init(&marker, gs, HEAP_BASE);

	KUNIT_ASSERT_EQ(test, err, 0);
	take(&marker, words, nr);
	err = gc_mark_drain(&marker);
	gc_marker_destroy(&marker);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static void mark_from(struct kunit *test, struct gc_slabs *gs,
		      const unsigned long *words, size_t nr)
{
	mark_as(test, gs, gc_mark_words, words, nr);
}

static void count_marks(struct gc_slab *slab, void *arg)
{
	u64 *nr = arg;

	*nr += bitmap_weight(gc_slab_mark_bits(slab), slab->slots);
}

static u64 marks(struct gc_slabs *gs)
{
	u64 nr = 0;

	gc_slabs_visit(gs, count_marks, &nr);
	return nr;
}

/* How many objects a word keeps; forgets the marks. */
static u64 keeps(struct kunit *test, struct gc_slabs *gs, unsigned long word)
{
	u64 nr;

	mark_from(test, gs, &word, 1);
	nr = marks(gs);
	gc_slabs_unmark(gs);
	return nr;
}

/* The same for a word that a register or a stack has. */
static u64 keeps_there(struct kunit *test, struct gc_slabs *gs,
		       unsigned long word)
{
	u64 nr;

	mark_as(test, gs, gc_mark_words_and_ends, &word, 1);
	nr = marks(gs);
	gc_slabs_unmark(gs);
	return nr;
}

/* Have the word at @from point to @to; both are offsets. */
static void point(struct gc_slabs *gs, size_t from, size_t to)
{
	*bare_heap_word(gs, from) = HEAP_BASE + to;
}

/* Any value is a word: the lowest bits may be a program's tags. */
static void each_byte_of_an_object_keeps_it(struct kunit *test)
{
	static const size_t sizes[] = { 1, 48, 112, 592, 4096, 6544, 40000 };
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t object = bare_heap_alloc(test, gs, sizes[i], true);
		size_t size = bare_heap_slab(gs, object)->object_size, byte;

		/* The last one's neighbours are free. */
		for (byte = 0; byte < size; byte += size > 128 ? 61 : 1)
			KUNIT_ASSERT_EQ(test, keeps(test, gs, HEAP_BASE +
						    object + byte), 1);
		KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + object +
					    size - 1), 1);
	}
}

static void bytes_beside_an_object_do_not_keep_it(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t object[3];
	unsigned long word;
	unsigned int i;

	for (i = 0; i < 3; i++)
		object[i] = bare_heap_alloc(test, gs, 48, false);
	KUNIT_ASSERT_EQ(test, object[1], object[0] + 48);
	KUNIT_ASSERT_EQ(test, object[2], object[1] + 48);
	word = HEAP_BASE + object[1] - 1;
	mark_from(test, gs, &word, 1);
	KUNIT_EXPECT_TRUE(test, bare_heap_is_marked(gs, object[0]));
	KUNIT_EXPECT_FALSE(test, bare_heap_is_marked(gs, object[1]));
	gc_slabs_unmark(gs);
	/* One past the end is the neighbour's first byte. */
	word = HEAP_BASE + object[1] + 48;
	mark_from(test, gs, &word, 1);
	KUNIT_EXPECT_FALSE(test, bare_heap_is_marked(gs, object[1]));
	KUNIT_EXPECT_TRUE(test, bare_heap_is_marked(gs, object[2]));
}

/* Alone in its slab, at the front, in the middle, at the back. */
static void address_behind_an_object_keeps_it_on_a_stack(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned int c, i;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		const struct size_class *class = &size_classes[c];
		const u32 slots[] = { 0, class->slots / 2, class->slots - 1 };
		size_t size = class->object_size;
		size_t first = bare_heap_alloc(test, gs, size, true);
		struct gc_slab *slab = bare_heap_slab(gs, first);

		for (i = 0; i < ARRAY_SIZE(slots); i++) {
			unsigned long end = HEAP_BASE + first +
					    (slots[i] + 1) * size;

			bitmap_zero(gc_slab_alloc_bits(slab), slab->slots);
			__set_bit(slots[i], gc_slab_alloc_bits(slab));
			KUNIT_ASSERT_EQ(test, keeps_there(test, gs, end), 1);
			KUNIT_ASSERT_EQ(test, keeps_there(test, gs, end - 1), 1);
			KUNIT_ASSERT_EQ(test, keeps_there(test, gs, end + 1), 0);
			KUNIT_ASSERT_EQ(test, keeps_there(test, gs,
							  end - size), 1);
			KUNIT_ASSERT_EQ(test, keeps_there(test, gs,
							  end - size - 1), 0);
			KUNIT_ASSERT_EQ(test, keeps(test, gs, end), 0);
		}
		bitmap_zero(gc_slab_alloc_bits(slab), slab->slots);
		__set_bit(0, gc_slab_alloc_bits(slab));
	}
}

static void address_between_two_objects_keeps_both_on_a_stack(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t one = bare_heap_alloc(test, gs, 64, true);
	size_t other = bare_heap_alloc(test, gs, 64, true);

	KUNIT_ASSERT_EQ(test, other, one + 64);
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, HEAP_BASE + other), 2);
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, HEAP_BASE + other + 1), 1);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + other), 1);
}

/* Behind it are free pages, then a slab. */
static void address_behind_a_large_object_keeps_it_on_a_stack(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t large = bare_heap_alloc(test, gs, SZ_32K + 1, false);
	unsigned long end = HEAP_BASE + large +
			    bare_heap_slab(gs, large)->object_size;

	KUNIT_ASSERT_NULL(test, bare_heap_slab(gs, end - HEAP_BASE));
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, end), 1);
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, end + 1), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, end), 0);
	KUNIT_ASSERT_EQ(test, HEAP_BASE + bare_heap_alloc(test, gs, 8, false),
			end);
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, end), 2);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, end), 1);
}

static void address_behind_the_whole_heap_keeps_its_last_object(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, 32);
	unsigned long end = HEAP_BASE + 32 * PAGE_SIZE;

	KUNIT_ASSERT_EQ(test, bare_heap_alloc(test, gs, 32 * PAGE_SIZE, false), 0);
	KUNIT_ASSERT_EQ(test, gs->pages.frontier, 32);
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, end), 1);
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, end + 1), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, end), 0);
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, HEAP_BASE), 1);
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, HEAP_BASE - 1), 0);
}

static void address_behind_nothing_keeps_nothing(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t object, byte, end;
	struct gc_slab *slab;

	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, HEAP_BASE), 0);
	gs->pages.reserved = 1;
	object = bare_heap_alloc(test, gs, 48, false);
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, HEAP_BASE), 0);
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, HEAP_BASE + 8), 0);
	slab = bare_heap_slab(gs, object);
	end = slab->offset + (slab->nr_pages << PAGE_SHIFT);
	/* Free slots, the tail, and the free pages behind. */
	for (byte = object + 49; byte <= end; byte++)
		KUNIT_ASSERT_EQ(test, keeps_there(test, gs, HEAP_BASE + byte), 0);
	end = gs->pages.frontier << PAGE_SHIFT;
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, HEAP_BASE + end), 0);
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, 0), 0);
	KUNIT_EXPECT_EQ(test, keeps_there(test, gs, ULONG_MAX), 0);
}

static void words_outside_of_the_heap_keep_nothing(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t object = bare_heap_alloc(test, gs, SZ_64K, false), end;

	KUNIT_ASSERT_EQ(test, object, 0);
	end = HEAP_BASE + (gs->pages.frontier << PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE), 1);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE - 1), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + SZ_64K), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, end - 1), 1);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, end), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, 0), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, 8), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, ULONG_MAX), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, LONG_MIN), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + (1UL << 40)), 0);
}

/* Each process has it in a variable. */
static void address_of_the_heap_keeps_nothing(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t object;

	gs->pages.reserved = 1;
	object = bare_heap_alloc(test, gs, 16, false);
	KUNIT_EXPECT_EQ(test, object, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + PAGE_SIZE - 1), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + object), 1);
}

static void words_keep_nothing_in_an_empty_heap(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);

	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE - 1), 0);
}

static void free_slots_and_the_tail_are_no_objects(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t object = bare_heap_alloc(test, gs, 48, false), byte, end;
	struct gc_slab *slab = bare_heap_slab(gs, object);

	end = slab->offset + (slab->nr_pages << PAGE_SHIFT);
	KUNIT_ASSERT_LT(test, slab->offset + slab->slots * 48, end);
	for (byte = object + 48; byte < end; byte += 7)
		KUNIT_ASSERT_EQ(test, keeps(test, gs, HEAP_BASE + byte), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + end - 1), 0);
}

static void swept_objects_are_not_kept_again(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t kept = bare_heap_alloc(test, gs, 48, false);
	size_t dead = bare_heap_alloc(test, gs, 48, false);

	bare_heap_mark(gs, kept);
	bare_heap_sweep_all(gs);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + dead), 0);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + kept), 1);
}

static void object_is_marked_once(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t object = bare_heap_alloc(test, gs, 48, false);
	unsigned long words[] = {
		HEAP_BASE + object, HEAP_BASE + object + 47, HEAP_BASE + object,
	};

	mark_from(test, gs, words, ARRAY_SIZE(words));
	KUNIT_EXPECT_EQ(test, marks(gs), 1);
}

static void list_is_followed_to_its_end(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t last = bare_heap_alloc(test, gs, 16, false);
	unsigned long i, word;

	for (i = 1; i < DEEP; i++) {
		size_t node = bare_heap_alloc(test, gs, 16, false);

		point(gs, node + i % 2 * 8, last);
		last = node;
	}
	word = HEAP_BASE + last;
	mark_from(test, gs, &word, 1);
	KUNIT_EXPECT_EQ(test, marks(gs), DEEP);
}

/* Both sons of a node wait in the queue, and their sons: it grows. */
static void tree_is_followed_to_its_leaves(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned long i, nr = (1UL << 14) - 1, word;
	size_t *nodes = kunit_kcalloc(test, nr, sizeof(*nodes), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, nodes);
	for (i = nr; i--; ) {
		nodes[i] = bare_heap_alloc(test, gs, 16, false);
		if (2 * i + 2 >= nr)
			continue;
		point(gs, nodes[i], nodes[2 * i + 1]);
		point(gs, nodes[i] + 8, nodes[2 * i + 2]);
	}
	word = HEAP_BASE + nodes[0];
	mark_from(test, gs, &word, 1);
	KUNIT_EXPECT_EQ(test, marks(gs), nr);
}

/* Many times what one page of the queue holds, from one object. */
static void wide_object_is_followed_to_all_it_points_to(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t wide = bare_heap_alloc(test, gs, SIZE_CLASS_MAX, false), i;
	unsigned long word = HEAP_BASE + wide;

	for (i = 0; i < SIZE_CLASS_MAX; i += 8)
		point(gs, wide + i, bare_heap_alloc(test, gs, 16, false));
	mark_from(test, gs, &word, 1);
	KUNIT_EXPECT_EQ(test, marks(gs), 1 + SIZE_CLASS_MAX / 8);
}

static void many_roots_are_marked_before_any_is_followed(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	unsigned long *roots, i, nr = 5000;

	roots = kunit_kcalloc(test, nr, sizeof(*roots), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, roots);
	for (i = 0; i < nr; i++) {
		size_t son = bare_heap_alloc(test, gs, 32, false);
		size_t root = bare_heap_alloc(test, gs, 16, false);

		point(gs, root, son);
		roots[i] = HEAP_BASE + root;
	}
	mark_from(test, gs, roots, nr);
	KUNIT_EXPECT_EQ(test, marks(gs), 2 * nr);
}

static void cycles_end(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t self = bare_heap_alloc(test, gs, 16, false);
	size_t one = bare_heap_alloc(test, gs, 32, false);
	size_t other = bare_heap_alloc(test, gs, SZ_64K, false);

	point(gs, self, self);
	point(gs, one, other);
	point(gs, other + SZ_64K - 8, one + 8);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + self), 1);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + one), 2);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + other), 2);
}

static void pointers_without_scan_are_not_followed(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t small = bare_heap_alloc(test, gs, 64, true);
	size_t large = bare_heap_alloc(test, gs, SZ_64K, true);
	size_t son = bare_heap_alloc(test, gs, 64, false);

	point(gs, small, son);
	point(gs, large, son);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + small), 1);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + large), 1);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + son), 1);
}

static void each_word_of_an_object_is_followed(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t son = bare_heap_alloc(test, gs, 16, false);
	unsigned int c;

	for (c = 0; c < SIZE_CLASS_COUNT; c++) {
		size_t size = size_classes[c].object_size, i;
		size_t father = bare_heap_alloc(test, gs, size, false);

		for (i = 0; i < size; i += size > 512 ? 256 - 8 : 8) {
			point(gs, father + i, son);
			KUNIT_ASSERT_EQ(test, keeps(test, gs, HEAP_BASE +
						    father), 2);
			*bare_heap_word(gs, father + i) = 0;
		}
		point(gs, father + size - 8, son);
		KUNIT_ASSERT_EQ(test, keeps(test, gs, HEAP_BASE + father), 2);
	}
}

/* Over the boundary of chunks, where the pages are not in one array. */
static void each_page_of_a_large_object_is_followed(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t large = bare_heap_alloc(test, gs, 1100 * PAGE_SIZE, false);
	unsigned long page, word = HEAP_BASE + large + 7 * PAGE_SIZE;

	for (page = 0; page < 1100; page++) {
		size_t offset = large + page * PAGE_SIZE;

		point(gs, offset, bare_heap_alloc(test, gs, 16, false));
		point(gs, offset + PAGE_SIZE - 8,
		      bare_heap_alloc(test, gs, 16, false));
	}
	mark_from(test, gs, &word, 1);
	KUNIT_EXPECT_EQ(test, marks(gs), 1 + 2 * 1100);
}

static void objects_of_owned_slabs_are_followed(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t son = bare_heap_alloc(test, gs, 16, false);
	struct gc_slab *slab;
	LIST_HEAD(owned);

	slab = gc_slab_take(gs, 5, false, &owned, &owned);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, slab);
	point(gs, slab->offset + 2 * slab->object_size, son);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + slab->offset +
				    2 * slab->object_size), 2);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + slab->offset), 1);
}

static void random_graphs_are_marked_as_the_reference_does(struct kunit *test)
{
	u64 seed;

	for (seed = 1; seed <= 8; seed++) {
		struct graph *graph = graph_new(test, seed);

		mark_from(test, graph->gs, graph->roots, GRAPH_ROOTS);
		graph_check_marks(test, graph);
		bare_heap_sweep_all(graph->gs);
		/* What lives is found alive again. */
		mark_from(test, graph->gs, graph->roots, GRAPH_ROOTS);
		KUNIT_ASSERT_EQ(test, marks(graph->gs), graph->nr_reached);
	}
}

/* A part of @m's queue is looked at by another marker, as in crew.c. */
static void help(struct kunit *test, struct gc_marker *m)
{
	struct gc_segments parts = {};
	struct mark_segment *part;
	struct gc_marker helper;

	KUNIT_ASSERT_TRUE(test, gc_marker_stock(m, GC_LASTING_SEGMENTS + 1));
	part = gc_marker_split(m);
	if (!part)
		return;
	gc_segments_push(&parts, part);
	gc_marker_join(&helper, m->gs, m->base, &parts, &m->spare);
	gc_mark_some(&helper, GC_LASTING_WORDS);
	KUNIT_EXPECT_FALSE(test, helper.overflowed);
	gc_marker_leave(&helper, &m->more);
	m->marked += helper.marked;
	gc_segments_move(&helper.spare, &m->spare, UINT_MAX);
}

/* Parts of a queue go to and fro all the time; returns bytes marked. */
static u64 mark_with_help(struct kunit *test, struct gc_slabs *gs,
			  const unsigned long *words, size_t nr, unsigned long part)
{
	struct gc_marker m;
	u64 marked;

	KUNIT_ASSERT_EQ(test, gc_marker_init(&m, gs, HEAP_BASE), 0);
	gc_mark_words(&m, words, nr);
	m.shared = true;
	help(test, &m);
	while (gc_mark_some(&m, part))
		help(test, &m);
	m.shared = false;
	marked = m.marked;
	KUNIT_EXPECT_EQ(test, gc_mark_drain(&m), 0);
	KUNIT_EXPECT_EQ(test, m.marked, marked);
	gc_marker_destroy(&m);
	return marked;
}

static void several_markers_mark_what_one_does(struct kunit *test)
{
	u64 seed;

	for (seed = 1; seed <= 8; seed++) {
		struct graph *graph = graph_new(test, seed);
		u64 marked = mark_with_help(test, graph->gs, graph->roots,
					    GRAPH_ROOTS, seed * 100);

		graph_check_marks(test, graph);
		KUNIT_EXPECT_EQ(test, marked, bare_heap_marked_bytes(graph->gs));
	}
}

/*
 * So many objects, of all sizes, hang on the last page of a large one that others may have
 * the first pages of; and each word of the last piece leads to an object.
 */
static void spare_segments_last_for_what_they_are_to(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	const size_t size = 2 * PAGE_SIZE, words = size / sizeof(long);
	size_t large[4], i;
	unsigned long roots[4];
	u64 marked;

	for (i = 0; i < ARRAY_SIZE(large); i++) {
		large[i] = bare_heap_alloc(test, gs, i % 2 ? size : 6 * size, false);
		roots[i] = HEAP_BASE + large[i];
	}
	for (i = 0; i < ARRAY_SIZE(large) * words; i++)
		point(gs, large[i / words] + i % words * sizeof(long),
		      bare_heap_alloc(test, gs, i % 3 ? 16 : 48, false));
	marked = mark_with_help(test, gs, roots, ARRAY_SIZE(roots), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, marks(gs), ARRAY_SIZE(large) * (words + 1));
	KUNIT_EXPECT_EQ(test, marked, bare_heap_marked_bytes(gs));
}

static void unmark_forgets_all(struct kunit *test)
{
	struct graph *graph = graph_new(test, 7);
	unsigned int i;

	mark_from(test, graph->gs, graph->roots, GRAPH_ROOTS);
	gc_slabs_unmark(graph->gs);
	KUNIT_EXPECT_EQ(test, marks(graph->gs), 0);
	for (i = 0; i < GRAPH_NODES; i++) {
		size_t offset = graph->nodes[i].offset;

		KUNIT_ASSERT_FALSE(test, bare_heap_is_marked(graph->gs,
							     offset));
	}
	mark_from(test, graph->gs, graph->roots, GRAPH_ROOTS);
	graph_check_marks(test, graph);
}

/* The caller of a marking from this word is killed before it is done. */
static void mark_killed(struct kunit *test, struct gc_slabs *gs,
			unsigned long word)
{
	struct gc_marker marker;

	KUNIT_ASSERT_EQ(test, gc_marker_init(&marker, gs, HEAP_BASE), 0);
	gc_mark_words(&marker, &word, 1);
	caller_is_killed();
	KUNIT_EXPECT_EQ(test, gc_mark_drain(&marker), -EINTR);
	caller_lives_on();
	/* What he has left is for whoever goes on. */
	KUNIT_EXPECT_EQ(test, gc_mark_drain(&marker), 0);
	KUNIT_EXPECT_FALSE(test, gc_mark_some(&marker, 1));
	gc_marker_destroy(&marker);
	gc_slabs_unmark(gs);
}

static void killed_caller_gets_eintr(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, BARE_HEAP_PAGES);
	size_t large = bare_heap_alloc(test, gs, SZ_2M, false);

	point(gs, large + SZ_2M - 8, bare_heap_alloc(test, gs, 16, false));
	mark_killed(test, gs, HEAP_BASE + large);
	KUNIT_EXPECT_EQ(test, keeps(test, gs, HEAP_BASE + large), 2);
}

/* Which are looked at one by one, and are no less work for that */
static void killed_caller_gets_eintr_in_a_list_of_the_smallest(struct kunit *test)
{
	struct gc_slabs *gs = bare_heap_new(test, SZ_1M >> PAGE_SHIFT);
	size_t first = bare_heap_alloc(test, gs, 8, false), last = first, next;
	int i;

	for (i = 0; i < 70000; i++) {
		next = bare_heap_alloc(test, gs, 8, false);
		point(gs, last, next);
		last = next;
	}
	mark_killed(test, gs, HEAP_BASE + first);
}

static struct kunit_case mark_cases[] = {
	KUNIT_CASE(each_byte_of_an_object_keeps_it),
	KUNIT_CASE(bytes_beside_an_object_do_not_keep_it),
	KUNIT_CASE(address_behind_an_object_keeps_it_on_a_stack),
	KUNIT_CASE(address_between_two_objects_keeps_both_on_a_stack),
	KUNIT_CASE(address_behind_a_large_object_keeps_it_on_a_stack),
	KUNIT_CASE(address_behind_the_whole_heap_keeps_its_last_object),
	KUNIT_CASE(address_behind_nothing_keeps_nothing),
	KUNIT_CASE(words_outside_of_the_heap_keep_nothing),
	KUNIT_CASE(address_of_the_heap_keeps_nothing),
	KUNIT_CASE(words_keep_nothing_in_an_empty_heap),
	KUNIT_CASE(free_slots_and_the_tail_are_no_objects),
	KUNIT_CASE(swept_objects_are_not_kept_again),
	KUNIT_CASE(object_is_marked_once),
	KUNIT_CASE(list_is_followed_to_its_end),
	KUNIT_CASE(tree_is_followed_to_its_leaves),
	KUNIT_CASE(wide_object_is_followed_to_all_it_points_to),
	KUNIT_CASE(many_roots_are_marked_before_any_is_followed),
	KUNIT_CASE(cycles_end),
	KUNIT_CASE(pointers_without_scan_are_not_followed),
	KUNIT_CASE(each_word_of_an_object_is_followed),
	KUNIT_CASE(each_page_of_a_large_object_is_followed),
	KUNIT_CASE(objects_of_owned_slabs_are_followed),
	KUNIT_CASE(random_graphs_are_marked_as_the_reference_does),
	KUNIT_CASE(several_markers_mark_what_one_does),
	KUNIT_CASE(spare_segments_last_for_what_they_are_to),
	KUNIT_CASE(unmark_forgets_all),
	KUNIT_CASE(killed_caller_gets_eintr),
	KUNIT_CASE(killed_caller_gets_eintr_in_a_list_of_the_smallest),
	{}
};

static struct kunit_suite mark_suite = {
	.name = "gcheap_mark",
	.test_cases = mark_cases,
};

kunit_test_suite(mark_suite);
