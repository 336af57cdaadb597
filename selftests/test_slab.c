// SPDX-License-Identifier: GPL-2.0
/* How objects are cut: rounding, alignment, and always zero. */
#include "common.h"

#define SMALL_MAX	32768

FIXTURE(slab) {
	struct gcheap *heap;
};

FIXTURE_SETUP(slab)
{
	self->heap = gcheap_open(NULL);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(slab)
{
	gcheap_close(self->heap);
}

/* Up to 128 bytes the size is fixed, above that its upper bound. */
static bool rounds_well(size_t size, size_t usable)
{
	if (size <= 8)
		return usable == 8;
	if (size <= 128)
		return usable == (size + 15) / 16 * 16;
	return usable >= size && (usable - size) * 8 <= usable;
}

static bool aligned_well(size_t size, const void *object)
{
	return !((uintptr_t)object % (size <= 8 ? 8 : 16));
}

TEST_F(slab, every_size_is_rounded_little_and_aligned)
{
	size_t size;

	/* On the debug kernel not all of the larger ones: each is slow there. */
	for (size = 1; size <= SMALL_MAX; size += on_debug_kernel() && size > 300 ? 7 : 1) {
		char *object = gcheap_alloc(self->heap, size);

		ASSERT_NE(NULL, object);
		ASSERT_TRUE(aligned_well(size, object));
		ASSERT_TRUE(rounds_well(size, gcheap_usable_size(self->heap, object))) {
			TH_LOG("%zu bytes take %zu", size,
			       gcheap_usable_size(self->heap, object));
		}
		ASSERT_EQ(object, gcheap_base(self->heap, object + size - 1));
	}
}

TEST_F(slab, the_kernel_rounds_and_aligns_likewise)
{
	size_t size;

	for (size = 1; size <= SMALL_MAX; size += size < 300 ? 1 : 97) {
		struct gcheap_ioc_alloc request = { .size = sizeof(request), .bytes = size };

		ASSERT_EQ(0, call(gcheap_fd(self->heap), GCHEAP_IOC_ALLOC, &request));
		ASSERT_TRUE(rounds_well(size, request.usable));
		ASSERT_TRUE(aligned_well(size, (void *)request.address));
		ASSERT_TRUE(all_zero((void *)request.address, request.usable));
	}
}

TEST_F(slab, a_size_of_nothing_is_one_byte)
{
	void *object = gcheap_alloc(self->heap, 0);

	ASSERT_NE(NULL, object);
	EXPECT_EQ(8, gcheap_usable_size(self->heap, object));
	object = gcheap_alloc_noscan(self->heap, 0);
	ASSERT_NE(NULL, object);
	EXPECT_EQ(8, gcheap_usable_size(self->heap, object));
}

TEST_F(slab, no_class_loses_much_to_its_tail)
{
	struct gcheap_class_info classes[128] = {};
	struct gcheap_ioc_info info = {
		.size = sizeof(info),
		.classes = (uintptr_t)classes,
		.class_capacity = ARRAY_SIZE(classes),
	};
	uint32_t i, previous = 0;

	ASSERT_EQ(0, call(gcheap_fd(self->heap), GCHEAP_IOC_INFO, &info));
	ASSERT_GE(ARRAY_SIZE(classes), info.class_count);
	EXPECT_EQ(SMALL_MAX, info.max_small);
	EXPECT_EQ(8, classes[0].object_size);
	EXPECT_EQ(SMALL_MAX, classes[info.class_count - 1].object_size);
	for (i = 0; i < info.class_count; i++) {
		const struct gcheap_class_info *class = &classes[i];
		uint32_t used = class->slots * class->object_size;

		EXPECT_LT(previous, class->object_size);
		EXPECT_GE(GCHEAP_SLAB_SLOTS, class->slots);
		EXPECT_LE(used, class->slab_size);
		EXPECT_LE((class->slab_size - used) * 100, class->slab_size * 3);
		EXPECT_EQ(0, class->slab_size % info.page_size);
		EXPECT_EQ(0, class->reserved);
		previous = class->object_size;
	}
	EXPECT_EQ(0, classes[i].object_size);
}

TEST_F(slab, large_objects_are_whole_pages)
{
	static const size_t sizes[] = {
		32769, 40000, 65536, 100001, MIB, 2 * MIB + 1, 5000000, 64 * MIB,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *object = gcheap_alloc(self->heap, sizes[i]);
		size_t usable = gcheap_usable_size(self->heap, object);

		ASSERT_NE(NULL, object);
		EXPECT_EQ(0, (uintptr_t)object % 4096);
		EXPECT_EQ((sizes[i] + 4095) / 4096 * 4096, usable);
		EXPECT_TRUE(all_zero(object, usable));
		EXPECT_EQ(object, gcheap_base(self->heap, object + sizes[i] / 2));
		memset(object, 0xa5, usable);
	}
}

/* Memory that was used before, and is zero again */
struct reuse {
	struct gcheap *heap;
	void *(*alloc)(struct gcheap *heap, size_t size);
	size_t size;
	long count;
};

apart void check_and_dirty(void *arg)
{
	const struct reuse *reuse = arg;
	long i;

	for (i = 0; i < reuse->count; i++) {
		char *object = reuse->alloc(reuse->heap, reuse->size);
		size_t usable;

		must(object);
		must(all_zero(object, reuse->size));
		usable = i % 64 ? reuse->size : gcheap_usable_size(reuse->heap, object);
		memset(object, 0xff, usable);
	}
}

static const size_t reused_sizes[] = {
	1, 8, 16, 40, 112, 128, 129, 600, 1024, 3000, 4096, 9000, 20000, 32768,
	32769, 100000, MIB,
};

static long count_of(size_t size)
{
	const long most = scaled(200000);
	long count = scaled(4 * MIB) / size;

	if (count > most)
		return most;
	return count < 4 ? 4 : count;
}

/* Collections happen by themselves on the way, too: the memory is not enough. */
static void reuse_all_sizes(struct gcheap *heap, void *(*alloc)(struct gcheap *, size_t))
{
	size_t i;
	int round;

	for (i = 0; i < ARRAY_SIZE(reused_sizes); i++) {
		struct reuse reuse = { heap, alloc, reused_sizes[i], 0 };

		reuse.count = count_of(reuse.size);
		for (round = 0; round < 3; round++) {
			in_thread(check_and_dirty, &reuse);
			collect(heap);
		}
	}
}

TEST_F(slab, memory_is_zero_again_when_it_is_reused)
{
	reuse_all_sizes(self->heap, gcheap_alloc);
	/* So it was reused. */
	EXPECT_GT(32 * MIB, stats_of(self->heap).heap_sys);
}

TEST_F(slab, memory_without_pointers_is_zero_again_when_it_is_reused)
{
	reuse_all_sizes(self->heap, gcheap_alloc_noscan);
	EXPECT_GT(32 * MIB, stats_of(self->heap).heap_sys);
}

/* No two objects share a byte. */
TEST_F(slab, objects_do_not_overlap)
{
	long count = scaled(20000), i;
	char **objects = gcheap_alloc(self->heap, count * sizeof(*objects));

	ASSERT_NE(NULL, objects);
	for (i = 0; i < count; i++) {
		objects[i] = gcheap_alloc(self->heap, i * 37 % 5000 + 1);
		ASSERT_NE(NULL, objects[i]);
		fill(objects[i], i * 37 % 5000 + 1, i);
	}
	for (i = 0; i < count; i++)
		ASSERT_TRUE(filled(objects[i], i * 37 % 5000 + 1, i));
}

TEST_F(slab, an_address_leads_to_its_object_alone)
{
	char *object = gcheap_alloc(self->heap, 100);
	char *large = gcheap_alloc(self->heap, 100000);

	ASSERT_NE(NULL, object);
	ASSERT_NE(NULL, large);
	EXPECT_EQ(object, gcheap_base(self->heap, object));
	EXPECT_EQ(object, gcheap_base(self->heap, object + 111));
	EXPECT_NE(object, gcheap_base(self->heap, object + 112));
	EXPECT_NE(object, gcheap_base(self->heap, object - 1));
	EXPECT_EQ(large, gcheap_base(self->heap, large + 99999));
	EXPECT_EQ(NULL, gcheap_base(self->heap, NULL));
	EXPECT_EQ(NULL, gcheap_base(self->heap, &object));
	EXPECT_EQ(NULL, gcheap_base(self->heap, (void *)-1));
	EXPECT_EQ(0, gcheap_usable_size(self->heap, &object));
}

/* What the kernel says of an address, and of what it is the library's part to say */
static bool is_as_the_kernel_says(struct gcheap *heap, char *object)
{
	struct gcheap_ioc_object known = {
		.size = sizeof(known), .address = (uintptr_t)object + 3,
	};

	must(!call(gcheap_fd(heap), GCHEAP_IOC_OBJECT, &known));
	return known.start == (uintptr_t)object && gcheap_base(heap, object) == object &&
	       gcheap_base(heap, object + known.usable - 1) == object &&
	       gcheap_usable_size(heap, object) == known.usable;
}

/* A slab has many of both of the first sizes. */
static void look_without_a_call(struct gcheap *heap)
{
	static const size_t sizes[] = { 16, 32, 8, 112, 528, 1024, 32768 };
	char *objects[ARRAY_SIZE(sizes)][2], *more;
	size_t i;

	for (i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		char *object = i % 2 ? gcheap_alloc_noscan(heap, sizes[i / 2]) :
				       gcheap_alloc(heap, sizes[i / 2]);

		must(object && is_as_the_kernel_says(heap, object));
		objects[i / 2][i % 2] = object;
	}
	allow_only(SYS_exit_group);
	for (i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		char *object = objects[i / 2][i % 2];
		size_t size = sizes[i / 2];

		if (gcheap_usable_size(heap, object + 1) != size ||
		    gcheap_base(heap, object + size - 1) != object ||
		    gcheap_realloc(heap, object, size - 1) != object)
			_exit(1 + i);
	}
	more = gcheap_realloc(heap, objects[0][0], 32);
	if (more == objects[0][0] || gcheap_usable_size(heap, more) != 32)
		_exit(100);
	_exit(0);
}

TEST_F(slab, what_was_just_allocated_is_known_without_a_system_call)
{
	pid_t pid = fork_child();

	if (!pid)
		look_without_a_call(self->heap);
	EXPECT_EQ(0, await_child(pid));
}

/* Other slabs in the place of those that this thread once had */
struct successors {
	struct gcheap *heap;
	char *objects[4000];
	size_t size;
};

apart void drop_many(void *arg)
{
	const struct successors *s = arg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(s->objects); i++)
		must(gcheap_alloc(s->heap, s->size));
}

