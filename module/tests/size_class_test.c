// SPDX-License-Identifier: GPL-2.0
/*
 * What the table of size classes promises, for every size and every byte: the
 * table is small enough to leave nothing to examples.
 */
#include <kunit/test.h>
#include <linux/gcheap.h>
#include <linux/math.h>
#include <linux/mm.h>

#include "size_class.h"

static size_t slab_bytes(const struct size_class *class)
{
	return class->pages * PAGE_SIZE;
}

static u32 size_for(size_t bytes)
{
	return size_classes[size_class_of(bytes)].object_size;
}

static void each_size_fits_into_its_class(struct kunit *test)
{
	size_t bytes;

	for (bytes = 1; bytes <= SIZE_CLASS_MAX; bytes++) {
		KUNIT_ASSERT_LT(test, size_class_of(bytes), SIZE_CLASS_COUNT);
		KUNIT_ASSERT_GE(test, size_for(bytes), bytes);
	}
}

static void no_smaller_class_would_do(struct kunit *test)
{
	size_t bytes;

	for (bytes = 1; bytes <= SIZE_CLASS_MAX; bytes++) {
		unsigned int i = size_class_of(bytes);

		if (i)
			KUNIT_ASSERT_LT(test, size_classes[i - 1].object_size,
					bytes);
	}
}

static void up_to_128_bytes_the_next_multiple_of_16(struct kunit *test)
{
	size_t bytes;

	for (bytes = 1; bytes <= 8; bytes++)
		KUNIT_ASSERT_EQ(test, size_for(bytes), 8);
	for (; bytes <= 128; bytes++)
		KUNIT_ASSERT_EQ(test, size_for(bytes), round_up(bytes, 16));
}

static void above_rounding_loses_an_eighth_at_most(struct kunit *test)
{
	size_t bytes;

	for (bytes = 129; bytes <= SIZE_CLASS_MAX; bytes++)
		KUNIT_ASSERT_LE(test, 8 * (size_for(bytes) - bytes), bytes);
}

static void classes_ascend_to_the_largest(struct kunit *test)
{
	unsigned int i;

	for (i = 1; i < SIZE_CLASS_COUNT; i++)
		KUNIT_ASSERT_GT(test, size_classes[i].object_size,
				size_classes[i - 1].object_size);
	KUNIT_EXPECT_EQ(test, size_classes[i - 1].object_size, SIZE_CLASS_MAX);
}

static void sizes_keep_objects_aligned_to_16(struct kunit *test)
{
	unsigned int i;

	KUNIT_EXPECT_EQ(test, size_classes[0].object_size, 8);
	for (i = 1; i < SIZE_CLASS_COUNT; i++)
		KUNIT_ASSERT_EQ(test, size_classes[i].object_size % 16, 0);
}

static void slots_fill_the_slab_but_for_3_percent(struct kunit *test)
{
	const struct size_class *class = size_classes;

	for (; class < size_classes + SIZE_CLASS_COUNT; class++) {
		size_t slots = (size_t)class->slots * class->object_size;
		size_t tail = slab_bytes(class) - slots;

		KUNIT_ASSERT_LE(test, slots, slab_bytes(class));
		KUNIT_ASSERT_LT(test, tail, class->object_size);
		KUNIT_ASSERT_LE(test, 100 * tail, 3 * slab_bytes(class));
	}
}

/* Two slots, as a slab with one would pass for a large object. */
static void slab_has_2_slots_to_what_the_abi_allows(struct kunit *test)
{
	const struct size_class *class = size_classes;

	for (; class < size_classes + SIZE_CLASS_COUNT; class++) {
		KUNIT_ASSERT_GE(test, class->slots, 2);
		KUNIT_ASSERT_LE(test, class->slots, GCHEAP_SLAB_SLOTS);
	}
}

static void slab_takes_64_kib_at_most(struct kunit *test)
{
	const struct size_class *class = size_classes;

	for (; class < size_classes + SIZE_CLASS_COUNT; class++)
		KUNIT_ASSERT_LE(test, slab_bytes(class), SZ_64K);
}

static void magic_divides_each_offset_in_the_slab(struct kunit *test)
{
	const struct size_class *class = size_classes;

	for (; class < size_classes + SIZE_CLASS_COUNT; class++) {
		size_t offset, wrong = 0;

		for (offset = 0; offset < slab_bytes(class); offset++)
			wrong += (offset * class->magic) >> 32 !=
				 offset / class->object_size;
		KUNIT_EXPECT_EQ_MSG(test, wrong, 0, "size %u",
				    class->object_size);
	}
}

static struct kunit_case size_class_cases[] = {
	KUNIT_CASE(each_size_fits_into_its_class),
	KUNIT_CASE(no_smaller_class_would_do),
	KUNIT_CASE(up_to_128_bytes_the_next_multiple_of_16),
	KUNIT_CASE(above_rounding_loses_an_eighth_at_most),
	KUNIT_CASE(classes_ascend_to_the_largest),
	KUNIT_CASE(sizes_keep_objects_aligned_to_16),
	KUNIT_CASE(slots_fill_the_slab_but_for_3_percent),
	KUNIT_CASE(slab_has_2_slots_to_what_the_abi_allows),
	KUNIT_CASE(slab_takes_64_kib_at_most),
	KUNIT_CASE(magic_divides_each_offset_in_the_slab),
	{}
};

static struct kunit_suite size_class_suite = {
	.name = "gcheap_size_class",
	.test_cases = size_class_cases,
};

kunit_test_suite(size_class_suite);
