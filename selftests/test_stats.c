// SPDX-License-Identifier: GPL-2.0
/* The numbers that a heap tells of itself agree with each other and with life. */
#include "common.h"

FIXTURE(stats) {
	struct gcheap *heap;
	struct gcheap_stats before;
	struct gcheap_stats after;
};

FIXTURE_SETUP(stats)
{
	self->heap = open_manual(0);
	ASSERT_NE(NULL, self->heap);
	self->before = stats_of(self->heap);
}

FIXTURE_TEARDOWN(stats)
{
	gcheap_close(self->heap);
}

struct work {
	struct gcheap *heap;
	size_t size;
	long count;
};

apart void allocate(void *arg)
{
	const struct work *work = arg;
	long i;

	for (i = 0; i < work->count; i++)
		must(gcheap_alloc(work->heap, work->size));
}

static void work(struct gcheap *heap, size_t size, long count)
{
	struct work work = { heap, size, count };

	in_thread(allocate, &work);
}

static void expect_consistent(struct __test_metadata *_metadata,
			      const struct gcheap_stats *stats)
{
	uint64_t mallocs = 0, frees = 0, i;

	EXPECT_EQ(stats->heap_objects, stats->mallocs - stats->frees);
	EXPECT_EQ(stats->heap_sys, stats->heap_idle + stats->heap_inuse);
	EXPECT_LE(stats->heap_alloc, stats->heap_inuse);
	EXPECT_LE(stats->heap_alloc, stats->total_alloc);
	EXPECT_LE(stats->num_forced_gc, stats->num_gc);
	EXPECT_LE(stats->pause_max_ns, stats->pause_total_ns);
	EXPECT_LE(stats->pause_total_ns, stats->gc_cpu_ns);
	EXPECT_LT(0, stats->gc_sys);
	ASSERT_GE(GCHEAP_STATS_CLASSES, stats->num_classes);
	for (i = 0; i < stats->num_classes; i++) {
		EXPECT_LE(stats->by_size[i].frees, stats->by_size[i].mallocs);
		mallocs += stats->by_size[i].mallocs;
		frees += stats->by_size[i].frees;
	}
	EXPECT_EQ(stats->mallocs, mallocs);
	EXPECT_EQ(stats->frees, frees);
	EXPECT_EQ(0, stats->by_size[stats->num_classes - 1].size);
}

TEST_F(stats, are_consistent_at_all_times)
{
	static const size_t sizes[] = { 1, 100, 1000, 10000, 100000 };
	struct gcheap_stats stats, previous = self->before;
	size_t i;

	expect_consistent(_metadata, &previous);
	for (i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		if (i % 2)
			collect(self->heap);
		else
			work(self->heap, sizes[i / 2], 1000);
		stats = stats_of(self->heap);
		expect_consistent(_metadata, &stats);
		EXPECT_LE(previous.total_alloc, stats.total_alloc);
		EXPECT_LE(previous.mallocs, stats.mallocs);
		EXPECT_LE(previous.frees, stats.frees);
		previous = stats;
	}
}

TEST_F(stats, count_each_object_once)
{
	work(self->heap, 100, 1234);
	self->after = stats_of(self->heap);
	EXPECT_EQ(1234, self->after.mallocs - self->before.mallocs);
	EXPECT_EQ(1234, self->after.heap_objects - self->before.heap_objects);
	EXPECT_EQ(1234 * 112, self->after.total_alloc - self->before.total_alloc);
	EXPECT_EQ(1234 * 112, self->after.heap_alloc - self->before.heap_alloc);
	EXPECT_EQ(0, self->after.frees);
}

TEST_F(stats, count_large_objects_in_pages)
{
	work(self->heap, 100000, 10);
	self->after = stats_of(self->heap);
	EXPECT_EQ(10, self->after.mallocs - self->before.mallocs);
	EXPECT_EQ(10 * 25 * 4096, self->after.total_alloc - self->before.total_alloc);
	EXPECT_EQ(10, self->after.by_size[self->after.num_classes - 1].mallocs);
}

TEST_F(stats, count_what_is_reclaimed)
{
	work(self->heap, 100, 1000);
	collect(self->heap);
	self->after = stats_of(self->heap);
	EXPECT_LE(990, self->after.frees);
	EXPECT_EQ(self->after.mallocs - self->after.frees, self->after.heap_objects);
	EXPECT_EQ(1000 * 112, self->after.total_alloc - self->before.total_alloc);
}

TEST_F(stats, tell_by_size_what_was_allocated)
{
	uint64_t i;

	work(self->heap, 100, 1000);
	self->after = stats_of(self->heap);
	for (i = 0; i < self->after.num_classes; i++) {
		uint64_t expected = self->after.by_size[i].size == 112 ? 1000 : 0;

		EXPECT_EQ(expected, self->after.by_size[i].mallocs -
				    self->before.by_size[i].mallocs);
	}
}

