// SPDX-License-Identifier: GPL-2.0
/* All objects of a heap, each once, and nothing else. */
#include "common.h"

#define HEAP_SIZE	(64 * MIB)
#define OBJECTS		6000

FIXTURE(walk) {
	struct gcheap *heap;
	/* What was allocated, by ascending address, and how often it was met */
	void **objects;
	unsigned int *met;
	size_t nr;
	size_t others;
	size_t last;
};

FIXTURE_SETUP(walk)
{
	self->heap = open_manual(HEAP_SIZE);
	ASSERT_NE(NULL, self->heap);
	/* A range of roots: malloc's memory is none. */
	self->objects = calloc(OBJECTS, sizeof(*self->objects));
	self->met = calloc(OBJECTS, sizeof(*self->met));
	ASSERT_NE(NULL, self->objects);
	ASSERT_NE(NULL, self->met);
	ASSERT_EQ(0, gcheap_root_add(self->heap, self->objects,
				     OBJECTS * sizeof(*self->objects)));
}

FIXTURE_TEARDOWN(walk)
{
	gcheap_close(self->heap);
	free(self->objects);
	free(self->met);
}

static size_t size_at(size_t i)
{
	static const size_t sizes[] = { 8, 16, 40, 100, 1000, 9000 };

	return i % 500 ? sizes[i % ARRAY_SIZE(sizes)] : 100000;
}

static int by_address(const void *a, const void *b)
{
	const char *left = *(char *const *)a, *right = *(char *const *)b;

	return left < right ? -1 : left > right;
}

static void allocate(FIXTURE_DATA(walk) *self, size_t nr)
{
	for (; self->nr < nr; self->nr++) {
		self->objects[self->nr] = gcheap_alloc(self->heap, size_at(self->nr));
		must(self->objects[self->nr]);
	}
	qsort(self->objects, self->nr, sizeof(*self->objects), by_address);
}

static int note(void *object, size_t size, void *arg)
{
	FIXTURE_DATA(walk) *self = arg;
	void **found;

	/* Ascending, and one behind the other */
	must((uintptr_t)object >= self->last);
	self->last = (uintptr_t)object + size;
	found = bsearch(&object, self->objects, self->nr, sizeof(object), by_address);
	if (found)
		self->met[found - self->objects]++;
	else
		self->others++;
	return 0;
}

/* But for the one that open_manual() has left */
static bool meets_each_once(FIXTURE_DATA(walk) *self, size_t others)
{
	size_t i;

	memset(self->met, 0, OBJECTS * sizeof(*self->met));
	self->others = 0;
	self->last = 0;
	must(!gcheap_walk(self->heap, note, self));
	for (i = 0; i < self->nr; i++)
		if (self->met[i] != 1)
			return false;
	return self->others == others;
}

TEST_F(walk, meets_each_object_once)
{
	size_t nr;

	for (nr = 0; nr <= OBJECTS; nr = nr ? 3 * nr : 1) {
		allocate(self, nr);
		ASSERT_TRUE(meets_each_once(self, 1)) {
			TH_LOG("%zu objects", nr);
		}
	}
}

TEST_F(walk, meets_no_garbage_after_a_collection)
{
	allocate(self, 1000);
	churn(self->heap, 100);
	collect(self->heap);
	EXPECT_TRUE(meets_each_once(self, 0));
}

TEST_F(walk, meets_nothing_that_was_freed)
{
	size_t i;

	allocate(self, OBJECTS);
	for (i = 0; i < OBJECTS / 2; i++) {
		ASSERT_EQ(0, gcheap_free(self->heap, self->objects[2 * i + 1]));
		self->objects[i] = self->objects[2 * i];
	}
	self->nr = OBJECTS / 2;
	EXPECT_TRUE(meets_each_once(self, 1));
}

static int see_zero(void *object, size_t size, void *arg)
{
	must(all_zero(object, size));
	++*(size_t *)arg;
	return 0;
}

TEST_F(walk, tells_an_objects_size)
{
	struct gcheap *heap = open_manual(HEAP_SIZE);
	size_t count = 0, i;

	for (i = 1; i <= 40000; i += i / 5 + 1)
		ASSERT_NE(NULL, gcheap_alloc(heap, i));
	ASSERT_EQ(0, gcheap_walk(heap, see_zero, &count));
	EXPECT_LT(40, count);
	gcheap_close(heap);
}

static int stop_at(void *object, size_t size, void *arg)
{
	(void)object;
	(void)size;
	return !--*(int *)arg ? 17 : 0;
}

TEST_F(walk, ends_when_it_is_told)
{
	int left = 100;

	allocate(self, 200);
	EXPECT_EQ(17, gcheap_walk(self->heap, stop_at, &left));
	EXPECT_EQ(0, left);
	/* And collections come again. */
	EXPECT_EQ(0, gcheap_collect(self->heap));
}

static int change_all(void *object, size_t size, void *arg)
{
	struct gcheap *heap = arg;

	must(gcheap_collect(heap) && errno == EAGAIN);
	must(gcheap_alloc(heap, size));
	if (size == 8)
		must(!gcheap_free(heap, object));
	return 0;
}

TEST_F(walk, may_allocate_and_free)
{
	allocate(self, 300);
	ASSERT_EQ(0, gcheap_walk(self->heap, change_all, self->heap));
	EXPECT_EQ(0, gcheap_collect(self->heap));
}

TEST_F(walk, a_call_gives_no_more_than_there_is_room_for)
{
	struct gcheap_walked walked[3];
	struct gcheap_ioc_walk request = {
		.size = sizeof(request),
		.capacity = 2,
		.objects = (uintptr_t)walked,
	};
	size_t count = 0;
	int fd = gcheap_fd(self->heap);

	allocate(self, 101);
	gcheap_thread_release(self->heap);
	do {
		memset(walked, 0xff, sizeof(walked));
		ASSERT_EQ(0, call(fd, GCHEAP_IOC_WALK, &request));
		ASSERT_GE(2, request.count);
		EXPECT_EQ(~0ull, walked[2].start);
		count += request.count;
	} while (request.cursor);
	EXPECT_EQ(102, count);
	request.cursor = HEAP_SIZE;
	EXPECT_EQ(0, call(fd, GCHEAP_IOC_WALK, &request));
	EXPECT_EQ(0, request.count);
	request.cursor = HEAP_SIZE + 1;
	EXPECT_EQ(EINVAL, call(fd, GCHEAP_IOC_WALK, &request));
	request.cursor = ~0ull;
	EXPECT_EQ(EINVAL, call(fd, GCHEAP_IOC_WALK, &request));
	request.cursor = 0;
	request.capacity = 0;
	EXPECT_EQ(EINVAL, call(fd, GCHEAP_IOC_WALK, &request));
	request.capacity = GCHEAP_WALK_MAX + 1;
	EXPECT_EQ(EINVAL, call(fd, GCHEAP_IOC_WALK, &request));
	request.capacity = 1;
	request.objects = 16;
	EXPECT_EQ(EFAULT, call(fd, GCHEAP_IOC_WALK, &request));
}

TEST_HARNESS_MAIN
