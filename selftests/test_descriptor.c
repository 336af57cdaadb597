// SPDX-License-Identifier: GPL-2.0
/*
 * A heap's descriptor is a number that the program can close, and give to another
 * file: no object is lost for it, none comes from another heap, and the other file
 * stays as it is.
 */
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common.h"

#define CELLS		300

struct cell {
	struct cell *next;
	uint64_t seed;
	char data[48];
};

static struct cell *build(struct gcheap *heap, uint64_t seed)
{
	struct cell *list = NULL, *cell;
	int i;

	for (i = 0; i < CELLS; i++) {
		cell = gcheap_alloc(heap, sizeof(*cell));
		must(cell && all_zero(cell, sizeof(*cell)));
		cell->next = list;
		cell->seed = seed + i;
		fill(cell->data, sizeof(cell->data), cell->seed);
		list = cell;
	}
	return list;
}

static bool is_whole(const struct cell *list)
{
	int i;

	for (i = 0; list; list = list->next, i++)
		if (!filled(list->data, sizeof(list->data), list->seed))
			return false;
	return i == CELLS;
}

static int count_descriptors(void)
{
	int fd, count = 0;

	for (fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			count++;
	return count;
}

static int new_file(void)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	must(fd >= 0);
	return fd;
}

static off_t size_of(int fd)
{
	struct stat stat;

	must(!fstat(fd, &stat));
	return stat.st_size;
}

FIXTURE(descriptor) {
	struct gcheap *heap;
	struct gcheap *other;
	struct cell *kept;
	char *base;
	size_t size;
};

FIXTURE_SETUP(descriptor)
{
	const struct gcheap_options options = { .size = 64 * MIB };
	struct gcheap_ioc_info info;

	self->heap = gcheap_open(&options);
	ASSERT_NE(NULL, self->heap);
	self->other = gcheap_open(&options);
	ASSERT_NE(NULL, self->other);
	info = raw_info(gcheap_fd(self->heap));
	self->base = (char *)info.base;
	self->size = info.heap_size;
	self->kept = build(self->heap, 1);
}

FIXTURE_TEARDOWN(descriptor)
{
	gcheap_close(self->other);
	gcheap_close(self->heap);
}

static bool is_of(const FIXTURE_DATA(descriptor) *self, const void *object)
{
	return (size_t)((char *)object - self->base) < self->size;
}

/* Some objects, then each function once */
static void use_for(FIXTURE_DATA(descriptor) *self, long count)
{
	struct gcheap_pool *pool;
	struct gcheap_weak *weak;
	struct gcheap_stats stats;
	static void *root[2];
	long i;

	for (i = 0; i < count; i++) {
		char *object = gcheap_alloc(self->heap, i % 64 ? 1000 : 40000);

		must(object);
		must(is_of(self, object));
		object[999] = 1;
	}
	must(is_whole(self->kept));
	must(!gcheap_collect(self->heap));
	must(is_whole(self->kept));
	must(gcheap_base(self->heap, self->kept->data) == self->kept);
	must(gcheap_usable_size(self->heap, self->kept) == sizeof(struct cell));
	must(!gcheap_root_add(self->heap, root, sizeof(root)));
	must(!gcheap_root_del(self->heap, root));
	weak = gcheap_weak_new(self->heap, self->kept);
	must(weak && is_of(self, weak));
	must(gcheap_weak_get(weak) == self->kept);
	gcheap_weak_free(self->heap, weak);
	must(gcheap_set_percent(self->heap, 100) == 100);
	must(!gcheap_read_stats(self->heap, &stats));
	must(stats.mallocs >= (uint64_t)count);
	pool = gcheap_pool_new(self->heap, 100);
	must(pool && is_of(self, pool));
	must(gcheap_pool_get(pool));
	gcheap_pool_free(pool);
}

/* Twice as much as the heap can hold */
static void use_for_long(FIXTURE_DATA(descriptor) *self)
{
	use_for(self, scaled(128 * 1024));
}

