// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that fail under the library, before they have done their work or after it: it
 * must not go on with slabs that are not the thread's any more.
 */
#include "common.h"

#include <stdarg.h>

int __real_ioctl(int fd, unsigned long number, ...);

/* What the calling thread's next RELEASE of slabs says without having been made; 0: none */
static __thread int release_says;
/* Not before a REFILL that gave slabs back had no memory */
static __thread bool after_refill;
static __thread bool refill_had_none;
static __thread int refused;

static bool is_to_fail(unsigned long number, const void *arg)
{
	const struct gcheap_ioc_release *release = arg;

	return number == GCHEAP_IOC_RELEASE && release->nr_back && release_says &&
	       (!after_refill || refill_had_none);
}

/* The linker puts it before the C library's, see the Makefile. */
int __wrap_ioctl(int fd, unsigned long number, ...)
{
	const struct gcheap_ioc_refill *refill;
	va_list list;
	void *arg;
	int ret;

	va_start(list, number);
	arg = va_arg(list, void *);
	va_end(list);
	if (is_to_fail(number, arg)) {
		errno = release_says;
		release_says = 0;
		refused++;
		return -1;
	}
	ret = __real_ioctl(fd, number, arg);
	refill = arg;
	if (number == GCHEAP_IOC_REFILL && ret && errno == ENOMEM && refill->nr_back)
		refill_had_none = true;
	return ret;
}

/* An object of someone, and how large it is */
struct node {
	struct node *next;
	uint64_t owner;
};

static struct node *new_node(struct gcheap *heap, struct node *list, size_t size,
			     uint64_t owner)
{
	struct node *node = gcheap_alloc(heap, size);

	if (!node)
		return NULL;
	must(all_zero(node, size));
	*node = (struct node){ .next = list, .owner = owner };
	return node;
}

static bool is_owned(const struct node *list, uint64_t owner, long count)
{
	for (; list && list->owner == owner; list = list->next)
		count--;
	return !list && !count;
}

/* In a thread of its own, with a list of objects in @list, which is a root */
struct other {
	struct gcheap *heap;
	size_t size;
	long count;
	int says;
};

static struct node *list, *list_of_other;

/* All that can be had, or @count */
static void *run_other(void *arg)
{
	struct other *other = arg;
	struct node *node;
	long n;

	for (n = 0; n < other->count; n++) {
		node = new_node(other->heap, list_of_other, other->size, 2);
		if (!node)
			break;
		list_of_other = node;
	}
	other->count = n;
	release_says = other->says;
	return NULL;
}

static void let_other(struct other *other)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, run_other, other));
	must(!pthread_join(thread, NULL));
}

static long fill_heap(struct gcheap *heap, size_t size)
{
	struct node *node;
	long n;

	for (n = 0; (node = new_node(heap, list, size, 1)); n++)
		list = node;
	must(errno == ENOMEM);
	return n;
}

/* When all is dropped, the calling thread gets slabs again. */
static bool has_room_again(struct gcheap *heap, size_t size)
{
	long n;

	list = NULL;
	list_of_other = NULL;
	must(!gcheap_collect(heap));
	n = fill_heap(heap, size);
	list = NULL;
	return n;
}

static long with_other_size(struct gcheap *heap, const struct node *node, size_t size)
{
	long n = 0;

	for (; node; node = node->next)
		n += gcheap_usable_size(heap, node) != size;
	return n;
}

/* REFILL has taken slabs back, and nobody can say so. */
TEST(slabs_that_nobody_knows_the_owner_of_are_forgotten)
{
	struct gcheap *heap = open_manual(4 * MIB);
	struct other other = { .heap = heap, .size = 16, .count = 1000000 };

	ASSERT_NE(NULL, heap);
	after_refill = true;
	release_says = ENOMEM;
	fill_heap(heap, 64);
	after_refill = false;
	ASSERT_EQ(1, refused);
	list = NULL;
	ASSERT_EQ(0, gcheap_collect(heap));
	/* Smaller ones are where those have been. */
	let_other(&other);
	EXPECT_EQ(0, with_other_size(heap, list_of_other, 16));
	EXPECT_TRUE(is_owned(list_of_other, 2, other.count));
	EXPECT_TRUE(has_room_again(heap, 64));
	gcheap_close(heap);
}

/* COLLECT takes the slabs that could not be given back, and others get them. */
TEST(slabs_that_a_collection_has_taken_are_forgotten)
{
	struct gcheap *heap = open_manual(4 * MIB);
	struct other other = { .heap = heap, .size = 64, .count = 1000000 };
	struct node *node;
	long n = 0;

	ASSERT_NE(NULL, heap);
	for (; n < 10; n++)
		list = new_node(heap, list, 64, 1);
	release_says = EFAULT;
	ASSERT_EQ(0, gcheap_collect(heap));
	ASSERT_EQ(1, refused);
	let_other(&other);
	for (; (node = new_node(heap, list, 64, 1)); n++)
		list = node;
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_TRUE(is_owned(list, 1, n));
	EXPECT_TRUE(is_owned(list_of_other, 2, other.count));
	EXPECT_TRUE(has_room_again(heap, 64));
	gcheap_close(heap);
}

TEST(collection_without_memory_leaves_the_slabs_alone)
{
	struct gcheap *heap = open_manual(4 * MIB);
	struct node *node;
	long n = 0;

	ASSERT_NE(NULL, heap);
	for (; n < 10; n++)
		list = new_node(heap, list, 64, 1);
	release_says = ENOMEM;
	EXPECT_EQ(-1, gcheap_collect(heap));
	EXPECT_EQ(ENOMEM, errno);
	ASSERT_EQ(1, refused);
	for (; n < 1000; n++) {
		node = new_node(heap, list, 64, 1);
		ASSERT_NE(NULL, node);
		list = node;
	}
	EXPECT_TRUE(is_owned(list, 1, n));
	EXPECT_EQ(0, gcheap_collect(heap));
	EXPECT_TRUE(is_owned(list, 1, n));
	/* and that of open_manual() */
	EXPECT_EQ(n + 1, stats_of(heap).mallocs);
	list = NULL;
	gcheap_close(heap);
}

/* The kernel finds them when the thread is gone, whose cache others do not get. */
TEST(thread_that_ends_without_memory_leaves_nothing)
{
	struct gcheap *heap = open_manual(4 * MIB);
	struct other other;
	int i;

	ASSERT_NE(NULL, heap);
	for (i = 0; i < 10; i++) {
		list_of_other = NULL;
		other = (struct other){
			.heap = heap, .size = 64, .count = 100, .says = ENOMEM,
		};
		let_other(&other);
		ASSERT_EQ(100, other.count);
		EXPECT_TRUE(is_owned(list_of_other, 2, 100));
		ASSERT_EQ(0, gcheap_collect(heap));
		EXPECT_TRUE(is_owned(list_of_other, 2, 100));
	}
	list_of_other = NULL;
	ASSERT_EQ(0, gcheap_collect(heap));
	EXPECT_EQ(stats_of(heap).mallocs, stats_of(heap).frees);
	gcheap_close(heap);
}

TEST_HARNESS_MAIN
