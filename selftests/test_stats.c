// SPDX-License-Identifier: GPL-2.0
/* The numbers that a heap tells of itself agree with each other and with life. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

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

static void read_without_a_call(struct gcheap *heap)
{
	struct gcheap_stats stats;
	int i;

	allow_only(SYS_exit_group);
	for (i = 0; i < 100; i++)
		if (gcheap_read_stats(heap, &stats) || stats.mallocs < 1234)
			_exit(1);
	_exit(0);
}

TEST_F(stats, are_read_without_a_system_call)
{
	pid_t pid;

	work(self->heap, 100, 1234);
	pid = fork_child();
	if (!pid)
		read_without_a_call(self->heap);
	EXPECT_EQ(0, await_child(pid));
}

/* Some hundred objects stay in the thread's cache, unless that is taken from it. */
TEST_F(stats, reading_leaves_the_cache_alone)
{
	const struct gcheap_stats *stats = &self->after;
	uint64_t before, sys;
	int i;

	must(gcheap_alloc(self->heap, 16));
	ASSERT_EQ(0, gcheap_read_stats(self->heap, &self->after));
	before = stats->mallocs;
	sys = stats->heap_sys;
	for (i = 0; i < 300; i++) {
		must(gcheap_alloc(self->heap, 16));
		ASSERT_EQ(0, gcheap_read_stats(self->heap, &self->after));
		EXPECT_EQ(before, stats->mallocs);
	}
	EXPECT_EQ(sys, stats->heap_sys);
	gcheap_thread_release(self->heap);
	ASSERT_EQ(0, gcheap_read_stats(self->heap, &self->after));
	EXPECT_EQ(before + 301, stats->mallocs);
	EXPECT_EQ(301 * 16, stats->total_alloc - self->before.total_alloc);
}

/* What a program does that reads statistics while its other threads work */
struct storm {
	struct gcheap *heap;
	_Atomic bool over;
};

static void *work_on(void *arg)
{
	static const size_t sizes[] = { 16, 100, 1000, 40000 };
	struct storm *storm = arg;
	long i;

	for (i = 0; !storm->over; i++) {
		must(gcheap_alloc(storm->heap, sizes[i % ARRAY_SIZE(sizes)]));
		if (i % 256 == 0)
			gcheap_thread_release(storm->heap);
		if (i % 4096 == 0)
			must(!gcheap_collect(storm->heap));
	}
	return NULL;
}

/* By the small classes and the large objects, which are whole pages */
static bool is_sum_of_sizes(const struct gcheap_stats *stats)
{
	uint64_t bytes = 0, i;

	for (i = 0; i < stats->num_classes; i++)
		bytes += stats->by_size[i].size *
			 (stats->by_size[i].mallocs - stats->by_size[i].frees);
	return bytes <= stats->heap_alloc && (stats->heap_alloc - bytes) % 4096 == 0;
}

static bool are_consistent(const struct gcheap_stats *stats)
{
	uint64_t mallocs = 0, frees = 0, i;

	for (i = 0; i < stats->num_classes; i++) {
		mallocs += stats->by_size[i].mallocs;
		frees += stats->by_size[i].frees;
	}
	return stats->heap_objects + stats->frees == stats->mallocs &&
	       stats->heap_idle + stats->heap_inuse == stats->heap_sys &&
	       stats->heap_alloc <= stats->heap_inuse &&
	       mallocs == stats->mallocs && frees == stats->frees &&
	       is_sum_of_sizes(stats);
}

static bool are_no_earlier(const struct gcheap_stats *stats, const struct gcheap_stats *than)
{
	return stats->mallocs >= than->mallocs && stats->frees >= than->frees &&
	       stats->total_alloc >= than->total_alloc && stats->num_gc >= than->num_gc &&
	       stats->gc_cpu_ns >= than->gc_cpu_ns;
}