TEST_F(descriptor, is_far_from_those_that_programs_count_on)
{
	EXPECT_LT(100, gcheap_fd(self->heap));
	EXPECT_LT(100, gcheap_fd(self->other));
	EXPECT_EQ(FD_CLOEXEC, fcntl(gcheap_fd(self->heap), F_GETFD));
}

TEST_F(descriptor, may_be_closed_with_all_others)
{
	closefrom(3);
	use_for_long(self);
	EXPECT_LT(100, gcheap_fd(self->heap));
	EXPECT_EQ(FD_CLOEXEC, fcntl(gcheap_fd(self->heap), F_GETFD));
	EXPECT_EQ(self->base, (char *)raw_info(gcheap_fd(self->heap)).base);
	EXPECT_EQ(4, count_descriptors());
}

/* The first call after it may be any. */
TEST_F(descriptor, may_be_closed_before_any_call)
{
	struct gcheap_stats stats;

	closefrom(3);
	EXPECT_EQ(self->kept, gcheap_base(self->heap, self->kept));
	closefrom(3);
	EXPECT_EQ(0, gcheap_collect(self->heap));
	closefrom(3);
	EXPECT_EQ(0, gcheap_read_stats(self->heap, &stats));
	EXPECT_LT(0, stats.num_gc);
	closefrom(3);
	EXPECT_NE(NULL, gcheap_alloc(self->heap, 100000));
	closefrom(3);
	EXPECT_EQ(0, gcheap_set_limit(self->heap, 0));
	closefrom(3);
	EXPECT_EQ(0, gcheap_root_add(self->heap, &stats, sizeof(stats)));
	closefrom(3);
	EXPECT_EQ(self->base, (char *)raw_info(gcheap_fd(self->heap)).base);
	closefrom(3);
	EXPECT_TRUE(is_whole(self->kept));
}

TEST_F(descriptor, that_is_another_file_now_is_not_touched)
{
	int file = new_file(), fd = gcheap_fd(self->heap);

	ASSERT_EQ(3, write(file, "abc", 3));
	ASSERT_EQ(fd, dup2(file, fd));
	use_for_long(self);
	EXPECT_NE(fd, gcheap_fd(self->heap));
	EXPECT_EQ(3, size_of(fd));
	EXPECT_EQ(3, lseek(fd, 0, SEEK_CUR));
}

TEST_F(descriptor, that_is_another_file_now_is_not_closed)
{
	int file = new_file(), fd = gcheap_fd(self->heap);
	struct gcheap *heap = self->heap;

	ASSERT_EQ(fd, dup2(file, fd));
	self->heap = NULL;
	gcheap_close(heap);
	EXPECT_EQ(3, write(fd, "abc", 3));
	EXPECT_EQ(3, size_of(file));
}

TEST_F(descriptor, that_is_another_heap_now_is_not_closed)
{
	int a = gcheap_fd(self->heap), b = gcheap_fd(self->other);
	struct gcheap *heap = self->heap;

	ASSERT_EQ(a, dup2(b, a));
	self->heap = NULL;
	gcheap_close(heap);
	EXPECT_EQ(raw_info(b).base, raw_info(a).base);
	EXPECT_NE(NULL, gcheap_alloc(self->other, 100000));
}

static void exchange(int a, int b)
{
	int spare = fcntl(a, F_DUPFD_CLOEXEC, 500);

	must(spare >= 0);
	must(dup3(b, a, O_CLOEXEC) == a);
	must(dup3(spare, b, O_CLOEXEC) == b);
	close(spare);
}

TEST_F(descriptor, that_was_exchanged_with_another_heaps_mixes_no_objects)
{
	struct cell *kept = build(self->other, 1000);
	struct gcheap_stats before, after;

	ASSERT_EQ(0, gcheap_read_stats(self->other, &before));
	exchange(gcheap_fd(self->heap), gcheap_fd(self->other));
	use_for_long(self);
	EXPECT_TRUE(is_whole(kept));
	EXPECT_EQ(kept, gcheap_base(self->other, kept));
	EXPECT_EQ(NULL, gcheap_base(self->heap, kept));
	EXPECT_FALSE(is_of(self, gcheap_alloc(self->other, 48)));
	ASSERT_EQ(0, gcheap_read_stats(self->other, &after));
	EXPECT_EQ(before.num_forced_gc, after.num_forced_gc);
	EXPECT_NE(gcheap_fd(self->heap), gcheap_fd(self->other));
	EXPECT_EQ(self->base, (char *)raw_info(gcheap_fd(self->heap)).base);
}

