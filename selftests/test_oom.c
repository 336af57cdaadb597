// SPDX-License-Identifier: GPL-2.0
/* A heap that is full says so, harms nobody, and works on when there is room. */
#include "common.h"
#include "group.h"

#define HEAP_SIZE	(4 * MIB)

/* The debug kernel takes sixty times as long to fill it. */
static size_t group_max(void)
{
	return on_debug_kernel() ? 16 * MIB : 64 * MIB;
}

struct link {
	struct link *next;
};

/* Keeps all objects; what cannot be kept is not in it. */
static struct link *volatile chain;

FIXTURE(oom) {
	struct gcheap *heap;
	size_t size;
};

FIXTURE_VARIANT(oom) {
	int percent;
	size_t object_size;
};

FIXTURE_VARIANT_ADD(oom, with_collections) {
	.percent = 100, .object_size = 1000,
};

FIXTURE_VARIANT_ADD(oom, without_collections) {
	.percent = -1, .object_size = 1000,
};

FIXTURE_VARIANT_ADD(oom, with_large_objects) {
	.percent = 100, .object_size = 100000,
};

FIXTURE_VARIANT_ADD(oom, with_tiny_objects) {
	.percent = 100, .object_size = 8,
};

/* The debug kernel takes long for each object, however small it is. */
FIXTURE_SETUP(oom)
{
	struct gcheap_options options = { .percent = variant->percent };

	self->size = on_debug_kernel() ? HEAP_SIZE / 2 : HEAP_SIZE;
	options.size = self->size;
	self->heap = gcheap_open(&options);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(oom)
{
	gcheap_close(self->heap);
}

/* Bytes that could be kept */
apart size_t keep_until_full(struct gcheap *heap, size_t size)
{
	size_t bytes = 0;
	struct link *link;

	while ((link = gcheap_alloc(heap, size))) {
		must(all_zero(link, size));
		link->next = chain;
		chain = link;
		bytes += size;
	}
	return bytes;
}

static void drop_chain(void *arg)
{
	(void)arg;
	chain = NULL;
}

TEST_F(oom, a_full_heap_refuses_and_works_on_when_emptied)
{
	size_t bytes, again;
	int round;

	bytes = keep_until_full(self->heap, variant->object_size);
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_GE(self->size, bytes);
	EXPECT_LT(self->size / 2, bytes);
	EXPECT_EQ(NULL, gcheap_alloc(self->heap, variant->object_size));
	EXPECT_EQ(ENOMEM, errno);
	for (round = 0; round < 3; round++) {
		in_thread(drop_chain, NULL);
		again = keep_until_full(self->heap, variant->object_size);
		EXPECT_EQ(ENOMEM, errno);
		EXPECT_LE(bytes / 10 * 9, again);
	}
}

/* Objects of one size take over the room of those of another. */
TEST_F(oom, room_can_be_used_for_other_sizes)
{
	const size_t sizes[] = { variant->object_size, 100000, 5000, 48, 32768, 16 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_LT(self->size / 2, keep_until_full(self->heap, sizes[i])) {
			TH_LOG("%zu bytes", sizes[i]);
		}
		in_thread(drop_chain, NULL);
	}
}

TEST_F(oom, garbage_is_collected_before_anything_is_refused)
{
	long count = 5 * self->size / variant->object_size;

	while (count--)
		ASSERT_NE(NULL, gcheap_alloc(self->heap, variant->object_size));
}

/* Each holds slabs that the others could use. */
static void *run_dropper(void *heap)
{
	long i;

	for (i = 0; i < 20000; i++)
		must(gcheap_alloc(heap, i % 10 * 100 + 1));
	return NULL;
}

TEST_F(oom, threads_do_not_starve_each_other)
{
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, run_dropper, self->heap));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
}

TEST_F(oom, an_object_larger_than_the_heap_is_refused)
{
	const size_t sizes[] = {
		self->size + 1, 2 * self->size, 1ul << 40, 1ul << 62, SIZE_MAX - 4095,
		SIZE_MAX,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		errno = 0;
		EXPECT_EQ(NULL, gcheap_alloc(self->heap, sizes[i]));
		EXPECT_EQ(ENOMEM, errno);
		errno = 0;
		EXPECT_EQ(NULL, gcheap_alloc_noscan(self->heap, sizes[i]));
		EXPECT_EQ(ENOMEM, errno);
	}
	EXPECT_NE(NULL, gcheap_alloc(self->heap, variant->object_size));
}

FIXTURE(full) {
	struct gcheap *heap;
	size_t wanted;
};

FIXTURE_VARIANT(full) {
	bool large;
};

FIXTURE_VARIANT_ADD(full, small) {
	.large = false,
};

FIXTURE_VARIANT_ADD(full, large) {
	.large = true,
};

/* Of many objects, so that a collection takes much longer than a refusal */
static size_t node_size(void)
{
	return on_debug_kernel() ? 512 : 16;
}

static void fill_up(void *heap)
{
	keep_until_full(heap, node_size());
}

