// SPDX-License-Identifier: GPL-2.0
/* What /proc tells of a heap, and of the memory of who maps it. */
#include <linux/userfaultfd.h>
#include <sys/mman.h>

#include "fdinfo.h"

#define HEAP_SIZE	(64 * MIB)
#define PAGE		4096

FIXTURE(fdinfo) {
	struct gcheap *heap;
};

FIXTURE_SETUP(fdinfo)
{
	self->heap = open_manual(HEAP_SIZE);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(fdinfo)
{
	gcheap_close(self->heap);
}

apart void allocate(void *heap)
{
	long i;

	for (i = 0; i < 1000; i++)
		must(gcheap_alloc(heap, 1000));
}

static long last_pause(struct gcheap *heap)
{
	struct gcheap_ioc_stats stats = { .size = sizeof(stats) };

	must(!ioctl(gcheap_fd(heap), GCHEAP_IOC_STATS, &stats));
	return stats.cycle.pause_ns;
}

TEST_F(fdinfo, agrees_with_the_statistics)
{
	struct gcheap_stats stats;
	char text[4096];
	int round;

	ASSERT_EQ(0, gcheap_set_limit(self->heap, 32 * MIB));
	for (round = 0; round < 3; round++) {
		in_thread(allocate, self->heap);
		collect(self->heap);
		stats = stats_of(self->heap);
		read_lines(getpid(), gcheap_fd(self->heap), text, sizeof(text));
		EXPECT_EQ(HEAP_SIZE, value_of(text, "size"));
		EXPECT_EQ(32 * MIB, value_of(text, "limit"));
		EXPECT_EQ(stats.heap_sys, value_of(text, "resident"));
		EXPECT_EQ(stats.heap_idle, value_of(text, "free"));
		EXPECT_EQ(stats.gc_sys / 1024, value_of(text, "meta") / 1024);
		EXPECT_EQ(stats.total_alloc / 1024, value_of(text, "allocated") / 1024);
		EXPECT_EQ((stats.total_alloc - stats.heap_alloc) / 1024,
			  value_of(text, "reclaimed") / 1024);
		EXPECT_EQ(stats.next_gc / 1024, value_of(text, "goal") / 1024);
		EXPECT_EQ(stats.num_gc, value_of(text, "cycles"));
		EXPECT_EQ(last_pause(self->heap), value_of(text, "pause-last"));
		EXPECT_EQ(stats.pause_total_ns, value_of(text, "pause-total"));
		EXPECT_EQ(stats.pause_max_ns, value_of(text, "pause-max"));
		EXPECT_EQ(stats.gc_cpu_ns, value_of(text, "collecting"));
		EXPECT_EQ(raw_info(gcheap_fd(self->heap)).base, value_of(text, "base"));
	}
}

apart void keep_and_collect(void *arg)
{
	struct hidden *hidden = arg;
	void *volatile object = gcheap_alloc(hidden->heap, hidden->size);

	must(object);
	must(!gcheap_collect(hidden->heap));
	hidden->object = value_now(hidden->heap, "live");
}

TEST_F(fdinfo, tells_where_the_next_collection_is_due)
{
	collect(self->heap);
	EXPECT_EQ(-1, gcheap_set_percent(self->heap, 100));
	EXPECT_EQ(stats_of(self->heap).next_gc / 1024, value_now(self->heap, "goal") / 1024);
}

TEST_F(fdinfo, tells_what_lives)
{
	struct hidden hidden = { .heap = self->heap, .size = 10 * MIB };

	in_thread(keep_and_collect, &hidden);
	EXPECT_LE(10 * MIB, hidden.object);
	EXPECT_GE(11 * MIB, hidden.object);
	collect(self->heap);
	EXPECT_GE(MIB, value_now(self->heap, "live"));
}

TEST_F(fdinfo, counts_processes_and_their_threads)
{
	int ends[2];
	pid_t pid;

	collect(self->heap);
	EXPECT_EQ(1, value_now(self->heap, "processes"));
	EXPECT_LE(1, value_now(self->heap, "threads"));
	socket_pair(ends);
	pid = fork_child();
	if (!pid) {
		hear(ends[1]);
		_exit(KSFT_PASS);
	}
	EXPECT_EQ(2, value_now(self->heap, "processes"));
	say(ends[0]);
	EXPECT_TRUE(child_succeeded(pid));
	collect(self->heap);
	EXPECT_EQ(1, value_now(self->heap, "processes"));
}

/* Of two descriptors with the same number the memory is there once. */
TEST_F(fdinfo, tells_whether_two_descriptors_are_of_one_heap)
{
	struct gcheap *other = open_manual(HEAP_SIZE);
	int copy = dup(gcheap_fd(self->heap));
	char text[4096];

	ASSERT_NE(NULL, other);
	ASSERT_LE(0, copy);
	read_lines(getpid(), copy, text, sizeof(text));
	EXPECT_LT(0, value_now(self->heap, "id"));
	EXPECT_EQ(value_now(self->heap, "id"), value_of(text, "id"));
	EXPECT_NE(value_now(self->heap, "id"), value_now(other, "id"));
	close(copy);
	gcheap_close(other);
}

/* As Documentation/gpu/drm-usage-stats.rst has it */
static bool well_formed(const char *line)
{
	line += strcspn(line, " :\n");
	if (strncmp(line, ":\t", 2))
		return false;
	line += 2;
	line += strspn(line, "0123456789abcdefx");
	return *line == '\n' || !strncmp(line, " KiB\n", 5) || !strncmp(line, " ns\n", 4);
}

TEST_F(fdinfo, has_keys_and_values_and_units)
{
	char text[4096];
	const char *line;
	int lines = 0;

	read_lines(getpid(), gcheap_fd(self->heap), text, sizeof(text));
	for (line = strstr(text, "gcheap-"); line; line = strstr(line + 1, "gcheap-")) {
		lines++;
		EXPECT_EQ('\n', line[-1]);
		EXPECT_TRUE(well_formed(line)) {
			TH_LOG("%s", line);
		}
	}
	EXPECT_LE(17, lines);
}

/*
 * Brings a page of its parent's that a collection waits for, but not before it has
 * read how the heap is doing.
 */
static void serve_page(int sock)
{
	struct uffd_msg message;
	struct uffdio_continue there = { .range.len = PAGE };
	char text[4096];
	int number, uffd;

	must(read(sock, &number, sizeof(number)) == sizeof(number));
	uffd = receive_fd(sock);
	must(read(uffd, &message, sizeof(message)) == sizeof(message));
	must(message.event == UFFD_EVENT_PAGEFAULT);
	read_lines(getppid(), number, text, sizeof(text));
	must(value_of(text, "cycles") == 0);
	say(sock);
	there.range.start = message.arg.pagefault.address & ~(PAGE - 1ul);
	must(!ioctl(uffd, UFFDIO_CONTINUE, &there));
	_exit(KSFT_PASS);
}

/* A page of a file in memory that is in no page table yet */
static char *map_file(void)
{
	int fd = memfd_create("gcheap-test", MFD_CLOEXEC);
	char *page;

	must(fd >= 0);
	must(!ftruncate(fd, PAGE) && pwrite(fd, "", 1, 0) == 1);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(page != MAP_FAILED);
	close(fd);
	return page;
}

static int fault_descriptor(char *page)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MINOR_SHMEM };
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)page, .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MINOR,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	must(fd >= 0);
	must(!ioctl(fd, UFFDIO_API, &api));
	must(!ioctl(fd, UFFDIO_REGISTER, &range));
	return fd;
}