static void *keep_many(void *arg)
{
	struct successors *s = arg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(s->objects); i++) {
		s->objects[i] = gcheap_alloc(s->heap, s->size);
		must(s->objects[i]);
	}
	return NULL;
}

TEST_F(slab, an_object_in_the_place_of_another_size_is_known_for_what_it_is)
{
	static const size_t sizes[] = { 16, 208, 1000, 40, 3000 };
	static struct successors s;
	pthread_t thread;
	size_t i, round;

	s.heap = self->heap;
	for (round = 0; round + 1 < ARRAY_SIZE(sizes); round++) {
		s.size = sizes[round];
		drop_many(&s);
		ASSERT_EQ(0, gcheap_collect(self->heap));
		s.size = sizes[round + 1];
		must(!pthread_create(&thread, NULL, keep_many, &s));
		must(!pthread_join(thread, NULL));
		for (i = 0; i < ARRAY_SIZE(s.objects); i += 16)
			ASSERT_TRUE(is_as_the_kernel_says(self->heap, s.objects[i]));
		memset(s.objects, 0, sizeof(s.objects));
	}
}

/* gcheap_realloc() */
TEST_F(slab, realloc_keeps_content_and_zeroes_the_rest)
{
	unsigned char *object = gcheap_realloc(self->heap, NULL, 100), *grown;

	ASSERT_NE(NULL, object);
	memset(object, 0x5a, 112);
	EXPECT_EQ(object, gcheap_realloc(self->heap, object, 112));
	grown = gcheap_realloc(self->heap, object, 50000);
	ASSERT_NE(NULL, grown);
	EXPECT_NE(object, grown);
	EXPECT_EQ(0x5a, grown[0]);
	EXPECT_EQ(0x5a, grown[111]);
	EXPECT_TRUE(all_zero(grown + 112, 50000 - 112));
	EXPECT_EQ(0x5a, object[111]);
	object = gcheap_realloc(self->heap, grown, 10);
	ASSERT_NE(NULL, object);
	EXPECT_NE(grown, object);
	EXPECT_EQ(0x5a, object[9]);
}