FIXTURE_SETUP(full)
{
	const struct gcheap_options options = { .size = HEAP_SIZE };

	self->heap = gcheap_open(&options);
	ASSERT_NE(NULL, self->heap);
	self->wanted = variant->large ? MIB : node_size();
	in_thread(fill_up, self->heap);
}

FIXTURE_TEARDOWN(full)
{
	in_thread(drop_chain, NULL);
	gcheap_close(self->heap);
}

struct failures {
	struct gcheap *heap;
	size_t wanted;
	int count;
};

static void fail_often(void *arg)
{
	const struct failures *failures = arg;
	int i;

	for (i = 0; i < failures->count; i++)
		must(!gcheap_alloc(failures->heap, failures->wanted) && errno == ENOMEM);
}

static uint64_t collections_of(struct failures failures)
{
	uint64_t before = stats_of(failures.heap).num_gc;

	in_thread(fail_often, &failures);
	return stats_of(failures.heap).num_gc - before;
}

/* When it was in vain a few times, collecting takes no more than half of the time. */
TEST_F(full, does_not_collect_for_each_refusal)
{
	struct failures failures = { self->heap, self->wanted, 50 };

	EXPECT_GE(25, collections_of(failures));
	failures.count = 1000;
	EXPECT_GE(100, collections_of(failures));
}

static void alloc_once(void *arg)
{
	const struct failures *failures = arg;

	must(gcheap_alloc(failures->heap, failures->wanted));
}

TEST_F(full, works_at_once_when_emptied_after_three_refusals)
{
	struct failures failures = { self->heap, self->wanted, 3 };

	in_thread(fail_often, &failures);
	in_thread(drop_chain, NULL);
	in_thread(alloc_once, &failures);
}

TEST_F(full, works_when_emptied_and_collected_after_many_refusals)
{
	struct failures failures = { self->heap, self->wanted, scaled(1000) };

	in_thread(fail_often, &failures);
	in_thread(drop_chain, NULL);
	collect(self->heap);
	in_thread(alloc_once, &failures);
}

static void alloc_until_it_works(void *arg)
{
	const struct failures *failures = arg;

	while (!gcheap_alloc(failures->heap, failures->wanted))
		must(errno == ENOMEM);
}

TEST_F(full, works_when_emptied_for_who_goes_on_trying)
{
	struct failures failures = { self->heap, self->wanted, scaled(1000) };
	uint64_t before;

	in_thread(fail_often, &failures);
	in_thread(drop_chain, NULL);
	before = stats_of(self->heap).num_gc;
	in_thread(alloc_until_it_works, &failures);
	EXPECT_GE(before + 2, stats_of(self->heap).num_gc);
}

/* What one asks for in vain does not keep others from what there is. */
static void drop_much_between_refusals(void *heap)
{
	int i;

	for (i = 0; i < scaled(1000); i++) {
		must(!gcheap_alloc(heap, HEAP_SIZE - 4096) && errno == ENOMEM);
		must(gcheap_alloc_noscan(heap, 10000));
	}
}

TEST(one_who_asks_for_too_much_does_not_starve_the_others)
{
	const struct gcheap_options options = { .size = HEAP_SIZE };
	struct gcheap *heap = gcheap_open(&options);
	struct link *link;
	int i;

	ASSERT_NE(NULL, heap);
	for (i = 0; i < MIB / node_size(); i++) {
		link = gcheap_alloc(heap, node_size());
		ASSERT_NE(NULL, link);
		link->next = chain;
		chain = link;
	}
	in_thread(drop_much_between_refusals, heap);
	in_thread(drop_chain, NULL);
	gcheap_close(heap);
}

static void fill_group(size_t object_size)
{
	struct gcheap *heap;
	size_t bytes;
	int round;

	group_enter();
	heap = gcheap_open(NULL);
	must(heap);
	for (round = 0; round < (on_debug_kernel() ? 2 : 3); round++) {
		bytes = keep_until_full(heap, object_size);
		must(errno == ENOMEM);
		must(bytes > group_max() / 4 && bytes < group_max());
		in_thread(drop_chain, NULL);
	}
	must(gcheap_alloc(heap, object_size));
	_exit(KSFT_PASS);
}

FIXTURE(cgroup) {
};

FIXTURE_VARIANT(cgroup) {
	size_t object_size;
};

FIXTURE_VARIANT_ADD(cgroup, of_small_objects) {
	.object_size = 1000,
};

FIXTURE_VARIANT_ADD(cgroup, of_large_objects) {
	.object_size = 100000,
};

FIXTURE_SETUP(cgroup)
{
}

FIXTURE_TEARDOWN(cgroup)
{
}

TEST_F(cgroup, when_full_refuses_and_kills_nobody)
{
	pid_t pid;

	if (!group_make("memory.max", group_max()))
		SKIP(return, "no memory cgroup at /sys/fs/cgroup");
	pid = fork_child();
	if (!pid)
		fill_group(variant->object_size);
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_EQ(0, group_events("oom_kill"));
	EXPECT_TRUE(group_remove());
}

TEST_HARNESS_MAIN
