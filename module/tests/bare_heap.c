// SPDX-License-Identifier: GPL-2.0
/* See bare_heap.h. */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "bare_heap.h"

KUNIT_DEFINE_ACTION_WRAPPER(heap_end, gc_slabs_destroy, struct gc_slabs *);

/**
 * bare_heap_new() - an empty heap
 * @test: case that it belongs to
 * @limit_pages: hard size
 *
 * Return: the heap.
 */
struct gc_slabs *bare_heap_new(struct kunit *test, unsigned long limit_pages)
{
	struct gc_slabs *gs = kunit_kzalloc(test, sizeof(*gs), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, gs);
	KUNIT_ASSERT_EQ(test, gc_slabs_init(gs, limit_pages, NULL), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, heap_end, gs), 0);
	return gs;
}

/**
 * bare_heap_alloc() - allocate an object, which must succeed
 * @test: case
 * @gs: heap
 * @bytes: size
 * @noscan: it holds no pointers
 *
 * Return: its offset.
 */
size_t bare_heap_alloc(struct kunit *test, struct gc_slabs *gs, size_t bytes,
		       bool noscan)
{
	long offset = gc_slab_alloc_object(gs, bytes, noscan);

	KUNIT_ASSERT_GE_MSG(test, offset, 0, "allocating %zu bytes", bytes);
	return offset;
}

/**
 * bare_heap_slab() - the slab of a slot
 * @gs: heap
 * @offset: of any byte of the slot
 *
 * Return: the slab, or NULL when there is no slot.
 */
struct gc_slab *bare_heap_slab(struct gc_slabs *gs, size_t offset)
{
	u32 index;

	return gc_slab_find(gs, offset, &index);
}

/**
 * bare_heap_word() - a word of the heap, through the direct map
 * @gs: heap
 * @offset: of the word, in a slab
 *
 * Return: where the kernel sees it.
 */
unsigned long *bare_heap_word(struct gc_slabs *gs, size_t offset)
{
	struct page *page = gc_pages_page(&gs->pages, offset >> PAGE_SHIFT);

	return page_address(page) + offset_in_page(offset);
}

/* As many of @bytes as lie on the page of @offset. */
static size_t bytes_on_page(size_t offset, size_t bytes)
{
	return min(bytes, PAGE_SIZE - offset_in_page(offset));
}

/**
 * bare_heap_fill() - write to the heap as a program would
 * @gs: heap
 * @offset: of the first byte, in a slab
 * @bytes: how many
 * @value: of each byte
 */
void bare_heap_fill(struct gc_slabs *gs, size_t offset, size_t bytes, u8 value)
{
	while (bytes) {
		size_t part = bytes_on_page(offset, bytes);

		memset(bare_heap_word(gs, offset), value, part);
		offset += part;
		bytes -= part;
	}
}

/**
 * bare_heap_holds() - whether each byte has a value
 * @gs: heap
 * @offset: of the first byte, in a slab
 * @bytes: how many
 * @value: what it should be
 *
 * Return: true when all have.
 */
bool bare_heap_holds(struct gc_slabs *gs, size_t offset, size_t bytes, u8 value)
{
	while (bytes) {
		size_t part = bytes_on_page(offset, bytes);

		if (memchr_inv(bare_heap_word(gs, offset), value, part))
			return false;
		offset += part;
		bytes -= part;
	}
	return true;
}

/**
 * bare_heap_mark() - mark an object as the marker would
 * @gs: heap
 * @offset: of the object
 */
void bare_heap_mark(struct gc_slabs *gs, size_t offset)
{
	u32 index;
	struct gc_slab *slab = gc_slab_find(gs, offset, &index);

	__set_bit(index, gc_slab_mark_bits(slab));
}

/**
 * bare_heap_is_marked() - whether an object is marked
 * @gs: heap
 * @offset: of any byte of it
 *
 * Return: true when it is.
 */
bool bare_heap_is_marked(struct gc_slabs *gs, size_t offset)
{
	u32 index;
	struct gc_slab *slab = gc_slab_find(gs, offset, &index);

	return slab && test_bit(index, gc_slab_mark_bits(slab));
}

static void add_marked(struct gc_slab *slab, void *arg)
{
	u64 *bytes = arg;

	*bytes += (u64)bitmap_weight(gc_slab_mark_bits(slab), slab->slots) *
		  slab->object_size;
}

/**
 * bare_heap_marked_bytes() - what is marked, for gc_slabs_marked()
 * @gs: heap
 *
 * Return: bytes.
 */
u64 bare_heap_marked_bytes(struct gc_slabs *gs)
{
	u64 bytes = 0;

	gc_slabs_visit(gs, add_marked, &bytes);
	return bytes;
}

/**
 * bare_heap_marked() - end a marking, without a recall
 * @gs: heap
 */
void bare_heap_marked(struct gc_slabs *gs)
{
	gc_slabs_marked(gs, bare_heap_marked_bytes(gs), false);
	gc_slabs_recalled(gs);
}

/**
 * bare_heap_release() - give memory back
 * @gs: heap
 * @pages: at most so many
 * @looks: slabs looked at, at most
 *
 * Return: how many pages were given back.
 */
unsigned long bare_heap_release(struct gc_slabs *gs, unsigned long pages,
				unsigned int looks)
{
	const struct gc_release most = {
		.pages = pages,
		.unmaps = ULONG_MAX,
		.looks = looks,
		.before = U64_MAX,
	};

	return gc_slabs_release(gs, &most);
}

/**
 * bare_heap_sweep_all() - end a marking, and leave nothing to sweep
 * @gs: heap
 */
void bare_heap_sweep_all(struct gc_slabs *gs)
{
	bare_heap_marked(gs);
	while (gc_slabs_sweep(gs, 64))
		;
}

/**
 * caller_is_killed() - have the core believe that its caller is being killed
 *
 * A case runs in a kernel thread, which stays alive.
 */
void caller_is_killed(void)
{
	allow_signal(SIGKILL);
	send_sig(SIGKILL, current, 1);
}

/**
 * caller_lives_on() - undo caller_is_killed()
 */
void caller_lives_on(void)
{
	flush_signals(current);
	disallow_signal(SIGKILL);
}