/* From one size to another within one slot, and back */
struct resizing {
	void *(*alloc)(struct gcheap *heap, size_t size);
	size_t size;
	size_t less;
};

static const struct resizing resizings[] = {
	{ gcheap_alloc, 8, 1 },
	{ gcheap_alloc, 64, 0 },
	{ gcheap_alloc, 112, 80 },
	{ gcheap_alloc_noscan, 112, 57 },
	{ gcheap_alloc, 32768, 20001 },
	{ gcheap_alloc, 100000, 60000 },
	{ gcheap_alloc_noscan, 100000, 60001 },
};

TEST_F(slab, realloc_that_shrinks_in_place_clears_the_tail)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(resizings); i++) {
		const struct resizing *r = &resizings[i];
		char *object = r->alloc(self->heap, r->size);
		size_t usable = gcheap_usable_size(self->heap, object);
		size_t least = r->less ? r->less : 1;

		ASSERT_NE(NULL, object);
		memset(object, 0x5a, usable);
		ASSERT_EQ(object, gcheap_realloc(self->heap, object, r->less));
		EXPECT_TRUE(all_zero(object + least, usable - least));
		ASSERT_EQ(object, gcheap_realloc(self->heap, object, usable));
		EXPECT_TRUE(all_zero(object + least, usable - least));
		EXPECT_EQ(0x5a, object[least - 1]);
		memset(object, 0xa5, usable);
		ASSERT_EQ(object, gcheap_realloc(self->heap, object, usable));
		EXPECT_EQ((char)0xa5, object[usable - 1]);
	}
}