TEST_F(stats, count_collections)
{
	struct timespec start, end;
	int i;

	EXPECT_EQ(0, self->before.num_gc);
	EXPECT_EQ(0, self->before.last_gc_ns);
	clock_gettime(CLOCK_REALTIME, &start);
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, gcheap_collect(self->heap));
	clock_gettime(CLOCK_REALTIME, &end);
	self->after = stats_of(self->heap);
	EXPECT_EQ(5, self->after.num_gc);
	EXPECT_EQ(5, self->after.num_forced_gc);
	EXPECT_LT(0, self->after.pause_max_ns);
	EXPECT_LE(start.tv_sec, self->after.last_gc_ns / 1000000000);
	EXPECT_GE(end.tv_sec, self->after.last_gc_ns / 1000000000);
}

/* Go's rule: as much as lived, and percent of it on top */
TEST_F(stats, tell_when_the_next_collection_is_due)
{
	void **keep = gcheap_alloc(self->heap, 1000 * sizeof(*keep));
	int i;

	ASSERT_NE(NULL, keep);
	for (i = 0; i < 1000; i++)
		keep[i] = gcheap_alloc(self->heap, 16384);
	EXPECT_EQ(-1, gcheap_set_percent(self->heap, 50));
	ASSERT_EQ(0, gcheap_collect(self->heap));
	self->after = stats_of(self->heap);
	EXPECT_LE(1000 * 16384, self->after.heap_alloc);
	EXPECT_LE(self->after.heap_alloc / 100 * 145, self->after.next_gc);
	EXPECT_GE(self->after.heap_alloc / 100 * 155, self->after.next_gc);
	EXPECT_EQ(50, gcheap_set_percent(self->heap, 200));
	ASSERT_EQ(0, gcheap_collect(self->heap));
	self->after = stats_of(self->heap);
	EXPECT_LE(self->after.heap_alloc / 100 * 295, self->after.next_gc);
	EXPECT_GE(self->after.heap_alloc / 100 * 305, self->after.next_gc);
	EXPECT_NE(NULL, keep[999]);
}

TEST_F(stats, percent_returns_the_one_before)
{
	EXPECT_EQ(-1, gcheap_set_percent(self->heap, 100));
	EXPECT_EQ(100, gcheap_set_percent(self->heap, 0));
	EXPECT_EQ(1, gcheap_set_percent(self->heap, 100000));
	EXPECT_EQ(-2, gcheap_set_percent(self->heap, 100001));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(100000, gcheap_set_percent(self->heap, -5));
	EXPECT_EQ(-1, gcheap_set_percent(self->heap, -1));
}

/* Collections that happen while 64 MiB are dropped */
static uint64_t collections(struct gcheap *heap)
{
	uint64_t before = stats_of(heap).num_gc;

	work(heap, 1024, 65536);
	return stats_of(heap).num_gc - before;
}

TEST_F(stats, percent_governs_how_often_there_are_collections)
{
	uint64_t often, seldom;

	EXPECT_EQ(0, collections(self->heap));
	gcheap_set_percent(self->heap, 100);
	ASSERT_EQ(0, gcheap_collect(self->heap));
	often = collections(self->heap);
	gcheap_set_percent(self->heap, 400);
	ASSERT_EQ(0, gcheap_collect(self->heap));
	seldom = collections(self->heap);
	EXPECT_LT(0, seldom);
	EXPECT_LE(2 * seldom, often);
}

TEST_F(stats, a_limit_makes_collections_earlier)
{
	uint64_t sys;

	ASSERT_EQ(0, gcheap_set_limit(self->heap, 8 * MIB));
	EXPECT_LT(5, collections(self->heap));
	sys = stats_of(self->heap).heap_sys;
	EXPECT_GT(16 * MIB, sys);
	ASSERT_EQ(0, gcheap_set_limit(self->heap, 0));
	ASSERT_EQ(0, gcheap_collect(self->heap));
	EXPECT_EQ(0, collections(self->heap));
}

/* Ranges of roots take memory of the kernel's. */
#define RANGES		1000
#define RANGE_MIN	32

TEST_F(stats, gc_sys_has_the_ranges_of_roots)
{
	static void *words[RANGES];
	uint64_t before = stats_of(self->heap).gc_sys, with, in_a_child, after;
	pid_t pid;
	int i;

	for (i = 0; i < RANGES; i++)
		ASSERT_EQ(0, gcheap_root_add(self->heap, &words[i], sizeof(words[i])));
	with = stats_of(self->heap).gc_sys;
	EXPECT_LE(before + RANGES * RANGE_MIN, with);
	/* A child shares its parent's until it changes them. */
	pid = fork_child();
	if (!pid) {
		must(!gcheap_root_del(self->heap, &words[0]));
		in_a_child = stats_of(self->heap).gc_sys;
		_exit(in_a_child < with + (RANGES - 1) * RANGE_MIN);
	}
	EXPECT_TRUE(child_succeeded(pid));
	for (i = 0; i < RANGES; i++)
		ASSERT_EQ(0, gcheap_root_del(self->heap, &words[i]));
	after = stats_of(self->heap).gc_sys;
	EXPECT_GT(before + RANGES * RANGE_MIN, after);
}

