// SPDX-License-Identifier: GPL-2.0
/*
 * A heap that nobody maps any more has no memory, though it has descriptors: nobody
 * would see whose it is.
 */
#include <sys/mman.h>

#include "common.h"
#include "machine.h"

#define HEAP_SIZE	(256 * MIB)
#define OBJECT_SIZE	MIB
#define RW		(PROT_READ | PROT_WRITE)

FIXTURE(unmapped) {
	int fd;
	char *base;
};

FIXTURE_SETUP(unmapped)
{
	self->fd = raw_open(HEAP_SIZE);
	self->base = raw_map(self->fd);
	ASSERT_NE(MAP_FAILED, (void *)self->base);
}

FIXTURE_TEARDOWN(unmapped)
{
	close(self->fd);
}

static struct gcheap_ioc_stats raw_stats(int fd)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };

	must(!ioctl(fd, GCHEAP_IOC_STATS, &stats));
	return stats;
}

static bool is_empty(const void *fd)
{
	return raw_stats(*(const int *)fd).heap_sys == 0;
}

static size_t filling(void)
{
	return on_debug_kernel() ? 64 * MIB : 200 * MIB;
}

/* Objects of which each keeps the one before it */
static void fill_heap(int fd)
{
	void **object, *next = NULL;
	size_t bytes;

	for (bytes = 0; bytes < filling(); bytes += OBJECT_SIZE) {
		object = raw_alloc(fd, OBJECT_SIZE);
		must(object);
		*object = next;
		next = object;
	}
}

static long used_at_most;

static bool memory_is_back(const void *unused)
{
	(void)unused;
	return used_memory() <= used_at_most;
}

TEST_F(unmapped, gives_its_memory_back)
{
	long before = used_memory();

	fill_heap(self->fd);
	used_at_most = before + filling() / 2;
	EXPECT_LT(used_at_most, used_memory());
	ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
	EXPECT_TRUE(comes_true(is_empty, &self->fd));
	EXPECT_TRUE(comes_true(memory_is_back, NULL));
}

TEST_F(unmapped, is_empty_when_it_is_mapped_again)
{
	struct gcheap_ioc_object object = { .size = sizeof(object) };
	struct gcheap_ioc_stats stats;
	void *volatile first = raw_alloc(self->fd, 100);
	int round;

	ASSERT_NE(NULL, first);
	object.address = (uintptr_t)first;
	for (round = 1; round <= 5; round++) {
		fill(first, 100, round);
		EXPECT_EQ(0, call(self->fd, GCHEAP_IOC_OBJECT, &object));
		ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
		ASSERT_EQ(self->base, raw_map(self->fd));
		object.flags = 0;
		EXPECT_EQ(ENOENT, call(self->fd, GCHEAP_IOC_OBJECT, &object));
		stats = raw_stats(self->fd);
		EXPECT_EQ(0, stats.heap_alloc);
		EXPECT_EQ(0, stats.heap_sys);
		EXPECT_EQ(round, stats.mallocs);
		EXPECT_EQ(round, stats.frees);
		EXPECT_EQ(first, raw_alloc(self->fd, 100));
		EXPECT_TRUE(all_zero(first, 100));
	}
	EXPECT_TRUE(works_on(self->fd));
}

TEST_F(unmapped, keeps_its_settings_and_counts)
{
	struct gcheap_ioc_config config = {
		.size = sizeof(config),
		.flags = GCHEAP_CONFIG_PERCENT | GCHEAP_CONFIG_LIMIT | GCHEAP_CONFIG_BEHAVIOUR,
		.percent = 70, .limit = 100 * MIB, .behaviour = GCHEAP_SCAN_ALL,
	};

	ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_CONFIG, &config));
	ASSERT_TRUE(works_on(self->fd));
	ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
	ASSERT_EQ(self->base, raw_map(self->fd));
	EXPECT_EQ(1, raw_stats(self->fd).num_gc);
	config.flags = 0;
	config.behaviour = 0;
	ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_CONFIG, &config));
	EXPECT_EQ(70, config.percent);
	EXPECT_EQ(100 * MIB, config.limit);
	EXPECT_EQ(GCHEAP_SCAN_ALL, config.behaviour);
	EXPECT_EQ(HEAP_SIZE, config.heap_size);
	EXPECT_TRUE(works_on(self->fd));
}

static _Atomic int threads_ready;

/* Threads have slabs of all sizes, and end later. */
static void *run_allocator(void *arg)
{
	struct gcheap *heap = *(struct gcheap **)arg;
	size_t size;

	for (size = 1; size < 100000; size += size / 4 + 1)
		must(gcheap_alloc(heap, size));
	threads_ready++;
	for (;;)
		pause();
	return NULL;
}

TEST(unmapped_by_a_program_whose_threads_had_slabs_it_is_empty)
{
	struct gcheap *heap = open_manual(HEAP_SIZE);
	struct gcheap_ioc_stats stats;
	pthread_t threads[3];
	int fd, i;

	ASSERT_NE(NULL, heap);
	fd = dup(gcheap_fd(heap));
	ASSERT_LE(0, fd);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, run_allocator, &heap));
	while (threads_ready < 3)
		sched_yield();
	gcheap_close(heap);
	EXPECT_TRUE(comes_true(is_empty, &fd));
	stats = raw_stats(fd);
	EXPECT_EQ(0, stats.heap_alloc);
	EXPECT_EQ(stats.mallocs, stats.frees);
	heap = gcheap_attach(fd);
	ASSERT_NE(NULL, heap);
	EXPECT_NE(NULL, gcheap_alloc(heap, 100));
	EXPECT_EQ(0, gcheap_collect(heap));
	gcheap_close(heap);
	close(fd);
}