/* An array of pointers, in its last element the only one to an object */
apart void shrink_array(void *arg)
{
	struct hidden *hidden = arg;
	void **array = gcheap_alloc(hidden->heap, 112);

	must(array);
	array[13] = gcheap_alloc(hidden->heap, hidden->size);
	must(array[13]);
	hidden->object = hide(array[13]);
	must(gcheap_realloc(hidden->heap, array, 104) == array);
	*(void **)hidden->seed = array;
}

TEST_F(slab, realloc_that_shrinks_in_place_drops_what_was_in_the_tail)
{
	static void *array;
	struct hidden hidden = {
		.heap = self->heap, .size = 200, .seed = (uintptr_t)&array,
	};

	in_thread(shrink_array, &hidden);
	collect(self->heap);
	EXPECT_FALSE(is_allocated(self->heap, hidden.object));
	EXPECT_EQ(array, gcheap_base(self->heap, array));
	array = NULL;
}

TEST_F(slab, realloc_refuses_what_is_no_object)
{
	char *object = gcheap_alloc(self->heap, 100);

	ASSERT_NE(NULL, object);
	EXPECT_EQ(NULL, gcheap_realloc(self->heap, object + 8, 200));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(NULL, gcheap_realloc(self->heap, &object, 200));
	EXPECT_EQ(EINVAL, errno);
}

TEST_HARNESS_MAIN