TEST_F(stats, options_are_those_of_the_calls)
{
	const struct gcheap_options options = {
		.size = 16 * MIB, .limit = 8 * MIB, .percent = 30,
	};
	struct gcheap *heap = gcheap_open(&options);

	ASSERT_NE(NULL, heap);
	EXPECT_EQ(16 * MIB, raw_info(gcheap_fd(heap)).heap_size);
	EXPECT_EQ(30, gcheap_set_percent(heap, 100));
	gcheap_close(heap);
}

TEST_F(stats, options_out_of_range_are_refused)
{
	static const struct gcheap_options bad[] = {
		{ .size = 1000 }, { .size = (2ul << 40) }, { .percent = 100001 },
		{ .flags = 2 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(NULL, gcheap_open(&bad[i]));
		EXPECT_EQ(EINVAL, errno);
	}
}

/* What the ioctl tells beyond the library's structure */
TEST_F(stats, the_kernel_remembers_sixteen_collections)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };
	int fd = gcheap_fd(self->heap);
	uint64_t i;

	ASSERT_EQ(0, call(fd, GCHEAP_IOC_STATS, &stats));
	EXPECT_EQ(0, stats.cycle.number);
	for (i = 0; i < GCHEAP_CYCLES + 4; i++)
		ASSERT_EQ(0, gcheap_collect(self->heap));
	for (i = 0; i <= GCHEAP_CYCLES + 5; i++) {
		bool known = i > 4 && i <= GCHEAP_CYCLES + 4;

		stats.want_cycle = i;
		ASSERT_EQ(0, call(fd, GCHEAP_IOC_STATS, &stats));
		EXPECT_EQ(i ? (known ? i : 0) : GCHEAP_CYCLES + 4, stats.cycle.number);
	}
	stats.want_cycle = 0;
	ASSERT_EQ(0, call(fd, GCHEAP_IOC_STATS, &stats));
	EXPECT_EQ(1, stats.cycle.forced);
	EXPECT_EQ(1, stats.cycle.processes);
	EXPECT_LE(1, stats.cycle.threads);
	EXPECT_LT(0, stats.cycle.root_bytes);
	EXPECT_LE(stats.cycle.live, stats.cycle.before);
	EXPECT_LE(stats.cycle.stop_ns, stats.cycle.pause_ns);
}

TEST_F(stats, threads_and_processes_are_counted)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };
	int fds[2], i;

	socket_pair(fds);
	for (i = 0; i < 3; i++)
		if (!fork_child()) {
			hear(fds[1]);
			_exit(KSFT_PASS);
		}
	ASSERT_EQ(0, gcheap_collect(self->heap));
	ASSERT_EQ(0, call(gcheap_fd(self->heap), GCHEAP_IOC_STATS, &stats));
	EXPECT_EQ(4, stats.cycle.processes);
	EXPECT_EQ(4, stats.cycle.threads);
}

static void collect_traced(int fd, long collections)
{
	struct gcheap *heap;

	must(!setenv("GCHEAP_TRACE", "1", 1) && dup2(fd, STDERR_FILENO) >= 0);
	heap = open_manual(4 * MIB);
	must(heap);
	while (collections--)
		must(!gcheap_collect(heap));
	gcheap_close(heap);
	_exit(KSFT_PASS);
}

/* The sum of what precedes each "below", or -1 for another line */
static long sum_of_times(const char *line, const char *name)
{
	long sum = 0, count, below;
	int length;

	if (strncmp(line, name, strlen(name)))
		return -1;
	for (line += strlen(name); sscanf(line, "%*[ ,]%ld below %ld us%n", &count, &below,
					  &length) == 2; line += length)
		sum += count;
	return *line == '\n' ? sum : -1;
}

TEST(are_printed_for_each_collection_and_for_all)
{
	const long collections = 20;
	long lines = 0, stops = -1, releases = -1, number;
	char line[1024];
	int fds[2];
	FILE *file;
	pid_t pid;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	pid = fork_child();
	if (!pid)
		collect_traced(fds[1], collections);
	close(fds[1]);
	file = fdopen(fds[0], "r");
	ASSERT_NE(NULL, file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "gc %ld @", &number) == 1)
			EXPECT_EQ(++lines, number);
		number = sum_of_times(line, "gc stops by time:");
		if (number >= 0)
			stops = number;
		number = sum_of_times(line, "gc releases by time:");
		if (number >= 0)
			releases = number;
	}
	fclose(file);
	EXPECT_TRUE(child_succeeded(pid));
	EXPECT_EQ(collections, lines);
	EXPECT_EQ(collections, stops);
	EXPECT_EQ(collections, releases);
}

TEST_HARNESS_MAIN