/*
 * The next call of this number finds the two exchanged, whatever was asked before;
 * or it finds the other file, and when it returns the number is the heap's again.
 */
static struct {
	unsigned long number;
	int a;
	int b;
	int meanwhile;
} pending;

static void put_meanwhile(int fd)
{
	if (pending.meanwhile < 0)
		close(fd);
	else
		must(dup3(pending.meanwhile, fd, O_CLOEXEC) == fd);
}

/* The call that finds something else */
static int call_meanwhile(int fd, unsigned long number, void *request)
{
	int kept = fcntl(fd, F_DUPFD_CLOEXEC, 500), result, err;

	must(kept >= 0);
	put_meanwhile(fd);
	result = syscall(SYS_ioctl, fd, number, request);
	err = errno;
	must(dup3(kept, fd, O_CLOEXEC) == fd);
	close(kept);
	errno = err;
	return result;
}

/*
 * In place of the C library's: the page that would make some of the calls needless is
 * not to be had.
 */
void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	if (offset == GCHEAP_STATS_OFFSET) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, address, length, prot, flags, fd, offset);
}

/* In place of the C library's */
int ioctl(int fd, unsigned long number, ...)
{
	va_list arguments;
	void *request;

	va_start(arguments, number);
	request = va_arg(arguments, void *);
	va_end(arguments);
	if (number == pending.number) {
		pending.number = 0;
		if (!pending.b)
			return call_meanwhile(fd, number, request);
		exchange(pending.a, pending.b);
	}
	return syscall(SYS_ioctl, fd, number, request);
}

static void exchange_before(FIXTURE_DATA(descriptor) *self, unsigned long number)
{
	pending.a = gcheap_fd(self->heap);
	pending.b = gcheap_fd(self->other);
	must(pending.a >= 0 && pending.b >= 0);
	pending.number = number;
}

/* @file is there instead, -1 for none, for as long as the call takes. */
static void is_harmless_in_calls(FIXTURE_DATA(descriptor) *self, int file)
{
	static const unsigned long numbers[] = {
		GCHEAP_IOC_ALLOC, GCHEAP_IOC_REFILL, GCHEAP_IOC_RELEASE,
		GCHEAP_IOC_COLLECT, GCHEAP_IOC_STATS, GCHEAP_IOC_CONFIG,
		GCHEAP_IOC_ROOT_ADD, GCHEAP_IOC_ROOT_DEL, GCHEAP_IOC_OBJECT,
		GCHEAP_IOC_LINK_ADD, GCHEAP_IOC_LINK_DEL,
	};
	size_t i;

	pending.b = 0;
	pending.meanwhile = file;
	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		pending.number = numbers[i];
		use_for(self, scaled(64 * 1024));
		must(!pending.number);
	}
}

TEST_F(descriptor, that_is_closed_within_a_call_and_had_again_is_no_error)
{
	is_harmless_in_calls(self, -1);
}

TEST_F(descriptor, that_is_another_file_within_a_call_is_no_error)
{
	int ends[2];

	is_harmless_in_calls(self, new_file());
	ASSERT_EQ(0, pipe(ends));
	is_harmless_in_calls(self, ends[0]);
}

TEST_F(descriptor, that_is_another_heap_within_a_call_adds_it_no_root)
{
	static void *range[2];

	exchange_before(self, GCHEAP_IOC_ROOT_ADD);
	EXPECT_EQ(0, gcheap_root_add(self->heap, range, sizeof(range)));
	EXPECT_EQ(-1, gcheap_root_del(self->other, range));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(0, gcheap_root_del(self->heap, range));
}

