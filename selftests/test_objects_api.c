// SPDX-License-Identifier: GPL-2.0
/* Ways to ask for objects: by number, at round addresses, as copies; and of which heap. */
#include "common.h"

#include <sys/mman.h>
#include <sys/resource.h>

#define HEAP_SIZE	(64 * MIB)

FIXTURE(objects) {
	struct gcheap *heap;
};

FIXTURE_SETUP(objects)
{
	self->heap = open_manual(HEAP_SIZE);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(objects)
{
	gcheap_close(self->heap);
}

static bool is_noscan(struct gcheap *heap, const void *object)
{
	struct gcheap_ioc_object known = {
		.size = sizeof(known), .address = (uintptr_t)object,
	};

	gcheap_thread_release(heap);
	must(!call(gcheap_fd(heap), GCHEAP_IOC_OBJECT, &known));
	return known.flags & GCHEAP_NOSCAN;
}

typedef void *(*array_fn)(struct gcheap *heap, size_t count, size_t size);

static const struct {
	array_fn alloc;
	bool noscan;
} arrays[] = {
	{ gcheap_calloc, false },
	{ gcheap_alloc_array, false },
	{ gcheap_alloc_array_noscan, true },
};

TEST_F(objects, an_array_has_room_for_all_its_elements)
{
	static const size_t shapes[][2] = {
		{ 0, 0 }, { 0, 8 }, { 8, 0 }, { 1, 1 }, { 3, 5 }, { 100, 24 }, { 24, 100 },
		{ 1, MIB }, { MIB, 1 }, { 1000, 1000 },
	};
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(arrays); i++)
		for (j = 0; j < ARRAY_SIZE(shapes); j++) {
			const size_t bytes = shapes[j][0] * shapes[j][1];
			char *array = arrays[i].alloc(self->heap, shapes[j][0], shapes[j][1]);

			ASSERT_NE(NULL, array);
			EXPECT_LE(bytes, gcheap_usable_size(self->heap, array));
			EXPECT_TRUE(all_zero(array, bytes));
			EXPECT_EQ(arrays[i].noscan, is_noscan(self->heap, array));
			memset(array, 0xff, bytes);
		}
}

/* Where a product of 64 bits would be small */
TEST_F(objects, an_array_larger_than_memory_is_enomem)
{
	static const size_t shapes[][2] = {
		{ SIZE_MAX, 2 }, { 2, SIZE_MAX }, { SIZE_MAX, SIZE_MAX },
		{ SIZE_MAX / 2 + 1, 2 }, { 1ul << 32, 1ul << 32 },
		{ (1ul << 32) + 1, 1ul << 32 }, { SIZE_MAX / 8 + 2, 8 },
		/* No overflow, but more than the heap has */
		{ SIZE_MAX, 1 }, { HEAP_SIZE, 1 }, { 1, 2 * HEAP_SIZE },
	};
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(arrays); i++)
		for (j = 0; j < ARRAY_SIZE(shapes); j++) {
			errno = 0;
			EXPECT_EQ(NULL, arrays[i].alloc(self->heap, shapes[j][0],
							shapes[j][1]));
			EXPECT_EQ(ENOMEM, errno);
		}
}

#define MANY	3000

TEST_F(objects, many_are_as_many_as_were_asked_for)
{
	static void *many[MANY + 1];
	size_t i, j;

	for (i = 0; i < 2; i++) {
		many[MANY] = &many;
		ASSERT_EQ(MANY, i ? gcheap_alloc_many_noscan(self->heap, 40, many, MANY) :
				    gcheap_alloc_many(self->heap, 40, many, MANY));
		EXPECT_EQ(&many, many[MANY]);
		for (j = 0; j < MANY; j++) {
			ASSERT_TRUE(all_zero(many[j], 48));
			ASSERT_EQ(many[j], gcheap_base(self->heap, many[j]));
			fill(many[j], 48, j);
		}
		collect(self->heap);
		for (j = 0; j < MANY; j++)
			ASSERT_TRUE(filled(many[j], 48, j));
		EXPECT_EQ(i, is_noscan(self->heap, many[7]));
	}
	EXPECT_EQ(0, gcheap_alloc_many(self->heap, 40, NULL, 0));
}

TEST_F(objects, many_that_are_too_many_are_as_many_as_there_is_room_for)
{
	static void *many[100];
	size_t n;

	errno = 0;
	n = gcheap_alloc_many(self->heap, HEAP_SIZE / 10, many, ARRAY_SIZE(many));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_LT(5, n);
	EXPECT_GT(10, n);
	EXPECT_EQ(many[n - 1], gcheap_base(self->heap, many[n - 1]));
	EXPECT_EQ(NULL, many[n]);
}

TEST_F(objects, a_copy_of_a_string_is_its_own)
{
	char text[300];
	size_t length;

	for (length = 0; length < sizeof(text); length += 1 + length / 10) {
		char *copy;

		memset(text, 'x', length);
		text[length] = '\0';
		copy = gcheap_strdup(self->heap, text);
		ASSERT_NE(NULL, copy);
		EXPECT_EQ(0, strcmp(text, copy));
		EXPECT_TRUE(is_noscan(self->heap, copy));
		EXPECT_LT(length, gcheap_usable_size(self->heap, copy));
		text[0] = 'y';
		EXPECT_NE('y', copy[0]);
	}
}