/* Whoever ends it: here the only process that mapped the heap is not the test. */
static void end_normally(int fd)
{
	fill_heap(fd);
	_exit(KSFT_PASS);
}

static void end_by_exec(int fd)
{
	fill_heap(fd);
	/* Its descriptor is inherited. */
	execl("/proc/self/exe", "test_unmapped", "-l", NULL);
	_exit(KSFT_FAIL);
}

FIXTURE(process) {
};

FIXTURE_VARIANT(process) {
	void (*end)(int fd);
};

FIXTURE_VARIANT_ADD(process, that_exits) {
	.end = end_normally,
};

FIXTURE_VARIANT_ADD(process, that_execs) {
	.end = end_by_exec,
};

FIXTURE_SETUP(process)
{
}

FIXTURE_TEARDOWN(process)
{
}

TEST_F(process, takes_with_it_what_only_it_had_mapped)
{
	int fd = open("/dev/gcheap", O_RDWR), status;
	pid_t pid;

	ASSERT_LE(0, fd);
	pid = fork_child();
	if (!pid) {
		must(raw_map(fd) != MAP_FAILED);
		variant->end(fd);
	}
	status = await_child(pid);
	EXPECT_TRUE(WIFEXITED(status));
	/* A program that only lists its tests passes none. */
	EXPECT_NE(KSFT_FAIL, WEXITSTATUS(status));
	EXPECT_TRUE(comes_true(is_empty, &fd));
	EXPECT_EQ(raw_stats(fd).mallocs, raw_stats(fd).frees);
	ASSERT_NE(MAP_FAILED, raw_map(fd));
	EXPECT_TRUE(works_on(fd));
	close(fd);
}

TEST_F(unmapped, by_one_process_it_is_kept_by_another)
{
	void *volatile object = raw_alloc(self->fd, 100);
	int ends[2];
	pid_t pid;

	ASSERT_NE(NULL, object);
	fill(object, 100, 7);
	socket_pair(ends);
	pid = fork_child();
	if (!pid) {
		hear(ends[1]);
		_exit(KSFT_PASS);
	}
	ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
	ASSERT_EQ(self->base, raw_map(self->fd));
	EXPECT_TRUE(filled(object, 100, 7));
	say(ends[0]);
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_TRUE(filled(object, 100, 7));
	EXPECT_TRUE(works_on(self->fd));
}

/* The mapping that was not made by ATTACH and mmap one after the other */
TEST_F(unmapped, it_may_be_busy_until_attach_has_waited)
{
	int round, err;

	for (round = 0; round < 20; round++) {
		ASSERT_NE(NULL, raw_alloc(self->fd, OBJECT_SIZE));
		ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
		err = mmap(self->base, HEAP_SIZE, RW, MAP_SHARED | MAP_FIXED, self->fd,
			   0) == MAP_FAILED ? errno : 0;
		EXPECT_TRUE(!err || err == EBUSY);
		if (err)
			ASSERT_EQ(self->base, raw_map(self->fd));
		EXPECT_EQ(0, raw_stats(self->fd).heap_alloc);
	}
}

/* Calls that take memory while another thread unmaps the heap, and maps it again */
static _Atomic bool stop;

static void *run_alloc(void *fd)
{
	while (!stop)
		if (!raw_alloc(*(int *)fd, 40000))
			must(errno == ENXIO);
	return NULL;
}

static void *run_refill(void *fd)
{
	struct gcheap_slab slabs[4];
	struct gcheap_ioc_refill refill = {
		.size = sizeof(refill), .want = 4, .slabs = (uintptr_t)slabs,
	};
	int err;

	while (!stop) {
		refill.class_index = (refill.class_index + 1) % 20;
		err = call(*(int *)fd, GCHEAP_IOC_REFILL, &refill);
		must(!err || err == ENXIO);
	}
	return NULL;
}

static void *run_collect(void *fd)
{
	int err;

	while (!stop) {
		err = raw_collect(*(int *)fd);
		must(!err || err == ENXIO);
		sched_yield();
	}
	return NULL;
}

TEST_F(unmapped, while_others_allocate_it_is_empty_all_the_same)
{
	void *(*const runs[])(void *fd) = { run_alloc, run_refill, run_collect };
	pthread_t threads[ARRAY_SIZE(runs)];
	size_t i;
	long round;

	for (i = 0; i < ARRAY_SIZE(runs); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, runs[i], &self->fd));
	for (round = 0; round < scaled(300); round++) {
		ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
		if (round % 10 == 0)
			EXPECT_TRUE(comes_true(is_empty, &self->fd));
		ASSERT_EQ(self->base, raw_map(self->fd));
	}
	ASSERT_EQ(0, munmap(self->base, HEAP_SIZE));
	EXPECT_TRUE(comes_true(is_empty, &self->fd));
	stop = true;
	for (i = 0; i < ARRAY_SIZE(runs); i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_TRUE(is_empty(&self->fd));
	ASSERT_EQ(self->base, raw_map(self->fd));
	EXPECT_TRUE(works_on(self->fd));
}

TEST_HARNESS_MAIN