TEST_F(descriptor, that_is_another_heap_within_a_call_takes_no_root_of_it)
{
	static void *range[2];

	ASSERT_EQ(0, gcheap_root_add(self->heap, range, sizeof(range)));
	ASSERT_EQ(0, gcheap_root_add(self->other, range, sizeof(range)));
	exchange_before(self, GCHEAP_IOC_ROOT_DEL);
	EXPECT_EQ(0, gcheap_root_del(self->heap, range));
	EXPECT_EQ(-1, gcheap_root_del(self->heap, range));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(0, gcheap_root_del(self->other, range));
}

TEST_F(descriptor, that_is_another_heap_within_a_call_does_not_set_it)
{
	exchange_before(self, GCHEAP_IOC_CONFIG);
	EXPECT_EQ(100, gcheap_set_percent(self->heap, 300));
	EXPECT_EQ(100, gcheap_set_percent(self->other, 100));
	EXPECT_EQ(300, gcheap_set_percent(self->heap, 100));
}

TEST_F(descriptor, that_is_another_heap_within_a_call_does_not_collect_it)
{
	struct gcheap_stats stats;

	exchange_before(self, GCHEAP_IOC_COLLECT);
	EXPECT_EQ(0, gcheap_collect(self->heap));
	ASSERT_EQ(0, gcheap_read_stats(self->other, &stats));
	EXPECT_EQ(0, stats.num_forced_gc);
	exchange_before(self, GCHEAP_IOC_STATS);
	ASSERT_EQ(0, gcheap_read_stats(self->heap, &stats));
	EXPECT_EQ(1, stats.num_forced_gc);
}

struct worker {
	struct gcheap *heaps[2];
	uint64_t seed;
	pthread_t thread;
	_Atomic long progress;
	_Atomic bool done;
};

static void *run_worker(void *arg)
{
	struct worker *worker = arg;
	struct cell *lists[2];
	long i;

	for (i = 0; i < 2; i++)
		lists[i] = build(worker->heaps[i], worker->seed);
	for (i = 0; i < scaled(200); i++) {
		must(is_whole(lists[i % 2]));
		lists[i % 2] = build(worker->heaps[i % 2], worker->seed + i);
		must(i % 8 || !gcheap_collect(worker->heaps[i / 8 % 2]) || errno == EAGAIN);
		worker->progress++;
	}
	must(is_whole(lists[0]) && is_whole(lists[1]));
	worker->done = true;
	return NULL;
}

static void start_workers(FIXTURE_DATA(descriptor) *self, struct worker *workers, int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		workers[i] = (struct worker) {
			.heaps = { self->heap, self->other }, .seed = 1000000 * i,
		};
		must(!pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]));
	}
}

static bool is_over(const struct worker *worker)
{
	return pthread_tryjoin_np(worker->thread, NULL) == 0;
}

TEST_F(descriptor, may_be_exchanged_while_threads_use_it)
{
	int a = gcheap_fd(self->heap), b = gcheap_fd(self->other), i;
	struct worker workers[2];

	start_workers(self, workers, 2);
	for (i = 0; i < 2; i++)
		while (!is_over(&workers[i])) {
			exchange(a, b);
			sched_yield();
		}
	EXPECT_TRUE(is_whole(self->kept));
}

/* Whether both have done something since the last time that they had. */
static bool have_gone_on(struct worker *workers, long *seen)
{
	int i;

	for (i = 0; i < 2; i++)
		if (!workers[i].done && workers[i].progress == seen[i])
			return false;
	for (i = 0; i < 2; i++)
		seen[i] = workers[i].progress;
	return true;
}

TEST_F(descriptor, may_be_closed_while_threads_use_it)
{
	struct worker workers[2];
	long seen[2] = { -1, -1 };
	int i;

	start_workers(self, workers, 2);
	for (i = 0; i < 2; i++)
		while (!is_over(&workers[i])) {
			/* Not so often that nobody gets to use one. */
			if (have_gone_on(workers, seen))
				closefrom(3);
			sched_yield();
		}
	EXPECT_TRUE(is_whole(self->kept));
	/* Nor do they become ever more. */
	EXPECT_GE(3 + 4, count_descriptors());
}