TEST_F(objects, a_copy_of_a_beginning_reads_no_further)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	char *copy;

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, mprotect(page + 4096, 4096, PROT_NONE));
	memset(page, 'x', 4096);
	copy = gcheap_strndup(self->heap, page + 4090, 6);
	ASSERT_NE(NULL, copy);
	EXPECT_EQ(0, strcmp("xxxxxx", copy));
	copy = gcheap_strndup(self->heap, page + 4096, 0);
	ASSERT_NE(NULL, copy);
	EXPECT_EQ('\0', *copy);
	copy = gcheap_strndup(self->heap, "short", SIZE_MAX);
	ASSERT_NE(NULL, copy);
	EXPECT_EQ(0, strcmp("short", copy));
	ASSERT_EQ(0, munmap(page, 8192));
}

/* Each alignment with sizes around those where something else serves it */
#define for_each_shape(alignment, size)							\
	for ((alignment) = 1; (alignment) <= MIB; (alignment) *= 2)			\
		for ((size) = 0; (size) <= 3 * MIB; (size) += (size) < 40 ? 3 : (size) * 5 / 3)

TEST_F(objects, aligned_memory_is_aligned_and_there)
{
	size_t alignment, size, i;

	for (i = 0; i < 2; i++)
		for_each_shape(alignment, size) {
			char *p = i ? gcheap_memalign_noscan(self->heap, alignment, size) :
				      gcheap_memalign(self->heap, alignment, size);
			char *base;

			ASSERT_NE(NULL, p) {
				TH_LOG("%zu bytes at a multiple of %zu", size, alignment);
			}
			ASSERT_EQ(0, (uintptr_t)p % alignment);
			base = gcheap_base(self->heap, p);
			ASSERT_NE(NULL, base);
			ASSERT_LE(p + size, base + gcheap_usable_size(self->heap, p));
			if (alignment <= 4096)
				ASSERT_EQ(base, p);
			ASSERT_TRUE(all_zero(p, size));
			ASSERT_EQ(i, is_noscan(self->heap, p));
			memset(p, 0xff, size);
			ASSERT_EQ(0, gcheap_free(self->heap, base));
		}
}

TEST_F(objects, an_alignment_that_is_no_power_of_two_is_einval)
{
	static const size_t wrong[] = { 0, 3, 6, 24, 4095, 4097, SIZE_MAX, MIB + 1 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		errno = 0;
		EXPECT_EQ(NULL, gcheap_memalign(self->heap, wrong[i], 16));
		EXPECT_EQ(EINVAL, errno);
	}
}

TEST_F(objects, an_aligned_object_larger_than_memory_is_enomem)
{
	static const size_t shapes[][2] = {
		{ 64, SIZE_MAX }, { MIB, SIZE_MAX }, { MIB, SIZE_MAX - MIB + 8192 },
		{ 1ul << 63, 1 }, { 1ul << 63, SIZE_MAX }, { 4096, HEAP_SIZE },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		errno = 0;
		EXPECT_EQ(NULL, gcheap_memalign(self->heap, shapes[i][0], shapes[i][1]));
		EXPECT_EQ(ENOMEM, errno);
	}
}

TEST_F(objects, the_address_of_an_aligned_object_keeps_it)
{
	static char *volatile kept[2];

	kept[0] = gcheap_memalign(self->heap, 256, 200);
	kept[1] = gcheap_memalign(self->heap, MIB, 5000);
	ASSERT_NE(NULL, kept[0]);
	ASSERT_NE(NULL, kept[1]);
	fill(kept[0], 200, 1);
	fill(kept[1], 5000, 2);
	collect(self->heap);
	churn(self->heap, 256);
	churn(self->heap, 5000);
	EXPECT_TRUE(filled(kept[0], 200, 1));
	EXPECT_TRUE(filled(kept[1], 5000, 2));
}

static void *ask_for_default(void *go)
{
	while (!atomic_load((atomic_bool *)go))
		sched_yield();
	return gcheap_default();
}

/* In a process of its own, which has none yet */
static void ask_in_threads(void)
{
	pthread_t threads[8];
	atomic_bool go = false;
	void *first, *heap;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(threads); i++)
		must(!pthread_create(&threads[i], NULL, ask_for_default, &go));
	atomic_store(&go, true);
	first = gcheap_default();
	must(first && gcheap_alloc(first, 10));
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		must(!pthread_join(threads[i], &heap));
		must(heap == first);
	}
	_exit(0);
}

TEST(all_threads_have_one_default_heap)
{
	long times = repeated(30);

	while (times--) {
		pid_t child = fork_child();

		if (!child)
			ask_in_threads();
		ASSERT_TRUE(child_succeeded(child));
	}
}

TEST(a_child_goes_on_with_the_default_heap)
{
	struct gcheap *heap = gcheap_default();
	char *volatile object;
	pid_t child;

	ASSERT_NE(NULL, heap);
	object = gcheap_alloc(heap, 100);
	ASSERT_NE(NULL, object);
	child = fork_child();
	if (!child) {
		must(gcheap_default() == heap);
		must(gcheap_alloc(heap, 100));
		memcpy(object, "from the child", 15);
		_exit(0);
	}
	ASSERT_TRUE(child_succeeded(child));
	EXPECT_EQ(0, strcmp("from the child", object));
}

TEST(a_default_heap_that_was_closed_is_opened_anew)
{
	struct gcheap *heap = gcheap_default();

	ASSERT_NE(NULL, heap);
	gcheap_close(heap);
	heap = gcheap_default();
	ASSERT_NE(NULL, heap);
	EXPECT_NE(NULL, gcheap_alloc(heap, 100));
	EXPECT_EQ(heap, gcheap_default());
	gcheap_close(heap);
}

TEST(a_default_heap_that_cannot_be_had_is_tried_again)
{
	struct rlimit old, none;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	none = old;
	none.rlim_cur = 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	errno = 0;
	EXPECT_EQ(NULL, gcheap_default());
	EXPECT_EQ(EMFILE, errno);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	EXPECT_NE(NULL, gcheap_default());
}

TEST_HARNESS_MAIN