TEST(fdinfo_does_not_wait_for_a_collection)
{
	char *page = map_file(), word;
	struct gcheap *heap;
	int socks[2], number;
	pid_t pid;

	socket_pair(socks);
	/* It must not have the heap, or it would be held. */
	pid = fork_child();
	if (!pid)
		serve_page(socks[1]);
	heap = open_manual(HEAP_SIZE);
	ASSERT_NE(NULL, heap);
	number = gcheap_fd(heap);
	ASSERT_EQ(sizeof(number), write(socks[0], &number, sizeof(number)));
	send_fd(socks[0], fault_descriptor(page));
	ASSERT_EQ(0, gcheap_root_add(heap, page, PAGE));
	EXPECT_EQ(0, gcheap_collect(heap));
	EXPECT_EQ(1, value_now(heap, "cycles"));
	/* It has said so before it brought the page. */
	ASSERT_EQ(1, recv(socks[0], &word, 1, MSG_DONTWAIT));
	EXPECT_TRUE(child_succeeded(pid));
	gcheap_close(heap);
}

/* A number in KiB of a file in /proc/self, in bytes; -1 when it is not there */
static long kib_of(const char *file, const char *key)
{
	char line[256], path[64];
	long value, bytes = -1;
	size_t length = strlen(key);
	FILE *lines;

	snprintf(path, sizeof(path), "/proc/self/%s", file);
	lines = fopen(path, "r");
	must(lines);
	while (fgets(line, sizeof(line), lines))
		if (!strncmp(line, key, length) &&
		    sscanf(line + length, ": %ld kB", &value) == 1)
			bytes = value * 1024;
	fclose(lines);
	return bytes;
}

/* The kernel's out of memory killer goes by this. */
static void expect_resident(struct __test_metadata *_metadata, struct gcheap *heap,
			    size_t object_size)
{
	long before = kib_of("status", "VmRSS"), file = kib_of("status", "RssFile");
	size_t bytes;

	for (bytes = 0; bytes < 64 * MIB; bytes += object_size)
		ASSERT_NE(NULL, gcheap_alloc(heap, object_size));
	EXPECT_LE(before + 60 * MIB, kib_of("status", "VmRSS"));
	EXPECT_LE(file + 60 * MIB, kib_of("status", "RssFile"));
	EXPECT_LE(60 * MIB, kib_of("smaps_rollup", "Rss"));
}

TEST(status_has_small_objects_that_nobody_has_touched)
{
	struct gcheap *heap = open_manual(2 * HEAP_SIZE);

	ASSERT_NE(NULL, heap);
	expect_resident(_metadata, heap, 1024);
	gcheap_close(heap);
	EXPECT_GE(60 * MIB, kib_of("status", "VmRSS"));
}

TEST(status_has_large_objects_that_nobody_has_touched)
{
	struct gcheap *heap = open_manual(2 * HEAP_SIZE);

	ASSERT_NE(NULL, heap);
	expect_resident(_metadata, heap, 4 * MIB);
	gcheap_close(heap);
	EXPECT_GE(60 * MIB, kib_of("status", "VmRSS"));
}

static _Atomic bool stop;

static void *run_looker(void *heap)
{
	while (!stop)
		must(value_now(heap, "resident") >= 0);
	return NULL;
}

TEST_F(fdinfo, can_be_read_all_the_time)
{
	pthread_t thread;
	int round;

	ASSERT_EQ(0, pthread_create(&thread, NULL, run_looker, self->heap));
	for (round = 0; round < scaled(50); round++) {
		in_thread(allocate, self->heap);
		collect(self->heap);
	}
	stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_HARNESS_MAIN