TEST_F(descriptor, may_be_closed_by_a_child)
{
	pid_t pid = fork_child();

	if (!pid) {
		closefrom(3);
		use_for_long(self);
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
	use_for_long(self);
}

/* A function of its own: its child changes what is in registers here. */
apart bool vfork_child_that_closes(struct gcheap *heap)
{
	pid_t pid = vfork();

	if (!pid) {
		closefrom(3);
		if (!gcheap_alloc(heap, 100000) || !gcheap_alloc(heap, 3000))
			_exit(KSFT_FAIL);
		_exit(KSFT_PASS);
	}
	return child_succeeded(pid);
}

TEST_F(descriptor, may_be_closed_by_a_child_of_vfork)
{
	int before = count_descriptors();

	EXPECT_TRUE(vfork_child_that_closes(self->heap));
	use_for_long(self);
	EXPECT_EQ(before, count_descriptors());
}

/* Without /dev there is no other to be had: each call says so, and harms nothing. */
TEST_F(descriptor, that_cannot_be_had_again_is_an_error)
{
	char folder[] = "/tmp/gcheap-empty-XXXXXX";
	struct gcheap_stats stats;

	ASSERT_NE(NULL, mkdtemp(folder));
	if (chroot(folder))
		SKIP(rmdir(folder); return, "chroot: %s", strerror(errno));
	closefrom(3);
	EXPECT_EQ(NULL, gcheap_alloc(self->heap, 100000));
	EXPECT_EQ(EBADF, errno);
	while (gcheap_alloc(self->heap, 64))
		;
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, gcheap_collect(self->heap));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, gcheap_read_stats(self->heap, &stats));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, gcheap_fd(self->heap));
	EXPECT_EQ(EBADF, errno);
	EXPECT_TRUE(is_whole(self->kept));
	EXPECT_EQ(3, count_descriptors());
}

/* Programs that are started in unusual ways */
static void start_without_stdin(void)
{
	struct gcheap *heap;

	closefrom(3);
	close(STDIN_FILENO);
	heap = gcheap_open(NULL);
	must(heap);
	must(gcheap_fd(heap) > STDERR_FILENO);
	must(open("/dev/null", O_RDONLY | O_CLOEXEC) == STDIN_FILENO);
	close(STDIN_FILENO);
	must(gcheap_alloc(heap, 100000) && !gcheap_collect(heap));
	gcheap_close(heap);
	must(count_descriptors() == 2);
}

static void limit_descriptors(int limit)
{
	struct rlimit rlimit;

	must(!getrlimit(RLIMIT_NOFILE, &rlimit));
	rlimit.rlim_cur = limit;
	must(!setrlimit(RLIMIT_NOFILE, &rlimit));
}

static void start_with_few_descriptors(void)
{
	struct gcheap *heap;

	closefrom(3);
	limit_descriptors(3);
	must(!gcheap_open(NULL) && errno == EMFILE);
	limit_descriptors(4);
	heap = gcheap_open(NULL);
	must(heap && gcheap_fd(heap) == 3);
	must(gcheap_alloc(heap, 100000) && !gcheap_collect(heap));
	/* Two are needed to get another one. */
	closefrom(3);
	must(!gcheap_alloc(heap, 100000) && errno == EMFILE);
	must(gcheap_fd(heap) == -1 && errno == EMFILE);
	limit_descriptors(5);
	must(gcheap_alloc(heap, 100000) && !gcheap_collect(heap));
	must(gcheap_fd(heap) > 2);
	gcheap_close(heap);
	must(count_descriptors() == 3);
}

TEST(descriptor_is_not_stdin)
{
	pid_t pid = fork_child();

	if (!pid) {
		start_without_stdin();
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
}

TEST(descriptor_is_what_there_is_when_there_are_few)
{
	pid_t pid = fork_child();

	if (!pid) {
		start_with_few_descriptors();
		_exit(KSFT_PASS);
	}
	EXPECT_TRUE(child_succeeded(pid));
}

TEST_HARNESS_MAIN
