// SPDX-License-Identifier: GPL-2.0
/* A heap that is full says so, harms nobody, and works on when there is room. */
#include <sys/stat.h>

#include "common.h"

#define HEAP_SIZE	(4 * MIB)
#define GROUP		"/sys/fs/cgroup/gcheap-test"

/* The debug kernel takes ten times as long to fill it. */
static size_t group_max(void)
{
	return on_debug_kernel() ? 32 * MIB : 64 * MIB;
}

struct link {
	struct link *next;
};

/* Keeps all objects; what cannot be kept is not in it. */
static struct link *volatile chain;

FIXTURE(oom) {
	struct gcheap *heap;
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

FIXTURE_SETUP(oom)
{
	const struct gcheap_options options = {
		.size = HEAP_SIZE, .percent = variant->percent,
	};

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
	EXPECT_GE(HEAP_SIZE, bytes);
	EXPECT_LT(HEAP_SIZE / 2, bytes);
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
	static const size_t sizes[] = { 16, 100000, 5000, 48, 32768, 8 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_LT(HEAP_SIZE / 2, keep_until_full(self->heap, sizes[i])) {
			TH_LOG("%zu bytes", sizes[i]);
		}
		in_thread(drop_chain, NULL);
	}
}

TEST_F(oom, garbage_is_collected_before_anything_is_refused)
{
	long count = 5 * HEAP_SIZE / variant->object_size;

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
	static const size_t sizes[] = {
		HEAP_SIZE + 1, 2 * HEAP_SIZE, 1ul << 40, 1ul << 62, SIZE_MAX - 4095,
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

/* A memory cgroup of our own, below the root */
static bool write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return written;
}

static bool make_group(void)
{
	char max[32];

	snprintf(max, sizeof(max), "%lu", group_max());
	write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0700) && errno != EEXIST)
		return false;
	write_to(GROUP "/memory.swap.max", "0");
	return write_to(GROUP "/memory.max", max);
}

static bool killed_for_memory(void)
{
	char text[512] = "";
	int fd = open(GROUP "/memory.events", O_RDONLY | O_CLOEXEC);
	char *line;

	must(fd >= 0);
	must(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	line = strstr(text, "oom_kill ");
	return line && atol(line + strlen("oom_kill "));
}

static void fill_group(size_t object_size)
{
	struct gcheap *heap;
	size_t bytes;
	int round;

	must(write_to(GROUP "/cgroup.procs", "0"));
	heap = gcheap_open(NULL);
	must(heap);
	for (round = 0; round < 3; round++) {
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

	if (!make_group())
		SKIP(return, "no memory cgroup at /sys/fs/cgroup");
	pid = fork_child();
	if (!pid)
		fill_group(variant->object_size);
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_FALSE(killed_for_memory());
	while (rmdir(GROUP) && errno == EBUSY)
		sched_yield();
}

TEST_HARNESS_MAIN