TEST_F(stats, sums_hold_in_each_reading_while_threads_work)
{
	struct storm storm = { .heap = self->heap };
	struct gcheap_stats stats, last = self->before;
	pthread_t threads[2];
	long changes = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(threads); i++)
		must(!pthread_create(&threads[i], NULL, work_on, &storm));
	while (changes < repeated(3000)) {
		must(!gcheap_read_stats(self->heap, &stats));
		must(are_consistent(&stats) && are_no_earlier(&stats, &last));
		changes += stats.mallocs > last.mallocs;
		last = stats;
	}
	storm.over = true;
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		must(!pthread_join(threads[i], NULL));
	EXPECT_LT(0, last.num_gc);
}

/* What the kernel does by itself shows, too: nobody makes a call here. */
TEST_F(stats, show_what_happens_in_the_background)
{
	struct gcheap_stats stats;

	work(self->heap, 4000, 4000);
	ASSERT_EQ(-1, gcheap_set_percent(self->heap, 100));
	ASSERT_EQ(0, gcheap_read_stats(self->heap, &stats));
	EXPECT_LE(8 * MIB, stats.heap_sys);
	do {
		usleep(10000);
		must(!gcheap_read_stats(self->heap, &stats));
	} while (stats.heap_sys > 8 * MIB || stats.heap_alloc > MIB);
	EXPECT_LT(0, stats.num_gc);
	EXPECT_EQ(0, stats.num_forced_gc);
	EXPECT_LT(0, stats.heap_released);
}

TEST_F(stats, are_the_same_for_a_child)
{
	struct gcheap_stats stats;
	int fds[2];
	pid_t pid;

	socket_pair(fds);
	pid = fork_child();
	if (!pid) {
		hear(fds[1]);
		allow_only(SYS_exit_group);
		if (gcheap_read_stats(self->heap, &stats))
			_exit(2);
		_exit(stats.mallocs - self->before.mallocs == 1234 ? 0 : 1);
	}
	work(self->heap, 100, 1234);
	say(fds[0]);
	EXPECT_EQ(0, await_child(pid));
}

/* The page itself, without the library */
#define PAGE_BYTES	4096
#define HEAP_BYTES	(16 * MIB)

FIXTURE(page) {
	int fd;
	char *base;
	const struct gcheap_stats_page *page;
};

static int map_at(int fd, int prot, int flags, size_t length, uint64_t offset)
{
	void *page = mmap(NULL, length, prot, flags, fd, offset);

	if (page == MAP_FAILED)
		return errno;
	munmap(page, length);
	return 0;
}

static void *map_page(int fd)
{
	return mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, GCHEAP_STATS_OFFSET);
}

FIXTURE_SETUP(page)
{
	self->fd = raw_open(HEAP_BYTES);
	self->base = raw_map(self->fd);
	ASSERT_NE(MAP_FAILED, (void *)self->base);
	self->page = map_page(self->fd);
	ASSERT_NE(MAP_FAILED, (void *)self->page);
}

FIXTURE_TEARDOWN(page)
{
	munmap((void *)self->page, PAGE_BYTES);
	munmap(self->base, HEAP_BYTES);
	close(self->fd);
}

static const struct gcheap_class_stats *classes_of(const struct gcheap_stats_page *page)
{
	return (const void *)((const char *)page + page->classes);
}

TEST_F(page, has_what_the_call_tells)
{
	struct gcheap_class_stats classes[GCHEAP_STATS_CLASSES];
	struct gcheap_ioc_stats stats;
	int round;

	for (round = 0; round < 3; round++) {
		must(raw_alloc(self->fd, 48) && raw_alloc(self->fd, 100000));
		if (round)
			must(!raw_collect(self->fd));
		memset(&stats, 0, sizeof(stats));
		stats.size = sizeof(stats);
		stats.classes = (uintptr_t)classes;
		stats.class_capacity = GCHEAP_STATS_CLASSES;
		ASSERT_EQ(0, call(self->fd, GCHEAP_IOC_STATS, &stats));
		/* These are for the call alone. */
		stats.classes = 0;
		stats.class_capacity = 0;
		EXPECT_EQ(0, self->page->sequence % 2);
		EXPECT_EQ(0, memcmp(&stats, &self->page->stats, sizeof(stats)));
		EXPECT_EQ(0, memcmp(classes, classes_of(self->page),
				    stats.class_count * sizeof(*classes)));
		EXPECT_EQ(2 * (round + 1), stats.mallocs);
		EXPECT_EQ(round, stats.cycle.number);
	}
}

