// SPDX-License-Identifier: GPL-2.0
/* A program that drops what it allocates stays small, without ever freeing. */
#include "common.h"

/* What Go allows itself before the first collection, times the default growth */
#define HEAP_ALLOC_MAX	MIB
#define HEAP_SYS_MAX	(64 * MIB)

FIXTURE(bounded) {
	struct gcheap *heap;
	struct gcheap_stats before;
	uint64_t sys_max;
};

FIXTURE_SETUP(bounded)
{
	self->heap = gcheap_open(NULL);
	ASSERT_NE(NULL, self->heap);
	self->before = stats_of(self->heap);
}

FIXTURE_TEARDOWN(bounded)
{
	gcheap_close(self->heap);
}

FIXTURE_VARIANT(bounded) {
	void *(*alloc)(struct gcheap *heap, size_t size);
	size_t size;
	long count;
};

FIXTURE_VARIANT_ADD(bounded, a_million_of_1024_bytes) {
	.alloc = gcheap_alloc, .size = 1024, .count = 1000000,
};

FIXTURE_VARIANT_ADD(bounded, small_objects) {
	.alloc = gcheap_alloc, .size = 16, .count = 10000000,
};

FIXTURE_VARIANT_ADD(bounded, objects_without_pointers) {
	.alloc = gcheap_alloc_noscan, .size = 1024, .count = 200000,
};

FIXTURE_VARIANT_ADD(bounded, largest_of_slabs) {
	.alloc = gcheap_alloc, .size = 32768, .count = 10000,
};

FIXTURE_VARIANT_ADD(bounded, large_objects) {
	.alloc = gcheap_alloc, .size = 100000, .count = 3000,
};

apart void drop_many(struct gcheap *heap, const FIXTURE_VARIANT(bounded) *variant, long count)
{
	while (count--) {
		char *object = variant->alloc(heap, variant->size);

		must(object);
		must(!object[0] && !object[variant->size - 1]);
		object[0] = 1;
		object[variant->size - 1] = 1;
	}
}

TEST_F(bounded, what_is_dropped_does_not_pile_up)
{
	long count = scaled(variant->count), part = count / 50, i;
	struct gcheap_stats after;

	for (i = 0; i < count; i += part) {
		drop_many(self->heap, variant, part);
		after = stats_of(self->heap);
		if (after.heap_sys > self->sys_max)
			self->sys_max = after.heap_sys;
	}
	EXPECT_EQ(0, after.num_forced_gc);
	EXPECT_LE(scaled(10), after.num_gc);
	collect(self->heap);
	after = stats_of(self->heap);
	EXPECT_GT(HEAP_ALLOC_MAX, after.heap_alloc);
	EXPECT_GE(HEAP_SYS_MAX, self->sys_max);
	EXPECT_LE(count * variant->size, after.total_alloc - self->before.total_alloc);
	EXPECT_LE(count, after.mallocs - self->before.mallocs);
}

struct dropper {
	struct gcheap *heap;
	const FIXTURE_VARIANT(bounded) *variant;
	long count;
};

static void *run_dropper(void *arg)
{
	const struct dropper *dropper = arg;

	drop_many(dropper->heap, dropper->variant, dropper->count);
	return NULL;
}

TEST_F(bounded, nor_what_four_threads_drop)
{
	struct dropper dropper = { self->heap, variant, scaled(variant->count) / 8 };
	struct gcheap_stats after;
	pthread_t threads[4];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, run_dropper, &dropper));
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	collect(self->heap);
	after = stats_of(self->heap);
	EXPECT_GT(HEAP_ALLOC_MAX, after.heap_alloc);
	EXPECT_GE(HEAP_SYS_MAX, after.heap_sys);
	EXPECT_LE(4 * dropper.count, after.mallocs - self->before.mallocs);
}

TEST_HARNESS_MAIN