TEST_F(page, changes_with_each_call_that_changes_the_heap)
{
	__u32 before = self->page->sequence;

	must(raw_alloc(self->fd, 48));
	EXPECT_NE(before, self->page->sequence);
	EXPECT_EQ(1, self->page->stats.mallocs);
	EXPECT_EQ(48, self->page->stats.heap_alloc);
	must(raw_alloc(self->fd, 5000000));
	EXPECT_EQ(2, self->page->stats.mallocs);
	EXPECT_LE(5000000, self->page->stats.heap_inuse);
	must(!raw_collect(self->fd));
	EXPECT_EQ(1, self->page->stats.num_gc);
	EXPECT_EQ(1, self->page->stats.cycle.number);
}

static void write_into(const struct gcheap_stats_page *page)
{
	const struct rlimit no_core = {};

	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGSEGV, SIG_DFL);
	((volatile struct gcheap_stats_page *)page)->sequence = 1;
	_exit(KSFT_PASS);
}

TEST_F(page, cannot_be_written)
{
	struct iovec from = { (void *)"1234", 4 }, to = { (void *)self->page, 4 };
	int status, file;
	pid_t pid;

	pid = fork_child();
	if (!pid)
		write_into(self->page);
	status = await_child(pid);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	EXPECT_EQ(-1, mprotect((void *)self->page, PAGE_BYTES, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect((void *)self->page, PAGE_BYTES, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, process_vm_writev(getpid(), &from, 1, &to, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	file = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, file);
	EXPECT_EQ(-1, pwrite(file, "1234", 4, (uintptr_t)self->page));
	close(file);
	/* Nor by the kernel, for somebody else */
	EXPECT_EQ(-1, getrusage(RUSAGE_SELF, (void *)self->page));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, self->page->sequence % 2);
	EXPECT_EQ(EACCES, map_at(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE_BYTES,
				 GCHEAP_STATS_OFFSET));
	EXPECT_EQ(EACCES, map_at(self->fd, PROT_WRITE, MAP_SHARED, PAGE_BYTES,
				 GCHEAP_STATS_OFFSET));
}

TEST_F(page, mapped_in_another_manner_is_einval)
{
	const uint64_t offset = GCHEAP_STATS_OFFSET;

	EXPECT_EQ(EINVAL, map_at(self->fd, PROT_READ, MAP_SHARED, 2 * PAGE_BYTES, offset));
	EXPECT_EQ(EINVAL, map_at(self->fd, PROT_READ, MAP_SHARED, HEAP_BYTES, offset));
	EXPECT_EQ(EINVAL, map_at(self->fd, PROT_READ, MAP_SHARED, PAGE_BYTES,
				 offset + PAGE_BYTES));
	EXPECT_EQ(EINVAL, map_at(self->fd, PROT_READ, MAP_SHARED, PAGE_BYTES,
				 offset - PAGE_BYTES));
	EXPECT_EQ(EINVAL, map_at(self->fd, PROT_READ, MAP_SHARED, PAGE_BYTES, 0));
	EXPECT_EQ(EINVAL, map_at(self->fd, PROT_READ, MAP_PRIVATE, PAGE_BYTES, offset));
	EXPECT_EQ(EINVAL, map_at(self->fd, PROT_READ | PROT_EXEC, MAP_SHARED, PAGE_BYTES,
				 offset));
	EXPECT_EQ(0, map_at(self->fd, PROT_READ, MAP_SHARED, PAGE_BYTES, offset));
	EXPECT_EQ(0, map_at(self->fd, PROT_NONE, MAP_SHARED, PAGE_BYTES, offset));
}

TEST_F(page, is_for_those_who_have_attached)
{
	int fd = raw_open(HEAP_BYTES);
	char *mine;

	EXPECT_EQ(EPERM, map_at(fd, PROT_READ, MAP_SHARED, PAGE_BYTES, GCHEAP_STATS_OFFSET));
	/* What is there stays there. */
	mine = shared_page();
	mine[0] = 1;
	EXPECT_EQ(MAP_FAILED, mmap(mine, PAGE_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
				   GCHEAP_STATS_OFFSET));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(1, mine[0]);
	ASSERT_EQ(0, raw_attach(fd));
	EXPECT_EQ(0, map_at(fd, PROT_READ, MAP_SHARED, PAGE_BYTES, GCHEAP_STATS_OFFSET));
	/* The heap itself need not be mapped, and still may be. */
	EXPECT_EQ(0, raw_info(fd).base);
	EXPECT_EQ(mine, mmap(mine, PAGE_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
			     GCHEAP_STATS_OFFSET));
	EXPECT_NE(MAP_FAILED, raw_map(fd));
	EXPECT_TRUE(works_on(fd));
	close(fd);
}

TEST_F(page, comes_back_when_it_was_dropped)
{
	must(raw_alloc(self->fd, 48));
	EXPECT_EQ(0, madvise((void *)self->page, PAGE_BYTES, MADV_DONTNEED));
	EXPECT_EQ(1, self->page->stats.mallocs);
	EXPECT_EQ(MAP_FAILED, mremap((void *)self->page, PAGE_BYTES, 2 * PAGE_BYTES,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(1, self->page->stats.mallocs);
}

/* It keeps the heap, but nothing that is in it. */
TEST_F(page, outlives_what_is_in_the_heap)
{
	must(raw_alloc(self->fd, 48) && raw_alloc(self->fd, MIB));
	EXPECT_LE(MIB, self->page->stats.heap_sys);
	ASSERT_EQ(0, munmap(self->base, HEAP_BYTES));
	/* Waits until the heap is empty. */
	ASSERT_EQ(0, raw_attach(self->fd));
	EXPECT_EQ(0, self->page->stats.heap_sys);
	EXPECT_EQ(0, self->page->stats.heap_objects);
	EXPECT_EQ(2, self->page->stats.frees);
	EXPECT_LE(MIB, self->page->stats.heap_released);
	ASSERT_EQ(self->base, raw_map(self->fd));
	must(raw_alloc(self->fd, 48));
	EXPECT_EQ(3, self->page->stats.mallocs);
	ASSERT_EQ(0, munmap(self->base, HEAP_BYTES));
	ASSERT_EQ(0, close(self->fd));
	self->fd = -1;
	while (*(volatile __u64 *)&self->page->stats.heap_sys)
		sched_yield();
	EXPECT_EQ(3, self->page->stats.frees);
}

/* A child that has the page, and not the heap: it is not stopped, nor looked at. */
TEST_F(page, makes_nobody_a_member)
{
	int fds[2], answer[2];
	pid_t pid;

	socket_pair(fds);
	socket_pair(answer);
	ASSERT_EQ(0, madvise(self->base, HEAP_BYTES, MADV_DONTFORK));
	pid = fork_child();
	if (!pid) {
		say(answer[1]);
		hear(fds[1]);
		must(self->page->stats.num_gc == 1);
		must(map_at(self->fd, PROT_READ, MAP_SHARED, PAGE_BYTES,
			    GCHEAP_STATS_OFFSET) == EPERM);
		_exit(KSFT_PASS);
	}
	hear(answer[0]);
	ASSERT_EQ(0, raw_collect(self->fd));
	EXPECT_EQ(1, self->page->stats.cycle.processes);
	say(fds[0]);
	EXPECT_TRUE(child_succeeded(pid));
}

TEST_HARNESS_MAIN
